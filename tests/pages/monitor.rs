//! The pages of the monitor in a real browser, for people with different eyes and screens.

use stratus_tests::{Browser, Cloud, Monitor, MonitorSetup};

/// A site with a bit of everything that goes wrong.
fn troubled() -> Cloud {
    let cloud = Cloud::start(120, 900);
    cloud.host(3, |h| h.state = 3);
    cloud.host(4, |h| h.state = 4);
    cloud.host(5, |h| h.state = 8);
    cloud.host(6, |h| h.silent = 900);
    let error = "Sat Nov 21 00:17:23 2026: Error executing image transfer script: no space left";
    for id in [17, 27, 37] {
        cloud.machine(id, |m| (m.state, m.error) = ((3, 39), error.into()));
    }
    let waits = "Sat Nov 21 00:18:48 2026: [HOST] Not enough CPU on hosts: 0,1,2,3,4";
    for id in 100..104 {
        cloud.machine(id, |m| (m.state, m.waits, m.host) = ((1, 0), waits.into(), -1));
    }
    cloud.machine(200, |m| m.name = "<b>bold</b>\u{202e}drawkcab".into());
    cloud.machine(201, |m| m.name = "long-".repeat(800));
    for id in 300..320 {
        cloud.machine(id, |m| m.state = (8, 0));
    }
    cloud
}

#[test]
fn every_page_is_for_everybody() {
    let cloud = troubled();
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: "title = \"Cloud of Example\"\ncertificates = [\"absent.pem\"]\n\
                  vpn_report = \"vpn.json\"\n"
            .to_owned(),
        sections: "[cache]\nurl = \"http://127.0.0.1:9/\"\n".to_owned(),
        ..MonitorSetup::default()
    };
    let mut monitor = Monitor::with(setup);
    monitor.write_history();
    monitor.until("/", |o| o["concerns"].as_array().unwrap().len() > 4);
    assert_eq!(monitor.json("admin", "/")["charts"].as_array().unwrap().len(), 2);
    let browser = Browser::start();
    browser.goto(&format!("{}/vms?state=failed", monitor.url()));
    browser.wait_for("Password");
    browser.check("monitor-login");
    monitor.log_in(&browser, "admin");
    let show = |path: &str, name: &str| {
        browser.goto(&format!("{}{path}", monitor.url()));
        browser.check(&format!("monitor-{name}"));
    };
    monitor.until("/vms/17", |vm| !vm["stays"].as_array().unwrap().is_empty());
    show("/", "overview");
    show("/hosts", "hosts");
    show("/hosts/0", "host");
    show("/hosts/3", "host-in-error");
    show("/vms", "vms");
    show("/vms?state=failed", "vms-failed");
    show("/vms?state=x", "vms-fault");
    show("/vms?q=nothing-of-the-kind", "vms-empty");
    show("/vms/17", "vm-failed");
    show("/vms/201", "vm-long");
    show("/networks", "networks");
    show("/networks/0", "network");
    show("/images", "images");
    show("/burst", "burst-fault");
    monitor.write_vpn_report();
    monitor.until("/burst", |b| !b["nodes"].as_array().unwrap().is_empty());
    show("/burst", "burst");
    show("/users", "users");
    show("/usage", "usage-none");
    monitor.write_usage(&["alice", "bob", "carol"]);
    monitor.until("/usage", |u| u["total"] == 3);
    show("/usage", "usage");
    show("/usage?user=bob", "usage-of-one");
    show("/events", "events");
    show("/account", "account");
    show("/nothing", "not-found");
    let title = browser.script("return document.title");
    assert!(!title.as_str().unwrap().contains("owned"));
}

#[test]
fn a_user_sees_their_machines_and_the_page_keeps_itself_up_to_date() {
    let cloud = Cloud::start(3, 30);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| o["read_at"].as_i64().unwrap() > 0);
    let browser = Browser::start();
    monitor.log_in(&browser, "alice");
    browser.wait_for("10 machines run");
    assert!(!browser.text().contains("Hosts"), "{}", browser.text());
    browser.check("monitor-overview-user");
    let error = "Sat Nov 21 00:17:23 2026: DEPLOY: no such bridge";
    cloud.machine(3, |m| (m.state, m.error) = ((3, 36), error.into()));
    // Without anybody touching it.
    browser.wait_for("no such bridge");
    browser.wait_for("9 machines run");
    monitor.write_usage(&["alice", "bob"]);
    monitor.until("/usage", |u| u["total"] == 2);
    browser.goto(&format!("{}/usage", monitor.url()));
    browser.wait_for("Your usage");
    assert!(!browser.text().contains("bob"), "{}", browser.text());
    browser.check("monitor-usage-own");
}

#[test]
fn the_keyboard_is_enough() {
    let cloud = Cloud::start(3, 30);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| o["read_at"].as_i64().unwrap() > 0);
    let browser = Browser::start();
    monitor.log_in(&browser, "admin");
    browser.goto(&format!("{}/vms", monitor.url()));
    let (tab, enter) = ("\u{e004}", "\u{e007}");
    let focused = || browser.script("return document.activeElement.textContent.trim()");
    browser.press(&[tab]);
    assert_eq!(focused(), "Skip to content");
    browser.press(&[enter]);
    for _ in 0..20 {
        if browser.script("return document.activeElement.name") == "q" {
            break;
        }
        browser.press(&[tab]);
    }
    browser.press(&["2", "9", enter]);
    browser.wait_for("1 machine\n");
    for _ in 0..30 {
        if focused() == "worker-29" {
            break;
        }
        browser.press(&[tab]);
    }
    browser.press(&[enter]);
    browser.wait_for("Stays and steps");
}

#[test]
fn an_administrator_silences_a_cause() {
    let cloud = Cloud::start(3, 30);
    cloud.host(1, |h| h.state = 3);
    let monitor = Monitor::of(&cloud.url());
    monitor.until("/", |o| !o["concerns"].as_array().unwrap().is_empty());
    let browser = Browser::start();
    monitor.log_in(&browser, "admin");
    // In one step: between finding and clicking, the page may have exchanged the button.
    let press = || browser.script("document.querySelector('form.silence button').click()");
    press();
    browser.wait_for("silenced until");
    press();
    browser.wait_for("Silence");
    assert!(!browser.text().contains("silenced until"), "{}", browser.text());
}
