//! An internet around a lab: a router, and clouds behind NAT in which hosts boot.
//!
//! ```text
//!  eth1 of a host 198.51.100.2 ── br1 of the lab, 198.51.100.9 ── [LAB-net] 198.51.100.1
//!                                                                    │ 203.0.113.0/24
//!                                                     [LAB-cloud1] NAT ┴ [LAB-cloud2] NAT
//!                                        host0 of a burst node 10.99.0.11   10.99.0.11
//! ```
//!
//! The clouds' own addresses are the same in each, as they are with home routers. Package mirrors
//! are reached through the lab's web server on br1.

use super::lab::{Lab, WEB};
use super::relay::{Line, Relay};
use crate::programs::{run, tool};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

/// The lab's own address on the internet.
const WEB_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
/// The router in every cloud.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Where a relay listens on the router.
const RELAY_PORT: u16 = 9000;

/// A network namespace, gone with the value.
struct Namespace(String);

impl Namespace {
    fn new(name: String) -> Self {
        run(tool("ip", "iproute2").args(["netns", "add", &name])).good();
        let made = Self(name);
        made.ip("link set lo up");
        made.shell("echo 1 > /proc/sys/net/ipv4/ip_forward");
        made
    }

    fn ip(&self, words: &str) {
        run(tool("ip", "iproute2").args(["-n", &self.0]).args(words.split_whitespace())).good();
    }

    fn shell(&self, line: &str) {
        run(tool("ip", "iproute2").args(["netns", "exec", &self.0, "sh", "-c", line])).good();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run(tool("ip", "iproute2").args(["netns", "delete", &self.0]));
    }
}

/// The internet around a lab. Its second network, `br1`, is the site's way to it.
pub struct Internet {
    router: Namespace,
    lab: Lab,
    clouds: u8,
}

impl Internet {
    /// The address that a host of the site has on the internet, on its second interface.
    pub const SITE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

    /// Lays it around a lab.
    ///
    /// # Panics
    /// The machine cannot.
    pub fn around(lab: &Lab) -> Self {
        let router = Namespace::new(format!("{}-net", lab.name()));
        router.ip(&format!("link add site type veth peer name net netns {}", lab.name()));
        router.ip("addr add 198.51.100.1/24 dev site");
        router.ip("link set site up");
        let inside = |words: &str| {
            run(tool("ip", "iproute2").args(["-n", lab.name()]).args(words.split_whitespace()))
                .good();
        };
        inside("link set net master br1 up");
        inside(&format!("addr add {WEB_ADDRESS}/24 dev br1"));
        inside("route add 203.0.113.0/24 via 198.51.100.1");
        Self { router, lab: lab.clone(), clouds: 0 }
    }

    /// The file for networkd that gives the second interface of a host [`Self::SITE`].
    pub fn network_file() -> String {
        format!(
            "[Match]\nName=eth1\n[Network]\nAddress={}/24\nLinkLocalAddressing=no\n\
             [Route]\nDestination=203.0.113.0/24\nGateway=198.51.100.1\n",
            Self::SITE
        )
    }

    /// A new cloud.
    ///
    /// # Panics
    /// The machine cannot.
    pub fn cloud(&mut self) -> Cloud {
        self.clouds += 1;
        let number = self.clouds;
        let (line, theirs, ours) = (format!("cloud{number}"), 4 * number + 2, 4 * number + 1);
        let inside = Namespace::new(format!("{}-cloud{number}", self.lab.name()));
        let words = format!("link add wan type veth peer name {line} netns {}", self.router.0);
        inside.ip(&words);
        self.router.ip(&format!("addr add 203.0.113.{ours}/30 dev {line}"));
        self.router.ip(&format!("link set {line} up"));
        inside.ip(&format!("addr add 203.0.113.{theirs}/30 dev wan"));
        inside.ip("link set wan up");
        inside.ip(&format!("route add default via 203.0.113.{ours}"));
        inside.ip("link add br0 type bridge");
        inside.ip(&format!("addr add {ROUTER}/24 dev br0"));
        inside.ip("link set br0 up");
        inside.shell(
            "nft add table ip nat && nft 'add chain ip nat post { type nat hook postrouting priority 100; }' \
             && nft add rule ip nat post oifname wan masquerade",
        );
        Cloud { inside, router: self.router.0.clone(), line, hosts: AtomicU8::new(0) }
    }

    /// From now on, datagrams of a cloud to this port of the site cross a poor line, in both
    /// directions, while the value lives.
    ///
    /// # Panics
    /// The relay cannot be started.
    pub fn poor_line(&self, cloud: &Cloud, port: u16, line: Line) -> Relay {
        self.router.shell(&format!(
            "nft add table ip relay && nft 'add chain ip relay pre {{ type nat hook prerouting priority -100; }}' \
             && nft add rule ip relay pre iifname {} udp dport {port} redirect to :{RELAY_PORT}",
            cloud.line
        ));
        Relay::start(&self.router.0, RELAY_PORT, SocketAddr::from((Self::SITE, port)), line)
    }
}

/// A cloud: hosts with private addresses behind NAT.
pub struct Cloud {
    inside: Namespace,
    router: String,
    line: String,
    hosts: AtomicU8,
}

impl Cloud {
    /// Cuts it off from the internet.
    ///
    /// # Panics
    /// The machine cannot.
    pub fn cut(&self) {
        self.switch("down");
    }

    /// Takes the cut back.
    ///
    /// # Panics
    /// The machine cannot.
    pub fn mend(&self) {
        self.switch("up");
    }

    fn switch(&self, to: &str) {
        let words = ["-n", &self.router, "link", "set", &self.line, to];
        run(tool("ip", "iproute2").args(words)).good();
    }

    pub(super) fn seat(&self) -> Seat {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        Seat {
            namespace: self.inside.0.clone(),
            address: Ipv4Addr::new(10, 99, 0, 11 + number),
            gateway: ROUTER,
            web: WEB_ADDRESS,
        }
    }
}

/// Where a host in a cloud is plugged in.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) namespace: String,
    pub(super) address: Ipv4Addr,
    pub(super) gateway: Ipv4Addr,
    pub(super) web: Ipv4Addr,
}

impl Seat {
    /// Its `/etc/hosts`: nobody there knows the site's names.
    pub(super) fn names(&self) -> String {
        format!("127.0.0.1 localhost\n{} {WEB}\n", self.web)
    }
}
