//! The calls, by what they are about.

mod hosts;
mod machines;
mod marketplaces;
mod networks;
mod storage;
mod system;
mod users;

pub use machines::{MachineAction, MachineFilter, Recovery};
pub use system::Version;

/// A switch of a host as `one.host.status` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSwitch {
    /// Machines may come.
    Enable,
    /// No new machines.
    Disable,
    /// No new machines, and no monitoring.
    Offline,
}
