//! Networks of a site as values: addresses, vnet templates, bridges, DHCP, firewall.
//!
//! Every function takes the checked [`Site`](stratus_site::Site), or what was found on a host,
//! and returns text or values that somebody else puts into place. Nothing here opens a file, asks
//! a host or looks at a clock, and the same input always gives the same bytes.
//!
//! [`vnets`] and [`leases`] share one rule of which addresses may be given out ([`extents`]), so
//! OpenNebula, the DHCP service and the firewall can never disagree about it.

mod addresses;
mod bridge;
mod dhcp;
mod firewall;
pub mod overlay;
#[cfg(test)]
mod samples;
mod vnet;

pub use addresses::{extents, guest_subnet, leases};
pub use bridge::{Addressing, BridgeFiles, NetworkFile, Tool, bridge_files, interfaces_without};
pub use dhcp::dnsmasq;
pub use firewall::{EXTRA as FIREWALL_EXTRA, HostRole, firewall};
pub use vnet::{AddressRange, Vnet, vnets};
