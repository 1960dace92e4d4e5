//! General keys, the front-end and the nodes.

use super::work::Work;
use crate::values::{Domain, HostName, InterfaceName, MacPrefix};
use std::net::Ipv4Addr;

pub(super) fn general(work: &mut Work) {
    let domain =
        |text: &str| text.parse::<Domain>().map(|d| d.to_string()).map_err(|e| e.to_string());
    let name = work.value("domain_name").and_then(|d| d.parse::<HostName>().ok());
    let name = name.map_or_else(|| "stratuslab".to_owned(), |domain| domain.short().to_owned());
    work.put(&["site", "name"], name);
    work.copy("domain_name", "site", "domain", domain);
    let mail = |text: &str| {
        let good = text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
        if good && !text.contains(char::is_whitespace) && text.matches('@').count() == 1 {
            Ok(text.to_owned())
        } else {
            Err("it is no mail address".to_owned())
        }
    };
    work.copy("registration_admin_email", "site", "admin_email", mail);
}

/// Said where a name stands in the new file that the old one does not give.
const NO_FRONTEND: &str = "The old file does not say which host the front-end is. `localhost` in [frontend] only stands for it: write its name and address before anything is installed.";

pub(super) fn frontend(work: &mut Work) {
    match work.value("frontend_ip").map(|text| text.parse::<Ipv4Addr>()) {
        Some(Ok(ip)) if !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() => {
            work.put(&["frontend", "host"], ip.to_string());
            work.put(&["frontend", "address"], ip.to_string());
            let why = "the old file had no name for it; write one";
            work.became_but("frontend_ip", "frontend.host, frontend.address", why);
        }
        Some(Ok(_)) => {
            work.put(&["frontend", "host"], "localhost");
            work.note(NO_FRONTEND);
            let why = "the nodes cannot reach that; write the front-end's name and address";
            work.became_but("frontend_ip", "frontend.host", why);
        }
        other => {
            if other.is_some() {
                work.leave("frontend_ip", "it is no IPv4 address");
            }
            work.put(&["frontend", "host"], "localhost");
            work.note(NO_FRONTEND);
        }
    }
    work.copy("mac_prefix", "frontend", "mac_prefix", |text| {
        text.parse::<MacPrefix>().map(|p| p.to_string()).map_err(|e| e.to_string())
    });
    work.copy("debug_level", "frontend", "debug_level", |text| whole(text, 0, 5));
    work.copy("one_port", "frontend", "port", |text| whole(text, 1, 65_535));
    work.copy("host_monitoring_interval", "frontend", "monitoring_interval", |text| {
        whole(text, 5, 86_400).map(|seconds| format!("{seconds} s"))
    });
    if let Some(web) = work.switch("sunstone") {
        work.put(&["frontend", "web"], web);
        work.became("sunstone", "frontend.web");
    }
    database(work);
}

/// MySQL on the front-end is MariaDB now; one elsewhere has no successor.
fn database(work: &mut Work) {
    match work.value("one_db_host").as_deref() {
        Some("localhost" | "127.0.0.1") => {
            work.put(&["frontend", "database"], "mariadb");
            work.became("one_db_host", "frontend.database");
        }
        Some(_) => work.leave("one_db_host", "the database is on the front-end"),
        None => {}
    }
}

pub(super) fn nodes(work: &mut Work) {
    for key in ["hypervisor", "virt_manager"] {
        work.copy(key, "nodes", "hypervisor", |text| match text.to_lowercase().as_str() {
            "kvm" => Ok("kvm"),
            "xen" => Err("Xen is not supported; nodes get KVM".to_owned()),
            _ => Err("no such hypervisor".to_owned()),
        });
    }
    work.copy("share_type", "nodes", "share", |text| match text.to_lowercase().as_str() {
        "nfs" => Ok("nfs"),
        "ssh" => Ok("ssh"),
        _ => Err("images get to nodes by `ssh` or `nfs`".to_owned()),
    });
    let interface = |text: &str| {
        text.parse::<InterfaceName>().map(|i| i.to_string()).map_err(|e| e.to_string())
    };
    work.copy("node_bridge_name", "nodes", "bridge", interface);
    work.copy("node_network_interface", "nodes", "interface", interface);
    if let Some(configure) = work.switch("node_bridge_configure") {
        work.put(&["nodes", "configure_bridge"], configure);
        work.became("node_bridge_configure", "nodes.configure_bridge");
    }
    work.copy("node_ssh_port", "ssh", "port", |text| whole(text, 1, 65_535));
    work.copy("node_private_key", "ssh", "key", |text| Ok::<_, String>(text.to_owned()));
}

/// A whole number within limits.
fn whole(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("it is no number from {least} to {most}"))
}
