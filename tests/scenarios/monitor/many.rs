//! Too much of something: hostile names, thousands of causes and events, ten thousand browsers, a
//! clock that is set.

use crate::{causes, count, troubled};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use stratus_tests::{Cloud, Monitor, MonitorSetup};

/// Every page that lists or shows something.
const PAGES: [&str; 19] = [
    "/",
    "/hosts",
    "/hosts?q=node",
    "/hosts/0",
    "/hosts/1",
    "/vms",
    "/vms?state=failed",
    "/vms/0",
    "/vms/1",
    "/vms/2",
    "/vms/3",
    "/networks",
    "/networks/0",
    "/images",
    "/burst",
    "/users",
    "/usage",
    "/events",
    "/account",
];

#[test]
fn hostile_names_are_harmless_on_every_page() {
    let names = [
        "<script>document.title='owned'</script>".to_owned(),
        "\u{202e}gnp.exe\u{200f}' onmouseover='x".to_owned(),
        "x".repeat(4096),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "{{ 7 * 7 }} {% raw %}".to_owned(),
    ];
    let cloud = Cloud::start(2, 5);
    for (id, name) in names.iter().enumerate() {
        let failed = format!("{name} failed");
        cloud.machine(i32::try_from(id).unwrap(), |m| {
            (m.name, m.state, m.error) = (name.clone(), (3, 36), failed);
        });
    }
    cloud.host(0, |h| (h.name, h.state) = (names[0].clone(), 3));
    cloud.host(1, |h| h.name.clone_from(&names[3]));
    cloud.machine(1, |m| m.user.clone_from(&names[0]));
    cloud.machine(2, |m| m.user.clone_from(&names[1]));
    cloud.call_everything(&(names[3].clone() + &names[0] + &names[2]));
    let monitor = Monitor::of(&cloud.url());
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    monitor.write_usage(&users);
    monitor.until("/usage", |u| u["total"] == 5);
    monitor.until("/", |o| troubled(o, "host 0"));
    let own = |name: &String| -> String {
        let coded = url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>();
        format!("/usage?user={coded}")
    };
    let own: Vec<String> = names.iter().map(own).collect();
    for path in PAGES.into_iter().chain(own.iter().map(String::as_str)) {
        let (status, html) = monitor.page("admin", path);
        assert_eq!(status, 200, "{path}: {html}");
        for tag in ["<script>document", "<img", "' onmouseover"] {
            assert!(!html.contains(tag), "{path} has {tag}");
        }
        assert!(html.len() < 100 << 10, "{path} has {} bytes", html.len());
    }
    assert!(monitor.page("admin", "/vms/4").1.contains("{{ 7 * 7 }}"));
    let text = monitor.run(&["status"]).stdout;
    assert!(!text.contains('\u{202e}'), "{text}");
}

#[test]
fn thousands_of_causes_are_a_screen_that_people_read() {
    let cloud = Cloud::start(1250, 5000);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 5000);
    let words = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine"];
    cloud.every(
        |h| h.state = if h.id % 2 == 0 { 3 } else { 2 },
        |m| {
            let word = |n: i32| words[usize::try_from(n % 10).unwrap()];
            (m.state, m.user) = ((3, 36), format!("user{}", m.id % 900));
            // No two for the same reason.
            let odd = [word(m.id), word(m.id / 10), word(m.id / 100), word(m.id / 1000)].join(" ");
            m.error = format!("DEPLOY: {odd}: {}", "x".repeat(4000));
        },
    );
    let shown = monitor.until("/", |o| count(o, "failed") == 5000 && troubled(o, "many hosts"));
    let found = causes(&shown);
    assert!(found.len() < 20, "{} causes", found.len());
    assert!(found.iter().any(|cause| cause == "many failed machines"), "{found:?}");
    assert!(shown["concerns"].to_string().contains("625 hosts are lost"), "{shown:#}");
    let events = monitor.json("admin", "/events");
    let all = events.to_string();
    assert!(all.contains("5000 machines of 900 people are in state"), "{all}");
    assert!(events["total"].as_u64().unwrap() < 40, "{all}");
    for path in PAGES {
        let (status, html) = monitor.page("admin", path);
        assert!(status == 200 && html.len() < 200 << 10, "{path}: {} bytes", html.len());
    }
    assert!(monitor.run(&["status"]).stdout.len() < 20 << 10);
}

