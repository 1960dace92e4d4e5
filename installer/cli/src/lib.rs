//! The commands that set up a site: what they have in common.
//!
//! [`flow`] reads like the commands: each function is one of them. What decides lies below, in the
//! pure crates (`stratus-site`, `stratus-network`, `stratus-plan`, the convergence in
//! `stratus-opennebula`); what acts lies in `stratus-execute`. Here they are put together and
//! shown.

mod choices;
pub mod config;
mod daemon;
mod eyes;
mod fleet;
pub mod flow;
mod gather;
mod junit;
mod live;
mod site_file;
mod trial;
pub mod vpn;
mod wanted;

pub use choices::{Choices, Confirmation, hosts};
pub use daemon::ThroughHost;
pub use fleet::Fleet;
pub use flow::Mirroring;
pub use junit::Report;
pub use site_file::{Loaded, load_written};
pub use wanted::wanted;
