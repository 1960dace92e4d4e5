//! Interfaces and routes, as `ip -j` tells them.

use super::BadAnswer;
use super::parts::{Sections, network_tool};
use serde::Deserialize;
use std::net::IpAddr;
use stratus_plan::facts::{HostFacts, InterfaceFacts};

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    mtu: u32,
    #[serde(default)]
    address: String,
    master: Option<String>,
    #[serde(default)]
    linkinfo: LinkInfo,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Default, Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_kind: String,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    local: String,
    #[serde(default)]
    prefixlen: u8,
    #[serde(default)]
    dynamic: bool,
}

#[derive(Deserialize)]
struct Route {
    #[serde(default)]
    dst: String,
    gateway: Option<String>,
    #[serde(default)]
    dev: String,
    #[serde(default)]
    metric: u32,
}

pub(super) fn read(sections: &Sections<'_>, facts: &mut HostFacts) -> Result<(), BadAnswer> {
    let hardware = sections.text("hardware");
    let links: Vec<Link> = json(sections, "links")?;
    for link in links {
        // ip shows holes for what it leaves out.
        let Ok(name) = link.ifname.parse() else { continue };
        let address = |a: &Address| format!("{}/{}", a.local, a.prefixlen);
        facts.interfaces.push(InterfaceFacts {
            physical: hardware.lines().any(|l| l == link.ifname),
            name,
            mac: link.address.parse().ok(),
            mtu: link.mtu,
            kind: link.linkinfo.info_kind,
            leased: link.addr_info.iter().filter(|a| a.dynamic).map(address).collect(),
            master: link.master.and_then(|m| m.parse().ok()),
            up: link.flags.iter().any(|f| f == "UP"),
            addresses: link.addr_info.iter().filter(|a| !a.local.is_empty()).map(address).collect(),
        });
    }
    let mut routes: Vec<Route> = json(sections, "routes")?;
    // Of several default routes the one with the lowest metric counts.
    routes.sort_by_key(|r| r.metric);
    for route in routes {
        let Ok(interface) = route.dev.parse() else { continue };
        let router = route.gateway.and_then(|g| g.parse::<IpAddr>().ok());
        match (route.dst.as_str(), router) {
            ("default", Some(router)) => {
                facts.default_route.get_or_insert((interface, router));
            }
            ("default" | "", _) => {}
            (destination, _) => facts.routes.push((destination.to_owned(), interface)),
        }
    }
    facts.network_tool = network_tool(sections);
    Ok(())
}

fn json<T: serde::de::DeserializeOwned>(
    sections: &Sections<'_>,
    name: &'static str,
) -> Result<Vec<T>, BadAnswer> {
    let bytes = sections.bytes(name).trim_ascii();
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(bytes).map_err(|e| BadAnswer::new(name, e.to_string()))
}
