//! Address ranges.

use std::net::Ipv4Addr;

use crate::converge::change::{Change, Convergence, Kind};
use crate::converge::plan::Found;
use crate::converge::{MARK, WantedNetwork, WantedRange};
use crate::objects::{AddressRange, Holder, Lease, Machine, VirtualNetwork};

/// How many addresses in use a refusal lists.
const LISTED: usize = 5;

pub(crate) fn ranges(
    out: &mut Convergence,
    site: &str,
    wanted: &WantedNetwork,
    found: Option<&VirtualNetwork>,
    machines: &[Machine],
) {
    let network = &wanted.name;
    let there = found.map_or(&[][..], |found| &found.ranges);
    let mut stays: Vec<&AddressRange> = Vec::new();
    for range in there {
        if wanted.ranges.iter().any(|wanted| is(range, wanted)) {
            stays.push(range);
        } else if !is_ours(range, site) {
            stays.push(range);
            let reason = format!("{} are not ours and stay", shown(range));
            out.settle(Kind::Network, network, &reason);
        } else if !range.leases.is_empty() {
            stays.push(range);
            let users = holders(&range.leases, machines);
            let reason = format!(
                "{} are no longer wanted, but in use: {users}; end the machines or holds, and \
                 apply again",
                shown(range)
            );
            out.refuse(Kind::Network, network, reason);
        } else if let Some(found) = found {
            out.changes.push(Change::RemoveRange {
                network_id: found.id(),
                network: network.clone(),
                range: range.id,
                shown: shown(range),
            });
        }
    }
    let missing =
        wanted.ranges.iter().filter(|wanted| !there.iter().any(|range| is(range, wanted)));
    for range in missing {
        match stays.iter().find(|other| overlap(other, range)) {
            Some(other) => {
                let reason = format!(
                    "{} addresses from {} cannot be added: they overlap with {}, which stay",
                    range.size,
                    range.ip,
                    shown(other)
                );
                out.refuse(Kind::Network, network, reason);
            }
            None => out
                .changes
                .push(Change::AddRange { network: network.clone(), range: range.clone() }),
        }
    }
}

fn is_ours(range: &AddressRange, site: &str) -> bool {
    range.attributes.text(MARK) == Some(site)
}

fn is(range: &AddressRange, wanted: &WantedRange) -> bool {
    range.kind == "IP4"
        && range.ip == Some(wanted.ip)
        && range.size == u64::from(wanted.size)
        && wanted.mac.as_ref().is_none_or(|mac| mac.eq_ignore_ascii_case(&range.mac))
}

fn overlap(range: &AddressRange, wanted: &WantedRange) -> bool {
    let Some(first) = range.ip.map(|ip| u64::from(u32::from(ip))) else { return false };
    let start = u64::from(u32::from(wanted.ip));
    start < first + range.size && first < start + u64::from(wanted.size)
}

/// `4 addresses from 10.0.0.1`.
fn shown(range: &AddressRange) -> String {
    let first = range.ip.map_or_else(|| range.mac.clone(), |ip| ip.to_string());
    format!("{} addresses from {first}", range.size)
}

/// `10.0.0.1 by machine 7 (web-1), 10.0.0.2 by a hold, and 3 more`.
pub(crate) fn holders(leases: &[Lease], machines: &[Machine]) -> String {
    let one = |lease: &Lease| {
        let address = lease.ip.as_ref().map_or_else(|| lease.mac.clone(), Ipv4Addr::to_string);
        let name = match lease.holder {
            Holder::Machine(id) => machines.iter().find(|machine| machine.id == id),
            Holder::Network(_) | Holder::OnHold | Holder::Other => None,
        };
        let name = name.map(|machine| format!(" ({})", machine.name)).unwrap_or_default();
        format!("{address} by {}{name}", lease.holder)
    };
    let mut words: Vec<_> = leases.iter().take(LISTED).map(one).collect();
    if leases.len() > LISTED {
        words.push(format!("and {} more", leases.len() - LISTED));
    }
    words.join(", ")
}
