//! The ledger: it only grows, counts once, and knows what it has not seen.

use super::{ledger, record, wall, window};
use sqlx::sqlite::SqlitePool;
use stratus_accounting::ledger::{Added, Fed, Origin, Unfed};
use stratus_accounting::{By, Doubt, Ledger, LedgerError, Month, Record};

async fn feed(ledger: &Ledger, at: i64, records: &[Record]) -> Fed {
    feed_from(ledger, at, Origin::Accounting, records).await
}

async fn feed_from(ledger: &Ledger, at: i64, origin: Origin, records: &[Record]) -> Fed {
    let mut feed = ledger.feed(at, window(0, at)).await.unwrap();
    feed.page(origin, records).await.unwrap();
    feed.finish().await.unwrap()
}

async fn count(folder: &tempfile::TempDir, sql: &'static str) -> i64 {
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn feeding_the_same_again_adds_nothing() {
    let (ledger, folder) = ledger().await;
    let records = [record(1, 0, (100, 200)), record(1, 1, (200, 0)), record(2, 0, (150, 180))];
    let first = feed(&ledger, 300, &records).await;
    assert_eq!(first.added, Added { new: 3, restated: 0 });
    let second = feed(&ledger, 300, &records).await;
    assert_eq!(second.added, Added::default());
    assert_eq!(count(&folder, "SELECT count(*) FROM entry").await, 3);
    assert_eq!(wall(&ledger, 0, 1000).await, 100 + 100 + 30);
}

#[tokio::test]
async fn a_ledger_that_root_makes_belongs_to_whom_its_folder_does() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let own = std::fs::metadata(folder.path()).unwrap().uid();
    let owner = if own == 0 { 1 } else { own };
    chown(folder.path(), Some(owner), None).unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).await.unwrap();
    feed(&ledger, 300, &[record(1, 0, (100, 200))]).await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().uid(), owner, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_correction_counts_and_what_it_corrects_is_kept() {
    let (ledger, folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 200))]).await;
    let fed = feed(&ledger, 301, &[record(1, 0, (100, 190))]).await;
    assert_eq!(fed.added, Added { new: 0, restated: 1 });
    assert_eq!(wall(&ledger, 0, 1000).await, 90);
    assert_eq!(count(&folder, "SELECT count(*) FROM entry").await, 2);
    assert_eq!(count(&folder, "SELECT retime FROM entry WHERE supersedes IS NULL").await, 200);
}

#[tokio::test]
async fn nothing_that_was_noted_can_be_changed_or_taken_out() {
    let (ledger, folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 0))]).await;
    feed(&ledger, 400, &[]).await;
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    for sql in [
        "DELETE FROM entry",
        "UPDATE entry SET retime = 5",
        "DELETE FROM feed",
        "UPDATE feed SET at = 5",
        "DELETE FROM mark",
        "UPDATE mark SET at = 5",
    ] {
        let error = sqlx::query(sql).execute(&pool).await.unwrap_err().to_string();
        assert!(error.contains("the ledger only grows"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_oned_forgets_stays() {
    let (ledger, _folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 200))]).await;
    let fed = feed(&ledger, 400, &[]).await;
    assert_eq!(fed.vanished, 0, "it had ended");
    assert_eq!(wall(&ledger, 0, 1000).await, 100);
}

#[tokio::test]
async fn a_machine_that_runs_counts_until_the_last_feed_that_saw_it() {
    let (ledger, _folder) = ledger().await;
    let running = [record(1, 0, (100, 0))];
    feed(&ledger, 300, &running).await;
    assert_eq!(wall(&ledger, 0, 1000).await, 200);
    assert_eq!(feed(&ledger, 400, &running).await.vanished, 0);
    assert_eq!(wall(&ledger, 0, 1000).await, 300);
    // It is gone: nothing says that it ran any longer.
    assert_eq!(feed(&ledger, 500, &[]).await.vanished, 1);
    assert_eq!(feed(&ledger, 550, &[]).await.vanished, 0, "it is said once");
    assert_eq!(wall(&ledger, 0, 1000).await, 300);
    let gaps = ledger.gaps(1000, 560).await.unwrap();
    assert_eq!((gaps.vanished.len(), gaps.vanished[0].seen), (1, 400));
    // One empty answer was wrong: it ran all the time.
    let fed = feed(&ledger, 600, &running).await;
    assert_eq!((fed.returned, fed.added), (1, Added::default()));
    assert_eq!(wall(&ledger, 0, 1000).await, 500);
    assert!(ledger.gaps(1000, 610).await.unwrap().is_empty());
    // And ended.
    feed(&ledger, 700, &[record(1, 0, (100, 650))]).await;
    assert_eq!(wall(&ledger, 0, 1000).await, 550);
}

#[tokio::test]
async fn a_feed_that_is_not_finished_never_was() {
    let (ledger, folder) = ledger().await;
    let mut feed = ledger.feed(300, window(0, 300)).await.unwrap();
    feed.page(Origin::Accounting, &[record(1, 0, (100, 200))]).await.unwrap();
    drop(feed);
    assert_eq!(wall(&ledger, 0, 1000).await, 0);
    assert_eq!(count(&folder, "SELECT count(*) FROM entry").await, 0);
}

#[tokio::test]
async fn an_older_page_does_not_open_what_ended() {
    let (ledger, _folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 200))]).await;
    let fed = feed(&ledger, 300, &[record(1, 0, (100, 0))]).await;
    assert_eq!(fed.added, Added::default());
    // A start that failed and was tried again is no such thing: the stay never ended.
    let mut failed = record(2, 0, (100, 110));
    (failed.times.end, failed.action) = (0, 0);
    feed(&ledger, 320, &[failed]).await;
    assert_eq!(feed(&ledger, 330, &[record(2, 0, (100, 0))]).await.added.restated, 1);
    assert_eq!(wall(&ledger, 0, 1000).await, 100 + 230);
}

