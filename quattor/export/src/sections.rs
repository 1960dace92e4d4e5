//! Sections of the site file that are no step of any host's plan.

use crate::left::{Left, Why};
use stratus_plan::plan::{HostPlan, Role};
use stratus_site::Site;

/// What of the site no step says, for the host that it is about. A new section does not compile
/// until somebody has said what becomes of it.
pub(crate) fn left(site: &Site, host: &HostPlan) -> Vec<Left> {
    let Site {
        // Become steps and objects, by the planner.
        general: _,
        frontend: _,
        nodes: _,
        networks: _,
        vpn: _,
        identity: _,
        repository: _,
        cache: _,
        monitor: _,
        packages: _,
        service_files: _,
        // Has no key without a default.
        ssh: _,
        accounting,
    } = site;
    let is = |role| host.roles.contains(&role);
    let mut left = Vec::new();
    if is(Role::Frontend) {
        left.push(Left::new("section:ssh", Why::InstallersOwn));
    }
    // The monitor's host has the section in its settings.
    if accounting.is_some() && is(Role::Frontend) && !is(Role::Monitor) {
        left.push(Left::new("section:accounting", Why::SiteFileItself));
    }
    left
}
