//! Texts of pools to records. A number that is none becomes 0: one odd object does not hide a pool.

use crate::records::{
    Datastore, Host, HostLoad, Image, Lease, Load, Machine, Network, Nic, Place, Range, Stay,
    StoreSpace, User,
};
use crate::scan::{ScanError, Visit, pool};
use std::str::FromStr;

/// Longest text of a name; OpenNebula allows 128 characters.
const NAME: usize = 4096;
/// Longest text of an error.
const ERROR: usize = 1024;
/// Most things of one kind that one object may have: interfaces, leases, stays.
const PARTS: usize = 70_000;

/// `one.vmpool.info` or `one.vmpool.infoextended`.
pub fn read_machines(text: &str) -> Result<Vec<Machine>, ScanError> {
    gather(text, "VM_POOL", "VM", Machine::open, |m: &mut Machine, path, text| match path {
        ["ID"] => m.id = number(text),
        ["NAME"] => m.name = clipped(text, NAME),
        ["UNAME"] => m.user = clipped(text, NAME),
        ["GNAME"] => m.group = clipped(text, NAME),
        ["STATE"] => m.state = number(text),
        ["LCM_STATE"] => m.lcm_state = number(text),
        ["STIME"] => m.made = number(text),
        ["TEMPLATE", "CPU"] => m.cpu = measure(text),
        ["TEMPLATE", "MEMORY"] => m.memory_mib = number(text),
        ["TEMPLATE", "DISK", "SIZE"] => {
            m.disk_mib = m.disk_mib.saturating_add(number(text));
        }
        ["TEMPLATE", "DISK", "IMAGE"] if !text.is_empty() => m.images.push(clipped(text, NAME)),
        ["TEMPLATE", "NIC", field] => {
            if let Some(nic) = m.nics.last_mut() {
                nic_field(nic, field, text);
            }
        }
        ["USER_TEMPLATE", "ERROR"] => m.error = clipped(text, ERROR),
        ["USER_TEMPLATE", "SCHED_MESSAGE"] => m.waits = clipped(text, ERROR),
        ["MONITORING", field] => load_field(m.load.get_or_insert_default(), field, text),
        ["HISTORY_RECORDS", "HISTORY", field] => {
            place_field(m.place.get_or_insert_default(), field, text);
        }
        _ => {}
    })
}

impl Machine {
    fn open(&mut self, path: &[&str]) {
        if path == ["TEMPLATE", "NIC"] && self.nics.len() < PARTS {
            self.nics.push(Nic::default());
        }
    }
}

fn nic_field(nic: &mut Nic, field: &str, text: &str) {
    match field {
        "NETWORK" => nic.network = clipped(text, NAME),
        "IP" => nic.address = clipped(text, 64),
        "IP6" if nic.address.is_empty() => nic.address = clipped(text, 64),
        _ => {}
    }
}

fn load_field(load: &mut Load, field: &str, text: &str) {
    match field {
        "TIMESTAMP" => load.at = number(text),
        "CPU" => load.cpu_percent = measure(text),
        "MEMORY" => load.memory_kib = number(text),
        "NETRX" => load.received = number(text),
        "NETTX" => load.sent = number(text),
        _ => {}
    }
}

/// Later records overwrite earlier ones: the last is where it is.
fn place_field(place: &mut Place, field: &str, text: &str) {
    match field {
        "SEQ" => place.sequence = number(text),
        "HID" => place.host = number(text),
        "HOSTNAME" => place.name = clipped(text, NAME),
        _ => {}
    }
}

/// The stays of each machine of an extended pool, by identifier.
pub fn read_stays(text: &str) -> Result<Vec<(i32, Vec<Stay>)>, ScanError> {
    let open = |(_, stays): &mut (i32, Vec<Stay>), path: &[&str]| {
        if path == ["HISTORY_RECORDS", "HISTORY"] && stays.len() < PARTS {
            stays.push(Stay::default());
        }
    };
    gather(text, "VM_POOL", "VM", open, |(id, stays), path, text| match path {
        ["ID"] => *id = number(text),
        ["HISTORY_RECORDS", "HISTORY", field] => {
            if let Some(stay) = stays.last_mut() {
                stay_field(stay, field, text);
            }
        }
        _ => {}
    })
}

fn stay_field(stay: &mut Stay, field: &str, text: &str) {
    match field {
        "SEQ" => stay.sequence = number(text),
        "HOSTNAME" => stay.host = clipped(text, NAME),
        "STIME" => stay.stay.0 = number(text),
        "ETIME" => stay.stay.1 = number(text),
        "PSTIME" => stay.prolog.0 = number(text),
        "PETIME" => stay.prolog.1 = number(text),
        "RSTIME" => stay.running.0 = number(text),
        "RETIME" => stay.running.1 = number(text),
        "ESTIME" => stay.epilog.0 = number(text),
        "EETIME" => stay.epilog.1 = number(text),
        "ACTION" => stay.action = number(text),
        _ => {}
    }
}

