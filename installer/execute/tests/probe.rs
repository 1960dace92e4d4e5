//! What a host is asked, and that nothing it answers can do harm.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

use base64::Engine as _;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;
use stratus_execute::probe::{parse, probe_script};
use stratus_plan::facts::{PathKind, Questions};

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// Runs the program as a host would: with a small shell, from the standard input.
fn ask(questions: &Questions) -> Vec<u8> {
    let script = probe_script(questions);
    let mut child = Command::new("dash")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .or_else(|_| Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn())
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn this_machine_says_what_it_is() {
    let questions = Questions {
        users: set(&["root", "nobody-of-this-name"]),
        groups: set(&["root"]),
        packages: set(&["dash"]),
        units: set(&["ssh.service", "not-there.service"]),
        ..Questions::default()
    };
    let facts = parse(&ask(&questions), &questions, 0).unwrap();
    assert!(!facts.os.id.is_empty() && facts.cpus > 0 && facts.memory_bytes > 1 << 20);
    assert_eq!(facts.users["root"].uid, 0);
    assert!(facts.users["root"].groups.contains("root"));
    assert!(!facts.users.contains_key("nobody-of-this-name"));
    assert_eq!(facts.groups["root"], 0);
    assert!(!facts.units.contains_key("not-there.service"));
    assert!(facts.free_bytes["/"] > 0);
    assert!(facts.clock_offset_ms > 1_500_000_000_000);
    assert!(facts.packages.len() > 10 && facts.interfaces.iter().any(|i| i.name.as_str() == "lo"));
}

#[test]
fn paths_are_told_whatever_their_names_and_secrets_stay_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (odd, secret) = (at("a\nb 'c' $d \\"), at("secret"));
    std::fs::write(&odd, "text\n").unwrap();
    std::fs::write(&secret, "canary-of-the-secret").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(at("large"), vec![b'x'; 70_000]).unwrap();
    std::fs::write(at("binary"), [0xff, 0, 1, b'\n']).unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::os::unix::fs::symlink("where\nit points", at("link")).unwrap();
    let questions = Questions {
        paths: ["large", "binary", "empty", "link", "absent", "secret", "a\nb 'c' $d \\"]
            .map(at)
            .into_iter()
            .chain([at("").trim_end_matches('/').to_owned()])
            .collect(),
        secret_paths: [secret.clone()].into(),
        ..Questions::default()
    };
    let answer = ask(&questions);
    assert!(!String::from_utf8_lossy(&answer).contains("canary"));
    let coded = base64::engine::general_purpose::STANDARD.encode("canary-of-the-secret");
    assert!(!String::from_utf8_lossy(&answer).contains(&coded[..coded.len() - 4]));
    let paths = parse(&answer, &questions, 0).unwrap().paths;
    assert_eq!(paths[&odd].content.as_deref(), Some("text\n"));
    assert_eq!(paths[&secret].content, None);
    assert_eq!(paths[&secret].sha256.as_ref().map(String::len), Some(64));
    assert_eq!((paths[&secret].mode, paths[&secret].kind), (0o640, PathKind::File));
    assert_eq!(paths[&at("large")].content, None);
    assert!(paths[&at("large")].sha256.is_some());
    assert_eq!(paths[&at("binary")].content, None);
    assert_eq!(paths[&at("empty")].content.as_deref(), Some(""));
    assert_eq!(paths[&at("link")].content.as_deref(), Some("where\nit points"));
    assert_eq!(paths[&at("link")].kind, PathKind::Link);
    assert!(!paths.contains_key(&at("absent")));
    assert_eq!(paths.len(), 7);
}

/// The promise is 150 ms on an idle host; the limit here only notices what got much slower.
#[test]
fn asking_is_quick() {
    let questions = Questions {
        paths: (0..60)
            .map(|i| format!("/etc/not-there-{i}"))
            .chain(["/etc/passwd".into()])
            .collect(),
        ..Questions::default()
    };
    let quickest = (0..5).map(|_| {
        let begun = Instant::now();
        ask(&questions);
        begun.elapsed()
    });
    let quickest = quickest.min().unwrap();
    println!("one probe: {quickest:?}");
    assert!(quickest.as_millis() < 1500, "{quickest:?}");
}

#[test]
fn half_an_answer_is_none() {
    let questions = Questions { paths: set(&["/etc/passwd"]), ..Questions::default() };
    let answer = ask(&questions);
    let end = answer.len() - b"\x01end\n".len();
    assert!(parse(&answer[..end], &questions, 0).is_err());
    assert!(parse(&answer, &questions, 0).is_ok());
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(cuts in prop::collection::vec((any::<u16>(), any::<u8>()), 0..40)) {
        static ANSWER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let questions = Questions {
            paths: set(&["/etc/passwd", "/etc/mtab", "/"]),
            users: set(&["root"]),
            units: set(&["ssh.service"]),
            ..Questions::default()
        };
        let mut answer = ANSWER.get_or_init(|| ask(&questions)).clone();
        for (at, byte) in cuts {
            // Most of the answer is packages; the damage goes where the shape is.
            let at = usize::from(at) % answer.len().min(4000);
            let at = if byte % 2 == 0 { answer.len() - 1 - at } else { at };
            answer[at] = byte;
        }
        let _ = parse(&answer, &questions, i64::MIN);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes, &Questions::default(), 0);
    }
}
