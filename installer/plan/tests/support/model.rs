//! A model of a world that carries plans out: what the facts are afterwards.

use std::collections::BTreeMap;
use stratus_plan::content::{self, inputs_digest, merged, seen_name, sha256};
use stratus_plan::facts::*;
use stratus_plan::plan::{Plan, State};
use stratus_plan::step::*;
use stratus_site::HostName;

/// Carries out every step that is not done, the front-end's keys before the nodes' use of them.
pub(crate) fn apply_to_facts(plan: &Plan, facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    // What crosses hosts is read from files that the first round makes; the second one reads them.
    for _ in 0..2 {
        for host in &plan.hosts {
            for planned in host.steps.iter().flatten() {
                if !matches!(planned.state, State::Done(_)) {
                    carry_out(&mut facts, &host.host, &planned.step);
                }
            }
        }
    }
    facts
}

fn told<'a>(facts: &'a mut Facts, host: &HostName) -> &'a mut HostFacts {
    match facts.hosts.get_mut(host).unwrap() {
        HostReport::Known(told) => told,
        HostReport::Unreachable(why) => panic!("{why:?}"),
    }
}

fn path_of<'a>(facts: &'a Facts, host: &HostName, path: &str) -> Option<&'a PathFacts> {
    match facts.hosts.get(host)? {
        HostReport::Known(told) => told.paths.get(path),
        HostReport::Unreachable(_) => None,
    }
}

fn digest(facts: &Facts, host: &HostName, path: &str) -> Option<String> {
    path_of(facts, host, path)?.sha256.clone()
}

fn carry_out(facts: &mut Facts, host: &HostName, step: &Step) {
    match step {
        Step::Packages { names } => {
            for name in names {
                install(told(facts, host), name);
            }
        }
        Step::Group { name, gid } => {
            told(facts, host).groups.insert(name.clone(), gid.unwrap_or(900));
        }
        Step::User(user) => {
            let is = UserFacts {
                uid: user.uid.unwrap_or(900),
                gid: 900,
                home: user.home.clone(),
                shell: user.shell.clone(),
                groups: user.groups.clone(),
            };
            told(facts, host).users.insert(user.name.clone(), is);
        }
        Step::Directory { path, access } => {
            put(facts, host, path, PathKind::Directory, access, None, false);
        }
        Step::File(file) => write(facts, host, file),
        Step::Secret { path, access, prefix } => {
            let secret = format!("{prefix}secret-of-{host}{path}");
            if path_of(facts, host, path).is_none() {
                put(facts, host, path, PathKind::File, access, Some(&secret), true);
            }
        }
        Step::SecretFile { path, access, .. } => {
            put(facts, host, path, PathKind::File, access, Some(super::CANARY), true);
        }
        Step::SshKey { path, .. } => key(facts, host, path),
        Step::Unit(unit) => run(facts, host, unit),
        Step::Action { action, .. } => {
            if let Some(path) = action.makes() {
                let access = Access::root(0o644);
                put(facts, host, path, PathKind::File, &access, Some("made\n"), false);
            }
        }
        Step::Carry(_) => {}
        Step::Database { name, .. } => drop(told(facts, host).databases.insert(name.clone())),
        Step::Network(network) => bridge(facts, host, network),
    }
    see(facts, host, step);
}

/// What a step has seen of its inputs.
fn see(facts: &mut Facts, host: &HostName, step: &Step) {
    if let Step::Network(network) = step {
        let seen = content::network_digest(network);
        told(facts, host).seen.insert(seen_name(step).unwrap(), seen);
        return;
    }
    if let Step::Carry(carry) = step {
        told(facts, host).seen.insert(seen_name(step).unwrap(), carry.digest.clone());
        return;
    }
    let (Some(name), Step::Unit(Unit { inputs, .. }) | Step::Action { inputs, .. }) =
        (seen_name(step), step)
    else {
        return;
    };
    let seen = inputs_digest(inputs, |path| digest(facts, host, path));
    told(facts, host).seen.insert(name, seen);
}