/// `one.hostpool.info`.
pub fn read_hosts(text: &str) -> Result<Vec<Host>, ScanError> {
    let open = |host: &mut Host, path: &[&str]| {
        if path == ["HOST_SHARE", "DATASTORES", "DS"] && host.stores.len() < PARTS {
            host.stores.push(StoreSpace::default());
        }
    };
    gather(text, "HOST_POOL", "HOST", open, |h: &mut Host, path, text| match path {
        ["ID"] => h.id = number(text),
        ["NAME"] => h.name = clipped(text, NAME),
        ["STATE"] => h.state = number(text),
        ["CLUSTER"] => h.cluster = clipped(text, NAME),
        ["VM_MAD"] => h.hypervisor = clipped(text, NAME),
        ["HOST_SHARE", "MAX_CPU"] => h.cpu_max = number(text),
        ["HOST_SHARE", "CPU_USAGE"] => h.cpu_given = number(text),
        ["HOST_SHARE", "MAX_MEM"] => h.memory_max_kib = number(text),
        ["HOST_SHARE", "MEM_USAGE"] => h.memory_given_kib = number(text),
        ["HOST_SHARE", "RUNNING_VMS"] => h.running = number(text),
        ["HOST_SHARE", "DATASTORES", "DS", field] => {
            if let Some(store) = h.stores.last_mut() {
                match *field {
                    "ID" => store.datastore = number(text),
                    "TOTAL_MB" => store.total_mib = number(text),
                    "FREE_MB" => store.free_mib = number(text),
                    _ => {}
                }
            }
        }
        ["VMS", "ID"] if h.machines.len() < PARTS => h.machines.push(number(text)),
        ["TEMPLATE", "ERROR"] => h.error = clipped(text, ERROR),
        ["TEMPLATE", "VERSION"] => h.version = clipped(text, 64),
        ["MONITORING", "TIMESTAMP"] => h.load.get_or_insert_default().at = number(text),
        ["MONITORING", "CAPACITY", "USED_CPU"] => {
            h.load.get_or_insert_default().cpu_used = number(text);
        }
        ["MONITORING", "CAPACITY", "USED_MEMORY"] => {
            h.load.get_or_insert_default().memory_used_kib = number(text);
        }
        _ => {}
    })
    .map(|mut hosts| {
        // A host that has not measured anything yet has an empty element.
        for host in &mut hosts {
            host.load = host.load.filter(|load: &HostLoad| load.at > 0);
        }
        hosts
    })
}

/// `one.vnpool.info`.
pub fn read_networks(text: &str) -> Result<Vec<Network>, ScanError> {
    let open = |network: &mut Network, path: &[&str]| match path {
        ["AR_POOL", "AR"] if network.ranges.len() < PARTS => network.ranges.push(Range::default()),
        ["AR_POOL", "AR", "LEASES", "LEASE"] => {
            if let Some(range) = network.ranges.last_mut().filter(|r| r.leases.len() < PARTS) {
                range.leases.push(Lease { machine: -1, ..Lease::default() });
            }
        }
        _ => {}
    };
    gather(text, "VNET_POOL", "VNET", open, |n: &mut Network, path, text| match path {
        ["ID"] => n.id = number(text),
        ["NAME"] => n.name = clipped(text, NAME),
        ["STATE"] => n.state = number(text),
        ["BRIDGE"] => n.bridge = clipped(text, 64),
        ["TEMPLATE", "ERROR"] => n.error = clipped(text, ERROR),
        ["AR_POOL", "AR", fields @ ..] => {
            if let Some(range) = n.ranges.last_mut() {
                range_field(range, fields, text);
            }
        }
        _ => {}
    })
    .map(|mut networks| {
        networks.iter_mut().flat_map(|network| &mut network.ranges).for_each(completed);
        networks
    })
}

