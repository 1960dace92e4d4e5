//! Whole hosts for tests: real systemd, sshd and apt, three of them up within seconds.
//!
//! A [`Lab`] is a network namespace with a bridge; its hosts are `systemd-nspawn` containers, each on an
//! overlay over a base root that is made once per machine. Programs under test run inside the
//! namespace ([`Lab::command`]) and reach the hosts by name with `ssh`; nothing of it touches the
//! machine's own network. Hosts reach no network either, except package mirrors through the lab's own
//! web server, which keeps what it fetched for the next host and the next test.
//!
//! ```text
//!  test process                    network namespace stratus-lab-<pid>-<n>
//!  Lab::command("program") ──────►  program ──ssh──┐
//!  web server's threads ◄─listens─  10.77.0.1 ── br0 ─┬─ host0 of `one`     10.77.0.11
//!     └─► package mirrors                             └─ host0 of `node1`   10.77.0.12
//! ```
//!
//! An [`Internet`] may be laid around a lab, with clouds behind NAT in which hosts boot that are not on
//! the lab's LAN.
//!
//! Needs root, and says what is missing where the machine cannot. Everything ends with the value that
//! started it; what a killed test left behind is swept at the start of the next lab.
//!
//! What this cannot show: the kernel is the machine's own (no modules of a host's own; the test
//! `kernel_mount` boots another one), limits of memory and processor are not enforced, and a power cut
//! loses nothing that was already written, synced or not, because the machine's page cache lives on.

mod apt;
mod boot;
mod cgroup;
mod deb;
mod demands;
mod host;
mod identity;
mod internet;
mod lab;
mod last_words;
mod libvirt;
mod mirrors;
mod opennebula;
mod own;
mod relay;
mod roots;
mod rpm;
mod setup;
mod site;
mod sweep;
mod tree;
mod web;

pub use apt::{AptRepository, SigningKey};
pub use deb::Package;
pub use host::Host;
pub use internet::{Cloud, Internet};
pub use lab::Lab;
pub use opennebula::{OpenNebulaRepository, Standins};
pub use relay::{Line, Relay};
pub use roots::Base;
pub use rpm::RpmRepository;
pub use setup::HostSetup;
pub use site::Site;
pub use tree::Tree;
