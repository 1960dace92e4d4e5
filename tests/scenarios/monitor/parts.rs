//! What is not OpenNebula: the repository and the cache, certificates, disks, the VPN, accounting;
//! and history while it is being written.

use crate::troubled;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use stratus_tests::{
    Cache, Cloud, FaultyOrigin, Monitor, MonitorSetup, Output, Page, Readers, Repository, program,
    run,
};

fn about(overview: &Value, name: &str) -> String {
    let services = overview["services"].as_array().unwrap();
    let found = services.iter().find(|s| s["name"] == name);
    found.map(|s| s["about"].as_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn the_sites_own_services_tell_of_themselves() {
    let repository = Repository::start();
    let origin = FaultyOrigin::start();
    origin.put("/images/a.img.gz", Page::new(vec![7; 1 << 20]));
    let mut cache = Cache::before(&origin.url());
    let cloud = Cloud::start(2, 4);
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: format!(
            "services_ca = \"{0}\"\ncertificates = [\"{0}\", \"absent.pem\"]\ndisks = [\"/\"]\n",
            repository.path("server.crt").display()
        ),
        sections: format!(
            "[repository]\nurl = \"{}\"\n[cache]\nurl = \"{}\"\n",
            repository.url(),
            cache.url()
        ),
        ..MonitorSetup::default()
    };
    let monitor = Monitor::with(setup);
    monitor.until("/", |o| about(o, "repository") == "answers; 0 appliances");
    monitor.until("/", |o| about(o, "cache") == "answers; nothing was asked for yet");
    let readers = Readers::new();
    for _ in 0..4 {
        let url = format!("{}/images/a.img.gz", cache.url());
        readers.get(&url, &[]).is("a reader", 200, &vec![7; 1 << 20]);
    }
    let hits = "answers; 75 % of requests were served from it";
    let shown = monitor.until("/", |o| about(o, "cache") == hits);
    let ends = shown["certificates"].as_array().unwrap();
    assert!(ends.iter().any(|c| c["place"].as_str().unwrap().ends_with("server.crt")), "{ends:?}");
    assert!(troubled(&shown, "certificate absent.pem"));
    let storage = monitor.json("admin", "/images");
    let disks = storage["disks"].as_array().unwrap();
    assert!(disks.iter().any(|d| d["name"] == "/" && d["total"] != "0 B"), "{disks:?}");
    cache.kill();
    let shown = monitor.until("/", |o| troubled(o, "service cache"));
    assert!(about(&shown, "cache").contains("does not answer"), "{shown:#}");
}

fn vpn(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program("stratus-vpn");
    command.current_dir(folder).args(arguments);
    command.args(["--config", "vpn.toml"]);
    command.arg("--directory").arg(folder.join("vpn"));
    run(command.arg("--runtime").arg(folder.join("run")))
}

/// The management interface of a server with one node connected.
fn serve(folder: &Path) {
    fs::create_dir(folder.join("run")).unwrap();
    let listener = UnixListener::bind(folder.join("run/management.sock")).unwrap();
    let status = "HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tBytes Received\tBytes Sent\t\
        Connected Since (time_t)\tData Channel Cipher\n\
        CLIENT_LIST\tburst1\t192.0.2.1:1000\t4096\t8192\t1795251600\tAES-256-GCM\n";
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            stream.write_all(b">INFO:OpenVPN Management Interface Version 5\r\n").unwrap();
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines().map_while(Result::ok) {
                let text = if line == "status 3" { status } else { "" };
                // The client may be gone already.
                let _gone = stream.write_all(format!("{text}END\n").as_bytes());
            }
        }
    });
}

