//! Ranges are never empty, never past the end; a part is appended only where it belongs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stratus_repository_api::range::{ContentRange, RangeSet, Resume, continue_at, parse};

fuzz_target!(|input: (u64, u64, Option<u64>, &str)| {
    let (length, have, total, header) = input;
    let within = |r: &std::ops::Range<u64>| assert!(r.start < r.end && r.end <= length, "{r:?} of {length}");
    match parse(header, length) {
        RangeSet::Single(range) => within(&range),
        RangeSet::Multi(ranges) => ranges.iter().for_each(within),
        RangeSet::Whole | RangeSet::Unsatisfiable => {}
    }
    if let Ok(part) = ContentRange::parse(header) {
        assert_eq!(ContentRange::parse(&part.to_string()), Ok(part));
        if continue_at(have, total, &part) == Ok(Resume::Append) {
            let ContentRange::Part { first, .. } = part else { panic!("a question is not appended") };
            assert_eq!(first, have);
        }
    }
});
