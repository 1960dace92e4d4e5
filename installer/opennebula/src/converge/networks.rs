//! Address ranges.

use std::net::Ipv4Addr;

use crate::attributes::{Attribute, Attributes};
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
    let mut resized: Vec<(&AddressRange, &WantedRange)> = Vec::new();
    for range in there {
        if wanted.ranges.iter().any(|wanted| is(range, wanted)) {
            stays.push(range);
        } else if !is_ours(range, site) {
            stays.push(range);
            let reason = format!("{} are not ours and stay", shown(range));
            out.settle(Kind::Network, network, &reason);
        } else if let Some(wanted) = wanted.ranges.iter().find(|wanted| can_become(range, wanted)) {
            resized.push((range, wanted));
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
    for (range, wanted) in &resized {
        resize(out, network, found.map_or(-1, Found::id), (range, wanted), &stays);
    }
    let is_there = |wanted: &&WantedRange| {
        there.iter().any(|range| is(range, wanted)) || resized.iter().any(|(_, w)| w == wanted)
    };
    for range in wanted.ranges.iter().filter(|wanted| !is_there(wanted)) {
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

/// A range grows, or shrinks as far as no address in use is left out.
fn resize(
    out: &mut Convergence,
    network: &str,
    network_id: i32,
    (range, wanted): (&AddressRange, &WantedRange),
    stays: &[&AddressRange],
) {
    if let Some(other) = stays.iter().find(|other| overlap(other, wanted)) {
        let reason = format!(
            "{} cannot become {}: they would overlap with {}, which stay",
            shown(range),
            wanted.size,
            shown(other)
        );
        out.refuse(Kind::Network, network, reason);
        return;
    }
    out.changes.push(Change::ResizeRange {
        network_id,
        network: network.to_owned(),
        shown: shown(range),
        size: wanted.size,
        template: resizing(range, wanted.size),
    });
}

/// What oned tells of a range and does not take back.
const TOLD: [&str; 5] = ["MAC_END", "IP_END", "NEXT_INDEX", "USED_LEASES", "LEASES"];

/// The template that gives a range another size. oned puts it in the place of all that the range
/// had but type, addresses and number, so what else it had is said again.
fn resizing(range: &AddressRange, size: u32) -> Attributes {
    let kept = |(name, value): (&str, &Attribute)| {
        let text = value.as_text().filter(|_| !TOLD.contains(&name) && name != "SIZE")?;
        Some((name.to_owned(), text.to_owned()))
    };
    let mut members: Vec<(String, String)> = range.attributes.iter().filter_map(kept).collect();
    members.retain(|(name, _)| name != "AR_ID");
    members.insert(0, ("AR_ID".to_owned(), range.id.0.to_string()));
    members.push(("SIZE".to_owned(), size.to_string()));
    let mut template = Attributes::new();
    template.push("AR", Attribute::Vector(members));
    template
}

/// Whether a range only needs another size: it begins where it should, and either grows or loses no
/// address in use. One that shrinks and has none in use is made anew.
fn can_become(range: &AddressRange, wanted: &WantedRange) -> bool {
    let first = u32::from(wanted.ip);
    let stays = |lease: &Lease| {
        lease.ip.and_then(|ip| u32::from(ip).checked_sub(first)).is_some_and(|at| at < wanted.size)
    };
    let grows = u64::from(wanted.size) > range.size;
    let shape =
        WantedRange { size: u32::try_from(range.size).unwrap_or(u32::MAX), ..wanted.clone() };
    is(range, &shape) && (grows || !range.leases.is_empty() && range.leases.iter().all(stays))
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
