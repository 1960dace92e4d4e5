//! What oned keeps: each object as the part of its description that an installer needs.

mod acl;
mod cluster;
mod datastore;
mod host;
mod image;
mod machine;
mod marketplace;
mod network;
mod template;
mod user;

pub use acl::Acl;
pub use cluster::Cluster;
pub use datastore::Datastore;
pub use host::{Host, HostShare};
pub use image::Image;
pub use machine::{HistoryRecord, Machine, Nic};
pub use marketplace::{Marketplace, MarketplaceApp};
pub use network::{AddressRange, Holder, Lease, VirtualNetwork};
pub use template::Template;
pub use user::{Group, User};
