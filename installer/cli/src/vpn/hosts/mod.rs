//! `register`: burst nodes as hosts of OpenNebula, in step with their sessions.
//!
//! Sessions come from the running server, hosts from oned; `stratus_opennebula::burst` decides. What
//! the front-end needs to log in on a node, its name and the key of its ssh server, is put into
//! marked blocks of `/etc/hosts` and ssh's own file of known hosts.

mod blocks;
mod software;

pub(super) use software::software;

use super::Options;
use super::failures::failed;
use super::look::{ask, notes};
use anyhow::Result;
use blocks::{BLOCK, put_block};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stratus_opennebula::burst::{
    BurstChange, BurstNode, Decision, Drivers, Seen, Session, apply, decide,
};
use stratus_opennebula::{Client, Error, HttpTransport, Session as Login};
use stratus_overlay::host_key::HostKey;
use stratus_overlay::register::{Client as Node, Register};
use stratus_overlay::status;
use stratus_site::{HostName, Hypervisor, Site, Vpn};
use stratus_terminal::{Exit, Failure, note, print_json, read_secret_file, warn};

/// For how many seconds a session may be missing: less than a minute, so that the second look of a
/// timer finds it over.
const GRACE: i64 = 45;

/// Where `register` has its things.
#[derive(Clone, Debug)]
pub struct Places {
    /// oned's XML-RPC; that of the front-end's port on this host where absent.
    pub endpoint: Option<String>,
    /// The file with oneadmin's name and password.
    pub auth: PathBuf,
    /// The file with the names of hosts.
    pub names: PathBuf,
    /// The file with the keys of ssh servers.
    pub known_hosts: PathBuf,
}

/// What was done, for programs.
#[derive(Serialize)]
struct Done {
    changes: Vec<String>,
    attention: Vec<Attention>,
}

#[derive(Serialize)]
struct Attention {
    name: String,
    problem: String,
}

/// `register`: one look, and what follows from it. Exit code 5 where the server or oned does not
/// answer; nothing is changed in OpenNebula then.
pub async fn register(options: &Options, places: &Places) -> Result<Exit> {
    let (site, vpn) = super::site(options)?;
    let register = Register::load(&options.directory).map_err(failed)?;
    let _alone = alone(&options.directory)?;
    let mut seen = notes(options, &register)?;
    let nodes = hosts_of(&vpn, &register, &seen);
    // First: whoever becomes a host is logged in on at once.
    name(places, &nodes)?;
    ask(options, &mut seen).map_err(|error| {
        Failure::new(Exit::Unreachable, "who is connected is not known, so no host was changed")
            .because(error)
    })?;
    let client = client(&site, places)?;
    let hosts = client.hosts().await.map_err(|error| unanswered(&error))?;
    let nodes = sessions(&nodes, &seen);
    let decision = decide(Seen {
        site: &site.general.name,
        nodes: &nodes,
        hosts: &hosts,
        now: Timestamp::now().as_second(),
        grace: GRACE,
    });
    carry_out(options, &client, &site, decision).await
}

/// `register --forget`: takes names and keys of burst nodes off this host.
pub fn forget(places: &Places) -> Result<Exit> {
    name(places, &[])?;
    Ok(Exit::Done)
}

/// Two looks at once would make a host twice.
fn alone(directory: &Path) -> Result<File> {
    let locked = File::open(directory).and_then(|folder| {
        flock(&folder, FlockOperation::LockExclusive).map(|()| folder).map_err(Into::into)
    });
    locked.map_err(|error| {
        let message = format!("cannot lock `{}`", directory.display());
        Failure::new(Exit::Failed, message).because(error).into()
    })
}

/// A burst node that is to be a host.
struct Wanted<'a> {
    name: &'a HostName,
    node: &'a Node,
    key: Option<HostKey>,
}

fn hosts_of<'a>(vpn: &Vpn, register: &'a Register, seen: &status::Seen) -> Vec<Wanted<'a>> {
    let wanted: BTreeSet<&HostName> = vpn.registered().map(|node| &node.name).collect();
    let nodes = register.clients.iter().filter(|(name, _)| wanted.contains(name));
    nodes.map(|(name, node)| Wanted { name, node, key: key(node, seen) }).collect()
}

/// The key that came with the newest certificate that somebody joined with.
fn key(node: &Node, seen: &status::Seen) -> Option<HostKey> {
    let mut joined = node.certificates.iter().rev().filter_map(|c| seen.joined.get(&c.serial));
    joined.next().and_then(|joined| joined.host_key.clone())
}

