//! What is published, read by us and by APEL itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::database::{Apel, Database, rows};
use crate::history::{Stay, answer, busy, time};
use crate::site::Site;

/// The messages of a queue, oldest first.
fn messages(queue: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let mut files: Vec<_> = list(queue).iter().flat_map(|folder| list(folder)).collect();
    files.sort();
    files
}

fn month(number: i64) -> String {
    format!("2026-{number:02}-01")
}

/// Wall seconds of each user in each month, as our report has them.
fn reported(site: &Site) -> BTreeMap<(i64, String), i64> {
    let mut all = BTreeMap::new();
    for number in 8..12 {
        let window = format!("--by user --from {} --to {}", month(number), month(number + 1));
        for row in site.report(&window)["rows"].as_array().unwrap() {
            let user = row["user"].as_str().unwrap().to_owned();
            all.insert((number, user), row["wall_seconds"].as_i64().unwrap());
        }
    }
    all
}

/// The same as APEL's summaries have it.
fn summarised(database: &Database) -> BTreeMap<(i64, String), i64> {
    // Summaries are replaced by key; as on a site that is summarised for the first time.
    database.query("apel", "DELETE FROM CloudSummaries; CALL SummariseVMs();");
    let text = database.query(
        "apel",
        "SELECT Month, GlobalUserName, SUM(WallDuration) FROM VCloudSummaries WHERE Year = 2026 \
         GROUP BY Month, GlobalUserName HAVING SUM(WallDuration) <> 0",
    );
    by_month(&text)
}

/// Rows of month, name and seconds.
fn by_month(text: &str) -> BTreeMap<(i64, String), i64> {
    let row = |line: &str| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap().to_owned();
        let (month, name, wall) = (next(), next(), next());
        let user = name.strip_prefix("/O=Example/CN=").unwrap().to_owned();
        ((month.parse().unwrap(), user), wall.parse().unwrap())
    };
    text.lines().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_published_once_and_a_correction_again() {
    let site = Site::start().await;
    let mut stays = busy(150);
    site.play(&answer(&stays));
    site.accounting("feed").good();
    let queue = site.path().join("outgoing");
    let publish = format!("publish --format apel-cloud-0.4 --to {}", queue.display());

    let dry = site.accounting(&format!("{publish} --dry-run")).good();
    let data = site.accounting(&format!("{publish} --dry-run --json")).good().stdout;
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["published"], false);
    assert_eq!(data["files"].as_array().unwrap().len(), 0);
    let texts = data["texts"].as_array().unwrap();
    assert_eq!(data["messages"].as_u64().unwrap(), u64::try_from(texts.len()).unwrap());
    let whole: String = texts.iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(whole.trim_end(), dry.stdout.trim_end());
    assert!(dry.stdout.starts_with("APEL-cloud-message: v0.4\n"), "{}", dry.stdout);
    assert!(!queue.exists(), "nothing was written");
    site.accounting(&publish).good();
    let first = messages(&queue);
    let text = |files: &[PathBuf]| -> String {
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    };
    assert_eq!(text(&first).trim_end(), dry.stdout.trim_end(), "what was announced");
    for file in &first {
        let name = file.file_name().unwrap().to_str().unwrap();
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!((folder.len(), name.len()), (8, 14), "{name}");
        assert!(text(std::slice::from_ref(file)).matches("%%").count() <= 100);
    }

    let again = site.accounting(&publish).good();
    assert!(again.stderr.contains("published 0 records"), "{}", again.stderr);
    assert_eq!(messages(&queue), first);

    // oned's history is mended: this machine ended a second earlier.
    let last = stays.iter().rposition(|stay| stay.vm == 7).unwrap();
    stays[last].to -= 1;
    site.play(&answer(&stays));
    let recent = site.accounting("feed --json").good();
    assert!(recent.stdout.contains("\"records\":0"), "long ago: {}", recent.stdout);
    // A day later the feed asks for everything by itself.
    let later = site.accounting_later("+24h", "feed --json").good();
    assert!(later.stdout.contains("\"restated\":1"), "{}", later.stdout);
    let corrected = site.accounting(&publish).good();
    assert!(corrected.stderr.contains("in 1 messages; "), "{}", corrected.stderr);
    let new: Vec<_> = messages(&queue).into_iter().filter(|f| !first.contains(f)).collect();
    assert!(text(&new).contains("MachineName: vm-7\n"), "{}", text(&new));
    assert_eq!(text(&new).matches("MachineName").count(), text(&new).matches("vm-7\n").count());
}

/// A database that keeps one record for each machine and month and takes the difference from the month
/// before, as APEL's rule is, comes to our sums; with corrections, and while months go by.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_to_the_same_sums_by_apels_rule() {
    let database = Database::start();
    database.query("", "CREATE DATABASE site");
    database.query(
        "site",
        "CREATE TABLE records (vm CHAR(36), year INT, month INT, user VARCHAR(255), wall BIGINT, \
         cpu BIGINT, PRIMARY KEY (vm, year, month))",
    );
    let site = Site::start().await;
    let queue = site.path().join("outgoing");
    let mut stays = busy(60);
    let last = time("2026-12-01");
    for until in [time("2026-09-10"), time("2026-10-20"), last, last + 1] {
        if until > last {
            // What a correction took away is no longer in the sums.
            let mended = stays.iter().rposition(|stay| stay.vm == 7).unwrap();
            stays[mended].to -= 1;
        }
        let known: Vec<Stay> = stays.iter().filter(|s| s.to <= until).cloned().collect();
        site.play(&answer(&known));
        site.accounting("feed --everything").good();
        site.accounting(&format!("publish --to {}", queue.display())).good();
        database.query("site", &rows(&queue));
        assert_eq!(messages(&queue), [] as [PathBuf; 0], "dirq took every message");
        let sums = database.query(
            "site",
            "SELECT month, user, SUM(wall - earlier) FROM (SELECT *, COALESCE(LAG(wall) OVER \
             (PARTITION BY vm ORDER BY year, month), 0) AS earlier FROM records) AS each_month \
             GROUP BY month, user HAVING SUM(wall - earlier) <> 0",
        );
        assert_eq!(by_month(&sums), reported(&site), "until {until}");
    }
}

/// APEL's own parser, database and summaries come to our sums, month by month.
#[tokio::test(flavor = "multi_thread")]
async fn apel_itself_comes_to_the_same_sums() {
    let Some(apel) = Apel::find() else { return };
    let database = Database::start();
    database.query("", "CREATE DATABASE apel");
    database.query("apel", &apel.schema());
    let site = Site::start().await;
    let queue = site.path().join("outgoing");
    let publish = format!("publish --to {}", queue.display());
    let stays = busy(60);
    // Fed and published as the months go by: of what ended later, nothing is known yet.
    for until in ["2026-09-10", "2026-10-20", "2026-12-01"].map(time) {
        let known: Vec<Stay> = stays.iter().filter(|s| s.to <= until).cloned().collect();
        site.play(&answer(&known));
        site.accounting("feed --everything").good();
        site.accounting(&publish).good();
        database.query("apel", &apel.load(&queue));
        assert_eq!(messages(&queue), [] as [PathBuf; 0], "dirq took every message");
        assert_eq!(summarised(&database), reported(&site), "until {until}");
    }
    let all: i64 = stays.iter().map(|s| s.to - s.from).sum();
    assert_eq!(reported(&site).values().sum::<i64>(), all);
}
