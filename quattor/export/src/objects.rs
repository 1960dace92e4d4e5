//! OpenNebula's objects by ncm-opennebula, as far as its schema can say them.

use crate::left::{Left, Why};
use crate::pan::{self, Block, Line, Unwritable, Value};
use crate::refusal::Refusal;
use crate::steps::{COMPONENTS, Said};
use stratus_opennebula::converge::{Wanted, WantedHost, WantedNetwork, WantedRange};

/// Attributes of a network that become fields by rules of their own.
const RULED: [&str; 4] = ["BRIDGE", "GUEST_MTU", "VLAN_ID", "VN_MAD"];

/// Name servers and masks of a network: OpenNebula's name, the schema's.
const TEXTS: [(&str, &str); 6] = [
    ("DNS", "dns"),
    ("GATEWAY", "gateway"),
    ("NETWORK_ADDRESS", "network_address"),
    ("NETWORK_MASK", "network_mask"),
    ("PHYDEV", "phydev"),
    ("SEARCH_DOMAIN", "search_domain"),
];

/// The objects of a site, for the host with its daemon.
pub(crate) fn translate(wanted: &Wanted) -> Result<Said, Vec<Refusal>> {
    let Wanted {
        site: _,
        clusters,
        hosts,
        datastores,
        networks,
        users,
        groups,
        marketplaces,
        images,
        templates,
        // The component takes away what is its own and no longer wanted.
        removal: _,
    } = wanted;
    let mut said = Said::default();
    let mut refusals = Vec::new();
    let mut untouchable: [Vec<&str>; 2] = [Vec::new(), Vec::new()];
    let mut add = |made: Result<Block, Unwritable>, key: &str, said: &mut Said| match made {
        Ok(block) => said.blocks.push(block),
        Err(error) => refusals.push(Refusal::new(key, error.0)),
    };
    for cluster in clusters {
        let reason = "nodes.cluster: hosts belong to it";
        add(block("clusters", &cluster.name, reason, vec![]), "nodes.cluster", &mut said);
    }
    for host in hosts {
        if host.vm_mad == "kvm" {
            add(self::host(host), "nodes.hosts", &mut said);
        } else {
            said.left.push(Left::new(format!("host:{}", host.name), Why::NoHost));
            untouchable[0].push(&host.name);
        }
    }
    for store in datastores {
        let driver = store.attributes.text("TM_MAD").unwrap_or_default();
        add(datastore(&store.name, driver), "nodes.share", &mut said);
    }
    for network in networks {
        let what = format!("vnet:{}", network.name);
        if let Some(lines) = vnet(network) {
            let plain = network.attributes.text("VN_MAD") == Some("bridge");
            said.left.extend(plain.then(|| Left::new(what, Why::DummyBridge)));
            let reason = "[networks]: machines get addresses from it";
            let key = format!("networks.{}", network.name);
            add(block("vnets", &network.name, reason, lines), &key, &mut said);
        } else {
            said.left.push(Left::new(what, Why::NoVnet));
            untouchable[1].push(&network.name);
        }
    }
    said.left.push(Left::new("object:STRATUS", Why::Mark));
    let others = users
        .iter()
        .map(|u| format!("user:{}", u.name))
        .chain(groups.iter().map(|g| format!("group:{}", g.name)))
        .chain(images.iter().map(|i| format!("image:{}", i.name)))
        .chain(templates.iter().map(|t| format!("template:{}", t.name)));
    said.left.extend(others.map(|what| Left::new(what, Why::OtherObject)));
    let markets = marketplaces.iter().map(|m| format!("marketplace:{}", m.name));
    said.left.extend(markets.map(|what| Left::new(what, Why::NoMarketplace)));
    said.blocks.extend(left_alone(untouchable));
    if refusals.is_empty() { Ok(said) } else { Err(refusals) }
}

