//! What one host says by itself.

use super::Finding;
use crate::facts::{Feature, HostFacts};
use crate::metadata::{self, opennebula, series_text, supported};
use crate::plan::Role;
use crate::planner::stated_otherwise;
use crate::stages::{joint, port_of};
use std::collections::BTreeSet;
use stratus_network::overlay::{Place, names_bridge};
use stratus_site::{HostName, Hypervisor, Interface, Node, Share, Site, Transport, VpnMode};

const GIB: u64 = 1 << 30;
/// Clocks this far apart make tokens and certificates fail.
const CLOCK_MS: u64 = 5_000;

/// A host and what is known of it.
pub(super) struct About<'a> {
    site: &'a Site,
    host: &'a HostName,
    roles: &'a BTreeSet<Role>,
    told: &'a HostFacts,
    node: Option<&'a Node>,
}

impl<'a> About<'a> {
    pub(super) fn new(
        site: &'a Site,
        host: &'a HostName,
        roles: &'a BTreeSet<Role>,
        told: &'a HostFacts,
    ) -> Self {
        let node = site.nodes.iter().find(|n| n.host == *host);
        Self { site, host, roles, told, node }
    }

    fn refuse(&self, text: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding::refuse(self.host, text, cure)
    }

    fn warn(&self, text: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding::warn(self.host, text, cure)
    }
}

pub(super) fn findings(about: &About) -> Vec<Finding> {
    let checks: [fn(&About) -> Vec<Finding>; 12] = [
        login,
        system,
        hostname,
        clock,
        lock,
        disk,
        features,
        emulation,
        interfaces,
        dynamic_address,
        ports,
        name_service,
    ];
    checks.iter().flat_map(|check| check(about)).collect()
}

fn login(about: &About) -> Vec<Finding> {
    let root = about.refuse(
        "the login does not become root",
        "use root, or give the login `sudo` without a password (ssh.user, ssh.sudo)",
    );
    let systemd = about.refuse(
        "systemd does not run there",
        "hosts need systemd: it starts and watches every service",
    );
    let findings = [(!about.told.root).then_some(root), (!about.told.systemd).then_some(systemd)];
    findings.into_iter().flatten().collect()
}

fn system(about: &About) -> Vec<Finding> {
    let os = &about.told.os;
    let series = about.site.general.opennebula_version;
    let cure = format!("supported are {}", supported(Some(series)));
    let mut findings = Vec::new();
    match metadata::find(os) {
        Err(error) => findings.push(about.refuse(error, cure)),
        Ok(system) if !system.release.series.contains(&series) => {
            let (name, number) = (system.release.name(), series_text(series));
            let text = format!("OpenNebula {number} has no packages for {name}");
            findings.push(about.refuse(text, cure));
        }
        Ok(system) => {
            let by_hand = system.release.by_hand.as_ref();
            findings.extend(by_hand.map(|text| about.warn("more is needed by hand", text)));
        }
    }
    if let Err(text) = stated_otherwise(about.site, about.host, about.node, &os.id, &os.version) {
        findings.push(about.refuse(text, "correct `os`, or leave it \"auto\""));
    }
    findings
}

fn hostname(about: &About) -> Vec<Finding> {
    let (is, host) = (about.told.hostname.as_str(), about.host);
    let short = is.split('.').next().unwrap_or(is);
    let cure = format!("on the host: `hostnamectl set-hostname {host}`, and see to /etc/hosts");
    if is.is_empty() || short == "localhost" {
        return vec![about.refuse("its own name is localhost", cure)];
    }
    if short != host.short() {
        return vec![about.refuse(format!("it calls itself {is}: is it the right host?"), cure)];
    }
    Vec::new()
}

fn clock(about: &About) -> Vec<Finding> {
    let off = about.told.clock_offset_ms;
    if off.unsigned_abs() <= CLOCK_MS {
        return Vec::new();
    }
    let text = format!(
        "its clock is {} s {}",
        off.unsigned_abs() / 1000,
        if off > 0 { "ahead" } else { "behind" }
    );
    vec![about.refuse(text, "let a time service run there: `timedatectl set-ntp true`")]
}

fn lock(about: &About) -> Vec<Finding> {
    // No more than a warning: the steps wait for the lock, and what holds it is often the
    // unattended upgrade, or what an apply that was cut off had under way.
    let cure = "packages wait for it for up to 10 min; look at it there when that is not enough";
    let text = about.told.package_lock.as_ref();
    text.map(|who| about.warn(format!("{who} holds the package manager's lock"), cure))
        .into_iter()
        .collect()
}