fn sessions(nodes: &[Wanted<'_>], seen: &status::Seen) -> Vec<BurstNode> {
    let connected: BTreeSet<&str> =
        seen.connected.iter().flatten().map(|connected| connected.name.as_str()).collect();
    let session = |node: &Wanted<'_>| match (connected.contains(node.name.as_str()), &node.key) {
        (false, _) => Session::Down,
        (true, None) => Session::UpWithoutKey,
        (true, Some(_)) => Session::Up,
    };
    let nodes = nodes.iter();
    nodes.map(|node| BurstNode { name: node.name.to_string(), session: session(node) }).collect()
}

/// Has this host know where the nodes are, and which keys they have.
fn name(places: &Places, nodes: &[Wanted<'_>]) -> Result<()> {
    let (mut names, mut keys) = (String::new(), String::new());
    for Wanted { name, node, key } in nodes {
        let short = if name.short() == name.as_str() { "" } else { name.short() };
        let _ = writeln!(names, "{}", format!("{} {name} {short}", node.address).trim_end());
        if let Some(key) = key {
            let _ = writeln!(keys, "{name},{} {key}", node.address);
        }
    }
    for (file, lines) in [(&places.names, names), (&places.known_hosts, keys)] {
        put_block(file, &lines).map_err(|error| {
            let message = format!("cannot put the lines of burst nodes into `{}`", file.display());
            let hint = format!("they are between `# BEGIN STRATUS {BLOCK}` and its end");
            Failure::new(Exit::Failed, message).because(error).hint(hint)
        })?;
    }
    Ok(())
}

fn client(site: &Site, places: &Places) -> Result<Client> {
    let auth = read_secret_file(&places.auth)?;
    let login = Login::from_auth_file(&auth).map_err(|error| {
        let message = format!("`{}` cannot be used", places.auth.display());
        Failure::new(Exit::Failed, message).because(error)
    })?;
    let own = format!("http://127.0.0.1:{}/RPC2", site.frontend.port);
    let endpoint = places.endpoint.as_deref().unwrap_or(&own);
    let transport = HttpTransport::new(endpoint)
        .map_err(|error| Failure::usage("oned cannot be asked").because(error))?;
    Ok(Client::new(Arc::new(transport), login))
}

fn unanswered(error: &Error) -> Failure {
    let exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::Failed };
    let failure = Failure::new(exit, chain(error));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// Hosts are made as those of the site's nodes are.
async fn drivers(client: &Client, site: &Site) -> Result<Drivers, Failure> {
    let like = site.nodes.first();
    let vm_mad = match like.map(|node| node.hypervisor) {
        Some(Hypervisor::Qemu) => "qemu",
        // Bundles bring libvirt.
        Some(Hypervisor::Kvm | Hypervisor::Lxc) | None => "kvm",
    };
    let cluster = match like.and_then(|node| node.cluster.as_deref()) {
        None | Some("default") => None,
        Some(name) => {
            let clusters = client.clusters().await.map_err(|error| unanswered(&error))?;
            let found = clusters.iter().find(|cluster| cluster.name == name);
            let missing = || {
                let message = format!("OpenNebula has no cluster `{name}`, which the nodes are in");
                Failure::new(Exit::Failed, message).hint("`stratus-install apply` makes it")
            };
            Some(found.ok_or_else(missing)?.id)
        }
    };
    Ok(Drivers { im_mad: "kvm".to_owned(), vm_mad: vm_mad.to_owned(), cluster })
}

async fn carry_out(
    options: &Options,
    client: &Client,
    site: &Site,
    decision: Decision,
) -> Result<Exit> {
    let makes = decision.changes.iter().any(|change| matches!(change, BurstChange::Make { .. }));
    let none = Drivers { im_mad: String::new(), vm_mad: String::new(), cluster: None };
    let drivers = if makes { drivers(client, site).await? } else { none };
    let mut done = Done { changes: Vec::new(), attention: Vec::new() };
    for (name, problem) in decision.attention {
        warn(&format!("{name}: {problem}"));
        done.attention.push(Attention { name, problem });
    }
    let mut exit = Exit::Done;
    let mut stuck: BTreeSet<&str> = BTreeSet::new();
    for change in &decision.changes {
        // What follows in the same host would say something that is not so.
        if stuck.contains(change.name()) {
            continue;
        }
        match apply(client, &site.general.name, &drivers, change).await {
            Ok(()) => {
                note(&change.to_string());
                done.changes.push(change.to_string());
            }
            Err(error) => {
                stuck.insert(change.name());
                exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::Failed };
                let problem = format!("not so: {change}: {}", chain(&error));
                warn(&problem);
                done.attention.push(Attention { name: change.name().to_owned(), problem });
            }
        }
    }
    if options.json {
        print_json(&done)?;
    }
    Ok(exit)
}
