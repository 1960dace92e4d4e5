//! Burst nodes as hosts of OpenNebula: a timer on the front-end keeps them in step with sessions.

use crate::step::Step;
use crate::wanted::{Wanted, file_id, whole};
use stratus_network::NetworkFile;
use stratus_network::overlay::{Place, register_files};
use stratus_site::{Site, Vpn};

/// The units that run where burst nodes become hosts.
const UNITS: [&str; 2] = ["stratus-vpn-names.service", "stratus-vpn-register.timer"];

/// The units on the gateway that make burst nodes hosts, where the site wants some to be.
pub(crate) fn register_units(site: &Site) -> &'static [&'static str] {
    let wanted = site.vpn.iter().flat_map(Vpn::registered).next().is_some();
    if wanted { &UNITS } else { &[] }
}

pub(super) fn wanted(site: &Site, place: &Place) -> Vec<Wanted> {
    if register_units(site).is_empty() {
        return Vec::new();
    }
    let reason = "vpn.nodes.register: burst nodes are hosts of OpenNebula while they are connected";
    let file = |file: NetworkFile| Step::File(whole(&file.path, file.mode, file.content));
    let files = register_files(place).into_iter();
    let mut steps: Vec<Wanted> = files.map(|f| Wanted::new(file(f), reason)).collect();
    let path = |unit: &str| format!("/etc/systemd/system/{unit}");
    let [names, timer] = UNITS.map(path);
    let service = path("stratus-vpn-register.service");
    steps.push(Wanted::runs(UNITS[0], &[&names], reason).needs(file_id(&names)));
    steps.push(Wanted::runs(UNITS[1], &[&timer, &service], reason).needs(file_id(&timer)));
    steps
}
