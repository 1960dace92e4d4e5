//! The user of OpenNebula and who may log in as it.
//!
//! Every host makes its own keys and no private key ever leaves one. The front-end's public key is
//! what nodes let in; the nodes' host keys are what the front-end expects.

use crate::facts::PathFacts;
use crate::metadata::opennebula;
use crate::plan::Role;
use crate::step::{Access, File, OurShare, Piece, Step, User};
use crate::view::{View, known};
use crate::wanted::{Wanted, block, packages_id};
use stratus_site::{HostName, Hypervisor};

/// The host key that others learn.
pub(crate) const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key.pub";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) && !view.is(Role::Node) {
        return Vec::new();
    }
    let mut steps = vec![user(view), directory(view), key(view), authorized_keys(view)];
    if view.is(Role::Frontend) {
        steps.push(known_hosts(view));
    }
    steps
}

/// The packages that make the user.
fn makers(view: &View) -> String {
    packages_id(if view.is(Role::Frontend) { "frontend" } else { "node" })
}

pub(crate) fn oneadmin(mode: u32) -> Access {
    let user = &opennebula().user;
    Access { owner: user.name.clone(), group: user.group.clone(), mode }
}

fn key_path() -> String {
    format!("{}/id_ed25519", opennebula().files.ssh)
}

fn user(view: &View) -> Wanted {
    let user = &opennebula().user;
    let machines = view.node.is_some_and(|n| n.hypervisor != Hypervisor::Lxc);
    let groups = if machines { view.system.family.users.qemu_groups.as_slice() } else { &[] };
    let user = User {
        name: user.name.clone(),
        uid: Some(user.number),
        group: user.group.clone(),
        home: user.home.clone(),
        shell: user.shell.clone(),
        groups: groups.iter().cloned().collect(),
    };
    let reason = "OpenNebula works as this user, with the same number on every host";
    Wanted::new(Step::User(user), reason).needs(makers(view))
}

fn directory(view: &View) -> Wanted {
    let step = Step::Directory { path: opennebula().files.ssh.clone(), access: oneadmin(0o700) };
    Wanted::new(step, "keys are for their user only").needs(makers(view))
}

fn key(view: &View) -> Wanted {
    let step = Step::SshKey { user: opennebula().user.name.clone(), path: key_path() };
    let reason = "each host has its own keys; a private key never leaves its host";
    Wanted::new(step, reason).needs(makers(view))
}

fn authorized_keys(view: &View) -> Wanted {
    let frontend = &view.site.frontend.host;
    let path = format!("{}.pub", key_path());
    let content = vec![Piece::From { host: frontend.clone(), path }, Piece::Text("\n".into())];
    let reason = "the front-end's driver logs in here to start machines and copy images";
    let step = Step::File(owned_block("authorized_keys", "frontend", content));
    let wanted = Wanted::new(step, reason).needs(makers(view));
    if view.host == frontend {
        wanted
    } else {
        wanted.after(frontend, format!("ssh-key:{}", key_path()))
    }
}

fn owned_block(name: &str, mark: &str, content: Vec<Piece>) -> File {
    let path = format!("{}/{name}", opennebula().files.ssh);
    let share = OurShare::Block { name: mark.into(), comment: "#".into() };
    File { content, share, access: oneadmin(0o600), ..block(&path, mark, "") }
}

fn known_hosts(view: &View) -> Wanted {
    let mut content = Vec::new();
    let nodes = view.site.nodes.iter().filter(|n| n.host != view.site.frontend.host);
    let nodes = nodes.map(|n| (&n.host, n.address));
    let frontend = [(&view.site.frontend.host, view.site.frontend.address)];
    let current = known(view.facts, view.host)
        .and_then(|f| f.paths.get(&format!("{}/known_hosts", opennebula().files.ssh)));
    for (host, address) in frontend.into_iter().chain(nodes) {
        let names = address.map_or_else(|| host.to_string(), |a| format!("{host},{a}"));
        content.extend(host_key(view, host, &names, current));
    }
    let step = Step::File(owned_block("known_hosts", "nodes", content));
    let reason = "the front-end logs in on nodes with exactly these keys";
    Wanted::new(step, reason).needs(makers(view))
}

/// The line of a host. One that does not answer keeps the line it has: its key is not known to
/// have changed.
fn host_key(view: &View, host: &HostName, names: &str, current: Option<&PathFacts>) -> Vec<Piece> {
    if view.inputs.is_none() || known(view.facts, host).is_some() {
        let key = Piece::From { host: host.clone(), path: HOST_KEY.into() };
        return vec![Piece::Text(format!("{names} ")), key, Piece::Text("\n".into())];
    }
    let lines = current.and_then(|c| c.content.as_deref()).unwrap_or_default().lines();
    let mut of_host = lines.filter(|line| line.split(' ').next() == Some(names));
    of_host.next_back().map(|line| Piece::Text(format!("{line}\n"))).into_iter().collect()
}