fn disk(about: &About) -> Vec<Finding> {
    // The front-end's datastores hold images; a node's hold machines, unless they are elsewhere.
    let own_images = about.node.is_some_and(|n| n.share == Share::Ssh);
    let datastores = if about.roles.contains(&Role::Frontend) || own_images { 20 } else { 1 };
    let wanted = [("/", 1), ("/var", 2), ("/var/lib/one", datastores)];
    let small = wanted.into_iter().filter_map(|(path, gib)| {
        let free = *about.told.free_bytes.get(path)?;
        let text = format!("{path} has {} MiB free; {gib} GiB are needed", free >> 20);
        (free < gib * GIB).then(|| about.refuse(text, "make room, or a file system of its own"))
    });
    small.collect()
}

fn features(about: &About) -> Vec<Finding> {
    let cure = "the running kernel cannot do it: install the distribution's full kernel, reboot";
    let needed = needed(about);
    let missing =
        needed.into_iter().filter(|(feature, _)| about.told.features.get(feature) == Some(&false));
    missing
        .map(|(feature, what)| match feature {
            Feature::Kvm => about.refuse(
                "/dev/kvm cannot be opened: the processor's virtualization is off or missing",
                "switch it on in the firmware, or use hypervisor = \"qemu\"",
            ),
            Feature::WireGuard => about.refuse(
                "its kernel has no WireGuard, and there is no `wireguard-go`",
                "install the distribution's full kernel and reboot, or `wireguard-go`; or use vpn.mode = \"tun\"",
            ),
            _ => about.refuse(format!("{what} was tried and failed"), cure),
        })
        .collect()
}

/// Emulated machines run, ten times slower: nobody should find that out later.
fn emulation(about: &About) -> Vec<Finding> {
    if about.node.is_none_or(|node| node.hypervisor != Hypervisor::Qemu) {
        return Vec::new();
    }
    let (text, cure) = match about.told.features.get(&Feature::Kvm) {
        Some(true) => (
            "its machines are emulated, though /dev/kvm can be opened",
            "use hypervisor = \"kvm\", unless this is wanted",
        ),
        _ => (
            "its machines are emulated: they run, slowly",
            "good for trying things out; for more, switch the processor's virtualization on and \
             use hypervisor = \"kvm\"",
        ),
    };
    vec![about.warn(text, cure)]
}

