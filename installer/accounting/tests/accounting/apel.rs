//! The cloud usage records, added up as APEL's server does it.

use std::collections::BTreeMap;

use super::record;
use proptest::prelude::*;
use stratus_accounting::apel::{
    CloudRecord, Publisher, cloud_records, message, vm_uuid, withdrawn,
};
use stratus_accounting::ledger::MachineHistory;
use stratus_accounting::{Month, Record, Window};

const DAY: i64 = 86_400;
/// 2026-10-01.
const OCTOBER: i64 = 1_790_812_800;
/// 2026-11-01.
const NOVEMBER: i64 = OCTOBER + 31 * DAY;
/// 2026-12-01.
const DECEMBER: i64 = NOVEMBER + 30 * DAY;

fn publisher() -> Publisher {
    Publisher {
        site_name: "EXAMPLE-SITE".to_owned(),
        compute_service: Some("cloud.example.org".to_owned()),
        global_user_name: Some("/O=Example/CN=#user#".to_owned()),
        fqan: Some("/vo.example.org/#group#".to_owned()),
        benchmark: Some(("HEPscore23".to_owned(), "14.5".to_owned())),
        cloud_type: "Stratus 1.0".to_owned(),
    }
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}

fn number(text: &str, key: &str) -> i64 {
    field(text, key).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// What the server keeps: one record for each machine and month of measurement.
#[derive(Default)]
struct Server(BTreeMap<(String, i64), (i64, i64, i64)>);

impl Server {
    fn load(&mut self, records: &[CloudRecord]) {
        for record in records {
            let text = &record.text;
            let completed = field(text, "Status") == Some("completed");
            let measured = number(text, if completed { "EndTime" } else { "RecordCreateTime" });
            let month = Month::of(measured).number();
            assert_eq!(month, record.month, "{text}");
            let durations = (number(text, "WallDuration"), number(text, "CpuDuration"));
            let uuid = field(text, "VMUUID").unwrap().to_owned();
            self.0.insert((uuid, month), (measured, durations.0, durations.1));
        }
    }

    /// Wall and CPU seconds of each month: each record less the one measured before it.
    fn months(&self) -> BTreeMap<i64, (i64, i64)> {
        let mut months = BTreeMap::new();
        for ((uuid, month), (measured, wall, cpu)) in &self.0 {
            let of_machine = self.0.iter().filter(|((other, _), _)| other == uuid);
            let before = of_machine.map(|(_, kept)| kept).filter(|kept| kept.0 < *measured).max();
            let (_, wall_before, cpu_before) = before.copied().unwrap_or_default();
            let sum: &mut (i64, i64) = months.entry(*month).or_default();
            sum.0 += wall - wall_before;
            sum.1 += cpu - cpu_before;
        }
        months
    }
}

fn used(history: &MachineHistory, window: Window) -> i64 {
    history.spans().iter().map(|span| window.seconds_of(span)).sum()
}

#[test]
fn a_record_has_every_field_in_its_unit() {
    let mut first = record(7, 0, (OCTOBER + 100, OCTOBER + 200));
    first.sizes.disk_mib = 10_241;
    first.sizes.cpu_milli = 1500;
    first.action = 10;
    let mut last = record(7, 1, (OCTOBER + 300, OCTOBER + 400));
    (last.action, last.sizes) = (27, first.sizes);
    last.name = "a %% name\nStatus: completed\u{202e}\u{1f600}".to_owned();
    let history = MachineHistory { records: vec![first, last], seen_until: NOVEMBER };
    let records = cloud_records(&history, &publisher());
    let uuid = vm_uuid("EXAMPLE-SITE", history.records[0].machine);
    let expected = format!(
        "APEL-cloud-message: v0.4\nRecordCreateTime: {end}\nVMUUID: {uuid}\n\
         SiteName: EXAMPLE-SITE\nCloudComputeService: cloud.example.org\n\
         MachineName: a % name Status: completed\u{202e}\u{fffd}\nLocalUserId: 1\nLocalGroupId: 1\n\
         GlobalUserName: /O=Example/CN=user1\nFQAN: /vo.example.org/group1\nStatus: completed\n\
         StartTime: {start}\nEndTime: {end}\nSuspendDuration: 100\nWallDuration: 200\n\
         CpuDuration: 300\nCpuCount: 1.500\nPublicIPCount: 0\nMemory: 512\nDisk: 11\n\
         BenchmarkType: HEPscore23\nBenchmark: 14.5\nImageId: ttylinux\nCloudType: Stratus 1.0\n%%\n",
        end = OCTOBER + 400,
        start = OCTOBER + 100,
    );
    assert_eq!(message(&records), expected);
}

#[test]
fn a_machine_that_runs_over_a_month_has_a_record_for_each() {
    let running = MachineHistory {
        records: vec![record(1, 0, (NOVEMBER - 1000, 0))],
        seen_until: NOVEMBER + 500,
    };
    let records = cloud_records(&running, &publisher());
    let shown: Vec<_> = records
        .iter()
        .map(|r| (number(&r.text, "RecordCreateTime"), number(&r.text, "WallDuration")))
        .collect();
    assert_eq!(shown, [(NOVEMBER - 1, 1000), (NOVEMBER + 500, 1500)]);
    assert_eq!(field(&records[0].text, "Status"), Some("started"));
    assert_eq!(field(&records[0].text, "EndTime"), None);
}

#[test]
fn a_machine_suspended_over_a_month_ends_in_the_month_of_its_end() {
    let mut off = record(1, 0, (OCTOBER, OCTOBER + 50));
    off.action = 10;
    let mut gone = record(1, 1, (DECEMBER - 10, DECEMBER));
    gone.action = 28;
    let history = MachineHistory { records: vec![off, gone], seen_until: DECEMBER + DAY };
    let records = cloud_records(&history, &publisher());
    let status: Vec<_> = records.iter().filter_map(|r| field(&r.text, "Status")).collect();
    assert_eq!(status, ["suspended", "stopped", "completed"]);
    let mut server = Server::default();
    server.load(&records);
    let walls: Vec<_> = server.months().into_values().map(|(wall, _)| wall).collect();
    assert_eq!(walls, [50, 10, 0], "the end is the first second of December");
}

#[test]
fn a_correction_out_of_a_month_leaves_nothing_there() {
    let long = MachineHistory {
        records: vec![record(1, 0, (NOVEMBER - 1000, 0))],
        seen_until: NOVEMBER + 500,
    };
    let mut server = Server::default();
    server.load(&cloud_records(&long, &publisher()));
    let mut ended = record(1, 0, (NOVEMBER - 1000, NOVEMBER - 900));
    ended.action = 28;
    let short = MachineHistory { records: vec![ended], seen_until: NOVEMBER + 600 };
    server.load(&cloud_records(&short, &publisher()));
    server.load(&[withdrawn(&short, &publisher(), Month::of(NOVEMBER)).unwrap()]);
    let walls: Vec<_> = server.months().into_values().map(|(wall, _)| wall).collect();
    assert_eq!(walls, [100, 0]);
}

/// A machine of up to six records over five months, with gaps, that ends or runs on.
fn any_machine() -> impl Strategy<Value = MachineHistory> {
    let one = (0..40 * DAY, 0..60 * DAY, 1..9_i64, 0..3_usize);
    (proptest::collection::vec(one, 1..6), 0..3_usize).prop_map(|(all, last)| {
        let mut at = OCTOBER;
        let mut records: Vec<Record> = Vec::new();
        for ((wait, length, cores, action), sequence) in all.into_iter().zip(0..) {
            let mut record = record(1, sequence, (at + wait, at + wait + length));
            record.sizes.cpu_milli = cores * 1000;
            record.action = [10, 2, 19][action];
            at = record.times.end;
            records.push(record);
        }
        let end = records.last_mut().unwrap();
        match last {
            0 => end.action = 27,
            1 => (end.times.end, end.times.running_end, end.action) = (0, 0, 0),
            _ => {}
        }
        MachineHistory { records, seen_until: at + DAY }
    })
}

proptest! {
    #[test]
    fn the_servers_months_are_ours(whole in any_machine(), part in 0..200 * DAY) {
        // Published once in between and once at the end, as a site does.
        let mut server = Server::default();
        let early = MachineHistory {
            records: whole.records.iter().filter(|r| r.times.start < OCTOBER + part).cloned().collect(),
            seen_until: whole.seen_until,
        };
        server.load(&cloud_records(&early, &publisher()));
        server.load(&cloud_records(&whole, &publisher()));
        let months = server.months();
        let all: i64 = months.values().map(|(wall, _)| wall).sum();
        prop_assert_eq!(all, used(&whole, Window::new(0, i64::MAX / 4).unwrap()));
        let mut month = Month::of(OCTOBER);
        for _ in 0..24 {
            let (wall, cpu) = months.get(&month.number()).copied().unwrap_or_default();
            prop_assert_eq!(wall, used(&whole, month.window()), "{}", month);
            let cores: i64 = whole.spans().iter().map(|span| {
                month.window().seconds_of(span) * whole.records[span.record].sizes.cpu_milli
            }).sum();
            prop_assert_eq!(cpu, cores / 1000);
            month = month.next();
        }
    }

    #[test]
    fn the_same_use_is_the_same_text(whole in any_machine(), later in 0..100 * DAY) {
        let records = cloud_records(&whole, &publisher());
        prop_assume!(!whole.records.last().unwrap().is_open());
        let seen = MachineHistory { seen_until: whole.seen_until + later, ..whole };
        prop_assert_eq!(records, cloud_records(&seen, &publisher()));
    }
}
