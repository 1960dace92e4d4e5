//! Packages, one step for each purpose, so that each has its reason.

use crate::plan::Role;
use crate::view::View;
use crate::wanted::Wanted;
use stratus_site::{Database, Hypervisor};

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let mut steps = Vec::new();
    if view.is(Role::Frontend) {
        steps.extend(frontend(view));
    }
    if let Some(node) = view.node {
        steps.extend(hypervisor(view, node.hypervisor));
    }
    if view.mounts() {
        let names = &view.system.family.packages.nfs_client;
        steps.push(Wanted::packages(
            "nfs-client",
            names,
            "share = \"nfs\": datastores are mounted",
        ));
    }
    steps.retain(|w| !is_empty(w));
    steps
}

fn is_empty(wanted: &Wanted) -> bool {
    matches!(&wanted.step, crate::step::Step::Packages { names } if names.is_empty())
}

fn frontend(view: &View) -> Vec<Wanted> {
    let names = &view.system.family.packages;
    let site = view.site;
    let mut steps = vec![
        Wanted::packages("frontend", &names.frontend, "the front-end runs OpenNebula's daemon"),
        Wanted::packages("gate", &names.gate, "machines tell OpenNebula that they are ready"),
    ];
    if site.frontend.web {
        let reason = "frontend.web: people use OpenNebula in a browser";
        steps.push(Wanted::packages("web", &names.web, reason));
    }
    if view.exports() {
        let reason = "share = \"nfs\": the front-end exports the datastores";
        steps.push(Wanted::packages("nfs-server", &names.nfs_server, reason));
    }
    if site.frontend.database == Database::Mariadb {
        let reason = "frontend.database = \"mariadb\"";
        steps.push(Wanted::packages("mariadb", &names.mariadb, reason));
    }
    if site.identity.is_some() {
        let reason = "[identity]: people are in a directory";
        steps.push(Wanted::packages("ldap", &names.ldap, reason));
    }
    steps
}

fn hypervisor(view: &View, hypervisor: Hypervisor) -> Vec<Wanted> {
    let names = &view.system.family.packages;
    let (driver, reason) = match hypervisor {
        Hypervisor::Kvm => (&names.kvm, "the node runs machines with KVM"),
        Hypervisor::Qemu => (&names.kvm, "the node runs machines with qemu"),
        Hypervisor::Lxc => (&names.lxc, "the node runs containers"),
    };
    vec![
        Wanted::packages("node", driver, reason),
        Wanted::packages("bridge", &names.bridge, "machines are attached to a bridge"),
    ]
}
