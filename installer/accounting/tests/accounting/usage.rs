//! Spans against a count of single seconds.

use super::{brute_force, record, window};
use proptest::prelude::*;
use stratus_accounting::ledger::MachineHistory;
use stratus_accounting::{Record, Times, Totals};

/// Any records of one machine: overlaps, ends before starts, ends that were never written.
pub(crate) fn any_records(id: i64) -> impl Strategy<Value = Vec<Record>> {
    let one = (0..60_i64, 0..60_i64, 0..60_i64, 0..60_i64, 1..4_i64);
    proptest::collection::vec(one, 0..6).prop_map(move |all| {
        let made = all.into_iter().zip(0..).map(|((start, end, from, to, cores), sequence)| {
            let mut record = record(id, sequence, (0, 0));
            record.times =
                Times { start, end, running_start: from, running_end: to, ..Times::default() };
            record.sizes.cpu_milli = cores * 500;
            record
        });
        made.collect()
    })
}

fn total(history: &MachineHistory, from: i64, to: i64) -> Totals {
    let mut totals = Totals::default();
    for span in history.spans() {
        let seconds = window(from, to).seconds_of(&span);
        totals.add(seconds, &history.records[span.record].sizes);
    }
    totals
}

proptest! {
    #[test]
    fn every_window_is_what_counting_its_seconds_gives(
        records in any_records(1), seen in 0..70_i64, from in 0..70_i64, length in 0..70_i64,
    ) {
        let history = MachineHistory { records: records.clone(), seen_until: seen };
        let counted = brute_force(&records, seen, from, from + length);
        prop_assert_eq!(total(&history, from, from + length).cpu_core_milliseconds, counted);
    }

    #[test]
    fn a_window_split_anywhere_adds_up(
        records in any_records(1), seen in 0..70_i64, from in 0..70_i64, one in 0..70_i64, two in 0..70_i64,
    ) {
        let history = MachineHistory { records, seen_until: seen };
        let mut sum = total(&history, from, from + one);
        sum.add_all(&total(&history, from + one, from + one + two));
        prop_assert_eq!(sum, total(&history, from, from + one + two));
    }

    #[test]
    fn no_second_counts_twice(records in any_records(1), seen in 0..70_i64) {
        let spans = MachineHistory { records, seen_until: seen }.spans();
        for pair in spans.windows(2) {
            prop_assert!(pair[0].to <= pair[1].from);
        }
        prop_assert!(spans.iter().all(|span| span.from < span.to));
    }
}
