//! Everything runs, with the settings that are there now.

use crate::metadata::opennebula;
use crate::plan::Role;
use crate::view::View;
use crate::wanted::{Wanted, packages_id};

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) {
        return Vec::new();
    }
    let files = &opennebula().files;
    let units = &view.system.family.units;
    let series = view.site.general.opennebula_version;
    let mut steps = Vec::new();
    for unit in view.system.frontend_units(series) {
        let inputs = [&*files.oned, &*files.monitord];
        let reason = "OpenNebula's daemon, with the settings of the site";
        steps.push(Wanted::runs(unit, &inputs, reason).needs(packages_id("frontend")));
    }
    for unit in &units.gate {
        let reason = "machines tell OpenNebula that they are ready";
        steps.push(Wanted::runs(unit, &[], reason).needs(packages_id("gate")));
    }
    for unit in units.web.iter().filter(|_| view.site.frontend.web) {
        let reason = "frontend.web: people use OpenNebula in a browser";
        steps.push(Wanted::runs(unit, &[], reason).needs(packages_id("web")));
    }
    steps
}
