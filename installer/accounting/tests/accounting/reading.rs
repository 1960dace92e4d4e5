//! oned's own answers, recorded, and broken ones.

use proptest::prelude::*;
use stratus_accounting::{Doubt, Ending, ReadError, Record, doubts, read_records};

/// The value of a recorded answer: the text inside the XML-RPC envelope.
pub(crate) fn recorded(file: &str, case: &str) -> String {
    let path = format!("{}/../../tests/recordings/oned/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let found = cases.iter().find(|c| c["case"] == case).unwrap();
    let response = found["response"].as_str().unwrap();
    let start = response.find("<string>").unwrap() + "<string>".len();
    let end = response.rfind("</string>").unwrap();
    let escaped = &response[start..end];
    escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn read(text: &str) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    read_records(text, &mut |record| records.push(record))?;
    Ok(records)
}

#[test]
fn the_recorded_accounting_is_read_with_the_sizes_of_each_record() {
    let records = read(&recorded("one.vmpool.accounting.json", "all-time")).unwrap();
    assert_eq!(records.len(), 16);
    let of = |id, sequence| {
        records.iter().find(|r| (r.machine.id, r.sequence) == (id, sequence)).unwrap()
    };
    let before = of(0, 2);
    assert_eq!((before.sizes.cpu_milli, before.sizes.memory_mib), (500, 256), "before the resize");
    let after = of(0, 3);
    assert_eq!((after.sizes.cpu_milli, after.sizes.memory_mib), (1000, 512), "after it");
    assert_eq!((of(0, 0).sizes.disk_mib, of(0, 1).sizes.disk_mib), (16, 24), "a disk came");
    assert_eq!((of(2, 0).sizes.vcpu, of(2, 0).sizes.nics), (1, 2), "no VCPU is one");
    assert_eq!(of(0, 0).machine.born, 1_795_220_218);
    assert_eq!(of(0, 5).host, "node3");
    assert_eq!(of(0, 0).owner.user, "oneadmin");
    assert_eq!(of(0, 0).image, "ttylinux");
    assert!(of(0, 9).is_open());
    assert_eq!(of(0, 4).ending(), Ending::Suspended);
    assert_eq!(of(0, 7).ending(), Ending::Stopped);
    assert_eq!(of(2, 4).ending(), Ending::Gone(1_795_220_332));
    assert_eq!(of(4, 0).ending(), Ending::Gone(1_795_220_333));
    assert_eq!(of(0, 0).times.prolog_end, 1_795_220_228);
}

#[test]
fn the_recorded_pool_gives_the_last_record_of_each_machine() {
    let records = read(&recorded("one.vmpool.infoextended.json", "ok")).unwrap();
    let [only] = &records[..] else { panic!("{records:?}") };
    assert_eq!((only.machine.id, only.sequence), (0, 9));
    assert!(only.is_open());
}

#[test]
fn an_empty_window_is_no_records() {
    assert_eq!(read(&recorded("one.vmpool.accounting.json", "empty-window")).unwrap(), []);
}

#[test]
fn a_machine_changed_while_it_is_off_is_shown_as_doubtful() {
    let mut records = read(&recorded("one.vmpool.accounting.json", "all-time")).unwrap();
    records.retain(|r| r.machine.id == 0);
    records.sort_by_key(|r| r.sequence);
    let fed = records.into_iter().map(|r| (r, 2_000_000_000)).collect::<Vec<_>>();
    assert_eq!(doubts(&fed), [(1, Doubt::RunningWhileOff)]);
}

#[test]
fn wrong_values_name_the_machine_and_the_element() {
    let good = recorded("one.vmpool.accounting.json", "all-time");
    for (from, to, element) in [
        ("<SEQ>9</SEQ>", "<SEQ>-9</SEQ>", "SEQ"),
        ("<OID>0</OID>", "<OID>x</OID>", "OID"),
        ("<RSTIME>1795220268</RSTIME>", "<RSTIME>1e9</RSTIME>", "RSTIME"),
        ("<RSTIME>1795220268</RSTIME>", "<RSTIME>99999999999999</RSTIME>", "RSTIME"),
        ("<CPU><![CDATA[1]]></CPU><DISK>", "<DISK>", "CPU"),
        ("<MEMORY><![CDATA[512]]></MEMORY><NIC>", "<MEMORY>-1</MEMORY><NIC>", "MEMORY"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(element), "{error}");
    }
}

#[test]
fn what_is_no_answer_of_oned_is_refused() {
    for (text, expected) in [
        ("", ReadError::NotXml(0)),
        ("<html/>", ReadError::Root),
        ("<USER_POOL></USER_POOL>", ReadError::Root),
    ] {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
    let deep = format!("<VM_POOL><VM>{}", "<X>".repeat(1000));
    assert!(matches!(read(&deep), Err(ReadError::TooMuch(_))));
    let long = format!("<VM_POOL><VM><NAME>{}", "x".repeat(10_000));
    assert!(matches!(read(&long), Err(ReadError::TooMuch(_) | ReadError::NotXml(_))));
    let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><VM_POOL/>";
    assert!(matches!(read(bomb), Err(ReadError::NotXml(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_answer_that_breaks_off_is_an_error_and_nothing_else(cut in 0.0..1.0_f64) {
        let text = recorded("one.vmpool.accounting.json", "all-time");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in it")]
        let mut end = (text.len() as f64 * cut) as usize;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(read(&text[..end]).is_err());
    }
}
