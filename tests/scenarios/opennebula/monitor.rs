//! The monitor reads the same oned as the client, and sees the same.

use serde_json::Value;
use stratus_opennebula::{Attributes, MachineFilter, Page};
use stratus_tests::{Monitor, MonitorSetup};

use crate::setup::{Bench, PATIENCE, unmistakable};

fn total(shown: &Value) -> Option<usize> {
    shown["total"].as_u64().and_then(|total| usize::try_from(total).ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_sees_what_the_client_sees() {
    let bench = Bench::start().await;
    let client = bench.client();
    let name = unmistakable("monitored");
    let template =
        Attributes::new().with("NAME", &*name).with("VN_MAD", "dummy").with("BRIDGE", "br0");
    let network = client.allocate_network(&template, None).await.unwrap();
    client.wait_network_ready(network, PATIENCE).await.unwrap();
    let setup = MonitorSetup {
        oned: bench.url.clone(),
        auth: Some(bench.auth.clone()),
        ..MonitorSetup::default()
    };
    let named = |shown: &Value| shown["networks"].to_string().contains(&name);
    // It has a runtime of its own; a real oned changes meanwhile, so each is asked anew.
    let monitor = tokio::task::block_in_place(|| {
        let monitor = Monitor::with(setup);
        monitor.until("/", |o| o["read_at"] != 0 && o["banner"] == "");
        monitor.until("/networks", named);
        monitor
    });
    let hosts = client.hosts().await.unwrap().len();
    let machines = client.machines(Page::default(), MachineFilter::NotDone).await.unwrap().len();
    let users = client.users().await.unwrap();
    client.delete_network(network).await.unwrap();
    tokio::task::block_in_place(|| {
        monitor.until("/hosts", |shown| total(shown) == Some(hosts));
        monitor.until("/vms", |shown| total(shown) == Some(machines));
        let shown = monitor.until("/users", |shown| {
            shown["users"].as_array().is_some_and(|known| known.len() == users.len().min(500))
        });
        assert!(shown["users"].to_string().contains("\"oneadmin\""), "{shown:#}");
        monitor.until("/networks", |shown| !named(shown));
        drop(monitor);
    });
}
