//! Who says which address is whose. Each address is one thing.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use stratus_sections::Problems;

use crate::sections::Extent;
use crate::values::{MacAddress, MacPrefix};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Of this host.
    Host,
    /// A router or name server, which may well be a host too.
    Service,
    /// Leased to virtual machines.
    Lease,
    /// Of burst nodes.
    Burst,
}

#[derive(Clone, Debug)]
struct Claim {
    first: u32,
    last: u32,
    what: Use,
    /// In words, as `the address of node1`.
    owner: String,
    span: Range<usize>,
}

/// Everything claimed so far.
#[derive(Default)]
pub(super) struct Claims {
    addresses: Vec<Claim>,
    macs: Vec<(MacAddress, Ipv4Addr, Range<usize>)>,
    prefix: MacPrefix,
}

impl Claims {
    pub(super) fn one(&mut self, ip: Ipv4Addr, what: Use, owner: String, span: Range<usize>) {
        self.range(Extent { first: ip, size: 1 }, what, owner, span);
    }

    pub(super) fn range(&mut self, extent: Extent, what: Use, owner: String, span: Range<usize>) {
        let (first, last) = (extent.first.to_bits(), extent.last().to_bits());
        self.addresses.push(Claim { first, last, what, owner, span });
    }

    pub(super) fn mac(&mut self, mac: MacAddress, ip: Ipv4Addr, span: Range<usize>) {
        self.macs.push((mac, ip, span));
    }

    /// The prefix that MAC addresses are made with.
    pub(super) fn mac_prefix(&mut self, prefix: MacPrefix) {
        self.prefix = prefix;
    }

    /// Notes every address that is two things.
    pub(super) fn check(mut self, text: &str, problems: &mut Problems) {
        self.check_macs(text, problems);
        self.addresses.sort_by_key(|c| (c.first, c.last, c.span.start));
        let mut open: Vec<&Claim> = Vec::new();
        for claim in &self.addresses {
            open.retain(|other| other.last >= claim.first);
            // Whoever came first, and whoever has the very same: one does not hide the other.
            let first = open.iter().position(|other| clash(other, claim));
            let same = |other: &&Claim| (other.first, other.last) == (claim.first, claim.last);
            let twin = open.iter().rposition(|other| same(other) && clash(other, claim));
            for at in first.into_iter().chain(twin.filter(|_| twin != first)) {
                report(open[at], claim, text, problems);
            }
            // One that lasts as long stands for the others: what clashes with them clashes with it.
            open.retain(|other| !stands_for(claim, other));
            open.push(claim);
        }
    }

    fn check_macs(&self, text: &str, problems: &mut Problems) {
        let mut seen: HashMap<MacAddress, &Range<usize>> = HashMap::new();
        let [a, b] = self.prefix.0;
        let leased = self.leased();
        let is_leased = |address: Ipv4Addr| {
            let bits = address.to_bits();
            let before = leased.partition_point(|(first, _)| *first <= bits);
            before.checked_sub(1).is_some_and(|at| leased[at].1 >= bits)
        };
        for (mac, ip, span) in &self.macs {
            if let Some(before) = seen.insert(*mac, span) {
                let line = line_of(text, before.start);
                let message = format!("`{mac}` is given twice, first in line {line}");
                let cure = "give one of the two leases another `mac`, or none".to_owned();
                problems.add(span.clone(), message, Some(cure));
            }
            let made_for = Ipv4Addr::new(mac.0[2], mac.0[3], mac.0[4], mac.0[5]);
            if mac.0[..2] == [a, b] && made_for != *ip && is_leased(made_for) {
                let message = format!("`{mac}` is the MAC address that `{made_for}` gets");
                let cure = "take the `mac` out; one is made from the prefix and the address";
                problems.add(span.clone(), message, Some(cure.to_owned()));
            }
        }
    }

    /// The leased ranges by their first address, each with the furthest last address so far.
    fn leased(&self) -> Vec<(u32, u32)> {
        let leases = self.addresses.iter().filter(|c| c.what == Use::Lease);
        let mut ranges: Vec<(u32, u32)> = leases.map(|c| (c.first, c.last)).collect();
        ranges.sort_unstable();
        let mut furthest = 0;
        for (_, last) in &mut ranges {
            furthest = furthest.max(*last);
            *last = furthest;
        }
        ranges
    }
}

/// Routers and name servers may be hosts, and serve several networks.
fn clash(a: &Claim, b: &Claim) -> bool {
    match (a.what, b.what) {
        (Use::Host, Use::Host) => a.owner != b.owner,
        (Use::Host | Use::Service, Use::Host | Use::Service) => false,
        _ => true,
    }
}

fn stands_for(claim: &Claim, other: &Claim) -> bool {
    claim.last >= other.last && claim.what == other.what && claim.what != Use::Host
}

/// The problem is shown where it is later in the file; that is what was added.
fn report(a: &Claim, b: &Claim, text: &str, problems: &mut Problems) {
    let (before, after) = if a.span.start <= b.span.start { (a, b) } else { (b, a) };
    let first = Ipv4Addr::from_bits(a.first.max(b.first));
    let last = Ipv4Addr::from_bits(a.last.min(b.last));
    let shown =
        if first == last { format!("`{first}` is") } else { format!("`{first}-{last}` are") };
    let line = line_of(text, before.span.start);
    let message = format!("{shown} {} and {} (line {line})", after.owner, before.owner);
    let ranged = [a, b].iter().any(|c| c.what == Use::Lease && c.first != c.last);
    let cure = if ranged {
        "narrow the network with `first` and `last` so that it leaves them out"
    } else {
        "an address can be one thing only: change one of the two"
    };
    problems.add(after.span.clone(), message, Some(cure.to_owned()));
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(claims: &[(u32, u32, Use)]) -> bool {
        let mut all = Claims::default();
        for (number, (first, size, what)) in claims.iter().enumerate() {
            let extent = Extent { first: Ipv4Addr::from_bits(*first), size: *size };
            all.range(extent, *what, format!("thing {number}"), number..number);
        }
        let mut problems = Problems::default();
        all.check("", &mut problems);
        !problems.is_empty()
    }

    fn uses() -> impl Strategy<Value = Use> {
        prop_oneof![Just(Use::Host), Just(Use::Service), Just(Use::Lease), Just(Use::Burst)]
    }

    proptest! {
        /// The sweep finds what comparing every pair finds.
        #[test]
        fn an_overlap_is_found_exactly_where_there_is_one(
            claims in proptest::collection::vec((0_u32..60, 1_u32..12, uses()), 0..8)
        ) {
            let pairs = claims.iter().enumerate().any(|(i, a)| claims.iter().skip(i + 1).any(|b| {
                let apart = a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0;
                let infrastructure = |u| matches!(u, Use::Host | Use::Service);
                let fine = infrastructure(a.2) && infrastructure(b.2)
                    && !(a.2 == Use::Host && b.2 == Use::Host);
                !apart && !fine
            }));
            prop_assert_eq!(found(&claims), pairs);
        }
    }
}
