//! Records for APEL: the cloud usage record, version 0.4.
//!
//! What APEL's server does with them decides their form (its `cloud.sql` and loader):
//!
//! - It keeps one record for each machine and month, the later in place of the earlier. The month
//!   is that of RecordCreateTime, or of EndTime for a record with the status `completed`.
//! - Durations count from StartTime. A month's use is its record less the record of the month
//!   before, so months add up exactly when the record of a month that is over says what was used up
//!   to its very end. RecordCreateTime is therefore the last moment that the record counts, not the
//!   moment of writing, and the same use is always the same text.
//! - A month in which a machine did not run has no record, except the month of its end.
//!
//! A correction that takes all use out of a month cannot take its record out; [`withdrawn`] is the
//! record that makes it count nothing.

use sha2::{Digest, Sha256};
use std::fmt::Write;

use crate::ledger::MachineHistory;
use crate::month::Month;
use crate::record::{Ending, MachineKey, Record};
use crate::usage::{Span, Window};

/// The first line of a message.
pub const HEADER: &str = "APEL-cloud-message: v0.4";
/// Most records in one message.
pub const MOST_RECORDS: usize = 100;
/// Characters of one value in the server's tables.
const MAX_VALUE: usize = 255;

/// Who the site is to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publisher {
    /// SiteName: the site in GOCDB.
    pub site_name: String,
    /// CloudComputeService.
    pub compute_service: Option<String>,
    /// GlobalUserName; `#user#` and `#group#` stand for the owner's names.
    pub global_user_name: Option<String>,
    /// FQAN, as above.
    pub fqan: Option<String>,
    /// BenchmarkType, and Benchmark: its value for one core.
    pub benchmark: Option<(String, String)>,
    /// CloudType.
    pub cloud_type: String,
}

/// A record of a machine and month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRecord {
    /// The machine.
    pub machine: MachineKey,
    /// [`Month::number`] of the month.
    pub month: i64,
    /// Its lines.
    pub text: String,
}

/// A message of records.
pub fn message<'a>(records: impl IntoIterator<Item = &'a CloudRecord>) -> String {
    let mut text = format!("{HEADER}\n");
    for record in records {
        text.push_str(&record.text);
        text.push_str("%%\n");
    }
    text
}

/// The records of a machine, a month each; none if it never ran.
pub fn cloud_records(history: &MachineHistory, publisher: &Publisher) -> Vec<CloudRecord> {
    let spans = history.spans();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Vec::new() };
    let gone = gone(history).map(|at| at.max(last.to));
    let end = Month::of(gone.unwrap_or(last.to - 1));
    let mut records = Vec::new();
    let mut month = Month::of(first.from);
    loop {
        let window = month.window();
        let ran = spans.iter().any(|span| window.seconds_of(span) > 0);
        let completed = gone.filter(|at| Month::of(*at) == month);
        if ran || completed.is_some() {
            let measured = Measured::at(&spans, window, completed);
            records.extend(write(history, publisher, &spans, month, &measured));
        }
        if month >= end || month.next() == month {
            return records;
        }
        month = month.next();
    }
}

/// The record that makes a month count nothing, of which a record had been published.
pub fn withdrawn(
    history: &MachineHistory,
    publisher: &Publisher,
    month: Month,
) -> Option<CloudRecord> {
    let until = month.window().from;
    let measured = Measured { create: until, until, end: None, status: "stopped" };
    write(history, publisher, &history.spans(), month, &measured)
}

fn gone(history: &MachineHistory) -> Option<i64> {
    match history.records.last()?.ending() {
        Ending::Gone(at) => Some(at),
        _ => None,
    }
}

/// What a record says about its moment.
struct Measured {
    /// RecordCreateTime.
    create: i64,
    /// What ran before this second counts.
    until: i64,
    /// EndTime.
    end: Option<i64>,
    status: &'static str,
}

impl Measured {
    /// The last moment of use in a month, or the end of the machine.
    fn at(spans: &[Span], month: Window, end: Option<i64>) -> Self {
        if let Some(end) = end {
            return Self {
                create: end,
                until: end.max(month.from),
                end: Some(end),
                status: "completed",
            };
        }
        let last = spans.iter().filter(|span| month.seconds_of(span) > 0).map(|span| span.to).max();
        let until = last.unwrap_or(month.to).min(month.to);
        Self { create: until.min(month.to - 1), until, end: None, status: "" }
    }
}

