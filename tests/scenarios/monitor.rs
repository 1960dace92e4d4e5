//! The monitor before a cloud that behaves, and one that does not.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "monitor/directory.rs"]
mod directory;
#[path = "monitor/many.rs"]
mod many;
#[path = "monitor/parts.rs"]
mod parts;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use stratus_tests::{Cloud, Monitor, MonitorSetup, Mood};

fn count(overview: &Value, word: &str) -> u64 {
    let states = overview["states"].as_array().unwrap();
    states.iter().find(|s| s["word"] == word).unwrap()["count"].as_u64().unwrap()
}

fn causes(overview: &Value) -> Vec<String> {
    let concerns = overview["concerns"].as_array().unwrap().iter();
    concerns.map(|c| c["cause"].as_str().unwrap().to_owned()).collect()
}

fn troubled(overview: &Value, cause: &str) -> bool {
    causes(overview).iter().any(|c| c == cause)
}

#[test]
fn the_first_screen_tells_what_is_wrong_and_what_is_free() {
    let cloud = Cloud::start(4, 40);
    let failed = "Sat Nov 21 00:17:23 2026: DEPLOY: cannot allocate memory";
    cloud.machine(7, |m| (m.state, m.error) = ((3, 36), failed.into()));
    cloud.host(2, |h| h.state = 3);
    let monitor = Monitor::of(&cloud.url());
    let shown = monitor.until("/", |o| troubled(o, "host 2") && count(o, "failed") == 1);
    assert_eq!(count(&shown, "runs"), 39);
    let room = &shown["capacity"][0];
    assert_eq!((room["hosts"].as_u64(), room["closed"].as_u64()), (Some(3), Some(1)));
    // Each host has 22 of 32 cores free, and 44 GiB of 64.
    assert_eq!(room["fits"], serde_json::json!([66, 15, 3]));
    let told = shown["concerns"].to_string();
    assert!(told.contains("cannot allocate memory") && !told.contains("Nov 21"), "{told}");
    assert!(told.contains("no route"), "{told}");
    let machine = monitor.json("admin", "/vms/7");
    let why = "The hypervisor did not start it on node0004: DEPLOY: cannot allocate memory.";
    assert_eq!(machine["row"]["why"], why);
    let steps = monitor.until("/vms/8", |vm| !vm["stays"].as_array().unwrap().is_empty());
    assert_eq!(
        (&steps["stays"][0]["prolog"], &steps["stays"][0]["boot"]),
        (&"12 s".into(), &"3 s".into())
    );
    assert_eq!(cloud.changes_asked(), 0, "a monitor only reads");
}

#[test]
fn lists_are_searched_sorted_and_paged_on_the_server() {
    let cloud = Cloud::start(10, 2500);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 2500);
    let page = monitor.json("admin", "/vms?q=worker-1&sort=oldest&page=2");
    assert_eq!((page["total"].as_u64(), page["page"].as_u64()), (Some(1111), Some(2)));
    assert_eq!(page["machines"].as_array().unwrap().len(), 50);
    let (status, html) = monitor.page("admin", "/vms?q=worker-2499");
    assert_eq!(status, 200);
    assert!(html.contains("worker-2499") && !html.contains("worker-1<"));
    let found = monitor.json("admin", "/vms?q=10.0.0.77");
    assert_eq!(found["machines"][0]["id"], 75);
    let on_host = monitor.json("admin", "/vms?host=3");
    assert_eq!(on_host["total"], 250);
    for path in [
        "/",
        "/hosts",
        "/hosts/1",
        "/vms",
        "/vms/1",
        "/networks",
        "/networks/0",
        "/images",
        "/users",
        "/usage",
        "/burst",
        "/events",
    ] {
        let (status, html) = monitor.page("admin", path);
        assert_eq!(status, 200, "{path}");
        assert!(html.len() < 200 << 10, "{path} has {} bytes", html.len());
    }
    assert_eq!(monitor.page("admin", "/vms?state=broken").0, 200);
    assert!(monitor.page("admin", "/vms?state=broken").1.contains("means nothing here"));
    assert_eq!(monitor.page("admin", "/vms/999999").0, 404);
    assert_eq!(monitor.page("admin", "/vms/x").0, 400);
}