#[tokio::test]
async fn the_pool_adds_ends_and_leaves_sizes_to_accounting() {
    let (ledger, _folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 0))]).await;
    let mut later = record(1, 0, (100, 0));
    later.sizes.cpu_milli = 9000;
    let fed = feed_from(&ledger, 310, Origin::Pool, std::slice::from_ref(&later)).await;
    assert_eq!(fed.added, Added::default());
    later.times.running_end = 305;
    let fed = feed_from(&ledger, 320, Origin::Pool, &[later, record(2, 0, (300, 0))]).await;
    assert_eq!(fed.added, Added { new: 1, restated: 1 });
}

#[tokio::test]
async fn a_machine_of_a_new_installation_is_another_one() {
    let (ledger, _folder) = ledger().await;
    feed(&ledger, 300, &[record(1, 0, (100, 200))]).await;
    let mut again = record(1, 0, (500, 600));
    again.machine.born = 499;
    assert_eq!(feed(&ledger, 700, &[again]).await.added.new, 1);
    assert_eq!(wall(&ledger, 0, 1000).await, 200);
}

#[tokio::test]
async fn rows_are_by_user_group_or_machine_with_the_latest_names() {
    let (ledger, _folder) = ledger().await;
    let mut renamed = record(1, 1, (200, 300));
    renamed.owner.user = "alice".to_owned();
    renamed.sizes.memory_mib = 1024;
    let records =
        [record(1, 0, (100, 200)), renamed, record(2, 0, (100, 150)), record(4, 0, (50, 60))];
    feed(&ledger, 300, &records).await;
    let rows = ledger.report(window(0, 300), By::User).await.unwrap();
    let shown: Vec<_> =
        rows.iter().map(|r| (r.owner.user.as_str(), r.machines, r.totals.wall_seconds)).collect();
    assert_eq!(shown, [("alice", 2, 210), ("user2", 1, 50)]);
    assert_eq!(rows[0].totals.memory_mib_seconds, 100 * 512 + 100 * 1024 + 10 * 512);
    let groups = ledger.report(window(0, 300), By::Group).await.unwrap();
    assert_eq!(groups.iter().map(|r| r.totals.wall_seconds).collect::<Vec<_>>(), [200, 60]);
    let machines = ledger.report(window(120, 130), By::Machine).await.unwrap();
    assert_eq!(machines.len(), 2);
}

#[tokio::test]
async fn gaps_show_silence_and_records_that_do_not_fit() {
    let (ledger, _folder) = ledger().await;
    let mut odd = record(1, 2, (300, 200));
    odd.times.end = 310;
    let records =
        [record(1, 0, (100, 0)), odd, record(2, 0, (100, 200)), record(2, 1, (150, 9000))];
    feed(&ledger, 400, &records).await;
    let mut silent = ledger.feed(4000, window(900, 4000)).await.unwrap();
    silent.page(Origin::Accounting, &[]).await.unwrap();
    silent.finish().await.unwrap();
    let gaps = ledger.gaps(600, 4500).await.unwrap();
    assert_eq!(gaps.unfed, [Unfed { from: 400, to: 4000, covered: false }]);
    let found: Vec<_> = gaps.doubtful.iter().map(|d| (d.machine.id, d.sequence, d.doubt)).collect();
    assert_eq!(
        found,
        [
            (1, 0, Doubt::NoEnd),
            (1, 2, Doubt::MissingBefore(1)),
            (1, 2, Doubt::EndsBeforeItStarts),
            (2, 0, Doubt::Overlaps),
            (2, 1, Doubt::InTheFuture),
        ]
    );
}

#[tokio::test]
async fn what_is_no_ledger_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(
        &text,
        "these are my notes, and they are longer than a page header is ".repeat(40),
    )
    .unwrap();
    assert!(matches!(Ledger::open(&text).await, Err(LedgerError::Foreign { .. })));
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("these are my notes"));
    let other = folder.path().join("other.db");
    let url = format!("sqlite:{}?mode=rwc", other.display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE mine (x)").execute(&pool).await.unwrap();
    assert!(matches!(Ledger::open(&other).await, Err(LedgerError::Foreign { .. })));
    let none = folder.path().join("none.db");
    assert!(matches!(Ledger::open_existing(&none).await, Err(LedgerError::Missing(_))));
}

/// Months one by one, and all in one pass.
#[tokio::test]
async fn months_of_one_pass_are_the_reports_of_each() {
    let (ledger, _folder) = ledger().await;
    // 2026-08-01 to 2026-11-01.
    let (from, day) = (1_785_542_400, 86_400);
    let stays = [(1, 0, 20, 40), (1, 1, 35, 70), (2, 0, 31, 61), (3, 0, 80, 0), (4, 0, 5, 6)];
    let at = |days: i64| if days == 0 { 0 } else { from + days * day + 7 };
    let records: Vec<Record> = stays
        .iter()
        .map(|(id, seq, begin, end)| record(*id, *seq, (at(*begin), at(*end))))
        .collect();
    feed(&ledger, from + 100 * day, &records).await;
    let (first, last) = (Month::of(from - day), Month::of(from + 92 * day));
    let months = ledger.months(first, last).await.unwrap();
    assert_eq!(months.len(), 5);
    for (month, rows) in &months {
        let mut expected = ledger.report(month.window(), By::User).await.unwrap();
        expected.sort_by_key(|row| row.owner.user_id);
        assert_eq!(*rows, expected, "{month}");
    }
    assert_eq!(months[0].1, [], "July");
    assert!(months[1..].iter().all(|(_, rows)| !rows.is_empty()));
}
