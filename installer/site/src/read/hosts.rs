//! `[site]`, `[frontend]` and `[nodes]`.

use super::claims::Use;
use super::{Reading, host_address, number, one_of, port, within};
use crate::host_range::{self, MOST_HOSTS};
use crate::sections::{
    Database, Frontend, General, Hypervisor, Interface, Node, OpenNebula, Os, Share,
};
use crate::values::{HostName, InterfaceName};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use stratus_sections::{Section, SiteText};

pub(super) fn general(text: &SiteText, reading: &mut Reading) -> Option<General> {
    let s = text.section("site");
    let name = s.required_text("name");
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 64 || !name.chars().all(good) {
        let cure = "letters, digits, `-`, `_` and `.`, at most 64".to_owned();
        s.complain("name", format!("`{name}` is no short name"), Some(cure));
    }
    reading.domain = s.parsed("domain");
    let admin_email = s.text("admin_email");
    if let Some(mail) = &admin_email {
        let good = mail.split_once('@').is_some_and(|(who, at)| {
            !who.is_empty() && !at.is_empty() && !at.contains('@') && !mail.contains(' ')
        });
        if !good {
            let cure = Some("write it as \"cloud@example.org\"".to_owned());
            s.complain("admin_email", format!("`{mail}` is no mail address"), cure);
        }
    }
    let series = [("7.4", OpenNebula::V7_4), ("6.10", OpenNebula::V6_10)];
    let opennebula_version = one_of(&s, "opennebula_version", &series).unwrap_or(OpenNebula::V7_4);
    let domain = reading.domain.clone();
    reading.close(s);
    (!name.is_empty()).then_some(General { name, domain, admin_email, opennebula_version })
}

pub(super) fn frontend(text: &SiteText, reading: &mut Reading) -> Option<Frontend> {
    let s = text.section("frontend");
    if !s.has("host") {
        let cure = "write [frontend] with host = \"frontend.example.org\"".to_owned();
        s.complain("", "[frontend] needs `host`", Some(cure));
    }
    let host = reading.host(&s, "host");
    let address = host_address(&s, "address").or_else(|| host.as_ref().and_then(literal));
    let mac_prefix = s.parsed("mac_prefix").unwrap_or_default();
    reading.claims.mac_prefix(mac_prefix);
    if let Some(host) = &host {
        claim(reading, host, address, s.value_span("address"));
    }
    let databases = [("sqlite", Database::Sqlite), ("mariadb", Database::Mariadb)];
    let frontend = host.map(|host| Frontend {
        host,
        address,
        os: os(&s).unwrap_or(Os::Auto),
        database: one_of(&s, "database", &databases).unwrap_or(Database::Sqlite),
        mac_prefix,
        port: port(&s, "port").unwrap_or(2633),
        listen: s.parsed("listen").unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        web: s.flag("web", true),
        debug_level: number(&s, "debug_level", 0..=5).unwrap_or(3),
        monitoring_interval: within(&s, "monitoring_interval", 60, 5..=86_400),
    });
    if frontend.is_none() {
        s.accept(&[
            "os",
            "database",
            "port",
            "listen",
            "web",
            "debug_level",
            "monitoring_interval",
        ]);
    }
    reading.close(s);
    frontend
}