#[test]
fn an_oned_that_fails_in_any_way_leaves_the_last_state_with_a_banner() {
    let cloud = Cloud::start(4, 40);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 40);
    for mood in [Mood::Away, Mood::Nonsense, Mood::Half, Mood::Refused] {
        cloud.mood(mood);
        let shown = monitor.until("/", |o| troubled(o, "oned"));
        assert_eq!(count(&shown, "runs"), 40, "{mood:?}");
        let banner = shown["banner"].as_str().unwrap();
        assert!(banner.contains("OpenNebula cannot be read"), "{mood:?}: {banner}");
        let (status, html) = monitor.page("admin", "/vms");
        assert!(status == 200 && html.contains("cannot be read") && html.contains("worker-39"));
        assert_eq!(monitor.get_with("/healthz", &[]).0, 200);
        assert_eq!(monitor.get_with("/readyz", &[]).0, 503);
        cloud.mood(Mood::Well);
        monitor.until("/", |o| o["banner"] == "" && !troubled(o, "oned"));
    }
    cloud.mood(Mood::Slow(300));
    let at = monitor.json("admin", "/")["read_at"].as_i64().unwrap();
    monitor.until("/", |o| o["read_at"].as_i64().unwrap() > at + 1 && o["banner"] == "");
    let told = monitor.log();
    assert!(!told.contains("oneadmin:opennebula") && !told.contains("panicked"), "{told}");
}

#[test]
fn a_pool_that_vanishes_for_one_look_is_not_believed() {
    let cloud = Cloud::start(4, 40);
    // The doubt lasts from one look to the next; there must be time to see it.
    let monitor = "interval = \"5 s\"\n".to_owned();
    let setup = MonitorSetup { oned: cloud.url(), monitor, ..MonitorSetup::default() };
    let monitor = Monitor::with(setup);
    monitor.until("/", |o| count(o, "runs") == 40);
    cloud.mood(Mood::Empty);
    // One look doubts, the next believes: at no time is there a page without a word about it.
    let doubting = monitor.until("/", |o| o["concerns"].to_string().contains("told of no"));
    assert_eq!(count(&doubting, "runs"), 40);
    monitor.until("/", |o| count(o, "runs") == 0);
    cloud.mood(Mood::Well);
    monitor.until("/", |o| count(o, "runs") == 40);
}

#[test]
fn people_see_their_own_machines_and_nothing_else() {
    let cloud = Cloud::start(4, 30);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 30);
    let own = monitor.json("alice", "/vms");
    assert_eq!(own["total"], 10);
    assert!(!own.to_string().contains("bob"));
    let first = monitor.json("alice", "/");
    assert_eq!((count(&first, "runs"), first["capacity"].as_array().unwrap().len()), (10, 0));
    assert_eq!(monitor.page("alice", "/vms/1").0, 404, "of bob");
    assert_eq!(monitor.page("alice", "/vms/0").0, 200);
    for path in ["/hosts", "/hosts/1", "/networks", "/networks/0", "/images", "/users", "/burst"] {
        assert_eq!(monitor.page("alice", path).0, 403, "{path}");
    }
    assert_eq!(monitor.json("alice", "/vms?user=bob")["total"], 0);
    let (status, _) = monitor.get_with("/vms", &[("accept", "application/json")]);
    assert_eq!(status, 401);
    assert_eq!(monitor.get_with("/", &[("accept", "text/html")]).0, 303);
    assert_eq!(monitor.get_with("/live", &[]).0, 401);
}

#[test]
fn a_token_reads_what_its_owner_reads() {
    let cloud = Cloud::start(2, 6);
    let monitor = Monitor::of(&cloud.url());
    let make = |owner: &str| monitor.run(&["token", "create", "--owner", owner]);
    let (admin, alice) = (make("admin").good().stdout, make("alice").good().stdout);
    let nobody = make("robot");
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("`robot` is no login here"), "{}", nobody.stderr);
    let list = monitor.run(&["token", "list", "--json"]).good().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[1]["owner"]), (2, &"alice".into()), "{list}");
    monitor.until("/", |o| count(o, "runs") == 6);
    let read = |token: &str, path: &str| {
        let bearer = format!("Bearer {}", token.trim());
        monitor.get_with(path, &[("authorization", &bearer), ("accept", "application/json")])
    };
    assert_eq!(read(&admin, "/hosts").0, 200);
    assert_eq!(read(&alice, "/hosts").0, 403);
    let (status, text) = read(&alice, "/vms");
    assert!(status == 200 && text.contains("\"total\":2"), "{text}");
    assert_eq!(read("stratus_none", "/vms").0, 401);
}

