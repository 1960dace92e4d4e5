//! DHCP with a reservation for each lease, the names of burst nodes, and passing on packets for
//! translated networks and a routed VPN.

use crate::bridging::host_roles;
use crate::plan::Role;
use crate::step::{Access, Action, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use stratus_network::overlay::Place;
use stratus_site::VpnMode;

const SYSCTL: &str = "/etc/sysctl.d/60-stratus.conf";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let mut steps = dnsmasq(view);
    let nat = view.is(Role::Frontend) && view.site.networks.iter().any(|n| n.nat.is_some());
    let mode = view.site.vpn.as_ref().map(|vpn| vpn.mode).filter(|mode| mode.is_routed());
    let tunnel = match mode {
        Some(VpnMode::WireGuard) => "vpn.mode = \"wireguard\": the gateway passes packets on",
        _ => "vpn.mode = \"tun\": the gateway passes packets on",
    };
    let forwards = [
        (nat, "networks.*.nat: the front-end passes packets of guests on"),
        (mode.is_some() && view.is(Role::Gateway), tunnel),
    ];
    let reason = forwards.into_iter().find(|(wanted, _)| *wanted);
    steps.extend(reason.into_iter().flat_map(|(_, reason)| forwarding(reason)));
    steps
}

fn dnsmasq(view: &View) -> Vec<Wanted> {
    let place = Place::default();
    let roles = host_roles(view.roles);
    let Some(content) = stratus_network::dnsmasq(view.site, &roles, &place) else {
        return Vec::new();
    };
    let tells_names = content.contains(&place.names);
    let family = view.system.family;
    let path = family.files.dnsmasq.as_str();
    let reason = if content.contains("dhcp-range=") {
        "networks.*.dhcp: guests ask the front-end for their addresses"
    } else {
        "vpn.serve_names: the LAN asks the gateway for burst nodes"
    };
    let mut steps = vec![Wanted::packages("dnsmasq", &family.packages.dnsmasq, reason)];
    if tells_names {
        let folder = Step::Directory { path: place.names, access: Access::root(0o755) };
        steps.push(Wanted::new(folder, "`stratus-vpn` keeps the names of burst nodes there"));
    }
    steps.extend([
        Wanted::new(
            Step::File(whole(path, 0o644, content)),
            "each lease of the site has its reservation, each burst node its name",
        ),
        Wanted::runs(&family.units.dnsmasq, &[path], reason).needs(packages_id("dnsmasq")),
    ]);
    steps
}

fn forwarding(reason: &str) -> Vec<Wanted> {
    let file = whole(SYSCTL, 0o644, "net.ipv4.ip_forward = 1\n");
    vec![
        Wanted::new(Step::File(file), reason),
        Wanted::action(Action::LoadSysctl, &[SYSCTL], reason),
    ]
}
