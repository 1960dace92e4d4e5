//! Where a new node goes, whatever its tunnel.

use super::RegisterError;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use stratus_site::{HostName, Vpn};

/// The address that the site file gives it, else the lowest free one. `known` are the nodes that
/// have one.
pub(crate) fn free<'a>(
    vpn: &Vpn,
    name: &HostName,
    known: impl Iterator<Item = (&'a HostName, Ipv4Addr)> + Clone,
) -> Result<Ipv4Addr, RegisterError> {
    if known.clone().any(|(other, _)| other == name) {
        return Err(RegisterError::Known(name.clone()));
    }
    let stated = vpn.nodes.iter().find(|node| node.name == *name).and_then(|n| n.address);
    if let Some(address) = stated {
        let holder = known.clone().find(|(_, taken)| *taken == address);
        return match holder {
            None => Ok(address),
            Some((holder, _)) => {
                Err(RegisterError::Taken { name: name.clone(), address, holder: holder.clone() })
            }
        };
    }
    let mut taken: BTreeSet<Ipv4Addr> = known.map(|(_, address)| address).collect();
    taken.extend(vpn.nodes.iter().filter_map(|node| node.address));
    let (first, last) = (vpn.range.first, vpn.range.last());
    (first..=last)
        .find(|address| !taken.contains(address))
        .ok_or(RegisterError::Full { first, last })
}
