//! The site file: every section, typed, with defaults and documentation.
//!
//! [`Site`] is the file as meant: complete and checked, so nothing below asks again whether a
//! value makes sense. [`Site::parse`] and [`Site::parse_to_install`] are the only ways to one; they
//! report every problem of the file at once, each with its place and its cure. Nothing here opens a
//! file or asks a host.

pub mod edit;
mod host_range;
pub mod import;
pub mod keys;
mod read;
pub mod reference;
mod sections;
mod values;

pub use host_range::expand as expand_hosts;

pub use sections::{
    Accounting, AddressSource, Burst, Cache, Database, Dhcp, Extent, Frontend, General, Hypervisor,
    Identity, Interface, Lease, Monitor, Nat, Network, NetworkKind, Node, OpenNebula, Os, Packages,
    Repository, ServiceFile, Share, Site, Ssh, Sudo, Transport, Vlan, Vpn, VpnMode,
};
pub use values::{Domain, HostName, InterfaceName, MacAddress, MacPrefix, NetworkName, WrongValue};