fn needed(about: &About) -> Vec<(Feature, &'static str)> {
    let mut needed = vec![(Feature::Nftables, "a table of nftables")];
    let nfs = |n: &Node| n.share == Share::Nfs;
    if let Some(node) = about.node {
        needed.push((Feature::Bridge, "a bridge"));
        needed.push((Feature::Tap, "a tap device"));
        if node.hypervisor == Hypervisor::Kvm {
            needed.push((Feature::Kvm, "KVM"));
        }
        if nfs(node) && !about.roles.contains(&Role::Frontend) {
            needed.push((Feature::NfsClient, "a mount by NFS"));
        }
        for network in &about.site.networks {
            match network.transport {
                Transport::Bridge(_) => {}
                Transport::Vlan(_) => needed.push((Feature::Vlan, "a VLAN interface")),
                Transport::Vxlan(_) => needed.push((Feature::Vxlan, "a VXLAN interface")),
            }
        }
    }
    let exports = about.site.nodes.iter().any(|n| nfs(n) && n.host != about.site.frontend.host);
    if about.roles.contains(&Role::Frontend) && exports {
        needed.push((Feature::NfsServer, "an export by NFS"));
    }
    if let Some(vpn) = about.site.vpn.as_ref().filter(|_| about.roles.contains(&Role::Gateway)) {
        needed.extend(tunnel(about, vpn.mode));
    }
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// What the end of burst nodes' tunnels needs.
fn tunnel(about: &About, mode: VpnMode) -> Vec<(Feature, &'static str)> {
    let tap = (Feature::Tap, "a tap device");
    match mode {
        VpnMode::Tap => vec![tap, (Feature::Bridge, "a bridge")],
        VpnMode::Tun => vec![tap],
        VpnMode::WireGuard
            if about.told.features.get(&Feature::WireGuardProgram) == Some(&true)
                && about.told.features.get(&Feature::WireGuard) != Some(&true) =>
        {
            vec![tap]
        }
        VpnMode::WireGuard => vec![(Feature::WireGuard, "a WireGuard interface")],
    }
}

fn interfaces(about: &About) -> Vec<Finding> {
    let Some(node) = about.node else { return gateway_bridge(about) };
    let find = |name: &str| about.told.interfaces.iter().find(|i| i.name.as_str() == name);
    let names: Vec<&str> = about.told.interfaces.iter().map(|i| i.name.as_str()).collect();
    let there = format!("interfaces there: {}", names.join(", "));
    let mut findings = Vec::new();
    match &node.interface {
        Interface::Named(name) if find(name.as_str()).is_none() => {
            findings.push(about.refuse(format!("there is no interface {name}"), &there));
        }
        Interface::Auto if node.configure_bridge && port_of(about.told, node).is_none() => {
            let text = "no interface has the default route, so which one to bridge is not known";
            findings.push(about.refuse(text, "name it: nodes.interface"));
        }
        _ => {}
    }
    match find(node.bridge.as_str()) {
        None if !node.configure_bridge => findings.push(about.refuse(
            format!("there is no bridge {}", node.bridge),
            format!("make it, or set configure_bridge = true; {there}"),
        )),
        Some(is) if is.kind != "bridge" => findings
            .push(about.refuse(format!("{} is no bridge", node.bridge), "choose another name")),
        _ => {}
    }
    findings
}

/// The bridge of a gateway that is no node.
fn gateway_bridge(about: &About) -> Vec<Finding> {
    let vpn = about.site.vpn.as_ref().filter(|_| about.roles.contains(&Role::Gateway));
    let Some(vpn) = vpn else { return Vec::new() };
    let Some(bridge) = stratus_network::overlay::bridge(about.site, vpn) else {
        return Vec::new();
    };
    let is = about.told.interfaces.iter().find(|i| i.name == *bridge);
    let text = match is.map(|i| i.kind == "bridge") {
        Some(true) => return Vec::new(),
        Some(false) => format!("{bridge} is no bridge"),
        None if joint(about.site, about.roles, about.told).is_some() => return Vec::new(),
        None => format!("there is no bridge {bridge}, and no interface in {} for it", vpn.subnet),
    };
    let cure = format!(
        "burst nodes join {}: make {bridge} over the interface there, or name another vpn.gateway_host",
        vpn.subnet
    );
    vec![about.refuse(text, cure)]
}

fn dynamic_address(about: &About) -> Vec<Finding> {
    let Some(node) = about.node.filter(|n| n.configure_bridge) else { return Vec::new() };
    let Some(port) = port_of(about.told, node) else { return Vec::new() };
    let of = about.told.interfaces.iter().find(|i| i.name == port && i.uses_dhcp());
    let text = format!(
        "{port} has its address by DHCP; the bridge will ask for it with the same MAC address"
    );
    let cure = "see that the DHCP server has a reservation for it, or give it a fixed address";
    of.map(|_| about.warn(text, cure)).into_iter().collect()
}

/// Ports of ours that another program has.
fn ports(about: &About) -> Vec<Finding> {
    let ports = &opennebula().ports;
    let mut wanted = Vec::new();
    if about.roles.contains(&Role::Frontend) {
        wanted.push((about.site.frontend.port, "oned"));
        wanted.push((ports.monitord, "onemonitord"));
        wanted.push((ports.gate, "ruby"));
        wanted.extend(about.site.frontend.web.then_some((ports.web, "node")));
    }
    if let Some(monitor) = about.site.monitor.as_ref().filter(|m| m.host == *about.host) {
        wanted.push((monitor.port, "stratus-monitor"));
    }
    let taken = wanted.into_iter().filter_map(|(port, ours)| {
        let by = about.told.listening.get(&port)?;
        // Interpreted programs go by several names.
        let same = by.contains(ours) || by.contains("one") || by.contains("stratus");
        let text = format!("port {port} is taken by {by}");
        (!same).then(|| about.refuse(text, format!("stop {by}, or let it use another port")))
    });
    taken.collect()
}

/// A name service where the names of burst nodes are to be told. systemd's own is there for the host
/// alone, and dnsmasq may be ours.
fn name_service(about: &About) -> Vec<Finding> {
    let vpn = about.site.vpn.as_ref().filter(|_| about.roles.contains(&Role::Gateway));
    let tells = vpn.is_some_and(|vpn| names_bridge(about.site, vpn).is_some());
    let other = about.told.listening.get(&53).filter(|by| {
        let ours = by.contains("dnsmasq") || by.contains("systemd-resolve");
        tells && !ours
    });
    let finding = |by: &String| {
        let cure = format!(
            "have {by} read {}/hosts and set vpn.serve_names = false, or stop it",
            Place::default().names
        );
        about.refuse(format!("port 53 is taken by {by}"), cure)
    };
    other.map(finding).into_iter().collect()
}
