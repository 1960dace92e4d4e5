//! Subnets, and which of their addresses are leased.

use crate::sections::Extent;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use stratus_sections::Section;

/// A subnet, and how many addresses of it were asked for where that is not all.
pub(super) struct Subnet {
    pub(super) net: Ipv4Net,
    pub(super) count: Option<u32>,
}

/// A subnet of guests: aligned, from /8 to /30.
pub(super) fn net(s: &Section<'_>, key: &'static str) -> Option<Ipv4Net> {
    let text = s.text(key)?;
    let Ok(net) = text.parse::<Ipv4Net>() else {
        let cure = Some("write it as \"10.0.0.0/24\"".to_owned());
        s.complain(key, format!("`{text}` is no subnet"), cure);
        return None;
    };
    if net.trunc() != net {
        let cure = Some(format!("write \"{}\"", net.trunc()));
        s.complain(key, format!("`{text}` is an address inside of a subnet"), cure);
        return None;
    }
    if !(8..=30).contains(&net.prefix_len()) {
        let message = format!("`{text}` is no size for a network");
        s.complain(key, message, Some("take one from /8 to /30".to_owned()));
        return None;
    }
    Some(net)
}

/// `base`, or `network` and `size`.
pub(super) fn ranged(s: &Section<'_>) -> Option<Subnet> {
    let base = net(s, "base");
    let network: Option<Ipv4Addr> = s.parsed("network");
    let size = size(s);
    match (s.has("base"), s.has("network"), s.has("size")) {
        (true, false, false) => base.map(|net| Subnet { net, count: None }),
        (false, true, true) => sized(s, network?, size?),
        (true, ..) => {
            let cure = "take `network` and `size` out; `first` and `last` narrow it".to_owned();
            s.complain("base", "`base` says already which subnet it is", Some(cure));
            None
        }
        (false, ..) => {
            let cure = "write base = \"10.0.0.0/24\", or both `network` and `size`".to_owned();
            let message = format!("[{}] does not say which subnet it is", s.name());
            s.complain("network", message, Some(cure));
            None
        }
    }
}

/// How many addresses: a number, or a class of old.
fn size(s: &Section<'_>) -> Option<u32> {
    let most = 1 << 24;
    let size = s.number_or_text("size").and_then(|given| match given {
        Ok(number) => u32::try_from(number).ok().filter(|n| (1..=most).contains(n)),
        Err(text) => match text.as_str() {
            "A" | "a" => Some(1 << 24),
            "B" | "b" => Some(1 << 16),
            "C" | "c" => Some(1 << 8),
            _ => None,
        },
    });
    if size.is_none() && s.has("size") {
        let cure = Some(format!("a number from 1 to {most}, or \"A\", \"B\" or \"C\""));
        s.complain("size", "`size` says how many addresses there are", cure);
    }
    size
}

/// A power of two is a whole subnet; another number is that many leases in the least subnet that
/// has room for them beside its own two addresses.
fn sized(s: &Section<'_>, network: Ipv4Addr, size: u32) -> Option<Subnet> {
    let whole = size.is_power_of_two() && size >= 4;
    let room = if whole { size } else { (size + 2).next_power_of_two() };
    let bits = u8::try_from(room.trailing_zeros()).unwrap_or(32);
    let net = Ipv4Net::new(network, 32 - bits.min(24)).ok()?;
    if net.trunc() != net {
        let message = format!("`{network}` does not begin a subnet of {room} addresses");
        s.complain("network", message, Some(format!("write \"{}\"", net.network())));
        return None;
    }
    Some(Subnet { net, count: (!whole).then_some(size) })
}

/// First and last address that a guest can have.
pub(super) fn usable(net: Ipv4Net) -> (u32, u32) {
    (net.network().to_bits() + 1, net.broadcast().to_bits() - 1)
}

/// The leases of a ranged network. Where `first` or `last` is not said, an end of the subnet that
/// the gateway or the VPN has is left out.
pub(super) fn extent(
    s: &Section<'_>,
    subnet: &Subnet,
    gateway: Option<Ipv4Addr>,
    vpn: Option<&Extent>,
) -> Option<Extent> {
    let (low, high) = usable(subnet.net);
    let said_first: Option<Ipv4Addr> = s.parsed("first");
    let said_last: Option<Ipv4Addr> = s.parsed("last");
    for (key, said) in [("first", said_first), ("last", said_last)] {
        if let Some(said) = said.filter(|a| !(low..=high).contains(&a.to_bits())) {
            let (low, high) = (Ipv4Addr::from_bits(low), Ipv4Addr::from_bits(high));
            let message = format!("`{said}` is no address of a guest of {}", subnet.net);
            s.complain(key, message, Some(format!("take one from {low} to {high}")));
            return None;
        }
    }
    let (mut first, mut last) = (low, high);
    let router = gateway.map(Ipv4Addr::to_bits);
    if router == Some(first) {
        first += 1;
    }
    if router == Some(last) {
        last -= 1;
    }
    if let Some(count) = subnet.count {
        last = last.min(first + (count - 1));
    }
    if let Some((from, to)) = vpn.map(|v| (v.first.to_bits(), v.last().to_bits()))
        && first <= to
        && from <= last
    {
        // The larger part beside it.
        let (below, above) = (from.saturating_sub(first), last.saturating_sub(to));
        if below >= above { last = from.saturating_sub(1) } else { first = to.saturating_add(1) }
    }
    let first = said_first.map_or(first, Ipv4Addr::to_bits);
    let last = said_last.map_or(last, Ipv4Addr::to_bits);
    if first > last {
        let message = format!("no address of {} is left to lease", subnet.net);
        let key = if said_last.is_some() { "last" } else { "first" };
        let cure = "give it a larger subnet, or put `first` before `last`".to_owned();
        s.complain(key, message, Some(cure));
        return None;
    }
    Some(Extent { first: Ipv4Addr::from_bits(first), size: last - first + 1 })
}

/// `10.0.0.200-10.0.0.239`.
pub(super) fn parse_extent(text: &str) -> Option<Extent> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: Ipv4Addr = first.trim().parse().ok()?;
    let last: Ipv4Addr = last.trim().parse().ok()?;
    let more = last.to_bits().checked_sub(first.to_bits())?;
    (more < 1 << 24).then_some(Extent { first, size: more + 1 })
}
