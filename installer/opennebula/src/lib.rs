//! OpenNebula's XML-RPC interface: the calls that an installer makes, typed, and the changes that
//! bring OpenNebula's objects to what a site wants.
//!
//! Pure: [`xmlrpc`] (text of calls and answers), [`Attributes`] (templates), [`object`] and the
//! objects, [`converge`] (wanted and found objects to changes), [`burst`] (sessions and hosts to
//! changes). With effects: [`Client`] over a
//! [`Transport`].
//!
//! What oned is like, as recorded from 7.4.0, and what follows for callers:
//!
//! - Much happens after the answer: a network has no addresses and an image no content yet, and
//!   deleted objects stay a little. [`Client::wait_ready`] and its kin wait.
//! - Pools come newest first. A user without rights gets an empty pool, not an error.
//! - Addresses are given round robin, not the lowest first.

mod answer;
mod attributes;
pub mod burst;
mod calls;
mod client;
pub mod converge;
mod error;
mod ids;
pub mod object;
mod objects;
mod session;
mod states;
mod transport;
mod wait;
pub mod xmlrpc;

pub use answer::read_answer;
pub use attributes::{Attribute, Attributes, SyntaxError, Unwritable};
pub use calls::{HostSwitch, MachineAction, MachineFilter, Recovery, Version};
pub use client::{Client, Page, Update};
pub use error::{Error, ErrorCode, TransportError};
pub use ids::{
    AclId, ClusterId, DatastoreId, GroupId, HostId, ImageId, MachineId, MarketplaceAppId,
    MarketplaceId, NetworkId, RangeId, TemplateId, UserId,
};
pub use objects::{
    Acl, AddressRange, Cluster, Datastore, Group, HistoryRecord, Holder, Host, HostShare, Image,
    Lease, Machine, Marketplace, MarketplaceApp, Nic, Template, User, VirtualNetwork,
};
pub use session::Session;
pub use states::{
    AppState, DatastoreType, HostState, ImageState, ImageType, LcmState, MachineState,
    NetworkState, ServiceState,
};
pub use transport::{HttpTransport, Limits, Transport};
pub use wait::Look;
