//! The share: the front-end's datastores on the nodes.
//!
//! Nodes mount on demand (`.automount`), not at boot. A node that starts before the front-end is
//! not held up and needs nobody to mount by hand later; and the path never is the node's own disk
//! in the meantime, where a machine's image would be written to the wrong place. The mount is
//! `hard`: machines wait while the front-end restarts, where `soft` would give them write errors.
//!
//! `root_squash` is right: images belong to oneadmin, and libvirt leaves their owner alone.

use crate::metadata::opennebula;
use crate::plan::Role;
use crate::stages::accounts::oneadmin;
use crate::step::{Action, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use ipnet::Ipv4Subnets;
use stratus_site::{Hypervisor, Site};

const EXPORTS: &str = "/etc/exports.d/stratus.exports";
const UNITS: &str = "/etc/systemd/system";
/// Names of the units that mount the datastores: the mount, and what mounts it when it is used.
pub(crate) const MOUNT_UNITS: (&str, &str) =
    ("var-lib-one-datastores.mount", "var-lib-one-datastores.automount");

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let mut steps = Vec::new();
    if view.is(Role::Frontend) && view.exports() {
        steps.extend(export(view));
    }
    if view.mounts() {
        steps.extend(mount(view));
        steps.extend(boolean(view));
    }
    steps
}

fn export(view: &View) -> Vec<Wanted> {
    let datastores = &opennebula().files.datastores;
    let line =
        |client: String| format!("{datastores} {client}(rw,sync,no_subtree_check,root_squash)\n");
    let clients = view.nfs_nodes().map(|n| n.address.map_or(n.host.to_string(), |a| a.to_string()));
    let exports: String = clients.chain(burst_clients(view.site)).map(line).collect();
    let directory = Step::Directory { path: datastores.clone(), access: oneadmin(0o750) };
    let unit = &view.system.family.units.nfs_server;
    vec![
        Wanted::new(directory, "images and machines' disks are kept here")
            .needs(packages_id("frontend")),
        Wanted::new(
            Step::File(whole(EXPORTS, 0o644, exports)),
            "the nodes, and nobody else, mount the datastores",
        ),
        Wanted::runs(unit, &[], "the datastores are exported by NFS")
            .needs(packages_id("nfs-server")),
        Wanted::action(Action::ExportShares, &[EXPORTS], "the server exports what the file says")
            .needs(packages_id("nfs-server")),
    ]
}

/// Burst nodes that are hosts: their addresses, or where one has none of its own all that there are
/// for burst nodes.
fn burst_clients(site: &Site) -> Vec<String> {
    let Some(vpn) = site.vpn.as_ref().filter(|_| crate::burst::mounts(site)) else {
        return Vec::new();
    };
    let stated: Option<Vec<_>> = vpn.registered().map(|node| node.address).collect();
    match stated {
        Some(addresses) => addresses.iter().map(ToString::to_string).collect(),
        None => {
            let nets = Ipv4Subnets::new(vpn.range.first, vpn.range.last(), 0);
            nets.map(|net| net.to_string()).collect()
        }
    }
}

/// The units that mount the datastores from the front-end: the mount, and what mounts it when it is
/// used.
pub(crate) fn mount_units(from: &str) -> (String, String) {
    let path = &opennebula().files.datastores;
    let mount = format!(
        "[Unit]\nDescription=Datastores of {from}\nWants=network-online.target\n\
         After=network-online.target\n\n[Mount]\nWhat={from}:{path}\nWhere={path}\nType=nfs\n\
         Options=rw,hard,nfsvers=4.2,_netdev\nTimeoutSec=30\n"
    );
    let automount = format!(
        "[Unit]\nDescription=Datastores of {from}, mounted when used\n\n\
         [Automount]\nWhere={path}\n\n[Install]\nWantedBy=remote-fs.target\n"
    );
    (mount, automount)
}

fn mount(view: &View) -> Vec<Wanted> {
    let (mount, automount) = mount_units(&view.frontend_address());
    let (mount_name, automount_name) = MOUNT_UNITS;
    let (mount_path, automount_path) =
        (format!("{UNITS}/{mount_name}"), format!("{UNITS}/{automount_name}"));
    let inputs = [&*mount_path, &*automount_path];
    vec![
        Wanted::new(
            Step::File(whole(&mount_path, 0o644, mount)),
            "share = \"nfs\": images are the same on every node",
        ),
        Wanted::new(
            Step::File(whole(&automount_path, 0o644, automount)),
            "a front-end that is away must not hold the node up at its start",
        ),
        Wanted::runs(automount_name, &inputs, "the datastores are there whenever they are used")
            .needs(format!("file:{automount_path}"))
            .after(&view.site.frontend.host, "action:export-shares"),
    ]
}

/// Labels say nothing on what is mounted by NFS: a boolean of SELinux lets machines use it, or not.
fn boolean(view: &View) -> Option<Wanted> {
    let ruled = view.told.selinux.is_some() && view.system.family.lines.selinux.is_some();
    let libvirt = view.node.is_some_and(|node| node.hypervisor != Hypervisor::Lxc);
    let reason =
        "SELinux is enforcing: machines may use images on the share with virt_use_nfs only";
    let step = || Wanted::action(Action::AllowNfsMachines, &[], reason);
    (ruled && libvirt).then(|| step().needs(packages_id("node")))
}