fn write(
    history: &MachineHistory,
    publisher: &Publisher,
    spans: &[Span],
    month: Month,
    measured: &Measured,
) -> Option<CloudRecord> {
    let start = spans.first().map_or(month.window().from, |first| first.from);
    let before = Window { from: i64::MIN / 2, to: measured.until };
    let (mut wall, mut core_milliseconds) = (0, 0_i128);
    let mut shown = history.records.get(spans.first().map_or(0, |first| first.record))?;
    let mut runs_on = false;
    for span in spans {
        let seconds = before.seconds_of(span);
        if seconds > 0 {
            shown = &history.records[span.record];
            wall += seconds;
            core_milliseconds += i128::from(seconds) * i128::from(shown.sizes.cpu_milli);
            runs_on =
                span.to > measured.until || (span.to == history.seen_until && shown.is_open());
        }
    }
    let status = match (measured.status, runs_on, shown.ending()) {
        ("", true, _) | ("", false, Ending::Running) => "started",
        ("", false, Ending::Suspended) => "suspended",
        ("", false, Ending::Stopped | Ending::Gone(_)) => "stopped",
        (known, ..) => known,
    };
    let suspended = (measured.until - start - wall).max(0);
    let cpu = i64::try_from(core_milliseconds / 1000).unwrap_or(i64::MAX);
    let mut lines = Lines(String::new());
    lines.number("RecordCreateTime", measured.create);
    lines.text("VMUUID", &vm_uuid(&publisher.site_name, shown.machine));
    lines.text("SiteName", &publisher.site_name);
    lines.optional("CloudComputeService", publisher.compute_service.as_deref());
    lines.owner(shown, publisher);
    lines.text("Status", status);
    lines.number("StartTime", start);
    lines.optional("EndTime", measured.end.map(|end| end.to_string()).as_deref());
    lines.number("SuspendDuration", suspended);
    lines.number("WallDuration", wall);
    lines.number("CpuDuration", cpu);
    lines.sizes(shown);
    if let Some((kind, value)) = &publisher.benchmark {
        lines.text("BenchmarkType", kind);
        lines.text("Benchmark", value);
    }
    lines.text("ImageId", &shown.image);
    lines.text("CloudType", &publisher.cloud_type);
    Some(CloudRecord { machine: shown.machine, month: month.number(), text: lines.0 })
}

/// The lines of a record under way.
struct Lines(String);

impl Lines {
    fn number(&mut self, key: &str, value: i64) {
        let _ = writeln!(self.0, "{key}: {value}");
    }

    /// A line, unless the value is empty: a value of APEL has one line of 255 characters, and its
    /// tables know no characters beyond U+FFFF.
    fn text(&mut self, key: &str, value: &str) {
        let plain = |c: char| match c {
            c if c.is_control() => ' ',
            c if c > '\u{ffff}' => '\u{fffd}',
            c => c,
        };
        let value: String = value.replace("%%", "%").chars().map(plain).take(MAX_VALUE).collect();
        let value = value.trim();
        if !value.is_empty() {
            let _ = writeln!(self.0, "{key}: {value}");
        }
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        self.text(key, value.unwrap_or_default());
    }

    fn owner(&mut self, record: &Record, publisher: &Publisher) {
        let owner = &record.owner;
        let filled = |template: &Option<String>| {
            let template = template.as_deref().unwrap_or_default();
            template.replace("#group#", &owner.group).replace("#user#", &owner.user)
        };
        self.text("MachineName", &record.name);
        self.number("LocalUserId", owner.user_id);
        self.number("LocalGroupId", owner.group_id);
        self.text("GlobalUserName", &filled(&publisher.global_user_name));
        self.text("FQAN", &filled(&publisher.fqan));
    }

    fn sizes(&mut self, record: &Record) {
        let sizes = &record.sizes;
        let (cores, rest) = (sizes.cpu_milli / 1000, sizes.cpu_milli % 1000);
        self.text("CpuCount", &format!("{cores}.{rest:03}"));
        self.number("PublicIPCount", sizes.public_ips);
        self.number("Memory", sizes.memory_mib);
        // GB of the server are whole; a part counts as one.
        self.number("Disk", sizes.disk_mib.div_euclid(1024) + i64::from(sizes.disk_mib % 1024 > 0));
    }
}

/// A machine's name for the world: a UUID (version 8) made of the site, the identifier and the time
/// of making, so that it is always the same.
pub fn vm_uuid(site: &str, machine: MachineKey) -> String {
    let name = format!("stratus cloud usage\n{site}\n{}\n{}", machine.id, machine.born);
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&Sha256::digest(name.as_bytes())[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
