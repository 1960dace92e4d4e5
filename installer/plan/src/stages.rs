//! The stages in their order: what each wants of a host. Each is a function of what it sees, knows
//! nothing of the others, and says nothing of how things are now.

mod accounts;
mod database;
mod dhcp;
mod firewall;
mod hypervisor;
mod network;
mod opennebula;
mod overlay;
mod packages;
mod repositories;
mod services;
mod share;
mod start;

pub(crate) use accounts::HOST_KEY;
pub(crate) use network::{interface as port_of, joint};
pub use overlay::DATA as OVERLAY_DATA;
pub(crate) use overlay::{SERVER, TIMER, register_units, report_timer, running, serves_bridge};
pub(crate) use services::{USAGE, files as service_files};
pub(crate) use share::{MOUNT_UNITS, mount_units};

use crate::metadata::System;
use crate::plan::Stage;
use crate::step::Step;
use crate::view::View;
use crate::wanted::Wanted;
use std::collections::BTreeSet;

type StageFn = fn(&View) -> Vec<Wanted>;

const STAGES: [(Stage, StageFn); 13] = [
    (Stage::Repositories, repositories::wanted),
    (Stage::Packages, packages::wanted),
    (Stage::Accounts, accounts::wanted),
    (Stage::Share, share::wanted),
    (Stage::Hypervisor, hypervisor::wanted),
    (Stage::Network, network::wanted),
    (Stage::Database, database::wanted),
    (Stage::OpenNebula, opennebula::wanted),
    (Stage::Dhcp, dhcp::wanted),
    (Stage::Firewall, firewall::wanted),
    (Stage::Services, services::wanted),
    (Stage::Overlay, overlay::wanted),
    (Stage::Start, start::wanted),
];

/// The package repositories of a host, their keys and settings.
pub(crate) fn repositories(view: &View) -> Vec<Wanted> {
    repositories::wanted(view)
}

/// Whether this is the description of a repository of the distribution's own.
pub(crate) fn is_extra(system: System, path: &str) -> bool {
    repositories::extra_file(system).is_some_and(|file| file == path)
}

/// The packages that the site wants on a host.
pub(crate) fn package_names(view: &View) -> BTreeSet<String> {
    let later = STAGES.into_iter().filter(|(stage, _)| *stage != Stage::Repositories);
    let steps = later.flat_map(|(_, wanted)| wanted(view)).map(|wanted| wanted.step);
    let names = |step| match step {
        Step::Packages { names } => names,
        _ => BTreeSet::new(),
    };
    steps.flat_map(names).collect()
}

/// Everything that the site wants of a host, in order.
pub(crate) fn all(view: &View) -> Vec<Wanted> {
    let of = |(stage, wanted): (Stage, StageFn)| {
        wanted(view).into_iter().map(move |step| Wanted { stage, ..step })
    };
    STAGES.into_iter().flat_map(of).collect()
}
