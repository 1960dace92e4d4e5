//! What the site promises once everything is carried out: looked at by `verify`, and by the
//! monitor for ever.

use crate::facts::Facts;
use crate::metadata::{self, System, opennebula, series_text};
use crate::plan::Role;
use crate::promise::{Check, Promise};
use crate::stages::{SERVER, TIMER, USAGE, register_units, report_timer, running, serves_bridge};
use crate::view::{known, roles};
use std::collections::BTreeSet;
use stratus_network::overlay::{device, names_bridge};
use stratus_site::{HostName, Hypervisor, Node, Share, Site, VpnMode};

/// Everything that the site promises, the front-end's first.
pub fn promises(site: &Site, facts: &Facts) -> Vec<Promise> {
    let mut promises = Vec::new();
    for (host, roles) in roles(site) {
        promises.extend(units(site, facts, host, &roles));
    }
    promises.extend(frontend(site));
    promises.extend(site.nodes.iter().flat_map(|node| node_promises(site, node)));
    promises.extend(networks(site));
    promises.extend(services(site));
    promises.extend(overlay(site));
    promises
}

fn promise(
    id: String,
    from: &HostName,
    text: impl Into<String>,
    check: Check,
    cure: impl Into<String>,
) -> Promise {
    Promise { id, from: from.clone(), text: text.into(), check, cure: cure.into() }
}

/// Units run. Which ones is known only of a host whose system is.
fn units(site: &Site, facts: &Facts, host: &HostName, roles: &BTreeSet<Role>) -> Vec<Promise> {
    let Some(system) = known(facts, host).and_then(|t| metadata::find(&t.os).ok()) else {
        return Vec::new();
    };
    let mut units = vec!["stratus-firewall.service".to_owned()];
    if roles.contains(&Role::Frontend) {
        units.extend(frontend_units(site, system));
    }
    if roles.contains(&Role::Gateway) {
        units.extend(site.vpn.iter().flat_map(running).map(str::to_owned));
        units.extend(report_timer(site).map(str::to_owned));
        units.extend(register_units(site).iter().copied().map(str::to_owned));
    }
    if roles.contains(&Role::Monitor) {
        units.push(USAGE.to_owned());
    }
    if serves_dnsmasq(site, roles) {
        units.push(system.family.units.dnsmasq.clone());
    }
    let node = site.nodes.iter().find(|n| n.host == *host);
    if node.is_some_and(|n| n.hypervisor != Hypervisor::Lxc) {
        units.extend(system.family.units.libvirt.iter().cloned());
    }
    let cure = |unit: &str| format!("on {host}: `systemctl status {unit}`, `journalctl -u {unit}`");
    let of = |unit: String| {
        let text = format!("{unit} runs on {host}");
        let (id, cure) = (format!("unit:{host}:{unit}"), cure(&unit));
        promise(id, host, text, Check::UnitActive { unit }, cure)
    };
    units.into_iter().map(of).collect()
}

fn frontend_units(site: &Site, system: System) -> Vec<String> {
    let units = &system.family.units;
    let mut all = system.frontend_units(site.general.opennebula_version).to_vec();
    all.extend(units.gate.iter().cloned());
    if site.frontend.web {
        all.extend(units.web.iter().cloned());
    }
    if site.frontend.database == stratus_site::Database::Mariadb {
        all.push(units.mariadb.clone());
    }
    all
}

/// Addresses for guests, or names of burst nodes.
fn serves_dnsmasq(site: &Site, roles: &BTreeSet<Role>) -> bool {
    let dhcp = site.networks.iter().any(|n| n.dhcp.is_some());
    let names = site.vpn.as_ref().is_some_and(|vpn| names_bridge(site, vpn).is_some());
    (dhcp && roles.contains(&Role::Frontend)) || (names && roles.contains(&Role::Gateway))
}

fn frontend(site: &Site) -> Vec<Promise> {
    let host = &site.frontend.host;
    let series = series_text(site.general.opennebula_version).to_owned();
    let port = site.frontend.port;
    let listen = site.frontend.listen;
    let at = if listen.is_unspecified() { "127.0.0.1".to_owned() } else { listen.to_string() };
    let mut promises = vec![
        promise(
            "one:port".into(),
            host,
            format!("OpenNebula's daemon listens on port {port}"),
            Check::PortAnswers { host: at, port },
            "look at /var/log/one/oned.log on the front-end",
        ),
        promise(
            "one:answers".into(),
            host,
            format!("OpenNebula {series} answers"),
            Check::OneAnswers { series },
            "look at /var/log/one/oned.log on the front-end; compare /var/lib/one/.one/one_auth",
        ),
    ];
    if site.frontend.web {
        let port = opennebula().ports.web;
        promises.push(promise(
            "one:web".into(),
            host,
            format!("OpenNebula's web interface listens on port {port}"),
            Check::PortAnswers { host: "127.0.0.1".into(), port },
            "look at /var/log/one/fireedge.log on the front-end",
        ));
    }
    promises
}