fn install(told: &mut HostFacts, name: &str) {
    told.packages.insert(name.to_owned(), "1".to_owned());
    if name.starts_with("opennebula") {
        let groups = ["oneadmin", "libvirt", "kvm"].map(str::to_owned).into();
        let user = UserFacts {
            uid: 9869,
            gid: 9869,
            home: "/var/lib/one".into(),
            shell: "/bin/bash".into(),
            groups,
        };
        told.users.entry("oneadmin".into()).or_insert(user);
    }
    if name == "opennebula" {
        let oned = "PORT = 2633\nLOG = [ SYSTEM = \"file\", DEBUG_LEVEL = 3 ]\n";
        told.paths.entry("/etc/one/oned.conf".into()).or_insert_with(|| super::text(oned));
    }
}

fn put(
    facts: &mut Facts,
    host: &HostName,
    path: &str,
    kind: PathKind,
    access: &Access,
    content: Option<&str>,
    secret: bool,
) {
    let is = PathFacts {
        kind,
        mode: access.mode,
        owner: access.owner.clone(),
        group: access.group.clone(),
        sha256: content.map(sha256),
        content: content.filter(|_| !secret).map(str::to_owned),
    };
    told(facts, host).paths.insert(path.to_owned(), is);
}

fn key(facts: &mut Facts, host: &HostName, path: &str) {
    let access = |mode| Access { owner: "oneadmin".into(), group: "oneadmin".into(), mode };
    put(facts, host, path, PathKind::File, &access(0o600), Some("private"), true);
    let public = format!("ssh-ed25519 KEY-OF-{host} oneadmin\n");
    let path = format!("{path}.pub");
    put(facts, host, &path, PathKind::File, &access(0o644), Some(&public), false);
}

fn write(facts: &mut Facts, host: &HostName, file: &File) {
    let current = path_of(facts, host, &file.path).and_then(|p| p.content.clone());
    let read = |from: &HostName, path: &str| {
        let is = path_of(facts, from, path)?;
        // The content of a secret is not in the facts; its digest stands for it here.
        is.content.clone().or_else(|| is.sha256.clone())
    };
    let Some(text) = content::text(&file.content, read) else { return };
    let text = merged(current.as_deref(), &text, &file.share);
    let recipe = content::recipe(file, |h, p| digest(facts, h, p));
    let noted = recipe.map(|r| format!("{r}:{}", sha256(&text)));
    put(facts, host, &file.path, PathKind::File, &file.access, Some(&text), file.secret);
    if let (true, Some(note)) = (file.secret, noted) {
        let name = seen_name(&Step::File(file.clone())).unwrap();
        told(facts, host).seen.insert(name, note);
    }
}

fn run(facts: &mut Facts, host: &HostName, unit: &Unit) {
    let enabled = if unit.enabled { "enabled" } else { "disabled" };
    let active = if unit.running { "active" } else { "inactive" };
    let is = UnitFacts { enabled: enabled.into(), active: active.into() };
    told(facts, host).units.insert(unit.name.clone(), is);
}

fn bridge(facts: &mut Facts, host: &HostName, network: &Network) {
    for file in &network.files {
        write(facts, host, file);
    }
    let told = told(facts, host);
    let bridge = super::name(&network.bridge);
    if told.interfaces.iter().any(|i| i.name == bridge) {
        return;
    }
    let port = network.interface.as_ref().map(|i| super::name(i));
    let below = told.interfaces.iter_mut().find(|i| Some(&i.name) == port.as_ref()).unwrap();
    let made = InterfaceFacts {
        name: bridge.clone(),
        kind: "bridge".into(),
        physical: false,
        master: None,
        ..below.clone()
    };
    below.master = Some(bridge.clone());
    below.addresses.clear();
    told.interfaces.push(made);
    if let Some((name, _)) = &mut told.default_route {
        *name = bridge;
    }
}

/// The ids of what is not done, by host.
pub(crate) fn undone(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for host in &plan.hosts {
        let steps = host.steps.as_ref().unwrap();
        let ids = steps.iter().filter(|p| !matches!(p.state, State::Done(_)));
        let ids: Vec<String> = ids.map(|p| format!("{}: {:?}", p.id, p.state)).collect();
        if !ids.is_empty() {
            all.insert(host.host.to_string(), ids);
        }
    }
    all
}
