//! A site with its overlay, set up by `stratus-install`, an internet around it and clouds in that.
//!
//! ```text
//!  front 10.77.0.11 ─┐                ┌─ eth1 of front 198.51.100.2
//!  node1 10.77.0.12 ─┤ the site's LAN │
//!  lan   10.77.0.13 ─┘                └─ router ─┬─ cloud 1 (NAT) ── burst1
//!                                                └─ cloud 2 (NAT) ── burst2
//! ```

use std::fs;
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Cloud, Host, HostSetup, Internet, Package, Site, Standins};
use stratus_tests::program;

pub(crate) const LAN_HOST: &str = "10.77.0.13";

const OVERLAY: &str = r#"dhcp = true

[vpn]
endpoint = "198.51.100.2"
range = "10.77.0.200-10.77.0.239"
nodes = [{ name = "burst1", register = true }, "burst2"]

[ssh]
port = 22
"#;

/// The site and what is around it. The internet ends before the hosts.
pub(crate) struct Bed {
    pub(crate) internet: Internet,
    pub(crate) site: Site,
}

impl Bed {
    /// Bare hosts and a site file with an overlay.
    pub(crate) fn new() -> Self {
        let overlay = fs::read(program("stratus-vpn").get_program()).unwrap();
        // As the packages of Stratus have it.
        let installer =
            Package::new("stratus-installer", "1").file("/usr/bin/stratus-vpn", 0o755, overlay);
        let front = roomy("front").second_interface().file(
            "/etc/systemd/network/20-eth1.network",
            0o644,
            Internet::network_file(),
        );
        // The batch system's own ports: what an administrator adds to the rules of the site.
        let batch = "ip saddr 10.77.0.0/24 tcp dport { 6818, 32768-60999 } accept\n";
        let node = roomy("node1").file("/etc/stratus/firewall.d/batch.nft", 0o644, batch);
        let site = Site::of(
            [front, node, HostSetup::new("lan").with_handles()],
            Standins::default().with_libvirt_standin().own(installer),
        );
        let internet = Internet::around(site.lab());
        site.write("node1", "10.77.0.109", OVERLAY);
        site.name_own_packages();
        Self { internet, site }
    }

    pub(crate) fn front(&self) -> &Host {
        &self.site.hosts[0]
    }

    pub(crate) fn node1(&self) -> &Host {
        &self.site.hosts[1]
    }

    pub(crate) fn lan(&self) -> &Host {
        &self.site.hosts[2]
    }

    /// A stock machine in a cloud, with these files of its making.
    pub(crate) fn machine(&self, name: &str, cloud: &Cloud, files: &[(&str, &str)]) -> Host {
        let stock = HostSetup::new(name).in_cloud(cloud);
        let setup = files.iter().fold(stock, |setup, (path, text)| setup.file(path, 0o644, *text));
        let [host] = self.site.lab().boot([setup]);
        host
    }

    /// A node as `stratus-vpn status` has it.
    pub(crate) fn node(&self, name: &str) -> serde_json::Value {
        let out = self.front().run("stratus-vpn status --json").good().stdout;
        let status: serde_json::Value = serde_json::from_str(&out).unwrap();
        let clients = status["clients"].as_array().unwrap().iter();
        clients.into_iter().find(|client| client["name"] == name).cloned().unwrap_or_default()
    }
}

/// A host with room for images, which the machine need not have: none is kept here.
fn roomy(name: &str) -> HostSetup {
    HostSetup::new(name).file("/etc/fstab", 0o644, "tmpfs /var/lib/one tmpfs size=32g 0 0\n")
}

/// Waits until something holds; two minutes at most.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_mins(2), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    begin.elapsed()
}

/// Whether a ping from a host is answered.
pub(crate) fn pings(from: &Host, to: &str) -> bool {
    from.run(&format!("ping -n -q -c 1 -W 1 {to}")).code == 0
}
