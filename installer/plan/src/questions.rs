//! What has to be asked of a host: everything that a plan may compare, whatever its system is, so
//! that one round trip is enough.

use crate::facts::{Facts, HostFacts, NetworkTool, OsRelease, Questions};
use crate::metadata::{System, families};
use crate::plan::Role;
use crate::stages;
use crate::step::{File, Piece, Step};
use crate::view::{View, roles_of};
use std::collections::BTreeSet;
use std::net::IpAddr;
use stratus_site::{HostName, Site};

const TOOLS: [NetworkTool; 5] = [
    NetworkTool::Ifupdown,
    NetworkTool::Netplan,
    NetworkTool::NetworkManager,
    NetworkTool::Networkd,
    NetworkTool::Wicked,
];

/// Stands for the name of an interface that is not known.
const UNKNOWN: &str = "unknown-port";

/// The questions for a host of the site; none for a host that is not of it.
pub fn questions(site: &Site, host: &HostName) -> Questions {
    let mut questions = Questions::default();
    let roles = roles_of(site, host);
    if roles.is_empty() {
        return questions;
    }
    questions.paths.insert("/etc/resolv.conf".to_owned());
    questions.paths.insert(stages::HOST_KEY.to_owned());
    for system in systems() {
        ask(&mut questions, site, host, &roles, system, system.release.network);
    }
    // A system may have another tool than usual; the tool decides on files of the network only.
    for (system, tool) in systems().take(1).flat_map(|s| TOOLS.map(|t| (s, t))) {
        ask(&mut questions, site, host, &roles, system, tool);
    }
    // A path that some system keeps a secret in is never told in clear.
    questions
        .paths
        .retain(|path| !questions.secret_paths.contains(path) && !path.contains(UNKNOWN));
    questions
}

fn systems() -> impl Iterator<Item = System> {
    families()
        .iter()
        .flat_map(|family| family.release.iter().map(move |release| System { family, release }))
}

fn ask(
    questions: &mut Questions,
    site: &Site,
    host: &HostName,
    roles: &BTreeSet<Role>,
    system: System,
    tool: NetworkTool,
) {
    let facts = Facts::default();
    let os = OsRelease {
        id: system.release.id.clone(),
        version: system.release.version.clone(),
        ..OsRelease::default()
    };
    // Some files have the name of the interface below the bridge, which nobody knows yet.
    let route = UNKNOWN.parse().ok().map(|name| (name, IpAddr::from([0, 0, 0, 0])));
    let told =
        HostFacts { os, network_tool: Some(tool), default_route: route, ..HostFacts::default() };
    let node = site.nodes.iter().find(|n| n.host == *host);
    let view = View {
        site,
        facts: &facts,
        inputs: None,
        host,
        roles,
        told: &told,
        system,
        node,
        rules: "",
    };
    for wanted in stages::all(&view) {
        of_step(questions, host, wanted.step);
    }
}

fn of_step(questions: &mut Questions, host: &HostName, step: Step) {
    match step {
        Step::Packages { names } => questions.packages.extend(names),
        // What it has seen is always told.
        Step::Carry(_) => {}
        Step::Group { name, .. } => drop(questions.groups.insert(name)),
        Step::User(user) => {
            questions.groups.extend(user.groups);
            questions.groups.insert(user.group);
            questions.users.insert(user.name);
        }
        Step::Directory { path, .. } => drop(questions.paths.insert(path)),
        Step::File(file) => of_file(questions, host, file),
        Step::Secret { path, .. } | Step::SecretFile { path, .. } => {
            questions.secret_paths.insert(path);
        }
        Step::SshKey { path, .. } => {
            questions.paths.insert(format!("{path}.pub"));
            questions.secret_paths.insert(path);
        }
        Step::Unit(unit) => {
            questions.units.insert(unit.name);
            questions.paths.extend(unit.inputs);
        }
        Step::Action { action, inputs } => {
            questions.paths.extend(inputs);
            questions.paths.extend(action.makes().map(str::to_owned));
        }
        Step::Database { name, password_file } => {
            questions.databases.insert(name);
            questions.secret_paths.insert(password_file);
        }
        Step::Network(network) => {
            for file in network.files {
                of_file(questions, host, file);
            }
        }
    }
}

fn of_file(questions: &mut Questions, host: &HostName, file: File) {
    for piece in &file.content {
        match piece {
            Piece::From { host: from, path } | Piece::Quoted { host: from, path, .. }
                if from == host =>
            {
                let paths =
                    if file.secret { &mut questions.secret_paths } else { &mut questions.paths };
                paths.insert(path.clone());
            }
            _ => {}
        }
    }
    let paths = if file.secret { &mut questions.secret_paths } else { &mut questions.paths };
    paths.insert(file.path);
}