fn range_field(range: &mut Range, path: &[&str], text: &str) {
    match path {
        ["IP"] => range.first = clipped(text, 64),
        ["IP6" | "MAC"] if range.first.is_empty() => range.first = clipped(text, 64),
        ["SIZE"] => range.size = number(text),
        ["USED_LEASES"] => range.used = number(text),
        ["ALLOCATED"] => allocated(range, text),
        ["LEASES", "LEASE", field] => {
            if let Some(lease) = range.leases.last_mut() {
                match *field {
                    "IP" => lease.address = clipped(text, 64),
                    "MAC" if lease.address.is_empty() => lease.address = clipped(text, 64),
                    "VM" => lease.machine = text.trim().parse().unwrap_or(-1),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// How a pool tells leases: pairs of an address's place in the range and who has it. The kind of
/// the latter is in the bits above its identifier; 0x10_0000_0000 is a machine.
fn allocated(range: &mut Range, text: &str) {
    let mut numbers = text.split_whitespace().map(number::<u64>);
    while let (Some(place), Some(holder)) = (numbers.next(), numbers.next()) {
        if range.leases.len() >= PARTS {
            return;
        }
        let is_machine = holder >> 32 == 0x10;
        let id = i32::try_from(holder & 0xffff_ffff).ok().filter(|_| is_machine);
        // The first address comes later in the text: for now its place stands for the address.
        let address = format!("+{place}");
        range.leases.push(Lease { address, machine: id.unwrap_or(-1) });
    }
}

/// Places become addresses, and what nobody counted is counted.
fn completed(range: &mut Range) {
    let first = range.first.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    for lease in &mut range.leases {
        let Some(place) = lease.address.strip_prefix('+') else { continue };
        let address = first.and_then(|first| first.checked_add(number(place)));
        if let Some(address) = address {
            lease.address = std::net::Ipv4Addr::from(address).to_string();
        }
    }
    range.used = range.used.max(range.leases.len() as u64);
}

/// `one.datastorepool.info`.
pub fn read_datastores(text: &str) -> Result<Vec<Datastore>, ScanError> {
    gather(
        text,
        "DATASTORE_POOL",
        "DATASTORE",
        |_, _| {},
        |d: &mut Datastore, path, text| match path {
            ["ID"] => d.id = number(text),
            ["NAME"] => d.name = clipped(text, NAME),
            ["TYPE"] => d.kind = number(text),
            ["TOTAL_MB"] => d.total_mib = number(text),
            ["USED_MB"] => d.used_mib = number(text),
            ["FREE_MB"] => d.free_mib = number(text),
            ["IMAGES", "ID"] => d.images += 1,
            _ => {}
        },
    )
}

/// `one.imagepool.info`.
pub fn read_images(text: &str) -> Result<Vec<Image>, ScanError> {
    gather(
        text,
        "IMAGE_POOL",
        "IMAGE",
        |_, _| {},
        |i: &mut Image, path, text| match path {
            ["ID"] => i.id = number(text),
            ["NAME"] => i.name = clipped(text, NAME),
            ["UNAME"] => i.user = clipped(text, NAME),
            ["STATE"] => i.state = number(text),
            ["SIZE"] => i.size_mib = number(text),
            ["DATASTORE"] => i.datastore = clipped(text, NAME),
            ["RUNNING_VMS"] => i.running = number(text),
            ["TEMPLATE", "ERROR"] => i.error = clipped(text, ERROR),
            _ => {}
        },
    )
}

/// `one.userpool.info`.
pub fn read_users(text: &str) -> Result<Vec<User>, ScanError> {
    gather(
        text,
        "USER_POOL",
        "USER",
        |_, _| {},
        |u: &mut User, path, text| match path {
            ["ID"] => u.id = number(text),
            ["NAME"] => u.name = clipped(text, NAME),
            ["GNAME"] => u.group = clipped(text, NAME),
            ["AUTH_DRIVER"] => u.driver = clipped(text, 64),
            ["ENABLED"] => u.enabled = text.trim() == "1",
            _ => {}
        },
    )
}

fn gather<T: Default>(
    text: &str,
    root: &str,
    object: &str,
    mut open: impl FnMut(&mut T, &[&str]),
    mut leaf: impl FnMut(&mut T, &[&str], &str),
) -> Result<Vec<T>, ScanError> {
    let mut all = Vec::new();
    let mut current = T::default();
    pool(text, root, object, |visit| match visit {
        Visit::Begin => current = T::default(),
        Visit::Open(path) => open(&mut current, path),
        Visit::Leaf(path, text) => leaf(&mut current, path, &text),
        Visit::End => all.push(std::mem::take(&mut current)),
    })?;
    Ok(all)
}

fn number<T: FromStr + Default>(text: &str) -> T {
    text.trim().parse().unwrap_or_default()
}

/// A number that may have a fraction; "nan" and "inf", which a float's reader takes, are none.
fn measure(text: &str) -> f32 {
    Some(number::<f32>(text)).filter(|n| n.is_finite() && *n >= 0.0).unwrap_or_default()
}

/// Text without control characters and of a bounded length, cut between characters.
fn clipped(text: &str, limit: usize) -> String {
    // Nearly all texts are short and plain.
    if text.len() <= limit && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    let plain = text.chars().filter(|c| !c.is_control());
    let mut kept = String::with_capacity(text.len().min(limit));
    for character in plain {
        if kept.len() + character.len_utf8() > limit {
            break;
        }
        kept.push(character);
    }
    kept
}
