//! Makes the pictures of docs/guide/monitor.md, from the demo's site.
//!
//! Argument: the folder that they go to.

use std::path::PathBuf;
use stratus_tests::{Browser, Cloud, Monitor, MonitorSetup};

/// Page, name of the picture, dark, width and height.
const PICTURES: [(&str, &str, bool, (u32, u32)); 7] = [
    ("/", "overview", false, (960, 620)),
    ("/hosts", "hosts", false, (960, 640)),
    ("/vms?state=failed", "vms", true, (1100, 640)),
    ("/networks/0", "network", false, (960, 560)),
    ("/usage", "usage", false, (1100, 700)),
    ("/burst", "burst", false, (960, 560)),
    ("/", "narrow", false, (320, 640)),
];

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder of the pictures"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let cloud = Cloud::demo();
    let mut monitor = Monitor::with(MonitorSetup {
        oned: cloud.url(),
        monitor: "title = \"Demo site (simulated)\"\nvpn_report = \"vpn.json\"\n".to_owned(),
        ..MonitorSetup::default()
    });
    monitor.write_vpn_report();
    monitor.write_usage(&["alice", "bob", "carol"]);
    monitor.until("/", |o| o["read_at"] != 0);
    monitor.write_history();
    monitor.until("/burst", |b| b["nodes"].as_array().is_some_and(|n| n.len() == 2));
    monitor.until("/vms/17", |vm| vm["stays"].as_array().is_some_and(|s| !s.is_empty()));
    let browser = Browser::start();
    monitor.log_in(&browser, "admin");
    for (page, name, dark, (width, height)) in PICTURES {
        browser.dark(dark);
        browser.size(width, height);
        browser.goto(&format!("{}{page}", monitor.url()));
        let file = folder.join(format!("monitor-{name}.png"));
        browser.view(&file);
        println!("{}", file.display());
    }
}
