//! Names: the slash form, RFC 4514, and what openssl makes of them.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod support;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stratus_x509::subject::{rfc4514_from_slash, slash_from_rfc4514};
use support::Openssl;

/// Text for `openssl req -subj`, in which `\` escapes.
fn for_openssl(value: &str) -> String {
    let escape = |c: char| if "\\/+=".contains(c) { format!("\\{c}") } else { c.to_string() };
    value.chars().map(escape).collect()
}

/// What openssl prints as RFC 2253, with UTF-8 as it is.
fn theirs(openssl: &Openssl, name: &str) -> String {
    let line = format!("x509 -in {name}.crt -noout -subject -nameopt RFC2253,utf8,-esc_msb");
    let text = String::from_utf8(openssl.line(&line)).unwrap();
    text.strip_suffix('\n').unwrap().strip_prefix("subject=").unwrap().to_owned()
}

/// Both of our forms tell the name that the certificate has.
fn is_one_name(openssl: &Openssl, name: &str) {
    let certificate = openssl.get(name);
    let (slash, rfc4514) = (certificate.subject().as_str(), certificate.subject_rfc4514());
    let theirs = theirs(openssl, name);
    // openssl turns joined attributes round, which has no meaning, and forgets to escape a lone `#`.
    let comparable = !slash.contains("+UID=") && !theirs.starts_with("CN=#,");
    assert!(rfc4514 == theirs || !comparable, "{slash}: {rfc4514}, {theirs}");
    assert_eq!(rfc4514_from_slash(slash).as_deref(), Ok(rfc4514), "{slash}");
    assert_eq!(slash_from_rfc4514(rfc4514).as_ref(), Ok(certificate.subject()), "{rfc4514}");
}

const VALUES: [&str; 22] = [
    "plain",
    "host/www.example.org",
    "x/CN=root",
    "a, b",
    "a,b",
    "a+b",
    "a+CN=b",
    "say \"hi\"",
    "'quoted'",
    " leading",
    "trailing ",
    " ",
    "#hash",
    "a#b",
    "a;b<c>d",
    "back\\slash",
    "ends\\",
    "a=b",
    "Müller",
    "日本語",
    "a  b",
    "*?",
];

#[test]
fn special_characters_are_told_as_openssl_tells_them() {
    let openssl = Openssl::new();
    openssl.key("one");
    for value in VALUES {
        let subject = format!("/DC=org/O={0}/CN={0}", for_openssl(value));
        openssl.certificate("one", &subject).make();
        is_one_name(&openssl, "one");
    }
}

#[test]
fn slash_names_of_special_values_are_known() {
    let openssl = Openssl::new();
    for (subject, slash, rfc4514) in [
        ("/O=a, b/CN=x", "/O=a, b/CN=x", "CN=x,O=a\\, b"),
        ("/O=x\\/CN=root/CN=x", "/O=x\\/CN=root/CN=x", "CN=x,O=x/CN=root"),
        ("/CN=host\\/www.example.org", "/CN=host/www.example.org", "CN=host/www.example.org"),
        ("/O=a\\+b/CN=x", "/O=a\\+b/CN=x", "CN=x,O=a\\+b"),
        ("/O=a/CN=x+UID=y", "/O=a/CN=x+UID=y", "CN=x+UID=y,O=a"),
        ("/DC=org/DC=example/UID=al", "/DC=org/DC=example/UID=al", "UID=al,DC=example,DC=org"),
        (
            "/C=DE/ST=Hessen/L=Ort/emailAddress=a@b.example",
            "/C=DE/ST=Hessen/L=Ort/emailAddress=a@b.example",
            "emailAddress=a@b.example,L=Ort,ST=Hessen,C=DE",
        ),
        ("/serialNumber=7/SN=S/GN=G", "/serialNumber=7/SN=S/GN=G", "GN=G,SN=S,serialNumber=7"),
        ("/CN=Zoë", "/CN=Zoë", "CN=Zoë"),
    ] {
        openssl.certificate("one", subject).make();
        let one = openssl.get("one");
        assert_eq!((one.subject().as_str(), one.subject_rfc4514()), (slash, rfc4514));
        is_one_name(&openssl, "one");
    }
}

/// For names without escapes the slash form is the one that grid tools print.
#[test]
fn slash_names_are_those_of_openssl() {
    let openssl = Openssl::new();
    for subject in [
        "/DC=org/DC=example/OU=people/CN=Alice",
        "/O=a, b/CN=say \"hi\"/emailAddress=a@b.example",
        "/UID=alice/CN=a=b",
    ] {
        openssl.certificate("one", subject).make();
        let line = openssl.line("x509 -in one.crt -noout -subject -nameopt compat");
        let line = String::from_utf8(line).unwrap();
        let theirs = line.trim_end().strip_prefix("subject=").unwrap();
        assert_eq!(openssl.get("one").subject().as_str(), theirs);
    }
}

/// openssl 3 escapes every slash and plus; both spellings are read as one name.
#[test]
fn names_as_openssl_3_escapes_them_are_read() {
    for (theirs, ours) in [
        ("/CN=host\\/www.example.org", "/CN=host/www.example.org"),
        ("/CN=a\\+b", "/CN=a+b"),
        ("/CN=x\\/CN=root", "/CN=x\\/CN=root"),
    ] {
        assert_eq!(rfc4514_from_slash(theirs), rfc4514_from_slash(ours));
    }
    assert_ne!(rfc4514_from_slash("/CN=x\\/CN=root"), rfc4514_from_slash("/CN=x/CN=root"));
}