fn block(kind: &str, name: &str, reason: &str, lines: Vec<Line>) -> Result<Block, Unwritable> {
    let key = format!("{kind}/{}", pan::key(name)?);
    let mut value = Vec::new();
    for line in lines {
        value.push((line.key, line.value));
    }
    let lines = vec![Line::set(key, Value::Record(value))];
    Ok(Block { path: format!("{COMPONENTS}/opennebula"), lines, reason: reason.to_owned() })
}

/// What the component must not take for something that nobody wants.
fn left_alone([hosts, vnets]: [Vec<&str>; 2]) -> Option<Block> {
    let list = |names: Vec<&str>| Value::List(names.into_iter().map(Value::text).collect());
    let lines: Vec<Line> = [("hosts", hosts), ("vnets", vnets)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(kind, names)| Line::set(kind, list(names)))
        .collect();
    let reason = "the schema cannot say these as the site wants them".to_owned();
    let path = format!("{COMPONENTS}/opennebula/untouchables");
    (!lines.is_empty()).then_some(Block { path, lines, reason })
}

fn host(host: &WantedHost) -> Result<Block, Unwritable> {
    let mut lines = Vec::new();
    lines.extend(host.cluster.as_ref().map(|c| Line::set("cluster", Value::text(c))));
    lines.push(Line::set("host_hyp", Value::text("kvm")));
    block("hosts", &host.name, "nodes.hosts: machines run there", lines)
}

/// The two datastores that OpenNebula comes with.
fn datastore(name: &str, driver: &str) -> Result<Block, Unwritable> {
    let image = name != "system";
    let mut lines = Vec::new();
    if image && driver == "shared" {
        lines.push(Line::set("ds_mad", Value::text("fs")));
    }
    lines.push(Line::set("tm_mad", Value::text(driver)));
    let kind = if image { "IMAGE_DS" } else { "SYSTEM_DS" };
    lines.push(Line::set("type", Value::text(kind)));
    block("datastores", name, "nodes.share: how images get to the nodes", lines)
}

/// A network that the schema can say without loss.
fn vnet(network: &WantedNetwork) -> Option<Vec<Line>> {
    let attributes = &network.attributes;
    let [range] = network.ranges.as_slice() else { return None };
    let has_field = |name: &str| RULED.contains(&name) || TEXTS.iter().any(|(n, _)| *n == name);
    if !attributes.names().into_iter().all(has_field) {
        return None;
    }
    let mut lines = vec![Line::set("ar", ar(range))];
    match attributes.text("VN_MAD")? {
        "bridge" => {
            lines.push(Line::set("bridge", Value::text(attributes.text("BRIDGE")?)));
            lines.push(Line::set("vn_mad", Value::text("dummy")));
        }
        "vxlan" => {
            let id = attributes.text("VLAN_ID")?.parse().ok().filter(|id| *id < 4096)?;
            attributes.text("PHYDEV")?;
            lines.push(Line::set("vlan_id", Value::Number(id)));
            lines.push(Line::set("vn_mad", Value::text("vxlan")));
        }
        _ => return None,
    }
    if let Some(mtu) = attributes.text("GUEST_MTU") {
        lines.push(Line::set("guest_mtu", Value::Number(mtu.parse().ok()?)));
    }
    for (theirs, ours) in TEXTS {
        if let Some(text) = attributes.text(theirs) {
            // One name server, of IPv4, is what the schema takes.
            if ours == "dns" && text.parse::<std::net::Ipv4Addr>().is_err() {
                return None;
            }
            lines.push(Line::set(ours, Value::text(text)));
        }
    }
    lines.sort();
    Some(lines)
}

fn ar(range: &WantedRange) -> Value {
    let mut members = vec![("ip", Value::text(range.ip.to_string()))];
    members.extend(range.mac.as_ref().map(|mac| ("mac", Value::text(mac))));
    members.push(("size", Value::Number(range.size.into())));
    members.push(("type", Value::text("IP4")));
    Value::Dict(members)
}
