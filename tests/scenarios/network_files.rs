//! What the installer writes about networks, taken by the real tools: nft, dnsmasq, netplan, nmcli,
//! ifupdown. Whatever changes a network does so in a network namespace of the test's own.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "network_files/bridges.rs"]
mod bridges;
#[path = "network_files/firewall.rs"]
mod firewall;
#[path = "network_files/namespace.rs"]
mod namespace;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use stratus_network::overlay::Place;
use stratus_network::{Addressing, BridgeFiles, HostRole, Tool, bridge_files, dnsmasq};
use stratus_site::{InterfaceName, Site};
use stratus_tests::{Output, run, tool, unpacked_tool};

fn site() -> Site {
    let text = include_str!("../../installer/network/testdata/site.json");
    serde_json::from_str(text).unwrap()
}

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// A host with stated addresses of both families.
fn fixed() -> Addressing {
    Addressing {
        addresses: vec!["10.0.0.11/26".parse().unwrap(), "2001:db8::11/64".parse().unwrap()],
        gateway4: Some("10.0.0.2".parse().unwrap()),
        gateway6: Some("fe80::1".parse().unwrap()),
        dns: vec!["10.0.0.3".parse().unwrap(), "2001:db8::3".parse().unwrap()],
        search: vec!["example.org".into()],
        mtu: Some(1400),
        mac: Some("52:54:00:12:34:56".parse().unwrap()),
        dhcp: false,
    }
}

/// Each kind of host, with and without an interface below the bridge.
fn hosts() -> Vec<(Option<InterfaceName>, Addressing)> {
    let dhcp = Addressing { dhcp: true, mac: fixed().mac, ..Addressing::default() };
    let off_subnet = Addressing {
        addresses: vec!["192.0.2.7/32".parse().unwrap()],
        gateway4: Some("198.51.100.1".parse().unwrap()),
        ..Addressing::default()
    };
    let port = || Some(name("eth0"));
    vec![
        (port(), fixed()),
        (port(), dhcp),
        (port(), off_subnet),
        (port(), Addressing::default()),
        (None, Addressing::default()),
    ]
}

/// Puts the files of a bridge below a root.
fn place(root: &Path, files: &BridgeFiles) {
    for file in &files.files {
        let path = root.join(file.path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &file.content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

#[test]
fn dnsmasq_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stratus.conf");
    for roles in
        [&[HostRole::Frontend][..], &[HostRole::Gateway], &[HostRole::Frontend, HostRole::Gateway]]
    {
        let roles = roles.iter().copied().collect();
        fs::write(&file, dnsmasq(&site(), &roles, &Place::default()).unwrap()).unwrap();
        run(tool("dnsmasq", "dnsmasq-base").arg("--test").arg("-C").arg(&file)).good();
    }
}

#[test]
fn netplan_makes_a_bridge_without_addresses_on_its_port() {
    for (port, addressing) in hosts() {
        let root = tempfile::tempdir().unwrap();
        let files = bridge_files(Tool::Netplan, &name("br0"), port.as_ref(), &addressing);
        place(root.path(), &files);
        let mut generate = unpacked_tool("usr/libexec/netplan/generate");
        let said: Output = run(generate.arg("--root-dir").arg(root.path())).good();
        assert_eq!(said.stderr, "", "{addressing:?}");
        let made = |file: &str| {
            let path = root.path().join("run/systemd/network").join(file);
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let device = made("10-netplan-br0.netdev");
        assert!(device.contains("STP=false") && device.contains("ForwardDelaySec=0"), "{device}");
        let bridge = made("10-netplan-br0.network");
        for net in &addressing.addresses {
            assert!(bridge.contains(&format!("Address={net}\n")), "{bridge}");
        }
        assert_eq!(bridge.contains("DHCP=ipv4"), addressing.dhcp, "{bridge}");
        if port.is_some() {
            let port = made("10-netplan-eth0.network");
            assert!(port.contains("Bridge=br0") && !port.contains("Address="), "{port}");
        }
    }
}

#[test]
fn network_manager_reads_its_key_files() {
    for (port, addressing) in hosts() {
        let files = bridge_files(Tool::NetworkManager, &name("br0"), port.as_ref(), &addressing);
        let root = tempfile::tempdir().unwrap();
        place(root.path(), &files);
        for file in &files.files {
            assert_eq!(file.mode, 0o600);
            let input =
                fs::File::open(root.path().join(file.path.trim_start_matches('/'))).unwrap();
            // Reads a profile, checks it, and prints it as it is understood.
            let mut nmcli = unpacked_tool("usr/bin/nmcli");
            nmcli.args(["--offline", "connection", "modify", "connection.zone", ""]);
            let out = nmcli.stdin(input).output().unwrap();
            let said = String::from_utf8_lossy(&out.stdout);
            assert!(
                out.status.success(),
                "{}{}",
                file.content,
                String::from_utf8_lossy(&out.stderr)
            );
            for net in addressing.addresses.iter().filter(|_| said.contains("\ntype=bridge")) {
                assert!(said.contains(&format!("={net}")), "{said}");
            }
        }
    }
}
