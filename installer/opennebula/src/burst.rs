//! Burst nodes as hosts: they come with their session and are offline without it. A pure function
//! says what is to be done, [`apply`] does it.
//!
//! # Whose a host is
//!
//! A host that we made carries [`MARK`] with the site's name in its template. No other is touched,
//! whatever its name. The mark is not that of the installer's objects, because burst nodes are no
//! part of a plan: they come and go between two of them.
//!
//! # Away
//!
//! A session that is missing is noted in the host's template first ([`AWAY`]); the host goes offline
//! when a look after `grace` misses it still. So a restart of the VPN's server, during which nobody
//! has a session, puts no host offline. The note also says that the host is offline because of us:
//! one that an administrator disabled or put offline stays so.

mod apply;

pub use apply::{Drivers, apply};

use crate::ids::HostId;
use crate::objects::Host;
use crate::states::HostState;
use std::collections::BTreeSet;
use std::fmt;

/// The attribute that marks a host that was made for a burst node. Its text is the site's name.
pub const MARK: &str = "STRATUS_VPN";

/// The attribute that says since when a burst node has no session: seconds since 1970, or anything
/// else while it has one.
pub const AWAY: &str = "STRATUS_VPN_AWAY";

/// A node that is to be a host, and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurstNode {
    /// Its name: what oned calls by ssh.
    pub name: String,
    /// Its session.
    pub session: Session,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It is up, and the key of the node's ssh server is known.
    Up,
    /// It is up, and nobody knows the key.
    UpWithoutKey,
    /// There is none.
    Down,
}

/// What is known when it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The site's name.
    pub site: &'a str,
    /// The nodes that are to be hosts.
    pub nodes: &'a [BurstNode],
    /// All hosts of OpenNebula.
    pub hosts: &'a [Host],
    /// Now, seconds since 1970.
    pub now: i64,
    /// For how long a session may be missing, seconds.
    pub grace: i64,
}

/// A change, in the order in which it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BurstChange {
    /// A host is made and marked.
    Make {
        /// Its name.
        name: String,
    },
    /// It is noted since when a host has no session.
    NoteAway {
        /// Which host.
        id: HostId,
        /// Its name.
        name: String,
        /// Since when, seconds since 1970.
        since: i64,
    },
    /// A host is put offline.
    Offline {
        /// Which host.
        id: HostId,
        /// Its name.
        name: String,
    },
    /// A host that is offline because of us is enabled.
    Enable {
        /// Which host.
        id: HostId,
        /// Its name.
        name: String,
    },
    /// The note is taken back.
    ForgetAway {
        /// Which host.
        id: HostId,
        /// Its name.
        name: String,
    },
    /// A host of a node that is none any more is deleted.
    Delete {
        /// Which host.
        id: HostId,
        /// Its name.
        name: String,
    },
}

impl BurstChange {
    /// The host.
    pub fn name(&self) -> &str {
        match self {
            Self::Make { name }
            | Self::NoteAway { name, .. }
            | Self::Offline { name, .. }
            | Self::Enable { name, .. }
            | Self::ForgetAway { name, .. }
            | Self::Delete { name, .. } => name,
        }
    }
}

impl fmt::Display for BurstChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Make { .. } => "is made",
            Self::NoteAway { .. } => "has no session; offline soon unless it comes back",
            Self::Offline { .. } => "is put offline",
            Self::Enable { .. } => "is enabled",
            Self::ForgetAway { .. } => "has a session again",
            Self::Delete { .. } => "is deleted: it is no burst node any more",
        };
        write!(f, "host {} {what}", self.name())
    }
}

/// What is to be done, and what needs an administrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Changes, in order.
    pub changes: Vec<BurstChange>,
    /// A sentence for each host that an administrator has to look at, with its name.
    pub attention: Vec<(String, String)>,
}

/// The changes from the hosts that there are to those that sessions ask for.
pub fn decide(seen: Seen<'_>) -> Decision {
    let mut out = Decision::default();
    let wanted: BTreeSet<&str> = seen.nodes.iter().map(|node| node.name.as_str()).collect();
    for node in seen.nodes {
        match seen.hosts.iter().find(|host| host.name == node.name) {
            None => new(&mut out, node),
            Some(host) if is_ours(host, seen.site) => known(&mut out, node, host, seen),
            Some(_) => out.tell(
                &node.name,
                "OpenNebula has a host of this name that was not made for the burst node; it is left alone",
            ),
        }
    }
    let gone = |host: &&Host| is_ours(host, seen.site) && !wanted.contains(host.name.as_str());
    for host in seen.hosts.iter().filter(gone) {
        no_longer(&mut out, host, seen.now);
    }
    out
}

/// Whether a host was made for a burst node of this site.
pub fn is_ours(host: &Host, site: &str) -> bool {
    host.attributes.text(MARK) == Some(site)
}

impl Decision {
    fn tell(&mut self, name: &str, sentence: impl Into<String>) {
        self.attention.push((name.to_owned(), sentence.into()));
    }
}

fn new(out: &mut Decision, node: &BurstNode) {
    match node.session {
        Session::Up => out.changes.push(BurstChange::Make { name: node.name.clone() }),
        Session::UpWithoutKey => out.tell(
            &node.name,
            "it told no key of its ssh server, so it is not made a host: boot it from a new bundle for cloud-init or for a context",
        ),
        Session::Down => {}
    }
}

fn away_since(host: &Host) -> Option<i64> {
    host.attributes.text(AWAY)?.parse().ok()
}

/// Whether nobody is to use a host: by our doing or an administrator's.
fn is_out(host: &Host) -> bool {
    let out = [HostState::Offline, HostState::Disabled, HostState::MonitoringDisabled];
    out.contains(&host.state)
}

fn known(out: &mut Decision, node: &BurstNode, host: &Host, seen: Seen<'_>) {
    let (id, name) = (host.id, host.name.clone());
    match (node.session, away_since(host)) {
        (Session::Up | Session::UpWithoutKey, Some(_)) => {
            if host.state == HostState::Offline {
                out.changes.push(BurstChange::Enable { id, name: name.clone() });
            }
            out.changes.push(BurstChange::ForgetAway { id, name });
        }
        (Session::Up | Session::UpWithoutKey, None) => {}
        (Session::Down, _) if is_out(host) => {}
        (Session::Down, None) => {
            out.changes.push(BurstChange::NoteAway { id, name, since: seen.now });
        }
        // A clock that was put back makes nobody wait.
        (Session::Down, Some(since)) if (since..since + seen.grace).contains(&seen.now) => {}
        (Session::Down, Some(_)) => out.changes.push(BurstChange::Offline { id, name }),
    }
}

/// A host of a node that was revoked, or is not to be a host any more.
fn no_longer(out: &mut Decision, host: &Host, now: i64) {
    let (id, name) = (host.id, host.name.clone());
    if host.machines.is_empty() {
        out.changes.push(BurstChange::Delete { id, name });
        return;
    }
    if !is_out(host) {
        // Should the node come back, it is known whose doing this was.
        if away_since(host).is_none() {
            out.changes.push(BurstChange::NoteAway { id, name: name.clone(), since: now });
        }
        out.changes.push(BurstChange::Offline { id, name: name.clone() });
    }
    let machines: Vec<String> = host.machines.iter().map(ToString::to_string).collect();
    out.tell(
        &name,
        format!(
            "it is no burst node any more, but machines are on its host: {}; end or move them, then the host goes",
            machines.join(", ")
        ),
    );
}
