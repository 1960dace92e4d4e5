//! What the monitor knows of a site, as a value.
//!
//! ```text
//! text of a pool --scan--> records --fold--> State --concerns, capacity, changes, queries--> pages
//! ```
//!
//! Everything here is pure: the time is an argument, in seconds since 1970, and what was read comes
//! as an [`Observation`]. A pool that could not be read, or that is not believed, leaves what was
//! known before, with a word about it.

pub mod capacity;
mod changes;
mod concern;
mod fold;
mod listing;
mod read;
mod records;
pub mod scan;
mod states;
mod usage;
mod why;

pub use changes::{Event, EventKind, changes};
pub use concern::{Cause, Concern, Severity};
pub use fold::{Health, Observation, Pool, Reading, State, fold};
pub use listing::{Order, PAGE, Page, Query, QueryError, Viewer};
pub use read::{
    read_datastores, read_hosts, read_images, read_machines, read_networks, read_stays, read_users,
};
pub use records::{
    Burst, BurstSession, Certificate, Datastore, Disk, Host, HostLoad, Image, Lease, Load, Machine,
    Network, Nic, Place, Range, Service, Stay, StoreSpace, User, Vpn,
};
pub use states::{Group, host_words, image_words, machine_words};
pub use usage::{LEDGER, Usage, Used, UserUsage, usage_report};
pub use why::{reason, why};
