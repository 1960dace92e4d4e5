//! DHCP with a reservation for each lease, and passing on packets for translated networks.

use crate::plan::Role;
use crate::step::{Action, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};

const SYSCTL: &str = "/etc/sysctl.d/60-stratus.conf";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) {
        return Vec::new();
    }
    let mut steps = dnsmasq(view);
    if view.site.networks.iter().any(|n| n.nat.is_some()) {
        steps.extend(forwarding());
    }
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

fn forwarding() -> Vec<Wanted> {
    let reason = "networks.*.nat: the front-end passes packets of guests on";
    let file = whole(SYSCTL, 0o644, "net.ipv4.ip_forward = 1\n");
    vec![
        Wanted::new(Step::File(file), reason),
        Wanted::action(Action::LoadSysctl, &[SYSCTL], reason),
    ]
}