#[test]
fn burst_nodes_are_as_the_vpns_report_tells() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let site = "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\n\
         [nodes]\nhosts = [\"node1.example.org\"]\n[networks.private]\nbase = \"10.50.0.0/16\"\n\
         first = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n\
         [vpn]\nendpoint = \"vpn.example.org\"\nrange = \"10.50.1.0-10.50.1.255\"\n";
    fs::write(folder.path().join("vpn.toml"), site).unwrap();
    vpn(folder.path(), &["init"]).good();
    vpn(folder.path(), &["add", "burst1", "burst2"]).good();
    let cloud = Cloud::start(2, 4);
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: format!("vpn_report = \"{}\"\n", report.display()),
        ..MonitorSetup::default()
    };
    let monitor = Monitor::with(setup);
    let shown = monitor.until("/", |o| troubled(o, "vpn report"));
    assert!(shown["concerns"].to_string().contains("No such file"), "{shown:#}");

    let to = report.to_str().unwrap();
    let out = vpn(folder.path(), &["status", "--to", to]);
    assert!(out.code == 5 && out.stdout.is_empty(), "{out:?}");
    let shown = monitor.until("/", |o| about(o, "vpn") == "the server does not answer");
    assert!(shown["concerns"].to_string().contains("stratus-vpn-server.service"), "{shown:#}");

    serve(folder.path());
    vpn(folder.path(), &["status", "--to", to]).good();
    let shown = monitor.until("/", |o| about(o, "vpn") == "1 of 2 burst nodes are connected");
    assert!(!shown["concerns"].to_string().contains("VPN"), "{shown:#}");
    let page = monitor.json("admin", "/burst");
    let (one, two) = (&page["nodes"][0], &page["nodes"][1]);
    assert_eq!((&one["name"], &one["connected"]), (&"burst1".into(), &true.into()), "{page:#}");
    assert_eq!((&one["peer"], &one["received"]), (&"192.0.2.1:1000".into(), &"4.0 KiB".into()));
    assert_eq!((&two["name"], &two["connected"]), (&"burst2".into(), &false.into()), "{page:#}");
    let (status, html) = monitor.page("admin", "/burst");
    assert!(status == 200 && html.contains("burst2") && html.contains("10.50.1."), "{html}");

    fs::write(&report, "{\"running\": tr").unwrap();
    let shown = monitor.until("/", |o| troubled(o, "vpn report"));
    assert!(shown["concerns"].to_string().contains("no report of `stratus-vpn status`"));
    let page = monitor.json("admin", "/burst");
    assert_eq!(page["nodes"][0]["name"], "burst1", "the last that could be read is still shown");
}

