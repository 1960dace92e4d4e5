//! What is kept of OpenNebula's objects and of the site's own services: no more than is shown.

use serde::Serialize;

/// A virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// Identifier.
    pub id: i32,
    /// Name, as its owner wrote it.
    pub name: String,
    /// Name of its owner.
    pub user: String,
    /// Name of its group.
    pub group: String,
    /// oned's number of its state.
    pub state: i32,
    /// oned's number of what it is doing.
    pub lcm_state: i32,
    /// When it was made.
    pub made: i64,
    /// Processors, in cores.
    pub cpu: f32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Its disks together, MiB.
    pub disk_mib: u64,
    /// Names of the images on its disks.
    pub images: Vec<String>,
    /// Its network interfaces.
    pub nics: Vec<Nic>,
    /// Where it is, or was last.
    pub place: Option<Place>,
    /// What went wrong last, in oned's words.
    pub error: String,
    /// Why the scheduler has not placed it, in oned's words.
    pub waits: String,
    /// What it takes.
    pub load: Option<Load>,
}

/// A machine's network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nic {
    /// Name of its network.
    pub network: String,
    /// Its address.
    pub address: String,
}

/// A machine's host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Identifier of the host.
    pub host: i32,
    /// Name of the host.
    pub name: String,
    /// Number of the stay, from 0.
    pub sequence: i32,
}

/// What a machine takes, as its host measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// When.
    pub at: i64,
    /// Percent of one core.
    pub cpu_percent: f32,
    /// Memory, KiB.
    pub memory_kib: u64,
    /// Bytes received since it began.
    pub received: u64,
    /// Bytes sent since it began.
    pub sent: u64,
}

/// One stay of a machine on a host, with the times of its steps; 0 where a step has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// Number of the stay, from 0.
    pub sequence: i32,
    /// Name of the host.
    pub host: String,
    /// From and to.
    pub stay: (i64, i64),
    /// Copying its disks there.
    pub prolog: (i64, i64),
    /// Booting and running.
    pub running: (i64, i64),
    /// Copying its disks back.
    pub epilog: (i64, i64),
    /// oned's number of why it ended.
    pub action: i32,
}

/// A host.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Host {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// oned's number of its state.
    pub state: i32,
    /// Name of its cluster.
    pub cluster: String,
    /// Processors for machines, hundredths of a core.
    pub cpu_max: i64,
    /// Of these, given to machines.
    pub cpu_given: i64,
    /// Memory for machines, KiB.
    pub memory_max_kib: i64,
    /// Of it, given to machines.
    pub memory_given_kib: i64,
    /// Machines that run there, as oned counts them.
    pub running: i64,
    /// Identifiers of its machines.
    pub machines: Vec<i32>,
    /// What it takes, as it measured itself.
    pub load: Option<HostLoad>,
    /// Space of the datastores on its own disk.
    pub stores: Vec<StoreSpace>,
    /// What its monitoring said went wrong.
    pub error: String,
    /// Its hypervisor's driver.
    pub hypervisor: String,
    /// Version of the programs that look after it.
    pub version: String,
}

/// What a host takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostLoad {
    /// When.
    pub at: i64,
    /// Processors at work, hundredths of a core.
    pub cpu_used: i64,
    /// Memory in use, KiB.
    pub memory_used_kib: i64,
}

/// Space of a datastore on a host's own disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreSpace {
    /// Identifier of the datastore.
    pub datastore: i32,
    /// All of it, MiB.
    pub total_mib: u64,
    /// What is free, MiB.
    pub free_mib: u64,
}

/// A virtual network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Network {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// oned's number of its state.
    pub state: i32,
    /// Its bridge on the hosts.
    pub bridge: String,
    /// What went wrong, in oned's words.
    pub error: String,
    /// Its ranges of addresses.
    pub ranges: Vec<Range>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Range {
    /// First address.
    pub first: String,
    /// How many addresses.
    pub size: u64,
    /// Addresses in use as oned counts them; leases of networks that were made of it are among them.
    pub used: u64,
    /// Who has which.
    pub leases: Vec<Lease>,
}

/// An address in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// The address.
    pub address: String,
    /// The machine that has it; negative where somebody holds it for no machine.
    pub machine: i32,
}

/// A datastore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Datastore {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// 0 images, 1 system, 2 files, 3 backups.
    pub kind: i32,
    /// All of it, MiB; 0 where each host has its own.
    pub total_mib: u64,
    /// What is used, MiB.
    pub used_mib: u64,
    /// What is free, MiB.
    pub free_mib: u64,
    /// How many images are in it.
    pub images: usize,
}

/// A disk image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Name of its owner.
    pub user: String,
    /// oned's number of its state.
    pub state: i32,
    /// Size, MiB.
    pub size_mib: u64,
    /// Name of its datastore.
    pub datastore: String,
    /// Machines that run with it.
    pub running: i64,
    /// What went wrong, in oned's words.
    pub error: String,
}

/// A user of OpenNebula. Neither password nor token is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// Identifier.
    pub id: i32,
    /// Login.
    pub name: String,
    /// Name of the primary group.
    pub group: String,
    /// How the login is proved.
    pub driver: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// One of the site's own services.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Service {
    /// What it is: `repository`, `cache`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Why it does not answer; `None` where it does.
    pub fault: Option<String>,
    /// Figures that it tells of itself, by name.
    pub figures: Vec<(String, f64)>,
}

/// A certificate that somebody has to renew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Where it is: a path.
    pub place: String,
    /// Whose it is.
    pub subject: String,
    /// Until when it is valid.
    pub ends: i64,
    /// Why it could not be read.
    pub fault: Option<String>,
}

/// A file system of the monitor's host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// A path on it.
    pub path: String,
    /// All of it, bytes.
    pub total: u64,
    /// What is free for others than root, bytes.
    pub free: u64,
    /// Why it could not be looked at.
    pub fault: Option<String>,
}

/// The overlay of burst nodes, as its report tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vpn {
    /// When the report was made.
    pub at: i64,
    /// Why there is none.
    pub fault: Option<String>,
    /// Whether the server answered.
    pub running: bool,
    /// What needs attention, sentences without a full stop.
    pub attention: Vec<String>,
    /// The burst nodes by name.
    pub nodes: Vec<Burst>,
}

/// A burst node: a machine in another cloud that joins through the VPN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Burst {
    /// Its name.
    pub name: String,
    /// Its address inside the site.
    pub address: String,
    /// Its session; `None` where it is not connected.
    pub session: Option<BurstSession>,
    /// Until when its certificate is valid; 0 where it has none.
    pub certificate_ends: i64,
    /// What went wrong last, and when.
    pub error: Option<(i64, String)>,
}

/// A connection of a burst node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BurstSession {
    /// Since when.
    pub since: i64,
    /// Where the node is, with port.
    pub peer: String,
    /// Bytes that came from it.
    pub received: u64,
    /// Bytes that went to it.
    pub sent: u64,
}