/// All nodes, and the bridge that networks take where they name none.
pub(super) fn nodes(
    text: &SiteText,
    reading: &mut Reading,
    frontend: Option<&Frontend>,
) -> (Vec<Node>, Option<InterfaceName>) {
    let s = text.section("nodes");
    let hosts = node_names(&s, reading);
    let pattern = node(&s, None);
    let bridge = pattern.as_ref().map(|node| node.bridge.clone());
    let mut special: BTreeMap<HostName, (Node, Range<usize>)> = BTreeMap::new();
    for (name, table) in s.named_tables("override") {
        let Some(pattern) = &pattern else { break };
        let own = node(&table, Some(pattern));
        for host in named(&s, &name, &table, reading) {
            if !hosts.contains_key(&host) {
                let near = stratus_sections::near::nearest(
                    host.as_str(),
                    hosts.keys().map(HostName::as_str),
                );
                let cure = near.map_or_else(
                    || "add it to `hosts` of [nodes], or take the override out".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                s.complain_at(table.span(), format!("no node is called `{host}`"), Some(cure));
            }
            let Some(own) = own.clone() else { continue };
            if special.insert(host.clone(), (own, table.value_span("address"))).is_some() {
                let cure = Some("write one override for each node".to_owned());
                s.complain_at(table.span(), format!("`{host}` has a second override"), cure);
            }
        }
        reading.close(table);
    }
    let mut listed: Vec<(HostName, (usize, Range<usize>))> = hosts.into_iter().collect();
    listed.sort_by_key(|(_, (place, _))| *place);
    let mut nodes = Vec::new();
    for (host, (_, span)) in listed {
        let (own, span) = match special.remove(&host) {
            Some(own) => own,
            None => match &pattern {
                Some(pattern) => (pattern.clone(), span),
                None => continue,
            },
        };
        let same = frontend.filter(|f| f.host == host).and_then(|f| f.address);
        let address = own.address.or_else(|| literal(&host)).or(same);
        if let (Some(a), Some(b)) = (own.address, same.filter(|b| Some(*b) != own.address)) {
            let cure = Some("the front-end is this node too: write one address".to_owned());
            s.complain_at(span.clone(), format!("`{host}` has the addresses {a} and {b}"), cure);
        }
        claim(reading, &host, address, span);
        nodes.push(Node { host, address, ..own });
    }
    reading.close(s);
    (nodes, bridge)
}

/// How hosts are named.
const A_HOST: &str = "write host names, such as \"node07.example.org\" or \"node[01-04]\"";

/// The names in `hosts`, each with its number and place.
fn node_names(s: &Section<'_>, reading: &Reading) -> BTreeMap<HostName, (usize, Range<usize>)> {
    let mut hosts = BTreeMap::new();
    for (text, span) in s.texts_at("hosts") {
        let names = match host_range::expand(&text) {
            Ok(names) => names,
            Err(error) => {
                s.complain_at(span, error.to_string(), Some(A_HOST.to_owned()));
                continue;
            }
        };
        for name in names {
            let host = match reading.complete(&name) {
                Ok(host) => host,
                Err(error) => {
                    s.complain_at(span.clone(), error.to_string(), Some(A_HOST.to_owned()));
                    break;
                }
            };
            let place = hosts.len();
            if hosts.insert(host.clone(), (place, span.clone())).is_some() {
                let cure = Some("write each host once".to_owned());
                s.complain_at(span.clone(), format!("`{host}` is listed twice"), cure);
                break;
            }
        }
        if hosts.len() > MOST_HOSTS {
            let cure = Some("make a site of its own of the others".to_owned());
            s.complain("hosts", format!("a site has at most {MOST_HOSTS} nodes"), cure);
            break;
        }
    }
    hosts
}

/// The hosts that an override is about.
fn named(s: &Section<'_>, name: &str, table: &Section<'_>, reading: &Reading) -> Vec<HostName> {
    let hosts = host_range::expand(name)
        .and_then(|names| names.iter().map(|name| reading.complete(name)).collect());
    hosts.unwrap_or_else(|error| {
        s.complain_at(table.span(), error.to_string(), Some(A_HOST.to_owned()));
        Vec::new()
    })
}

/// What `[nodes]` or an override says; the latter starts from the former.
fn node(s: &Section<'_>, pattern: Option<&Node>) -> Option<Node> {
    let hypervisors =
        [("kvm", Hypervisor::Kvm), ("qemu", Hypervisor::Qemu), ("lxc", Hypervisor::Lxc)];
    let shares = [("ssh", Share::Ssh), ("nfs", Share::Nfs)];
    let interface = s.text("interface").and_then(|text| match text.as_str() {
        "auto" => Some(Interface::Auto),
        name => {
            let name: Result<InterfaceName, _> = name.parse();
            name.map_err(|e| s.complain("interface", e.to_string(), None))
                .map(Interface::Named)
                .ok()
        }
    });
    let base = pattern.cloned().or_else(|| {
        Some(Node {
            host: "node".parse().ok()?,
            address: None,
            os: Os::Auto,
            hypervisor: Hypervisor::Kvm,
            share: Share::Ssh,
            bridge: "br0".parse().ok()?,
            interface: Interface::Auto,
            configure_bridge: true,
            cluster: None,
        })
    })?;
    Some(Node {
        address: pattern.and_then(|_| host_address(s, "address")),
        os: os(s).unwrap_or(base.os),
        hypervisor: one_of(s, "hypervisor", &hypervisors).unwrap_or(base.hypervisor),
        share: one_of(s, "share", &shares).unwrap_or(base.share),
        bridge: s.parsed("bridge").unwrap_or(base.bridge),
        interface: interface.unwrap_or(base.interface),
        configure_bridge: s.flag("configure_bridge", base.configure_bridge),
        cluster: s.text("cluster").or(base.cluster),
        host: base.host,
    })
}

fn os(s: &Section<'_>) -> Option<Os> {
    let text = s.text("os")?;
    if text == "auto" {
        return Some(Os::Auto);
    }
    let good = text.rsplit_once('-').is_some_and(|(id, version)| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        !id.is_empty() && id.chars().all(plain) && version.starts_with(|c: char| c.is_ascii_digit())
    });
    if !good {
        let cure = "write \"auto\", or name and version such as \"debian-13\"".to_owned();
        s.complain("os", format!("`{text}` names no system with its version"), Some(cure));
    }
    good.then_some(Os::Stated(text))
}

/// The address that a host name is, where it is one.
fn literal(host: &HostName) -> Option<IpAddr> {
    host.as_str().parse().ok()
}

fn claim(reading: &mut Reading, host: &HostName, address: Option<IpAddr>, span: Range<usize>) {
    if let Some(IpAddr::V4(address)) = address {
        reading.claims.one(address, Use::Host, format!("the address of `{host}`"), span);
    }
}
