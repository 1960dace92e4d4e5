//! The bridge of a node.
//!
//! `/system/network` says it on every system, since other components read it there. Only on EL
//! does ncm-network make files of it; elsewhere the installer's own files go with it.

use super::{Around, Said, files};
use crate::host::Lan;
use crate::left::Why;
use crate::pan::{self, Line, Unwritable, Value};
use stratus_plan::facts::NetworkTool;
use stratus_plan::metadata::PackageManager;
use stratus_plan::step::Network;

pub(super) fn say(
    around: &Around,
    network: &Network,
    id: &str,
    reason: &str,
    said: &mut Said,
) -> Result<(), Unwritable> {
    let lan = &around.bare.lan;
    let (port, bridge) = (lan.interface.as_str(), network.bridge.as_str());
    let mut lines = Vec::new();
    if network.interface.is_some() {
        let members = vec![
            ("bootproto", Value::text("none")),
            ("bridge", Value::text(bridge)),
            ("onboot", Value::Flag(true)),
            ("type", Value::text("Ethernet")),
        ];
        lines.push(Line::set(format!("interfaces/{}", pan::key(port)?), Value::Dict(members)));
    }
    let key = format!("interfaces/{}", pan::key(bridge)?);
    lines.push(Line::set(key, Value::Dict(bridge_members(lan))));
    if let Some(gateway) = lan.gateway {
        lines.push(Line::default("default_gateway", Value::text(gateway.to_string())));
    }
    said.say("/system/network", reason, lines);
    if around.bare.system.family.package_manager == PackageManager::Dnf {
        said.leave(id, Why::NetworkByComponent);
        return Ok(());
    }
    said.leave(id, Why::NetworkLoaded);
    if network.tool == NetworkTool::Ifupdown {
        said.leave(id, Why::PortElsewhere);
    }
    for file in &network.files {
        files::say(around, file, id, reason, said)?;
    }
    Ok(())
}

/// No spanning tree and no delay: a bridge with one uplink has no loop.
fn bridge_members(lan: &Lan) -> Vec<(&'static str, Value)> {
    let mut members = match lan.address {
        Some(address) => vec![
            ("bootproto", Value::text("static")),
            ("broadcast", Value::text(address.broadcast().to_string())),
            ("ip", Value::text(address.addr().to_string())),
            ("netmask", Value::text(address.netmask().to_string())),
        ],
        None => vec![("bootproto", Value::text("dhcp"))],
    };
    members.extend([
        ("delay", Value::Number(0)),
        ("onboot", Value::Flag(true)),
        ("stp", Value::Flag(false)),
        ("type", Value::text("Bridge")),
    ]);
    members
}
