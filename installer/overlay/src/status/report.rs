//! Register, server and log together: who is there, and what needs attention.

use super::{Connected, Event};
use crate::joined::RefusedJoin;
use crate::register::{Client, Handed, LIST_RENEWAL, Register, after};
use crate::serial::Serial;
use crate::token::Joined;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use stratus_site::{HostName, MacAddress};

const DAY: Duration = Duration::from_hours(24);
/// Certificates that end sooner are told.
const SOON: Duration = Duration::from_hours(30 * 24);

/// What was seen besides the register.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Who is connected; none where the server does not answer.
    pub connected: Option<Vec<Connected>>,
    /// What went wrong, oldest first.
    pub events: Vec<Event>,
    /// Machines that used a join token.
    pub joined: BTreeMap<Serial, Joined>,
    /// Machines whose join token was refused.
    pub refused: BTreeMap<Serial, RefusedJoin>,
}

/// The state of an overlay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether the server answers.
    pub running: bool,
    /// What needs attention, a sentence each.
    pub attention: Vec<String>,
    /// The end of the authority that issues; none with WireGuard, which has no certificates.
    pub authority_expires: Option<Timestamp>,
    /// The end of the server's certificate, where it has one.
    pub server_expires: Option<Timestamp>,
    /// The end of the revocation lists, where there are some.
    pub list_expires: Option<Timestamp>,
    /// The burst nodes by name.
    pub clients: Vec<ClientReport>,
    /// Errors of machines that are no burst node, newest first.
    pub strangers: Vec<Stranger>,
}

/// A burst node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientReport {
    /// Its name.
    pub name: HostName,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its session, if it is connected.
    pub session: Option<Session>,
    /// The end of its newest certificate.
    pub certificate_expires: Option<Timestamp>,
    /// When a machine joined with its join token.
    pub joined: Option<Timestamp>,
    /// Until when its join token may be used, where it was not yet.
    pub token_expires: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<Trouble>,
}

/// A session. WireGuard has none; there a node is connected that was heard of lately.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Since when; with WireGuard the last handshake.
    pub since: Timestamp,
    /// Where the node is, with port.
    pub peer: String,
    /// Bytes that came from it.
    pub received: u64,
    /// Bytes that went to it.
    pub sent: u64,
    /// The cipher.
    pub cipher: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub peer: Option<String>,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

/// An error of a machine that is no burst node, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// The name that it showed.
    pub name: Option<String>,
    /// What went wrong.
    #[serde(flatten)]
    pub trouble: Trouble,
}

impl Stranger {
    /// Whether it is the same error of the same machine, whatever port it came from.
    fn is_like(&self, other: &Self) -> bool {
        let host = |stranger: &Self| {
            let peer = stranger.trouble.peer.as_deref();
            peer.map(|peer| peer.rsplit_once(':').map_or(peer, |(host, _)| host).to_owned())
        };
        self.name == other.name
            && self.trouble.reason == other.trouble.reason
            && host(self) == host(other)
    }
}

/// Puts everything together.
pub fn report(register: &Register, seen: &Seen, now: Timestamp) -> Report {
    let sessions: BTreeMap<&str, &Connected> =
        seen.connected.iter().flatten().map(|c| (c.name.as_str(), c)).collect();
    let mut errors: BTreeMap<&HostName, Trouble> = BTreeMap::new();
    let mut strangers: Vec<Stranger> = Vec::new();
    for event in &seen.events {
        // What the server noted about a join token says more than its log.
        if event.peer.is_some()
            && seen.refused.values().any(|r| Some(&r.peer) == event.peer.as_ref())
        {
            continue;
        }
        let trouble =
            Trouble { at: event.at, peer: event.peer.clone(), reason: event.reason.to_owned() };
        match owner(register, event) {
            Some(name) => {
                errors.insert(name, trouble);
            }
            None => {
                let stranger = Stranger { name: event.name.clone(), trouble };
                // Who tries again and again is told once.
                strangers.retain(|known| !known.is_like(&stranger));
                strangers.push(stranger);
            }
        }
    }
    strangers.reverse();
    let clients: Vec<ClientReport> = register
        .clients
        .iter()
        .map(|(name, client)| {
            let session = sessions.get(name.as_str()).map(|c| session(c));
            client_report(name, client, session, errors.remove(name), seen)
        })
        .collect();
    Report {
        running: seen.connected.is_some(),
        attention: attention(register, seen, &clients, now),
        authority_expires: Some(register.issuing().to),
        server_expires: Some(register.server.to),
        list_expires: Some(register.list.to),
        clients,
        strangers,
    }
}