#[test]
fn events_and_history_outlive_a_kill() {
    let cloud = Cloud::start(2, 6);
    let mut monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 6);
    cloud.machine(3, |m| m.state = (3, 36));
    cloud.host(0, |h| h.state = 3);
    let since = |o: &Value| {
        let concerns = o["concerns"].as_array().unwrap();
        concerns.iter().find(|c| c["cause"] == "host 0").unwrap()["since"].as_i64()
    };
    let began = since(&monitor.until("/", |o| troubled(o, "host 0")));
    monitor.until("/events", |e| e.to_string().contains("Machine 3 (worker-3) failed on node0002"));
    cloud.end(5);
    monitor.until("/events", |e| e.to_string().contains("Machine 5 (worker-5) ended"));
    assert!(monitor.path("data/history/hosts-minutes.0").exists());
    // A page shows an event a moment before it is on the disk.
    let kept = || std::fs::read_to_string(monitor.path("data/events.jsonl")).unwrap_or_default();
    monitor.until("/", |_| kept().contains("worker-5) ended"));
    monitor.kill();
    monitor.restart();
    let shown = monitor.until("/", |o| count(o, "failed") == 1 && troubled(o, "host 0"));
    assert_eq!(since(&shown), began, "the trouble did not begin with the monitor");
    let events = monitor.json("admin", "/events").to_string();
    assert!(events.contains("worker-3) failed") && events.contains("worker-5) ended"), "{events}");
    assert_eq!(
        monitor.json("alice", "/events").to_string().matches("\"machine\"").count(),
        1 + 1,
        "the filter and one event"
    );
    assert_eq!(monitor.stop(), Some(0));
}

#[test]
fn a_full_disk_costs_history_and_nothing_else() {
    let cloud = Cloud::start(2, 6);
    let setup =
        MonitorSetup { oned: cloud.url(), small_disk: Some("64k"), ..MonitorSetup::default() };
    let monitor = Monitor::with(setup);
    let shown = monitor.until("/", |o| troubled(o, "history") && count(o, "runs") == 6);
    assert!(shown["concerns"].to_string().contains("No space left"), "{shown:#}");
    assert_eq!(monitor.page("admin", "/vms").0, 200);
    assert!(monitor.page("admin", "/images").1.contains("History is not being kept"));
}

#[test]
fn status_is_the_first_screen_as_text() {
    let cloud = Cloud::start(3, 9);
    let mut monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 9);
    let text = monitor.run(&["status"]).good().stdout;
    // The broken network needs somebody, and so may the disk of whoever runs the tests.
    assert!(text.contains("Network broken could not be made"), "{text}");
    assert!(text.lines().next().unwrap().ends_with("9 machines run."), "{text}");
    assert!(text.contains("Cluster default"), "{text}");
    // Without a running monitor it looks by itself.
    cloud.host(1, |h| h.state = 3);
    monitor.kill();
    if let Err(error) = std::fs::remove_file(monitor.path("data/status.json")) {
        // It was killed before it wrote one.
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
    }
    let looked = monitor.run(&["status", "--json"]);
    assert_eq!(looked.code, 1, "something is broken: {}", looked.stderr);
    let shown: Value = serde_json::from_str(&looked.stdout).unwrap();
    assert!(troubled(&shown, "host 1"), "{shown:#}");
    cloud.mood(Mood::Away);
    assert_eq!(monitor.run(&["status"]).code, 5);
    assert_eq!(monitor.run(&["check"]).code, 0);
    std::fs::write(monitor.path("site.toml"), "[monitor]\ninterval = \"never\"\n").unwrap();
    let refused = monitor.run(&["status"]);
    assert!(refused.code == 2 && refused.stderr.contains("site.toml:2"), "{}", refused.stderr);
}

#[test]
fn metrics_have_the_names_of_opennebulas_exporter_and_name_nobody() {
    let cloud = Cloud::start(2, 6);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| count(o, "runs") == 6);
    let (status, text) = monitor.get_with("/metrics", &[]);
    assert_eq!(status, 200);
    for line in [
        "opennebula_host_total 2",
        "opennebula_vm_total 6",
        "opennebula_host_state{one_host_id=\"1\"} 2",
        "stratus_monitor_vms{state=\"runs\"} 6",
    ] {
        assert!(text.lines().any(|l| l == line), "`{line}` is not in\n{text}");
    }
    assert!(!text.contains("worker") && !text.contains("alice"), "{text}");
}

