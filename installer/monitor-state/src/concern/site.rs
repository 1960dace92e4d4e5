//! The rest of a site: reading it, storage, networks, its own services, the VPN,
//! accounting.

use super::{Found, Kind, Severity, full, short};
use crate::fold::{Health, State};
use crate::why::general;
use stratus_opennebula::{ImageState, NetworkState};

/// Days before its end that a certificate is named, and is urgent.
const CERTIFICATE_DAYS: (i64, i64) = (30, 7);
/// A report of the VPN older than this many seconds tells of another day.
const REPORT: i64 = 600;
/// The ledger is fed each hour; after so many seconds that was missed more than once.
const FED: i64 = 3 * 3600;

const READING: Kind =
    Kind { name: "reading", many: "things are wrong with reading", link: "/events" };
const STORAGE: Kind =
    Kind { name: "storage", many: "datastores, images or disks need attention", link: "/images" };
const NETWORKS: Kind =
    Kind { name: "networks", many: "networks need attention", link: "/networks" };
const SERVICES: Kind =
    Kind { name: "services", many: "services or certificates need attention", link: "/images" };
const USAGE: Kind =
    Kind { name: "usage", many: "things about accounting need attention", link: "/usage" };
const VPN: Kind = Kind { name: "vpn", many: "things about the VPN need attention", link: "/burst" };

pub(super) fn collector(state: &State, found: &mut Found) {
    if let Health::Away { since, fault } = &state.health {
        let what = format!("OpenNebula does not answer, so all below is old: {fault}.");
        let cure =
            "On the front-end look at `systemctl status opennebula` and /var/log/one/oned.log.";
        found.add(READING, "oned", Severity::Bad, what, cure, "/events").since = *since;
    }
    for doubt in &state.doubts {
        let what = format!("{doubt}.");
        let cure =
            "If it lasts, see whether the monitor's OpenNebula user may still see everything.";
        found.add(READING, format!("doubt {doubt}"), Severity::Warn, what, cure, "/events");
    }
    if let Some(fault) = &state.history_fault {
        let what = format!("History is not being kept: {fault}.");
        let cure = "Free space on the monitor's data directory; what is shown now is not affected.";
        found.add(READING, "history", Severity::Warn, what, cure, "/images");
    }
}

pub(super) fn storage(state: &State, found: &mut Found) {
    for store in state.datastores.iter() {
        if let Some((severity, percent)) = full(store.total_mib, store.free_mib) {
            let what = format!("Datastore {} is {percent} % full.", short(&store.name));
            let cure = "Delete images that nobody uses, or give it more space.";
            found.add(STORAGE, format!("datastore {}", store.id), severity, what, cure, "/images");
        }
    }
    let broken: Vec<_> = state
        .images
        .iter()
        .filter(|image| ImageState::from(image.state) == ImageState::Error)
        .collect();
    if let Some(first) = broken.first() {
        let told =
            if first.error.is_empty() { String::new() } else { format!(": {}", first.error) };
        let what = match broken.len() {
            1 => format!("Image {} could not be made{told}.", short(&first.name)),
            many => {
                format!("{many} images could not be made, such as {}{told}.", short(&first.name))
            }
        };
        let cure = "Mend what it says and register them again; delete the failed ones.";
        found.add(STORAGE, "images", Severity::Warn, what, cure, "/images").count = broken.len();
    }
}

pub(super) fn networks(state: &State, found: &mut Found) {
    for network in state.networks.iter() {
        let link = format!("/networks/{}", network.id);
        let name = short(&network.name);
        if NetworkState::from(network.state) == NetworkState::Error {
            let told =
                if network.error.is_empty() { "oned gave no reason" } else { &network.error };
            let what = format!("Network {name} could not be made: {told}.");
            let cure = "Delete it and make it again with a right template.";
            found.add(
                NETWORKS,
                format!("network {}", network.id),
                Severity::Warn,
                what,
                cure,
                link,
            );
            continue;
        }
        let size: u64 = network.ranges.iter().map(|r| r.size).fold(0, u64::saturating_add);
        let used: u64 = network.ranges.iter().map(|r| r.used).fold(0, u64::saturating_add);
        let free = size.saturating_sub(used);
        // Fixed networks of a few addresses are meant to be full.
        if size < 8 || free * 20 > size {
            continue;
        }
        let severity = if free == 0 { Severity::Bad } else { Severity::Warn };
        let what = format!("Network {name} has {free} of {size} addresses left.");
        let cure = "Add an address range, or end machines that hold addresses.";
        found.add(NETWORKS, format!("network {}", network.id), severity, what, cure, link);
    }
}