/// Old authorities write names as Teletex or UCS-2 strings.
#[test]
fn every_string_type_is_read_as_text() {
    let openssl = Openssl::new();
    for mask in ["utf8only", "MASK:0x2", "MASK:0x4", "MASK:0x100", "MASK:0x800", "default"] {
        for value in ["Mueller", "Müller"] {
            let is_ascii_only = matches!(mask, "MASK:0x2");
            if is_ascii_only && !value.is_ascii() {
                continue;
            }
            let subject = format!("/O=Example/CN={value}");
            openssl.certificate("one", &subject).string_mask(mask).make();
            assert_eq!(openssl.get("one").subject().as_str(), subject, "{mask}");
            let shown = theirs(&openssl, "one");
            assert_eq!(openssl.get("one").subject_rfc4514(), shown, "{mask}");
        }
    }
}

#[test]
fn addresses_come_from_alternative_names_and_subjects() {
    let openssl = Openssl::new();
    let extensions = "subjectAltName=email:one@example.org,DNS:example.org,email:two@example.org\n";
    openssl
        .certificate("one", "/CN=Alice/emailAddress=three@example.org/emailAddress=two@example.org")
        .extensions(extensions)
        .make();
    let all = ["one@example.org", "two@example.org", "three@example.org"];
    assert_eq!(openssl.get("one").emails(), all);
}

#[test]
fn empty_names_and_values_are_refused() {
    for text in ["", "/", "/O=", "/O=/CN=x", "/CN=x/O=", "/CN=x+O=", "/=x", "O=x"] {
        assert!(rfc4514_from_slash(text).is_err(), "{text}");
    }
    for text in ["", "O=", "O=,CN=x", "CN=x,O=", "CN=x+O=", "=x", "CN=x,", ",CN=x", "CN=x\\"] {
        assert!(slash_from_rfc4514(text).is_err(), "{text}");
    }
}

#[test]
fn rfc4514_names_are_read_in_every_spelling() {
    for (text, slash) in [
        ("CN=Alice, O=Example", "/O=Example/CN=Alice"),
        ("cn=Alice;o=Example", "/O=Example/CN=Alice"),
        ("CN = Alice , O = Example", "/O=Example/CN=Alice"),
        ("2.5.4.3=Alice,2.5.4.10=Example", "/O=Example/CN=Alice"),
        ("CN=M\\C3\\BCller", "/CN=Müller"),
        ("CN=a\\2Cb", "/CN=a,b"),
        ("CN=\\20a\\20", "/CN= a "),
        ("CN=\\ a\\ ", "/CN= a "),
        ("CN=a\\\\ ", "/CN=a\\\\"),
        ("CN=a+UID=b,O=c", "/O=c/CN=a+UID=b"),
        ("1.2.3.4=x", "/1.2.3.4=x"),
        // Other spaces than the common one belong to the value.
        ("CN=\u{a0}a\u{a0}", "/CN=\u{a0}a\u{a0}"),
    ] {
        let read = slash_from_rfc4514(text).map(|s| s.to_string());
        assert_eq!(read.as_deref(), Ok(slash), "{text}");
    }
}

fn names() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let attribute =
        prop::sample::select(vec!["CN", "O", "OU", "DC", "UID", "emailAddress", "1.2.3"]);
    let value =
        prop_oneof!["[ -~]{1,12}", "\\PC{1,8}", "[\\\\/+=,# \"]{1,6}", "[\u{1}-\u{1f}a]{1,3}"];
    prop::collection::vec((attribute, value), 1..5)
}

proptest! {
    /// A slash name that is written by hand with every special character escaped comes back whole
    /// from RFC 4514.
    #[test]
    fn a_name_survives_both_forms(parts in names()) {
        let escape = |value: &str| -> String {
            let one = |c: char| match c {
                '\\' | '/' | '+' => format!("\\{c}"),
                c if c.is_control() => format!("\\x{:02X}", u32::from(c)),
                c => c.to_string(),
            };
            value.chars().map(one).collect()
        };
        let written: String =
            parts.iter().map(|(name, value)| format!("/{name}={}", escape(value))).collect();
        let rfc4514 = rfc4514_from_slash(&written).unwrap();
        let slash = slash_from_rfc4514(&rfc4514).unwrap();
        prop_assert_eq!(rfc4514_from_slash(slash.as_str()), Ok(rfc4514.clone()));
        prop_assert_eq!(slash_from_rfc4514(&rfc4514), Ok(slash));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[/=+,;#\\\\ xXCNO1.é\u{0}]{0,20}") {
        if let Ok(rfc4514) = rfc4514_from_slash(&text) {
            prop_assert!(slash_from_rfc4514(&rfc4514).is_ok(), "{}", rfc4514);
        }
        if let Ok(slash) = slash_from_rfc4514(&text) {
            prop_assert!(rfc4514_from_slash(slash.as_str()).is_ok(), "{}", slash);
        }
    }
}

/// Any value, through a real certificate. The number of cases is fixed, as each takes openssl twice.
#[test]
fn openssl_tells_the_same_name() {
    let openssl = Openssl::new();
    let settings = ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() };
    let values = prop_oneof!["[ -~]{1,16}", "[a-zäöü✓, +\"#]{1,10}"];
    TestRunner::new(settings)
        .run(&values, |value| {
            openssl.certificate("one", &format!("/O=Example/CN={}", for_openssl(&value))).make();
            is_one_name(&openssl, "one");
            Ok(())
        })
        .unwrap();
}
