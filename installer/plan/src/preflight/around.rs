//! What is around a host: package repositories, and others on the wire.

use super::Finding;
use crate::facts::{Facts, HostFacts};
use crate::metadata;
use crate::plan::Role;
use crate::reach::leases;
use crate::stages;
use crate::step::Step;
use crate::view::View;
use std::collections::BTreeSet;
use stratus_site::{HostName, Site};

const REPOSITORY: &str = "see that the host reaches it and that it has this system; `opennebula` and `proxy` in [packages] name another way";

/// A repository that does not answer stands in the way of packages that are still to come.
pub(super) fn repositories(
    site: &Site,
    host: &HostName,
    roles: &BTreeSet<Role>,
    told: &HostFacts,
) -> Vec<Finding> {
    let finding = |(url, why): (&String, &String)| {
        let text = format!("its package repository does not answer: {url}: {why}");
        if lacks_packages(site, host, roles, told) {
            return Finding::refuse(host, text, REPOSITORY);
        }
        Finding::warn(host, text, REPOSITORY)
    };
    told.unreached.iter().map(finding).collect()
}

fn lacks_packages(site: &Site, host: &HostName, roles: &BTreeSet<Role>, told: &HostFacts) -> bool {
    let Ok(system) = metadata::find(&told.os) else { return false };
    let node = site.nodes.iter().find(|n| n.host == *host);
    // Only names of packages are looked at, so nothing of other hosts or files is needed.
    let facts = Facts::default();
    let view =
        View { site, facts: &facts, inputs: None, host, roles, told, system, node, rules: "" };
    stages::all(&view).iter().any(|wanted| match &wanted.step {
        Step::Packages { names } => names.iter().any(|name| !told.packages.contains_key(name)),
        _ => false,
    })
}

/// Somebody who answers for an address with another MAC address than the network gives with it is
/// no machine of the site.
pub(super) fn neighbours(site: &Site, facts: &Facts) -> Vec<Finding> {
    let leases = leases(site);
    let mut findings = Vec::new();
    for (asker, report) in &facts.hosts {
        let crate::facts::HostReport::Known(told) = report else { continue };
        for (ip, mac) in &told.neighbours {
            if !leases.contains_key(ip) || leases[ip] == Some(*mac) {
                continue;
            }
            // The front-end's daemon gives the address away, so nothing goes on there.
            let text = format!(
                "the address {ip}, which a network gives to machines, is in use on the wire by {mac} (asked from {asker})"
            );
            let cure =
                format!("leave {ip} out of the network, or give whoever has {mac} another address");
            findings.push(Finding::refuse(&site.frontend.host, text, cure));
        }
    }
    findings
}