/// Whose error it is: by the certificate where the line has one, since a name may have been given
/// again; else by the name.
fn owner<'a>(register: &'a Register, event: &Event) -> Option<&'a HostName> {
    if let Some(serial) = event.serial {
        let own = |client: &Client| client.certificates.iter().any(|c| c.serial == serial);
        return register.clients.iter().find(|(_, client)| own(client)).map(|(name, _)| name);
    }
    let name = event.name.as_deref()?.parse().ok()?;
    register.clients.get_key_value(&name).map(|(name, _)| name)
}

fn session(connected: &Connected) -> Session {
    Session {
        since: connected.since,
        peer: connected.peer.clone(),
        received: connected.received,
        sent: connected.sent,
        cipher: connected.cipher.clone(),
    }
}

fn client_report(
    name: &HostName,
    client: &Client,
    session: Option<Session>,
    logged: Option<Trouble>,
    seen: &Seen,
) -> ClientReport {
    let newest = client.certificates.last();
    let own = |c: &crate::register::Issued| seen.joined.get(&c.serial).map(|joined| joined.at);
    let joined = newest.and_then(own);
    let token_expires = newest.and_then(|c| match &c.handed {
        Some(Handed::WithToken(token)) if joined.is_none() => Some(token.expires),
        _ => None,
    });
    let refused = client.certificates.iter().filter_map(|c| seen.refused.get(&c.serial));
    let refused = refused.max_by_key(|refused| refused.at).map(|refused| Trouble {
        at: refused.at,
        peer: Some(refused.peer.clone()),
        reason: refused.reason.clone(),
    });
    // The log has whole seconds, and says less about tokens.
    let last_error = match (logged, refused) {
        (Some(logged), Some(refused)) if logged.at > after(refused.at, Duration::from_secs(5)) => {
            Some(logged)
        }
        (logged, refused) => refused.or(logged),
    };
    ClientReport {
        name: name.clone(),
        address: client.address,
        mac: client.mac,
        session,
        certificate_expires: newest.map(|c| c.to),
        joined,
        token_expires,
        last_error,
    }
}

fn attention(
    register: &Register,
    seen: &Seen,
    clients: &[ClientReport],
    now: Timestamp,
) -> Vec<String> {
    let mut all = Vec::new();
    let list = &register.list;
    if list.to <= now {
        all.push(
            "the revocation list has expired, so nobody is let in: run `stratus-vpn renew`"
                .to_owned(),
        );
    } else if after(list.from, LIST_RENEWAL * 2) <= now {
        let days = days(now, list.to);
        all.push(format!("the revocation list is not renewed by itself, and ends in {days}: start stratus-vpn-renew.timer"));
    }
    if seen.connected.is_none() {
        all.push("the server does not answer: look at stratus-vpn-server.service".to_owned());
    }
    for (what, end) in
        [("the authority", register.issuing().to), ("the server's certificate", register.server.to)]
    {
        if end <= now {
            all.push(format!("{what} has expired: run `stratus-vpn rotate`"));
        } else if end <= after(now, SOON) {
            all.push(format!("{what} ends in {}: run `stratus-vpn rotate`", days(now, end)));
        }
    }
    if register.is_rotating() {
        let new = register.issuing().generation;
        let old = |client: &&Client| client.certificates.iter().all(|c| c.authority != new);
        let left = register.clients.values().filter(old).count();
        all.push(format!(
            "the authority is being replaced; {left} burst nodes have no certificate of the new one"
        ));
    }
    let ends = |end: Timestamp| end <= after(now, SOON);
    for client in clients.iter().filter(|c| c.certificate_expires.is_some_and(ends)) {
        let name = &client.name;
        all.push(format!("the certificate of {name} ends soon: run `stratus-vpn renew {name}`"));
    }
    all
}

fn days(now: Timestamp, end: Timestamp) -> String {
    let seconds = end.duration_since(now).as_secs().max(0);
    let day = i64::try_from(DAY.as_secs()).unwrap_or(86_400);
    match seconds / day {
        0 => format!("{} hours", seconds / 3600),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
