//! The hypervisor: who runs machines, and what confines them.

use crate::metadata::opennebula;
use crate::step::{Action, File, OurShare, Step};
use crate::view::View;
use crate::wanted::{Wanted, block, packages_id, whole};
use stratus_site::Hypervisor;

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    match view.node.map(|n| n.hypervisor) {
        Some(Hypervisor::Kvm | Hypervisor::Qemu) => libvirt(view),
        Some(Hypervisor::Lxc) | None => Vec::new(),
    }
}

fn libvirt(view: &View) -> Vec<Wanted> {
    let mut steps = vec![qemu(view)];
    steps.extend(confinement(view));
    let qemu = view.system.family.files.qemu.as_str();
    for unit in &view.system.family.units.libvirt {
        // A socket starts its service anew by itself, and is not started again under a running one.
        let inputs: &[&str] = if unit.ends_with(".service") { &[qemu] } else { &[] };
        let reason = "OpenNebula runs machines through libvirt";
        steps.push(Wanted::runs(unit, inputs, reason).needs(packages_id("node")));
    }
    let reason = "libvirt's own network would give addresses that are not the site's";
    let remove = Wanted::action(Action::RemoveLibvirtNetwork, &[], reason);
    steps.push(remove.needs(packages_id("node")));
    steps
}

fn qemu(view: &View) -> Wanted {
    let user = &opennebula().user;
    let content =
        format!("user = \"{}\"\ngroup = \"{}\"\ndynamic_ownership = 0\n", user.name, user.group);
    let file = whole(&view.system.family.files.qemu, 0o600, content);
    let file = File { share: OurShare::OnedKeys, ..file };
    let reason = "machines run as oneadmin, and images keep their owner";
    Wanted::new(Step::File(file), reason).needs(packages_id("node"))
}

/// Lets machines read images in the datastores where AppArmor or SELinux rules.
fn confinement(view: &View) -> Vec<Wanted> {
    let family = view.system.family;
    let mut steps = Vec::new();
    if let (Some(path), Some(line)) = (&family.files.apparmor, &family.lines.apparmor) {
        let file = block(path, "datastores", format!("{line}\n"));
        let reason = "AppArmor lets machines use the datastores";
        steps.push(Wanted::new(Step::File(file), reason));
    }
    if let (Some(path), Some(line)) = (&family.files.selinux, &family.lines.selinux) {
        let file = block(path, "datastores", format!("{line}\n"));
        let reason = "SELinux lets machines use the datastores";
        steps.push(Wanted::new(Step::File(file), reason));
        let reason = "files that are there already get the new label";
        steps.push(Wanted::action(Action::RestoreLabels, &[path], reason));
    }
    steps
}
