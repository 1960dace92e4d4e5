//! What a host is made from.

use super::Base;
use super::internet::{Cloud, Seat};

/// What a host is made from.
#[derive(Clone, Debug)]
pub struct HostSetup {
    pub(super) name: String,
    pub(super) base: Base,
    pub(super) machine_id: Option<String>,
    pub(super) address: Option<String>,
    pub(super) second: bool,
    pub(super) seat: Option<Seat>,
    pub(super) has_key: bool,
    pub(super) has_handles: bool,
    pub(super) files: Vec<(String, u32, Vec<u8>)>,
}

impl HostSetup {
    /// A host of this name with Debian 12.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            base: Base::Bookworm,
            machine_id: None,
            address: None,
            second: false,
            seat: None,
            has_key: false,
            has_handles: false,
            files: Vec::new(),
        }
    }

    /// With another system.
    #[must_use]
    pub fn base(mut self, base: Base) -> Self {
        self.base = base;
        self
    }

    /// With this machine id: the same one twice is what a cloned image brings. Otherwise every host
    /// has its own.
    #[must_use]
    pub fn machine_id(mut self, id: &str) -> Self {
        id.clone_into(self.machine_id.get_or_insert_default());
        self
    }

    /// With a second network interface, `eth1`, that is on no network of the lab's but with the second
    /// ones of other hosts.
    #[must_use]
    pub fn second_interface(mut self) -> Self {
        self.second = true;
        self
    }

    /// With a second network interface of this hardware address: the same one twice is what a cloned
    /// virtual machine brings.
    #[must_use]
    pub fn hardware_address(mut self, address: &str) -> Self {
        address.clone_into(self.address.get_or_insert_default());
        self.second_interface()
    }

    /// In a cloud instead of on the lab's LAN. Nobody reaches it from outside: it is looked after as by
    /// its console.
    #[must_use]
    pub fn in_cloud(mut self, cloud: &Cloud) -> Self {
        self.seat = Some(cloud.seat());
        self
    }

    /// With the lab's ssh key, so that it can log in to the other hosts as the lab can.
    #[must_use]
    pub fn with_key(mut self) -> Self {
        self.has_key = true;
        self
    }

    /// With the right to open files by their handles, which a file server outside of the kernel needs.
    #[must_use]
    pub fn with_handles(mut self) -> Self {
        self.has_handles = true;
        self
    }

    /// Without package mirrors: its lists are there at once, and nothing but the test's own repositories
    /// is in them.
    #[must_use]
    pub fn without_mirrors(self) -> Self {
        self.file("/etc/apt/sources.list", 0o644, "")
    }

    /// With a file of root's, before its first boot.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), mode, bytes.into()));
        self
    }
}
