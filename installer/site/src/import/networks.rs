//! Virtual networks out of the keys of several sections.

use super::work::Work;
use crate::edit::inline;
use crate::values::MacAddress;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use toml_edit::{Array, InlineTable, Value};

pub(super) fn all(work: &mut Work) {
    let mut public = fixed(work, "public");
    let local = fixed(work, "local");
    if !public {
        public = ranged(work, "public");
    } else if work.has("one_public_network") {
        for key in ["one_public_network", "one_public_network_size", "one_public_network_mask"] {
            work.leave(key, "the addresses of the public network are stated one by one");
        }
    }
    ranged(work, "private");
    dhcp(work, "public", public);
    dhcp(work, "local", local);
    nat(work, local);
    if public && work.value("default_gateway").is_some() {
        let gateway = work.value("dhcp_one_public_network_routers");
        if gateway.is_none() {
            address(work, "default_gateway", &["networks", "public", "gateway"]);
        }
    }
}

/// A list of addresses, with MAC addresses by position: a fixed network.
fn fixed(work: &mut Work, name: &str) -> bool {
    let (key, mac_key) = (format!("one_{name}_network_addr"), format!("one_{name}_network_mac"));
    let Some(addresses) = work.value(&key) else { return false };
    let macs: Vec<String> = work
        .value(&mac_key)
        .map(|text| text.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    let addresses: Vec<&str> = addresses.split_whitespace().collect();
    let paired = macs.len() == addresses.len();
    let mut leases = Array::new();
    for (index, ip) in addresses.iter().enumerate() {
        let mac = macs.get(index).filter(|_| paired);
        let lease = match mac {
            Some(mac) => inline(&[("ip", ip), ("mac", mac)]),
            None => inline(&[("ip", ip)]),
        };
        leases.push(lease);
    }
    work.put(&["networks", name, "leases"], leases);
    work.became(&key, &format!("networks.{name}.leases"));
    if paired {
        work.became(&mac_key, &format!("networks.{name}.leases"));
        if macs.iter().any(|mac| mac.parse::<MacAddress>().is_err()) {
            let why = "one of them is no MAC address; `check` shows which";
            work.became_but(&mac_key, &format!("networks.{name}.leases"), why);
        }
    } else {
        work.leave(&mac_key, "there are not as many as addresses, so none can be paired");
    }
    true
}

/// A first address with a size: a number, a class, or in 2010 the length of a prefix.
fn ranged(work: &mut Work, name: &str) -> bool {
    let keys = ["", "_size", "_mask"].map(|end| format!("one_{name}_network{end}"));
    let [key, size_key, mask_key] = keys.each_ref().map(String::as_str);
    let Some(network) = work.value(key) else { return false };
    let (address, prefix) = network.split_once('/').unwrap_or((&network, ""));
    let Ok(address) = address.parse::<Ipv4Addr>() else {
        work.leave(key, "it is no IPv4 address");
        return false;
    };
    let size =
        work.value(size_key).or_else(|| work.value("net_size").filter(|_| name == "private"));
    let mask = work.value(mask_key).and_then(|mask| prefix_of(&mask));
    let wanted = size.as_deref().and_then(size_of);
    let prefix: Option<u8> = prefix.parse().ok();
    let what = format!("networks.{name}.network");
    let guessed = wanted.is_none() && mask.is_none() && prefix.is_none();
    let size = match (wanted, prefix.or(mask)) {
        (Some(size), _) => {
            work.became(size_key, &format!("networks.{name}.size"));
            work.became("net_size", &format!("networks.{name}.size"));
            work.leave(mask_key, "the size says it");
            size
        }
        (None, Some(prefix @ 8..=30)) => {
            work.leave(size_key, "it is no size");
            work.became(mask_key, &format!("networks.{name}.size"));
            Value::from(1_i64 << (32 - prefix))
        }
        (None, _) => {
            work.leave(size_key, "it is no size");
            work.leave(mask_key, "it is no mask");
            Value::from("C")
        }
    };
    work.put(&["networks", name, "network"], address.to_string());
    work.put(&["networks", name, "size"], size);
    let why = if guessed { "the old file gave no size; class C is a guess" } else { "" };
    work.became_but(key, &what, why);
    true
}

fn size_of(text: &str) -> Option<Value> {
    match text.to_ascii_uppercase().as_str() {
        class @ ("A" | "B" | "C") => Some(Value::from(class)),
        number => match number.trim_start_matches('/').parse::<i64>().ok()? {
            // Nobody had a network of 16 machines; that was the length of the prefix.
            prefix @ 8..=30 => Some(Value::from(1_i64 << (32 - prefix))),
            size if (1..=1 << 24).contains(&size) => Some(Value::from(size)),
            _ => None,
        },
    }
}

/// `255.255.255.0` or `24`.
fn prefix_of(mask: &str) -> Option<u8> {
    mask.parse::<u8>().ok().filter(|p| (8..=30).contains(p)).or_else(|| {
        let mask: Ipv4Addr = mask.parse().ok()?;
        ipnet::ipv4_mask_to_prefix(mask).ok().filter(|p| (8..=30).contains(p))
    })
}

/// Addresses told by DHCP; the daemon's own keys follow from the network now.
fn dhcp(work: &mut Work, name: &str, there: bool) {
    let switch = format!("dhcp_one_{name}_network");
    let key = |end: &str| format!("{switch}_{end}");
    let on = work.switch("dhcp").unwrap_or(false) & work.switch(&switch).unwrap_or(false);
    if !on || !there {
        let why = if there { "DHCP is off for it" } else { "there is no such network" };
        for end in [
            "subnet",
            "broadcast",
            "netmask",
            "routers",
            "domain_name",
            "domain_name_servers",
            "ntp_servers",
        ] {
            work.leave(&key(end), why);
        }
        work.leave(&switch, why);
        return;
    }
    let path = |part: &'static str| ["networks", name, part];
    subnet(work, name, &key("subnet"), &key("netmask"));
    work.leave(&key("broadcast"), "it follows from the subnet");
    let list = |text: &str| -> Vec<String> {
        text.split([',', ' ', '\n']).filter(|p| !p.is_empty()).map(str::to_owned).collect()
    };
    if let Some(routers) = work.value(&key("routers")).map(|text| list(&text)) {
        if let Some(router) = routers.first() {
            work.put(&path("gateway"), router.as_str());
        }
        let why = if routers.len() > 1 { "only the first one" } else { "" };
        work.became_but(&key("routers"), &format!("networks.{name}.gateway"), why);
    }
    if let Some(servers) = work.value(&key("domain_name_servers")).map(|text| list(&text)) {
        work.put(&path("dns"), servers.into_iter().collect::<Array>());
        work.became(&key("domain_name_servers"), &format!("networks.{name}.dns"));
    }
    if let Some(domain) = work.value(&key("domain_name")) {
        work.put(&path("search_domain"), domain.trim_matches('"'));
        work.became(&key("domain_name"), &format!("networks.{name}.search_domain"));
    }
    let mut table = InlineTable::new();
    if let Some(seconds) = work.value("dhcp_lease_time").and_then(|t| t.parse::<u32>().ok()) {
        table.insert("lease_time", Value::from(format!("{seconds} s")));
        work.became("dhcp_lease_time", "dhcp of the networks");
    }
    if let Some(servers) = work.value(&key("ntp_servers")).map(|text| list(&text)) {
        table.insert("ntp", Value::Array(servers.into_iter().collect()));
        work.became(&key("ntp_servers"), &format!("networks.{name}.dhcp.ntp"));
    }
    let value = if table.is_empty() { Value::from(true) } else { Value::InlineTable(table) };
    work.put(&path("dhcp"), value);
    work.became(&switch, &format!("networks.{name}.dhcp"));
    work.became("dhcp", "dhcp of the networks");
}

/// Translation was for the local network, and described its subnet.
fn nat(work: &mut Work, local: bool) {
    let keys = ["nat_network", "nat_netmask", "nat_gateway", "nat_network_interface"];
    let on = work.switch("nat").unwrap_or(false);
    if !on || !local {
        let why = if on { "there is no local network to translate" } else { "translation is off" };
        for key in keys.iter().chain(&["nat"]) {
            work.leave(key, why);
        }
        return;
    }
    subnet(work, "local", "nat_network", "nat_netmask");
    address(work, "nat_gateway", &["networks", "local", "gateway"]);
    let interface = work.value("nat_network_interface");
    let value = interface.map_or(Value::from(true), |name| inline(&[("interface", &name)]));
    work.put(&["networks", "local", "nat"], value);
    work.became("nat", "networks.local.nat");
    work.became("nat_network_interface", "networks.local.nat.interface");
}

fn subnet(work: &mut Work, name: &str, key: &str, mask_key: &str) {
    let (Some(network), Some(mask)) = (work.value(key), work.value(mask_key)) else { return };
    let net = network.parse::<Ipv4Addr>().ok().zip(prefix_of(&mask));
    match net.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()) {
        Some(net) => {
            work.put(&["networks", name, "subnet"], net.trunc().to_string());
            work.became(key, &format!("networks.{name}.subnet"));
            work.became(mask_key, &format!("networks.{name}.subnet"));
        }
        None => {
            work.leave(key, "with its mask it is no subnet");
            work.leave(mask_key, "with its network it is no subnet");
        }
    }
}

fn address(work: &mut Work, key: &str, path: &[&str]) {
    let Some(value) = work.value(key) else { return };
    if value.parse::<Ipv4Addr>().is_ok() {
        work.put(path, value);
        work.became(key, &path.join("."));
    } else {
        work.leave(key, "it is no IPv4 address");
    }
}
