//! The stages in their order: what each wants of a host. Each is a function of what it sees, knows
//! nothing of the others, and says nothing of how things are now.

mod accounts;
mod database;
mod dhcp;
mod firewall;
mod hypervisor;
mod network;
mod opennebula;
mod packages;
mod repositories;
mod services;
mod share;
mod start;

pub(crate) use accounts::HOST_KEY;
pub(crate) use network::interface as port_of;

use crate::plan::Stage;
use crate::view::View;
use crate::wanted::Wanted;

type StageFn = fn(&View) -> Vec<Wanted>;

const STAGES: [(Stage, StageFn); 12] = [
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
    (Stage::Start, start::wanted),
];

/// Everything that the site wants of a host, in order.
pub(crate) fn all(view: &View) -> Vec<Wanted> {
    let of = |(stage, wanted): (Stage, StageFn)| {
        wanted(view).into_iter().map(move |step| Wanted { stage, ..step })
    };
    STAGES.into_iter().flat_map(of).collect()
}
