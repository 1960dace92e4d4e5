//! DHCP with a reservation for each lease, and passing on packets for translated networks and a
//! routed VPN.

use crate::plan::Role;
use crate::step::{Action, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use stratus_site::VpnMode;

const SYSCTL: &str = "/etc/sysctl.d/60-stratus.conf";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let mut steps = if view.is(Role::Frontend) { dnsmasq(view) } else { Vec::new() };
    let nat = view.is(Role::Frontend) && view.site.networks.iter().any(|n| n.nat.is_some());
    let routed = view.site.vpn.as_ref().is_some_and(|vpn| vpn.mode == VpnMode::Tun);
    let forwards = [
        (nat, "networks.*.nat: the front-end passes packets of guests on"),
        (routed && view.is(Role::Gateway), "vpn.mode = \"tun\": the gateway passes packets on"),
    ];
    let reason = forwards.into_iter().find(|(wanted, _)| *wanted);
    steps.extend(reason.into_iter().flat_map(|(_, reason)| forwarding(reason)));
    steps
}

fn dnsmasq(view: &View) -> Vec<Wanted> {
    let Some(content) = stratus_network::dnsmasq(view.site) else { return Vec::new() };
    let family = view.system.family;
    let path = family.files.dnsmasq.as_str();
    let reason = "networks.*.dhcp: guests ask the front-end for their addresses";
    vec![
        Wanted::packages("dnsmasq", &family.packages.dnsmasq, reason),
        Wanted::new(
            Step::File(whole(path, 0o644, content)),
            "each lease of the site has its reservation",
        ),
        Wanted::runs(&family.units.dnsmasq, &[path], reason).needs(packages_id("dnsmasq")),
    ]
}

fn forwarding(reason: &str) -> Vec<Wanted> {
    let file = whole(SYSCTL, 0o644, "net.ipv4.ip_forward = 1\n");
    vec![
        Wanted::new(Step::File(file), reason),
        Wanted::action(Action::LoadSysctl, &[SYSCTL], reason),
    ]
}
