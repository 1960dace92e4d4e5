//! In whatever order records come, the sums are the same.

use super::usage::any_records;
use super::{brute_force, ledger, window};
use proptest::prelude::*;
use stratus_accounting::ledger::Origin;
use stratus_accounting::{By, Record};

const SEEN: i64 = 65;

/// Records as one machine's whole history, dealt to feeds and pages in some order.
fn any_feeds() -> impl Strategy<Value = (Vec<Record>, Vec<Vec<Record>>)> {
    let all = (any_records(1), any_records(2)).prop_map(|(mut a, b)| {
        a.extend(b);
        a
    });
    all.prop_flat_map(|records| {
        let count = records.len();
        let order = Just(records.clone()).prop_shuffle();
        let places = proptest::collection::vec(0..4_usize, count);
        (Just(records), order, places).prop_map(|(records, order, places)| {
            let mut feeds = vec![Vec::new(); 4];
            for (record, place) in order.into_iter().zip(places) {
                feeds[place].push(record);
            }
            (records, feeds)
        })
    })
}

async fn fed_and_counted(records: &[Record], feeds: &[Vec<Record>], split: i64) -> [i128; 3] {
    let (ledger, _folder) = ledger().await;
    for records in feeds {
        let mut feed = ledger.feed(SEEN, window(0, SEEN)).await.unwrap();
        for page in records.chunks(2) {
            feed.page(Origin::Accounting, page).await.unwrap();
        }
        feed.finish().await.unwrap();
    }
    // What oned shows in the end.
    let mut feed = ledger.feed(SEEN, window(0, SEEN)).await.unwrap();
    feed.page(Origin::Accounting, records).await.unwrap();
    let last = feed.finish().await.unwrap();
    assert_eq!(last.added.new + last.added.restated, 0, "all of it was known");
    let mut sums = [0; 3];
    for (place, (from, to)) in [(0, 70), (0, split), (split, 70)].into_iter().enumerate() {
        let rows = ledger.report(window(from, to), By::User).await.unwrap();
        sums[place] = rows.iter().map(|row| row.totals.cpu_core_milliseconds).sum();
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_order_of_feeds_and_pages_does_not_matter(
        (records, feeds) in any_feeds(), split in 0..70_i64,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let [all, before, after] = runtime.block_on(fed_and_counted(&records, &feeds, split));
        prop_assert_eq!(all, brute_force(&records, SEEN, 0, 70));
        prop_assert_eq!(before, brute_force(&records, SEEN, 0, split));
        prop_assert_eq!(before + after, all);
    }
}
