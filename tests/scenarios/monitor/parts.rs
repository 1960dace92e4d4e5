//! What is not OpenNebula: the repository and the cache, certificates, disks, the VPN.

use crate::troubled;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
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
