//! A stand-in for oned, OpenNebula's daemon, checked against recordings of a real one.
//!
//! It keeps what an installer makes (clusters, hosts, datastores, networks, users, groups,
//! marketplaces, images, templates, simple machines), answers in oned's own form, and does after
//! its answers what oned does after its own: networks become ready, hosts are monitored, images
//! are copied, machines are placed and end, deleted objects go.
//!
//! Storage and hypervisor are played too, unless the settings ask for drivers: then files are really
//! copied and machines really started by libvirt of their host, as far as machines without disks go.
//! Accounting plays a file of history records.
//!
//! Not simulated: quotas, access rules beyond "oneadmin's group may all, others see
//! their own", federation, hooks, and everything of machines beyond placing, holding and ending.
//!
//! Way of a call: `server` reads it, `methods` finds out who asks and which method it is, the
//! files beside it do it, `render` writes objects, `state` keeps them, `life` and `drivers` do what
//! comes after the answer.

mod accounting;
mod changes;
mod creation;
mod domain;
mod drivers;
mod life;
mod machines;
mod methods;
mod networks;
mod reads;
mod real;
mod render;
mod server;
mod settings;
mod state;
mod users;

pub use real::Real;
pub use server::{Oned, serve};
pub use settings::{Delays, Settings};
