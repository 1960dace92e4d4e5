//! Whatever arrives is read or refused; what is read as a manifest can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stratus_manifest::{deprecation, read, validate, write};

fuzz_target!(|data: &[u8]| {
    if let Ok(unverified) = read(data) {
        let manifest = unverified.into_unverified_manifest();
        if let Ok(text) = write(&manifest) {
            read(text.as_bytes()).expect("what we write, we read");
        }
    }
    let _ = deprecation::read(data);
    let validation = validate(data, None, None, jiff::Timestamp::UNIX_EPOCH);
    assert!(!validation.accepted(), "nothing is accepted without trust anchors");
});
