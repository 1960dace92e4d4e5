//! Promises looked at on the machine itself.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use stratus_execute::host::Host;
use stratus_execute::local::Local;
use stratus_execute::verify::{Daemon, Tiny, Verdict, verify};
use stratus_plan::promise::{Check, Promise};
use stratus_site::{HostName, NetworkName};

/// A TCP and UDP port that nobody listens on (tcpmux, RFC 1078).
const CLOSED: u16 = 1;

struct Oned;

#[async_trait::async_trait]
impl Daemon for Oned {
    async fn series(&self, _: &str) -> Verdict {
        Verdict::Met
    }
    async fn host_monitored(&self, host: &HostName) -> Verdict {
        Verdict::NotMet(format!("{host} is in the state ERROR"))
    }
    async fn network_ready(&self, _: &NetworkName, _: u32) -> Verdict {
        Verdict::Met
    }
    async fn machine_boots(&self, _: &HostName, _: &NetworkName) -> Verdict {
        Verdict::Unknown("not tried".into())
    }
    async fn finish(&self) {}
}

async fn look(checks: Vec<(&str, Check)>) -> Vec<Verdict> {
    let promise = |(from, check): (&str, Check)| Promise {
        id: "x".into(),
        from: from.parse().unwrap(),
        text: "Something is so.".into(),
        check,
        cure: "Make it so.".into(),
    };
    let promises: Vec<Promise> = checks.into_iter().map(promise).collect();
    let here = |n: &str| -> (HostName, Arc<dyn Host>) {
        (n.parse().unwrap(), Arc::new(Local::new(n.parse().unwrap())))
    };
    let hosts: BTreeMap<_, _> = ["one", "two"].map(here).into();
    let results = verify(&promises, &hosts, &Oned, 4).await;
    results.into_iter().map(|r| r.verdict).collect()
}

#[tokio::test]
async fn each_promise_gets_its_verdict_in_order() {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let answers = |port| Check::PortAnswers { host: "127.0.0.1".into(), port };
    let bridge = Check::BridgeUp { bridge: "no-such-bridge".into(), interface: None };
    let verdicts = look(vec![
        ("one", answers(port)),
        ("one", answers(CLOSED)),
        ("one", bridge),
        ("one", Check::HostMonitored { host: "two".parse().unwrap() }),
        ("three", answers(port)),
    ]);
    let verdicts = verdicts.await;
    assert_eq!(verdicts[0], Verdict::Met);
    let closed = format!("one: nothing answers at 127.0.0.1 port {CLOSED}");
    assert_eq!(verdicts[1], Verdict::NotMet(closed));
    assert_eq!(verdicts[2], Verdict::NotMet("one: there is no no-such-bridge".into()));
    assert_eq!(verdicts[3], Verdict::NotMet("two is in the state ERROR".into()));
    assert_eq!(verdicts[4], Verdict::Unknown("there is no way to three".into()));
}

#[tokio::test]
async fn an_interface_is_up_or_not_there() {
    let up = |interface: &str| ("one", Check::InterfaceUp { interface: interface.to_owned() });
    let verdicts = look(vec![up("lo"), up("wg-nobodys")]).await;
    let none = Verdict::NotMet("one: there is no wg-nobodys".into());
    assert_eq!(verdicts, [Verdict::Met, none]);
}

#[tokio::test]
async fn a_server_of_datagrams_is_seen_to_listen() {
    let open = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let listens =
        |protocol: &str, port| ("one", Check::Listens { protocol: protocol.to_owned(), port });
    let verdicts = look(vec![listens("udp", port), listens("tcp", CLOSED)]).await;
    assert_eq!(verdicts[0], Verdict::Met);
    let none = format!("one: nothing listens on tcp port {CLOSED}");
    assert_eq!(verdicts[1], Verdict::NotMet(none));
}

/// A stand-in for `stratus-vpn` that says this and ends so; how the look at it ends.
fn overlay(status: i32, says: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("stratus-vpn");
    // A child writes it: a file that this process has open may be in what another thread starts,
    // and what is open for writing cannot be run (ETXTBSY).
    let text = format!("#!/bin/sh\necho \"{says}\" >&2\nexit {status}\n");
    let write = "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let mut child = std::process::Command::new("sh");
    child.args(["-c", write, "sh"]).arg(&program).arg(&text);
    assert!(child.status().unwrap().success());
    let script = format!("{}overlay_counts", include_str!("../src/verify.sh"));
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let out = std::process::Command::new("sh").args(["-c", &script]).env("PATH", path).output();
    let out = out.unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).trim().to_owned())
}

#[test]
fn what_ended_in_the_overlay_is_told_and_who_was_refused_is_not() {
    let list = "the revocation list has expired, so nobody is let in: run it";
    assert_eq!(overlay(0, &format!("warning: {list}")), (1, list.to_owned()));
    let refused = "not let in:\n  10:00  192.0.2.1: its certificate has expired";
    assert_eq!(overlay(0, refused), (0, String::new()));
    // That the server does not answer is another promise.
    assert_eq!(overlay(5, "warning: the server does not answer"), (0, String::new()));
    let none = "error: there is no overlay";
    assert_eq!(overlay(2, none), (1, none.to_owned()));
}

#[tokio::test]
async fn a_share_is_written_and_read_both_ways_and_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let trip = |path: String| Check::ShareRoundTrip { path, with: "two".parse().unwrap() };
    let gone = format!("{path}/gone");
    let verdicts = look(vec![("one", trip(path)), ("one", trip(gone.clone()))]).await;
    assert_eq!(verdicts[0], Verdict::Met);
    assert_eq!(verdicts[1], Verdict::NotMet(format!("one: {gone} is no directory")));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_tiny_machine_is_looked_at_from_outside() {
    let here = Local::new("one".parse().unwrap());
    let (address, mac) = ("127.0.0.1".parse().unwrap(), "02:00:7f:00:00:01");
    assert_eq!(Tiny::answers(&here, address, mac).await, Ok(()));
    let leased = Tiny::was_leased(&here, address, mac).await;
    let none = "one: dnsmasq gave no lease of 127.0.0.1 to 02:00:7f:00:00:01";
    assert_eq!(leased, Err(Verdict::NotMet(none.into())));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("its console");
    let path = file.to_str().unwrap();
    assert_eq!(Tiny::console(&here, path).await.unwrap(), "");
    let lines: Vec<String> = (0..100).map(|n| format!("line {n}\u{1b}[0m\r\n")).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    let said = Tiny::console(&here, path).await.unwrap();
    assert_eq!(said.lines().count(), 25);
    assert!(said.ends_with("line 99[0m\n") && said.starts_with("line 75"), "{said}");
    Tiny::clear(&here, path).await.unwrap();
    assert!(!file.exists());
}
