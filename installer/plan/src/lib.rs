//! What has to be done to which host, and why: a pure function of the site and the facts.
//!
//! [`facts`] is what was found on the hosts, [`step`] is what can be done to one, [`mod@plan`] is the
//! answer. Whoever carries a plan out has nothing left to decide, and nothing here touches a host.
//!
//! ```text
//! questions(site, host) -> asked of each host -> Facts
//! preflight(site, facts)                      -> Finding, what stands in the way
//! plan(site, facts, inputs)                   -> Plan, steps with reason and state
//! offline::orders(site, facts, inputs)        -> Order, what a mirror has to hold
//! promises(site, facts)                       -> Promise, what verify looks at afterwards
//! burst::node_program(site, from the host)    -> what makes a burst node a node of OpenNebula
//! ```
//!
//! Inside, `stages` says what the site wants, `state` compares it with what is there, and neither
//! knows of the other; `metadata/*.toml` holds what differs between operating systems.

mod bridging;
pub mod burst;
pub mod content;
pub mod facts;
pub mod metadata;
pub mod offline;
pub mod oned;
pub mod plan;
mod planner;
mod preflight;
pub mod promise;
mod promises;
mod questions;
mod reach;
pub mod render;
mod stages;
mod state;
pub mod step;
mod view;
mod wanted;

pub use planner::plan;
pub use preflight::{Finding, Severity, preflight};
pub use promises::promises;
pub use questions::questions;
pub use reach::reach;
pub use stages::OVERLAY_DATA;
pub use view::{Inputs, files_needed, roles};
