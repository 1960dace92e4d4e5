//! Register and running interface together. Pure.

use super::dump::{Dump, Peer};
use super::register::{Node, Register};
use crate::register::after;
use crate::status::{ClientReport, Report, Session, Trouble};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;
use stratus_site::HostName;

/// How long after its last handshake a node counts as connected. Its keepalive makes it shake hands
/// every two minutes, and after three WireGuard itself takes the keys for too old.
pub const LATELY: Duration = Duration::from_mins(3);

/// Puts both together; without `dump` the server does not run.
pub fn report(register: &Register, dump: Option<&Dump>, now: Timestamp) -> Report {
    let of = |(name, node): (&HostName, &Node)| {
        client(name, node, dump.and_then(|dump| dump.peers.get(&node.key.public_key)), now)
    };
    Report {
        running: dump.is_some(),
        attention: attention(register, dump),
        authority_expires: None,
        server_expires: None,
        list_expires: None,
        clients: register.nodes.iter().map(of).collect(),
        // WireGuard answers no stranger, and tells nobody of one.
        strangers: Vec::new(),
    }
}

/// Whether a handshake is young enough. One from the future is: clocks are set.
pub fn is_connected(handshake: Timestamp, now: Timestamp) -> bool {
    now < after(handshake, LATELY)
}

fn client(name: &HostName, node: &Node, peer: Option<&Peer>, now: Timestamp) -> ClientReport {
    let heard = peer.and_then(|peer| Some((peer, peer.handshake?)));
    let (here, away): (Vec<_>, Vec<_>) =
        heard.into_iter().partition(|(_, at)| is_connected(*at, now));
    let session = here.first().map(|(peer, at)| Session {
        since: *at,
        peer: peer.endpoint.clone().unwrap_or_default(),
        received: peer.received,
        sent: peer.sent,
        cipher: "CHACHA20-POLY1305".to_owned(),
    });
    let last_error = away.first().map(|(peer, at)| Trouble {
        at: *at,
        peer: peer.endpoint.clone(),
        reason: "nothing was heard of it since".to_owned(),
    });
    ClientReport {
        name: name.clone(),
        address: node.address,
        mac: node.mac,
        session,
        certificate_expires: None,
        joined: None,
        token_expires: None,
        last_error,
    }
}

fn attention(register: &Register, dump: Option<&Dump>) -> Vec<String> {
    let Some(dump) = dump else {
        return vec!["the server does not answer: look at stratus-vpn-server.service".to_owned()];
    };
    let known: BTreeSet<_> = register.nodes.values().map(|node| node.key.public_key).collect();
    let missing = known.iter().filter(|key| !dump.peers.contains_key(key)).count();
    let strange = dump.peers.keys().filter(|key| !known.contains(key)).count();
    if dump.public_key != Some(register.server.public_key) {
        let text = "the running server has another key than the register: run `systemctl restart stratus-vpn-server`";
        return vec![text.to_owned()];
    }
    if missing + strange == 0 {
        return Vec::new();
    }
    vec![format!(
        "the running server does not know {missing} of the register's burst nodes, and lets in \
         {strange} that the register does not name: run `stratus-vpn renew`"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wireguard::register::{Made, VERSION};
    use crate::wireguard::{PublicKey, key_pair};
    use stratus_site::MacPrefix;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_269_600 + seconds).unwrap()
    }

    fn key(number: u8) -> PublicKey {
        key_pair([number; 32].into()).public
    }

    fn register() -> Register {
        let made = |number| Made { public_key: key(number), at: at(0) };
        let (version, site, nodes) = (VERSION, "lab".to_owned(), [].into());
        let mut register = Register { version, site, server: made(1), nodes };
        for (name, number) in [("burst1", 2), ("burst2", 3), ("burst3", 4)] {
            let address = format!("10.51.0.{number}").parse().unwrap();
            register.add(name.parse().unwrap(), address, MacPrefix::default(), made(number));
        }
        register
    }

    fn dump() -> Dump {
        let peer = |number, handshake| {
            let endpoint = Some("203.0.113.6:40112".to_owned());
            let (received, sent) = (5120, 7300);
            (key(number), Peer { endpoint, handshake, received, sent })
        };
        let peers = [peer(2, Some(at(10))), peer(3, Some(at(-600))), peer(4, None)].into();
        Dump { public_key: Some(key(1)), peers }
    }

    #[test]
    fn who_was_heard_lately_is_connected() {
        let told = report(&register(), Some(&dump()), at(60));
        assert!(told.running && told.attention.is_empty(), "{:?}", told.attention);
        let session = told.clients[0].session.as_ref().unwrap();
        assert_eq!((session.since, session.peer.as_str()), (at(10), "203.0.113.6:40112"));
        assert_eq!((session.received, session.sent), (5120, 7300));
        let away = &told.clients[1];
        assert!(away.session.is_none() && away.certificate_expires.is_none());
        let trouble = away.last_error.as_ref().unwrap();
        assert_eq!(
            (trouble.at, trouble.reason.as_str()),
            (at(-600), "nothing was heard of it since")
        );
        let never = &told.clients[2];
        assert!(never.session.is_none() && never.last_error.is_none());
        // The monitor reads it as it reads the other one.
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap().clients.len(), 3);
        assert!(is_connected(at(0), at(179)) && !is_connected(at(0), at(180)));
        assert!(is_connected(at(5), at(0)));
    }

    #[test]
    fn a_server_that_differs_from_the_register_needs_attention() {
        let (mut register, mut dump) = (register(), dump());
        let stopped = report(&register, None, at(0));
        assert!(!stopped.running && stopped.attention[0].contains("does not answer"));
        register.revoke(&"burst1".parse().unwrap()).unwrap();
        dump.peers.remove(&key(3));
        assert_eq!(
            report(&register, Some(&dump), at(0)).attention,
            [
                "the running server does not know 1 of the register's burst nodes, and lets in 1 that \
              the register does not name: run `stratus-vpn renew`"
            ]
        );
        dump.public_key = None;
        let other = report(&register, Some(&dump), at(0)).attention;
        assert!(other[0].contains("has another key") && other.len() == 1, "{other:?}");
    }
}
