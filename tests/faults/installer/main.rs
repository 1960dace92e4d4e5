//! What goes wrong while a site is installed: the power, the installer itself, hosts, people.
//!
//! Real hosts with systemd, ssh and apt; OpenNebula and libvirt are stand-ins.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

mod cuts;
mod every_step;
mod five;
mod hosts;
mod terminal;

use stratus_tests::hosts::{HostSetup, Site, Standins};

/// A front-end and nodes, bare, with everything they need close by.
fn site<const N: usize>(setups: [HostSetup; N]) -> Site {
    Site::of(setups.map(HostSetup::without_mirrors), Standins::default().with_libvirt_standin())
}