#[test]
fn people_see_their_own_usage_and_administrators_all_of_it() {
    let cloud = Cloud::start(2, 6);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| o["read_at"] != 0);
    // Accounting has not begun: no trouble, and the page says so.
    let first = monitor.json("admin", "/usage");
    assert_eq!((&first["fed_at"], &first["total"]), (&Value::Null, &0.into()), "{first:#}");
    assert!(!troubled(&monitor.json("admin", "/"), "usage"));
    assert!(monitor.page("alice", "/usage").1.contains("No usage is recorded yet"));

    let others: Vec<String> = (0..100).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> =
        ["alice", "bob"].into_iter().chain(others.iter().map(String::as_str)).collect();
    monitor.write_usage(&users);
    let shown = monitor.until("/usage", |u| u["total"] == 54);
    assert_eq!((&shown["month"], &shown["pages"]), (&"2026-11".into(), &2.into()), "{shown:#}");
    let first = &shown["users"][0];
    // 54 machines, 330 hours each, of 2 cores, 4 GiB and 20 GiB.
    assert_eq!((&first["name"], &first["machines"]), (&"alice".into(), &54.into()), "{first:#}");
    assert_eq!(first["cpu_core_milliseconds"], 54_i64 * 330 * 2 * 3_600_000);
    assert_eq!((&first["core_hours"], &first["hours"]), (&"35,640.00".into(), &"17,820.00".into()));
    assert_eq!(first["memory_gib_hours"], "71,280.00");
    assert_eq!(first["disk_gib_hours"], "356,400.00");
    let october = monitor.json("admin", "/usage?month=2025-10&q=bo&sort=name");
    assert_eq!((&october["total"], &october["users"][0]["machines"]), (&1.into(), &5.into()));
    assert_eq!(monitor.page("admin", "/usage?month=1999-01").0, 400);
    let bob = monitor.json("admin", "/usage?user=bob");
    assert_eq!((&bob["user"], bob["months"].as_array().unwrap().len()), (&"bob".into(), 14));
    assert_eq!(bob["months"][0]["month"], "2026-11", "newest first");
    assert_eq!(bob["charts"].as_array().unwrap().len(), 3);
    assert_eq!(monitor.page("admin", "/usage?user=nobody").0, 404);

    let own = monitor.json("alice", "/usage");
    assert_eq!((&own["user"], &own["own"]), (&"alice".into(), &true.into()), "{own:#}");
    assert_eq!(own["months"][0]["machines"], 54);
    assert_eq!(monitor.json("alice", "/usage?user=alice")["user"], "alice");
    assert!(!own.to_string().contains("bob") && !own.to_string().contains("user9"));
    for other in ["bob", "nobody"] {
        assert_eq!(monitor.page("alice", &format!("/usage?user={other}")).0, 404, "{other}");
    }
    assert_eq!(monitor.get_with("/usage", &[("accept", "application/json")]).0, 401);

    // What cannot be read leaves what was read, with a word about it.
    fs::write(monitor.path("usage.json"), "{\"fed_at\": 1, \"mon").unwrap();
    let told = monitor.until("/", |o| troubled(o, "usage"));
    assert!(told["concerns"].to_string().contains("no report of `stratus-accounting feed`"));
    assert_eq!(monitor.json("admin", "/usage")["total"], 54);
    let old = "{\"fed_at\": 1795000000, \"months\": [], \"users\": []}";
    fs::write(monitor.path("usage.json"), old).unwrap();
    monitor.until("/", |o| o["concerns"].to_string().contains("Usage was last recorded"));
    assert!(monitor.page("bob", "/usage").1.contains("You have used nothing"));
}

/// A pipe in the place of a file holds up the one who writes it until somebody reads.
#[test]
fn charts_are_answered_while_history_is_being_written() {
    let cloud = Cloud::start(2, 6);
    let mut monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| o["read_at"] != 0);
    monitor.write_history();
    monitor.kill();
    let (written, pipe) =
        (monitor.path("data/history/site.columns"), monitor.path("data/history/hosts.columns.new"));
    fs::remove_file(&written).unwrap();
    if pipe.exists() {
        fs::remove_file(&pipe).expect("the kill came in the middle of a write");
    }
    run(stratus_tests::tool("mkfifo", "coreutils").arg(&pipe)).good();
    monitor.restart();
    let url = monitor.url().to_owned();
    let begun = std::time::Instant::now();
    while !written.exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "no look:\n{}", monitor.log());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // The site's figures are written, those of the hosts are held up.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for path in ["/hosts/0", "/images"] {
            let asked = run(stratus_tests::tool("curl", "curl").args([
                "--silent",
                "--max-time",
                "60",
                "--user",
                "admin:correct horse",
                "--header",
                "Accept: application/json",
                &format!("{url}{path}"),
            ]));
            // Whoever waits may have given up.
            let _gone = tell.send(serde_json::from_str::<Value>(&asked.stdout).ok());
        }
    });
    let answer = || told.recv_timeout(Duration::from_mins(3)).unwrap();
    let host = answer().expect("the page of a host is answered meanwhile");
    assert_eq!(host["charts"].as_array().unwrap().len(), 2, "{host:#}");
    answer().expect("and what history takes");
    let held = cloud.looks();
    assert!(pipe.exists() && held > 0, "history was held up all the while");
    // What was held up goes on, and so do the looks.
    drop(fs::File::open(&pipe).unwrap());
    fs::remove_file(&pipe).unwrap();
    monitor.until("/", |_| cloud.looks() > held);
}
