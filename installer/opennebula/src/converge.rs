//! From what a site wants and what OpenNebula has to the changes between: a pure function.
//!
//! # Whose an object is
//!
//! What we make carries our mark in its own template: the attribute `STRATUS` with the site's
//! name, `STRATUS = "example"`; an address range carries it as a member of its `AR` vector. An
//! object of a wanted name without the mark is *adopted*: the attributes that the site states are
//! updated, missing address ranges are added, and it is never marked, emptied or deleted. So
//! somebody else's work stays theirs.
//!
//! # What is planned
//!
//! [`converge`] gives the changes in the order in which they can be made (clusters, hosts,
//! datastores, networks, users, groups, marketplaces, images, templates; then deletions the other
//! way round), refusals with their reasons, and for everything else why nothing is to do.
//! [`apply`] makes one change. Making all of them and planning again gives no change.
//!
//! Attributes that the site does not state are left alone, and so are ranges without our mark.

mod apply;
mod change;
mod networks;
mod plan;
mod removal;
mod users;
mod wanted;

pub use apply::{apply, read_pools};
pub use change::{Change, Convergence, Difference, Kind, New, Refusal, Settled};
pub use plan::{Pools, converge};
pub use wanted::{
    Authentication, Removal, Switch, Wanted, WantedCluster, WantedDatastore, WantedGroup,
    WantedHost, WantedImage, WantedMarketplace, WantedNetwork, WantedRange, WantedTemplate,
    WantedUser,
};

/// The attribute that marks what we made. Its text is the site's name.
pub const MARK: &str = "STRATUS";
