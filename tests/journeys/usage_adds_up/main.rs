//! Usage adds up: from OpenNebula's history to the ledger, the report, and what APEL makes of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

mod database;
mod faults;
mod history;
mod published;
mod site;

use history::{END, Stay, recorded, time};
use site::Site;
use stratus_tests::{Monitor, MonitorSetup};

fn of(rows: &serde_json::Value, vm: i64, field: &str) -> i64 {
    let rows = rows["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["vm"] == vm);
    row.unwrap_or_else(|| panic!("no machine {vm} in {rows:?}"))[field].as_i64().unwrap()
}

/// The records of the real oned, summed up by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_history_is_counted_to_the_second() {
    let site = Site::start().await;
    site.play(&recorded());
    let fed = site.accounting("feed --json").good();
    assert!(fed.stdout.contains("\"new\":16"), "{}", fed.stdout);
    let again = site.accounting("feed --json").good();
    assert!(again.stdout.contains("\"new\":0") && again.stdout.contains("\"restated\":0"));

    let window = "--from 2026-11-21 --to 2026-11-21T00:20:00Z";
    let rows = site.report(&format!("--by vm {window}"));
    let end = time("2026-11-21T00:20:00Z");
    // RETIME - RSTIME of the records 0 to 8, and the ninth still runs.
    let ended = [16, 2, 0, 0, 1, 12, 1, 1, 1];
    let running = end - 1_795_220_268;
    assert_eq!(of(&rows, 0, "wall_seconds"), ended.iter().sum::<i64>() + running);
    // Half a core until the resize in record 3, one after it.
    assert_eq!(of(&rows, 0, "cpu_core_milliseconds"), 18 * 500 + (16 + running) * 1000);
    assert_eq!(of(&rows, 0, "memory_mib_seconds"), 18 * 256 + (16 + running) * 512);
    assert_eq!(of(&rows, 0, "disk_mib_seconds"), 16 * 16 + (18 + running) * 24);
    assert_eq!(of(&rows, 2, "wall_seconds"), 43 + 3 + 21 + 31);
    assert_eq!(of(&rows, 4, "wall_seconds"), 90);

    let users = site.report(&format!("--by user {window}"));
    let all: i64 = [0, 2, 4].iter().map(|vm| of(&rows, *vm, "wall_seconds")).sum();
    assert_eq!(users["rows"][0]["user"], "oneadmin");
    assert_eq!(users["rows"][0]["wall_seconds"], all);
    assert_eq!(users["rows"][0]["machines"], 3);
    let csv = site.accounting(&format!("report --by group --format csv {window}")).good().stdout;
    let line = csv.lines().nth(1).unwrap();
    assert!(line.starts_with(&format!("0,oneadmin,3,{all},")), "{csv}");
    let table = site.accounting(&format!("report {window}")).good().stdout;
    assert!(table.contains("oneadmin"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opennebula_forgets_is_kept_and_what_vanished_is_told() {
    let site = Site::start().await;
    site.play(&recorded());
    site.accounting("feed").good();
    let window = "--by vm --from 2026-11-21 --to 2026-11-21T00:20:00Z";
    let before = site.report(window);
    let quiet = site.accounting("gaps");
    assert_eq!(quiet.code, 1, "one record counts while the machine was off: {}", quiet.stdout);
    assert!(
        quiet.stdout.contains("VM 0 `web-one`, record 1: counts as running"),
        "{}",
        quiet.stdout
    );

    site.play("<HISTORY_RECORDS></HISTORY_RECORDS>");
    let fed = site.accounting("feed --json").good();
    assert!(fed.stdout.contains("\"vanished\":1"), "{}", fed.stdout);
    assert_eq!(site.report(window)["rows"], before["rows"]);
    let gaps = site.accounting("gaps").stdout;
    assert!(gaps.contains("VM 0 `web-one` of `oneadmin`: ran when it was last seen"), "{gaps}");

    // It was only one wrong answer.
    site.play(&recorded());
    let fed = site.accounting("feed --json").good();
    assert!(fed.stdout.contains("\"returned\":1") && fed.stdout.contains("\"new\":0"));
    assert!(!site.accounting("gaps").stdout.contains("last seen"));
}

/// Over three months, in windows of every kind.
#[tokio::test(flavor = "multi_thread")]
async fn every_window_adds_up_over_the_ends_of_months() {
    let site = Site::start().await;
    let stays = history::busy(30);
    site.play(&history::answer(&stays));
    site.accounting("feed").good();
    let edges = ["2026-08-01", "2026-09-01", "2026-09-17T11:22:33Z", "2026-10-01", "2026-11-01"];
    let mut parts = 0;
    for pair in edges.windows(2) {
        let rows = site.report(&format!("--by user --from {} --to {}", pair[0], pair[1]));
        let (from, to) = (time(pair[0]), time(pair[1]));
        for row in rows["rows"].as_array().unwrap() {
            let uid = row["user_id"].as_i64().unwrap();
            let own: Vec<&Stay> = stays.iter().filter(|stay| stay.uid == uid).collect();
            let wall: i64 = own.iter().map(|stay| stay.seconds(from, to)).sum();
            let cpu: i64 = own.iter().map(|s| s.seconds(from, to) * s.cpu_milli).sum();
            assert_eq!(row["wall_seconds"], wall, "user {uid}, {pair:?}");
            assert_eq!(row["cpu_core_milliseconds"], cpu, "user {uid}, {pair:?}");
            parts += wall;
        }
    }
    let all: i64 = stays.iter().map(|s| s.seconds(time("2026-08-01"), time("2026-11-01"))).sum();
    assert_eq!(parts, all);
    assert!(stays.iter().any(|stay| stay.to > END - 100), "some run over the last end");
}

/// The pages of the monitor say what the reports say.
#[tokio::test(flavor = "multi_thread")]
async fn people_see_in_the_monitor_what_the_ledger_knows() {
    let site = Site::start().await;
    let named = history::answer(&history::busy(30));
    site.play(&named.replace(">user1<", ">alice<").replace(">user2<", ">bob<"));
    // As if it were the second of November 2026, whenever this is run.
    site.accounting_later("@2026-11-02 00:00:00", "feed").good();
    let setup = MonitorSetup { oned: site.oned.url(), ..MonitorSetup::default() };
    // It has a runtime of its own.
    tokio::task::block_in_place(|| {
        let monitor = Monitor::with(setup);
        std::fs::copy(site.path().join("ledger/usage.json"), monitor.path("usage.json")).unwrap();
        let shown = monitor.until("/usage", |usage| usage["total"].as_u64() > Some(0));
        assert_eq!(
            shown["months"],
            serde_json::json!(["2026-11", "2026-10", "2026-09", "2026-08"])
        );
        for number in 8..12 {
            let window =
                format!("--by user --from 2026-{number:02}-01 --to 2026-{:02}-01", number + 1);
            let report = site.report(&window);
            let page = monitor.json("admin", &format!("/usage?month=2026-{number:02}"));
            let sums = |rows: &serde_json::Value, name: &str| -> Vec<[String; 5]> {
                let fields =
                    [name, "machines", "wall_seconds", "cpu_core_milliseconds", "disk_mib_seconds"];
                let row = |row: &serde_json::Value| fields.map(|field| row[field].to_string());
                let mut rows: Vec<_> = rows.as_array().unwrap().iter().map(row).collect();
                rows.sort();
                rows
            };
            let expected = sums(&report["rows"], "user");
            assert!(!expected.is_empty(), "{report}");
            assert_eq!(sums(&page["users"], "name"), expected, "month {number}");
        }
        let own = monitor.json("alice", "/usage");
        let all = monitor.json("admin", "/usage?month=2026-10&q=alice");
        assert_eq!(own["months"][1]["wall_seconds"], all["users"][0]["wall_seconds"]);
        assert_eq!(monitor.page("alice", "/usage?user=bob").0, 404);
    });
}

#[test]
fn the_command_explains_itself() {
    let help =
        stratus_tests::run(stratus_tests::program("stratus-accounting").arg("--help")).good();
    for task in ["feed", "report", "publish", "gaps", "Examples:"] {
        assert!(help.stdout.contains(task), "{task} in\n{}", help.stdout);
    }
    for kind in ["man", "bash", "zsh", "fish"] {
        let mut command = stratus_tests::program("stratus-accounting");
        let made = stratus_tests::run(command.args(["--generate", kind])).good();
        assert!(made.stdout.contains("publish"), "{kind}");
    }
}