/// What a process has resident, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The status of an answer that has begun; none where the server has not answered yet.
fn answered(stream: &mut TcpStream) -> Option<u16> {
    let mut head = [0; 256];
    let read = stream.read(&mut head).unwrap_or(0);
    String::from_utf8_lossy(&head[..read]).split(' ').nth(1)?.parse().ok()
}

/// Ten thousand browsers ask to be kept up to date. As many as allowed are; the others are told so at
/// once and let go; people who look at a page get it all the while.
#[test]
fn ten_thousand_browsers_are_bounded() {
    const BROWSERS: usize = 10_000;
    let cloud = Cloud::start(2, 6);
    let mut monitor = Monitor::of(&cloud.url());
    let token = monitor.run(&["token", "create", "--owner", "admin"]).good().stdout;
    monitor.restart();
    monitor.until("/", |o| count(o, "runs") == 6);
    let before = resident(monitor.process());
    let address = monitor.url().trim_start_matches("http://").to_owned();
    let ask =
        format!("GET /live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", token.trim());
    let (mut kept, mut refused) = (Vec::new(), 0);
    for number in 0..BROWSERS {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(ask.as_bytes()).unwrap();
        match answered(&mut stream) {
            Some(200) => kept.push(stream),
            Some(503) => {
                refused += 1;
                // They stay as long as the monitor lets them, as browsers would.
                kept.push(stream);
            }
            other => panic!("browser {number} got {other:?}\n{}", monitor.log()),
        }
        if number % 1000 == 999 {
            assert_eq!(monitor.page("admin", "/vms").0, 200, "after {number} browsers");
        }
    }
    assert_eq!(BROWSERS - refused, 1000, "as many as `viewers` says");
    let grown = resident(monitor.process()).saturating_sub(before);
    assert!(grown < 128 << 10, "{grown} KiB for {BROWSERS} browsers");
    // Who was kept hears of the next state, and a place that is given back is given again.
    let seen = monitor.json("admin", "/")["at"].as_i64().unwrap();
    monitor.until("/", |o| o["at"].as_i64().unwrap() > seen);
    drop(kept);
    let begun = Instant::now();
    loop {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(ask.as_bytes()).unwrap();
        if answered(&mut stream) == Some(200) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no place is given back");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// The wall clock of the monitor's host is set right, wrong and right again, by a library that changes
/// what a program reads of it. Only a wrong clock makes hosts look silent, and that is one cause.
#[test]
fn a_clock_that_is_set_makes_no_storm() {
    let program = stratus_tests::tool("faketime", "faketime");
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    let set = |offset: i64| {
        let new = folder.path().join("new");
        std::fs::write(&new, format!("{offset:+}\n")).unwrap();
        std::fs::rename(&new, &clock).unwrap();
    };
    set(-3600);
    let cloud = Cloud::start(4, 8);
    let setup = MonitorSetup {
        oned: cloud.url(),
        environment: vec![
            ("LD_PRELOAD", preloaded(program.get_program().as_ref())),
            ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
        ],
        ..MonitorSetup::default()
    };
    let monitor = Monitor::with(setup);
    let silent =
        |o: &serde_json::Value| causes(o).iter().any(|c| c == "silent" || c.starts_with("host"));
    // How far the monitor's clock is from ours when it looked.
    let off = |o: &serde_json::Value| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        o["at"].as_i64().unwrap() - i64::try_from(now).unwrap()
    };
    let shown = monitor.until("/", |o| count(o, "runs") == 8);
    assert!((off(&shown) + 3600).abs() < 60, "the clock is an hour slow: {}", off(&shown));
    assert!(!silent(&shown), "{shown:#}");
    set(0);
    let shown = monitor.until("/", |o| off(o).abs() < 60);
    assert!(!silent(&shown), "{shown:#}");
    monitor.until("/events", |e| e.to_string().contains("clock of the monitor"));
    set(7200);
    let shown = monitor.until("/", |o| silent(o));
    assert!((off(&shown) - 7200).abs() < 60 && count(&shown, "runs") == 8, "{shown:#}");
    assert!(troubled(&shown, "silent"), "one cause, not one for each host: {shown:#}");
    set(0);
    monitor.until("/", |o| off(o).abs() < 60 && !silent(o));
    let told = monitor.json("admin", "/events");
    assert!(told["total"].as_u64().unwrap() < 20, "{told:#}");
    assert!(!monitor.log().contains("panicked"), "{}", monitor.log());
}

/// The library beside the program `faketime`.
fn preloaded(program: &std::path::Path) -> String {
    let root = program.parent().and_then(|bin| bin.parent()).unwrap();
    let machine = format!("lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    root.join(machine).display().to_string()
}