pub(super) fn services(state: &State, found: &mut Found) {
    for service in state.services.iter() {
        if let Some(fault) = &service.fault {
            let what = format!("The {} at {} does not answer: {fault}.", service.name, service.url);
            let cure = "Look at its unit with `systemctl status` on its host.";
            found.add(
                SERVICES,
                format!("service {}", service.name),
                Severity::Bad,
                what,
                cure,
                "/images",
            );
        }
    }
    for certificate in state.certificates.iter() {
        certificate_end(certificate, found);
    }
    for disk in state.disks.iter() {
        let cause = format!("disk {}", disk.path);
        if let Some((severity, percent)) = full(disk.total, disk.free) {
            let what = format!("{} on the monitor's host is {percent} % full.", disk.path);
            found.add(STORAGE, cause, severity, what, "Free space there.", "/images");
        } else if let Some(fault) = &disk.fault {
            let what = format!("{} on the monitor's host cannot be looked at: {fault}.", disk.path);
            found.add(
                STORAGE,
                cause,
                Severity::Warn,
                what,
                "See that it is there; `data` and `disks` in [monitor] name such places, and the service makes `data` when it first starts.",
                "/images",
            );
        }
    }
}

fn certificate_end(certificate: &crate::records::Certificate, found: &mut Found) {
    let cause = format!("certificate {}", certificate.place);
    if let Some(fault) = &certificate.fault {
        let what = format!("The certificate {} cannot be read: {fault}.", certificate.place);
        let cure = "Correct `certificates` in [monitor], or the file's rights.";
        found.add(SERVICES, cause, Severity::Warn, what, cure, "/images");
        return;
    }
    let days = (certificate.ends - found.now).div_euclid(86_400);
    let (warn, bad) = CERTIFICATE_DAYS;
    if days >= warn {
        return;
    }
    let severity = if days < bad { Severity::Bad } else { Severity::Warn };
    let what = if certificate.ends <= found.now {
        format!("The certificate {} of {} has expired.", certificate.place, certificate.subject)
    } else {
        let place = &certificate.place;
        format!("The certificate {place} of {} ends in {days} days.", certificate.subject)
    };
    found.add(
        SERVICES,
        cause,
        severity,
        what,
        "Renew it; the services take the new file by themselves.",
        "/images",
    );
}

/// What the overlay says needs attention, and whether its report is of today.
pub(super) fn vpn(state: &State, found: &mut Found) {
    let Some(vpn) = &state.vpn else { return };
    let cure = "See `stratus-vpn status` on the VPN's host, and stratus-vpn-status.timer.";
    if let Some(fault) = &vpn.fault {
        let what = format!("The VPN's report cannot be read: {fault}.");
        found.add(VPN, "vpn report", Severity::Warn, what, cure, "/burst");
        return;
    }
    let age = found.now - vpn.at;
    if state.clock_is_steady && age > REPORT {
        let what = format!("The VPN's report is {} minutes old.", age / 60);
        found.add(VPN, "vpn report", Severity::Warn, what, cure, "/burst").since = vpn.at;
    }
    for told in &vpn.attention {
        // Without a server nobody is connected; the rest is about what ends some day.
        let severity = if vpn.running { Severity::Warn } else { Severity::Bad };
        let what = format!("VPN: {told}.");
        let cure = "`stratus-vpn status` on the VPN's host says more.";
        // Days that are left are counted down, and it stays the same cause.
        found.add(VPN, format!("vpn {}", general(told)), severity, what, cure, "/burst");
    }
}

/// Whether the ledger is fed: each hour, as its timer has it.
pub(super) fn usage(state: &State, found: &mut Found) {
    let cure = "See `systemctl status stratus-accounting.service stratus-accounting.timer`.";
    if let Some(fault) = &state.usage_fault {
        let what = format!("The report of usage cannot be read: {fault}.");
        found.add(USAGE, "usage", Severity::Warn, what, cure, "/usage");
        return;
    }
    let Some(usage) = &state.usage else { return };
    let age = found.now - usage.fed_at;
    if state.clock_is_steady && age > FED {
        let what = format!("Usage was last recorded {} hours ago.", age / 3600);
        found.add(USAGE, "usage", Severity::Warn, what, cure, "/usage").since = usage.fed_at;
    }
}
