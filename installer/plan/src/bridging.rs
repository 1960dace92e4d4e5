//! What the network crate decides, asked for in the planner's words.

use crate::facts::{Facts, NetworkTool};
use crate::plan::Role;
use crate::view::{address, known};
use ipnet::IpNet;
use std::collections::BTreeSet;
use stratus_network::{HostRole, Tool};
use stratus_site::Site;

const SSH_PORT: u16 = 22;

pub(crate) fn tool(tool: NetworkTool) -> Tool {
    match tool {
        NetworkTool::Ifupdown => Tool::Ifupdown,
        NetworkTool::Netplan => Tool::Netplan,
        NetworkTool::NetworkManager => Tool::NetworkManager,
        NetworkTool::Networkd => Tool::Networkd,
        NetworkTool::Wicked => Tool::Wicked,
    }
}

/// The rules of a host. The LAN is the subnet that the front-end has its address in.
pub(crate) fn firewall(site: &Site, facts: &Facts, roles: &BTreeSet<Role>) -> String {
    let roles = host_roles(roles);
    let port = site.ssh.port.unwrap_or(SSH_PORT);
    stratus_network::firewall(site, &roles, &lan(site, facts), port)
}

pub(crate) fn host_roles(roles: &BTreeSet<Role>) -> BTreeSet<HostRole> {
    roles.iter().map(|&role| host_role(role)).collect()
}

fn host_role(role: Role) -> HostRole {
    match role {
        Role::Frontend => HostRole::Frontend,
        Role::Node => HostRole::Node,
        Role::Gateway => HostRole::Gateway,
        Role::Repository => HostRole::Repository,
        Role::Cache => HostRole::Cache,
        Role::Monitor => HostRole::Monitor,
    }
}

fn lan(site: &Site, facts: &Facts) -> Vec<IpNet> {
    let host = &site.frontend.host;
    let (Some(address), Some(told)) = (address(site, facts, host), known(facts, host)) else {
        return Vec::new();
    };
    let all = told.interfaces.iter().flat_map(|i| &i.addresses);
    let nets: BTreeSet<IpNet> = all
        .filter_map(|text| text.parse::<IpNet>().ok())
        .filter(|net| net.addr() == address)
        .map(|net| net.trunc())
        .collect();
    nets.into_iter().collect()
}
