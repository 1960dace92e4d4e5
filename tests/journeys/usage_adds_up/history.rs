//! Histories: the recorded one, and made ones in its form.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// 2026-11-01: the end of what is made.
pub(crate) const END: i64 = 1_793_491_200;
const DAY: i64 = 86_400;

/// Seconds since 1970 of a date or time.
pub(crate) fn time(text: &str) -> i64 {
    if let Ok(time) = text.parse::<Timestamp>() {
        return time.as_second();
    }
    let date: Date = text.parse().unwrap();
    date.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
}

/// All that the real oned told, without the envelope.
pub(crate) fn recorded() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/oned");
    let text = std::fs::read_to_string(folder.join("one.vmpool.accounting.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
    let response = cases[0]["response"].as_str().unwrap();
    let read = stratus_opennebula::read_answer("", "one.vmpool.accounting", response.as_bytes());
    read.unwrap().as_text().unwrap().to_owned()
}

/// A record to be.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) vm: i64,
    pub(crate) sequence: i64,
    pub(crate) uid: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) cpu_milli: i64,
    pub(crate) action: i64,
}

impl Stay {
    /// Seconds of it in a window.
    pub(crate) fn seconds(&self, from: i64, to: i64) -> i64 {
        (self.to.min(to) - self.from.max(from)).max(0)
    }
}

/// Machines that live through three months: resized, moved, suspended, ended, over the ends of
/// months and exactly on them.
pub(crate) fn busy(machines: i64) -> Vec<Stay> {
    let mut stays = Vec::new();
    let mut seed = 12_345_i64;
    let mut random = |below: i64| {
        seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        (seed >> 8) % below
    };
    for vm in 0..machines {
        let mut at = time("2026-08-05") + random(80 * DAY);
        let mut cpu_milli = (1 + random(8)) * 1000;
        for sequence in 0..=random(6) {
            let mut to = (at + 1 + random(30 * DAY)).min(END + 5 * DAY);
            if vm % 5 == 0 && sequence == 0 {
                to = time("2026-10-01").max(at + 1);
            }
            let action = [2, 10, 35, 19][usize::try_from(random(4)).unwrap()];
            stays.push(Stay { vm, sequence, uid: vm % 4, from: at, to, cpu_milli, action });
            if action == 35 {
                cpu_milli += 1000;
            }
            at = if matches!(action, 10 | 19) { to + random(20 * DAY) } else { to };
            if at > END {
                break;
            }
        }
        if vm % 3 == 0 {
            stays.last_mut().unwrap().action = 27;
        }
    }
    stays
}

/// oned's answer with these records, each in the form of a recorded one.
pub(crate) fn answer(stays: &[Stay]) -> String {
    let recorded = recorded();
    let start = recorded.find("<HISTORY>").unwrap();
    let end = recorded.find("</HISTORY>").unwrap() + "</HISTORY>".len();
    let form = &recorded[start..end];
    let mut text = String::from("<HISTORY_RECORDS>");
    for stay in stays {
        text.push_str(&filled(form, stay));
    }
    text + "</HISTORY_RECORDS>"
}

fn filled(form: &str, stay: &Stay) -> String {
    let (head, vm) = form.split_at(form.find("<VM>").unwrap());
    let mut head = head.to_owned();
    let open = stay.to == 0;
    for (element, value) in [
        ("OID", stay.vm),
        ("SEQ", stay.sequence),
        ("STIME", stay.from),
        ("ETIME", stay.to),
        ("PSTIME", 0),
        ("PETIME", 0),
        ("RSTIME", stay.from),
        ("RETIME", stay.to),
        ("ACTION", if open { 0 } else { stay.action }),
    ] {
        head = with(&head, element, &value.to_string());
    }
    let mut vm = vm.to_owned();
    for (element, value) in [
        ("ID", stay.vm.to_string()),
        ("UID", stay.uid.to_string()),
        ("GID", (100 + stay.uid % 2).to_string()),
        ("UNAME", format!("user{}", stay.uid)),
        ("GNAME", format!("group{}", stay.uid % 2)),
        ("NAME", format!("vm-{}", stay.vm)),
        ("STATE", "3".to_owned()),
        ("STIME", time("2026-08-01").to_string()),
    ] {
        vm = with(&vm, element, &value);
    }
    // The template's, not the monitoring's.
    let (before, template) = vm.split_at(vm.find("<TEMPLATE>").unwrap());
    let cores = format!("{}.{:03}", stay.cpu_milli / 1000, stay.cpu_milli % 1000);
    format!("{head}{before}{}", with(template, "CPU", &cores))
}

/// The text with the value of the first such element replaced.
fn with(text: &str, element: &str, value: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let start = text.find(&open).unwrap_or_else(|| panic!("no {element}")) + open.len();
    let end = start + text[start..].find(&close).unwrap();
    format!("{}{value}{}", &text[..start], &text[end..])
}