fn node_promises(site: &Site, node: &Node) -> Vec<Promise> {
    let (host, frontend) = (&node.host, &site.frontend.host);
    let mut promises = vec![
        bridge(node),
        promise(
            format!("trust:{host}"),
            frontend,
            format!("oneadmin of the front-end logs in on {host} without a question"),
            Check::SshTrust { user: opennebula().user.name.clone(), to: host.clone() },
            "run `stratus-install plan`: keys and known hosts are among its steps",
        ),
        promise(
            format!("monitored:{host}"),
            frontend,
            format!("OpenNebula monitors {host}"),
            Check::HostMonitored { host: host.clone() },
            format!("on the front-end: `onehost show {host}`; port 4124 must be open to it"),
        ),
    ];
    if node.hypervisor != Hypervisor::Lxc {
        let user = opennebula().user.name.clone();
        let text = format!("{user} can use libvirt on {host}");
        let cure = format!(
            "on {host}: `runuser -u {user} -- virsh -c qemu:///system list`, `systemctl status polkit`"
        );
        let check = Check::LibvirtAnswers { user };
        promises.push(promise(format!("libvirt:{host}"), host, text, check, cure));
    }
    if node.share == Share::Nfs && host != frontend {
        let path = opennebula().files.datastores.clone();
        promises.push(promise(
            format!("share:{host}"),
            host,
            format!("what {host} writes to the datastores is on the front-end, and the other way"),
            Check::ShareRoundTrip { path, with: frontend.clone() },
            format!("on {host}: `systemctl status var-lib-one-datastores.mount`; on the front-end: `exportfs -v`"),
        ));
    }
    if let Some(to) = site.frontend.address.filter(|_| host != frontend) {
        promises.push(promise(
            format!("frames:{host}"),
            host,
            format!("frames cross from {} of {host} to the front-end", node.bridge),
            Check::FramesCross { bridge: node.bridge.to_string(), to },
            "see that the switch lets further MAC addresses through the port",
        ));
    }
    if let Some(network) = site.networks.first() {
        promises.push(promise(
            format!("machine:{host}"),
            frontend,
            format!("a machine starts on {host} with an address of {}", network.name),
            Check::MachineBoots { host: host.clone(), network: network.name.clone() },
            "look at the machine's log below /var/log/one on the front-end",
        ));
    }
    promises
}

fn bridge(node: &Node) -> Promise {
    let interface = match &node.interface {
        stratus_site::Interface::Named(name) => Some(name.to_string()),
        stratus_site::Interface::Auto => None,
    };
    promise(
        format!("bridge:{}", node.host),
        &node.host,
        format!("{} is up on {}", node.bridge, node.host),
        Check::BridgeUp { bridge: node.bridge.to_string(), interface },
        format!("on {}: `ip -d link show {}`, `bridge link`", node.host, node.bridge),
    )
}

fn networks(site: &Site) -> Vec<Promise> {
    let of = |network: &stratus_site::Network| {
        let sizes = stratus_network::extents(site, network).into_iter().map(|e| e.size);
        let addresses = sizes.fold(0, u32::saturating_add);
        promise(
            format!("network:{}", network.name),
            &site.frontend.host,
            format!("the network {} is ready with {addresses} addresses", network.name),
            Check::NetworkReady { network: network.name.clone(), addresses },
            format!("on the front-end: `onevnet show {}`", network.name),
        )
    };
    site.networks.iter().map(of).collect()
}

/// Services answer where clients look for them, asked from the front-end.
fn services(site: &Site) -> Vec<Promise> {
    let from = &site.frontend.host;
    let repository = site.repository.as_ref().map(|r| ("repository", &r.url, r.ca.as_ref()));
    let cache = site.cache.as_ref().map(|c| ("cache", &c.url, None));
    let http = repository.into_iter().chain(cache).map(|(name, url, ca)| {
        let ca = ca.map(|path| path.display().to_string());
        let text = format!("the {name} answers at {url}");
        let check = Check::HttpAnswers { url: url.clone(), ca };
        let cure = format!("on its host: `systemctl status stratus-{name}`");
        promise(format!("service:{name}"), from, text, check, cure)
    });
    let monitor = site.monitor.as_ref().map(|monitor| {
        // On its own host: unless told otherwise it listens on loopback.
        let (host, port) = (&monitor.host, monitor.port);
        let text = format!("the monitor listens on port {port} of {host}");
        let cure = format!("on {host}: `systemctl status stratus-monitor`");
        let check = Check::Listens { protocol: "tcp".to_owned(), port };
        promise("service:monitor".into(), host, text, check, cure)
    });
    http.chain(monitor).collect()
}

/// Burst nodes can come in, and are on the LAN when they do.
fn overlay(site: &Site) -> Vec<Promise> {
    let Some(vpn) = &site.vpn else { return Vec::new() };
    let host = vpn.gateway_host.as_ref().unwrap_or(&site.frontend.host);
    let (protocol, port) = (vpn.protocol.clone(), vpn.port);
    let journal = format!("on {host}: `journalctl -u {SERVER}`");
    let mut promises = vec![promise(
        "overlay:listens".into(),
        host,
        format!("the server of burst nodes listens on {protocol} port {port} of {host}"),
        Check::Listens { protocol, port },
        journal.clone(),
    )];
    if vpn.mode == VpnMode::WireGuard {
        let interface = device(vpn.mode).to_owned();
        let text = format!("{interface}, the end of burst nodes' tunnels, is up on {host}");
        let check = Check::InterfaceUp { interface };
        promises.push(promise("overlay:interface".into(), host, text, check, journal.clone()));
    } else {
        promises.push(promise(
            "overlay:counts".into(),
            host,
            "certificates and the revocation list of burst nodes count",
            Check::OverlayCounts,
            format!("on {host}: `stratus-vpn renew --restart`, `systemctl status {TIMER}`"),
        ));
    }
    if let Some((bridge, device)) = serves_bridge(site) {
        let text = format!("{device}, the end of burst nodes' tunnels, is in {bridge} of {host}");
        let check = Check::BridgeUp { bridge, interface: Some(device) };
        promises.push(promise("overlay:bridge".into(), host, text, check, journal));
    }
    promises
}
