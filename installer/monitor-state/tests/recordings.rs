//! What a real oned said, read and understood.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::path::Path;
use stratus_monitor_state::{
    Group, Health, Observation, State, fold, host_words, read_datastores, read_hosts, read_images,
    read_machines, read_networks, read_stays, read_users, why,
};
use stratus_opennebula::xmlrpc::Value;

/// The text of the answer to one recorded call.
fn recorded(method: &str, case: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("tests/oned"), here.join("../../tests/recordings/oned")];
    let files = folders.iter().map(|folder| folder.join(format!("{method}.json")));
    let file = files.into_iter().find(|file| file.exists()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let exchanges: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of_case = |e: &&serde_json::Value| e["case"] == case;
    let exchange = exchanges.as_array().unwrap().iter().find(of_case).unwrap();
    let bytes = exchange["response"].as_str().unwrap().as_bytes();
    match stratus_opennebula::read_answer("oned", "one.pool", bytes).unwrap() {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn machines_of_a_real_pool() {
    let machines = read_machines(&recorded("one.vmpool.info", "all-including-done")).unwrap();
    let named = |name: &str| machines.iter().find(|m| m.name == name).unwrap();
    let web = named("web-one");
    assert_eq!(
        (web.user.as_str(), web.cpu, web.memory_mib, web.disk_mib),
        ("oneadmin", 1.0, 512, 24)
    );
    assert_eq!(web.place.as_ref().unwrap().name, "node5");
    assert_eq!(web.nics[1].address, "192.0.2.10");
    assert_eq!(Group::of(web), Group::Runs);
    assert_eq!(Group::of(named("small-1")), Group::Held);
    assert!(named("huge").waits.contains("Not enough CPU"));
}

#[test]
fn stays_have_the_times_of_their_steps() {
    let stays = read_stays(&recorded("one.vmpool.infoextended", "ok")).unwrap();
    let (_, of_web) = stays.iter().find(|(id, _)| *id == 0).unwrap();
    let [last] = of_web.as_slice() else { panic!("a pool tells one stay: {of_web:?}") };
    assert_eq!((last.sequence, last.host.as_str()), (9, "node5"));
    assert!(last.running.0 >= last.prolog.1 && last.running.1 == 0, "{last:?}");
}

#[test]
fn hosts_of_a_real_pool() {
    let hosts = read_hosts(&recorded("one.hostpool.info", "three-dummy-hosts")).unwrap();
    let node = hosts.iter().find(|h| h.name == "node3").unwrap();
    assert_eq!((node.cpu_max, node.memory_max_kib), (800, 16_777_216));
    assert_eq!((host_words(node), node.cluster.as_str()), ("on", "default"));
    assert_eq!((node.stores[0].total_mib, node.stores[0].free_mib), (20_000, 19_000));
}

#[test]
fn the_other_pools() {
    let networks = read_networks(&recorded("one.vnpool.info", "with-leases")).unwrap();
    let public = networks.iter().find(|n| n.name == "public").unwrap();
    assert_eq!(public.ranges[0].size, 250);
    let leases = &public.ranges[0].leases;
    let of_machines: Vec<_> = leases.iter().filter(|lease| lease.machine >= 0).collect();
    assert_eq!((leases.len(), of_machines.len(), public.ranges[0].used), (6, 2, 6));
    assert_eq!((of_machines[0].address.as_str(), of_machines[0].machine), ("172.17.16.6", 0));
    let stores = read_datastores(&recorded("one.datastorepool.info", "ok")).unwrap();
    assert!(stores.iter().any(|d| d.name == "default" && d.total_mib == 258_020));
    let images = read_images(&recorded("one.imagepool.info", "all")).unwrap();
    assert!(images.iter().any(|i| i.name == "ttylinux" && i.size_mib == 16));
    let users = read_users(&recorded("one.userpool.info", "ok")).unwrap();
    let alice = users.iter().find(|u| u.name == "alice").unwrap();
    assert_eq!(
        (alice.group.as_str(), alice.driver.as_str(), alice.enabled),
        ("stratus", "core", true)
    );
    let told = format!("{users:?}");
    assert!(!told.contains("6624974ea2"), "a password's digest was kept");
}

#[test]
fn a_state_of_recordings_knows_why() {
    let machines = read_machines(&recorded("one.vmpool.info", "all-including-done")).unwrap();
    let hosts = read_hosts(&recorded("one.hostpool.info", "three-dummy-hosts")).unwrap();
    let observation = Observation {
        at: 1_795_220_400,
        machines: Some(machines),
        hosts: Some(hosts),
        ..Observation::default()
    };
    let state = fold(&State::default(), observation);
    assert_eq!(state.health, Health::Well);
    let held = state.machine(1).unwrap();
    let told = why(held, &state.hosts_by_id()).unwrap();
    assert_eq!(told, "It is on hold; release it to have it placed.");
}