#[test]
fn open_pages_hear_of_new_states_and_are_bounded() {
    let cloud = Cloud::start(2, 6);
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: "viewers = 2\n".to_owned(),
        ..MonitorSetup::default()
    };
    let mut monitor = Monitor::with(setup);
    monitor.until("/", |o| count(o, "runs") == 6);
    let open = || {
        let mut stream = TcpStream::connect(monitor.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let token = "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==";
        write!(stream, "GET /live HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n").unwrap();
        BufReader::new(stream)
    };
    let mut viewers = [open(), open()];
    for viewer in &mut viewers {
        let heard =
            viewer.by_ref().lines().map_while(Result::ok).any(|l| l.starts_with("event: state"));
        assert!(heard);
    }
    let (status, told) =
        monitor.get_with("/live", &[("authorization", "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==")]);
    assert!(status == 503 && told.contains("by hand"), "{status} {told}");
    // Open streams do not hold up the end: they finish, and are not cut.
    assert_eq!(monitor.stop(), Some(0));
    assert!(monitor.log().contains(" cut=0"), "{}", monitor.log());
}

#[test]
fn a_cause_is_told_once_and_its_end_too() {
    let cloud = Cloud::start(2, 60);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = listener.local_addr().unwrap();
    let (told, heard) = mpsc::channel::<Value>();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if told.send(posted(stream)).is_err() {
                return;
            }
        }
    });
    let setup = MonitorSetup {
        oned: cloud.url(),
        sections: format!("[monitor.alerts]\nwebhook = \"http://{hook}/hook\"\nafter = \"0 s\"\n"),
        ..MonitorSetup::default()
    };
    let monitor = Monitor::with(setup);
    monitor.until("/", |o| count(o, "runs") == 60);
    cloud.host(1, |h| h.state = 3);
    for id in 0..60 {
        if id % 2 == 1 {
            cloud.machine(id, |m| m.state = (3, 16));
        }
    }
    let wait = Duration::from_secs(20);
    let first = heard.recv_timeout(wait).unwrap();
    assert_eq!((&first["cause"], &first["over"]), (&"host 1".into(), &false.into()), "{first:#}");
    assert!(first["what"].as_str().unwrap().contains("30 machines"), "{first:#}");
    cloud.host(1, |h| h.state = 2);
    for id in 0..60 {
        cloud.machine(id, |m| m.state = (3, 3));
    }
    let mut over = heard.recv_timeout(wait).unwrap();
    while over["over"] == false {
        // Between the two changes a look may have seen machines without their host.
        over = heard.recv_timeout(wait).unwrap();
    }
    assert_eq!(over["cause"], "host 1", "{over:#}");
}

#[test]
fn a_mail_says_what_and_what_to_do() {
    let cloud = Cloud::start(2, 4);
    cloud.host(1, |h| h.state = 3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let (told, heard) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if told.send(mailed(stream)).is_err() {
                return;
            }
        }
    });
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: "url = \"https://monitor.example.org\"\n".to_owned(),
        sections: format!(
            "[monitor.alerts]\nmail_to = [\"cloud@example.org\"]\nsmtp = \"{server}\"\nafter = \"0 s\"\n"
        ),
        ..MonitorSetup::default()
    };
    let monitor = Monitor::with(setup);
    let letter = heard.recv_timeout(Duration::from_secs(20)).unwrap();
    for part in [
        "MAIL FROM:<stratus-monitor@localhost>",
        "RCPT TO:<cloud@example.org>",
        "Subject: [trouble] node0002 is in error",
        "onehost enable",
        "https://monitor.example.org/hosts/1",
    ] {
        assert!(letter.contains(part), "`{part}` is not in\n{letter}\n{}", monitor.log());
    }
    // It lasts, and nobody hears of it again.
    let at = monitor.json("admin", "/")["read_at"].as_i64().unwrap();
    monitor.until("/", |o| o["read_at"].as_i64().unwrap() > at + 2);
    assert!(heard.try_recv().is_err(), "one mail for one cause");
}

/// What a mail server hears in one connection, long lines joined.
fn mailed(mut stream: TcpStream) -> String {
    let reader = BufReader::new(stream.try_clone().unwrap());
    let (mut heard, mut letter) = (String::new(), false);
    stream.write_all(b"220 test\r\n").unwrap();
    for line in reader.lines().map_while(Result::ok) {
        heard.push_str(&line);
        heard.push('\n');
        let answer = match line.as_str() {
            "." if letter => {
                letter = false;
                "250 kept"
            }
            _ if letter => continue,
            "DATA" => {
                letter = true;
                "354 go on"
            }
            "QUIT" => {
                // The client may be gone already.
                let _ = stream.write_all(b"221 bye\r\n");
                break;
            }
            _ => "250 test",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
    }
    heard.replace("=\n", "").replace("\n ", " ")
}

/// The JSON of a POST; answers 204.
fn posted(mut stream: TcpStream) -> Value {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}
