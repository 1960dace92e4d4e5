//! What `wg show INTERFACE dump` says, by wg(8). Pure.

use super::PublicKey;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Longest endpoint that is believed: an IPv6 address with its zone, and a port.
const ENDPOINT: usize = 80;

/// A running interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Its public key; none where it has no key yet.
    pub public_key: Option<PublicKey>,
    /// Its peers.
    pub peers: BTreeMap<PublicKey, Peer>,
}

/// A peer of a running interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Where it is, with port, once it was heard.
    pub endpoint: Option<String>,
    /// Its last handshake, if there was one.
    pub handshake: Option<Timestamp>,
    /// Bytes that came from it.
    pub received: u64,
    /// Bytes that went to it.
    pub sent: u64,
}

/// Reads a dump: a line of the interface, a line of each peer, fields between tabs. None where the
/// first line is not one of an interface; lines of peers that are not whole are passed over. Secret
/// keys in it are not looked at.
pub fn parse(text: &str) -> Option<Dump> {
    let mut lines = text.lines();
    let interface: Vec<&str> = lines.next()?.split('\t').collect();
    // The private key, the public key, the port, the mark of the firewall; later ones do no harm.
    let [_, public_key, port, _, ..] = interface.as_slice() else { return None };
    port.parse::<u16>().ok()?;
    let public_key = match *public_key {
        "(none)" => None,
        text => Some(text.parse().ok()?),
    };
    Some(Dump { public_key, peers: lines.filter_map(peer).collect() })
}

fn peer(line: &str) -> Option<(PublicKey, Peer)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [key, _, endpoint, _, handshake, received, sent, _, ..] = fields.as_slice() else {
        return None;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:[]%-_".contains(c);
    let known = endpoint.len() <= ENDPOINT && endpoint.chars().all(plain) && !endpoint.is_empty();
    let seconds: i64 = handshake.parse().ok()?;
    let peer = Peer {
        endpoint: known.then(|| (*endpoint).to_owned()),
        handshake: Timestamp::from_second(seconds).ok().filter(|_| seconds > 0),
        received: received.parse().ok()?,
        sent: sent.parse().ok()?,
    };
    Some((key.parse().ok()?, peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As wireguard-tools 1.0.20210914 wrote it, with other keys.
    const DUMP: &str = "\
        SECRETSECRETSECRETSECRETSECRETSECRETSECRETA=\taGVyZSBhcmUgdGhpcnR5LXR3byBieXRlcyBvZiBrZXk=\t51820\toff\n\
        b25lIHBlZXIsIHRoaXJ0eS10d28gYnl0ZXMgbG9uZyE=\tSECRET\t203.0.113.6:40112\t10.51.0.200/32\t1795269600\t5120\t7300\toff\n\
        dGhlIG90aGVyIHBlZXIsIHRoaXJ0eS10d28gYnl0ZXM=\tSECRET\t(none)\t10.51.0.201/32\t0\t0\t148\toff\n";

    #[test]
    fn a_dump_is_read() {
        let dump = parse(DUMP).unwrap();
        assert!(dump.public_key.unwrap().to_string().starts_with("aGVyZSBhcmU"));
        let peers: Vec<&Peer> = dump.peers.values().collect();
        let one = Peer {
            endpoint: Some("203.0.113.6:40112".into()),
            handshake: Some(Timestamp::from_second(1_795_269_600).unwrap()),
            received: 5120,
            sent: 7300,
        };
        assert_eq!(peers, [&one, &Peer { sent: 148, ..Peer::default() }]);
        assert!(!format!("{dump:?}").contains("SECRET"));
        // Made, and not set up yet.
        let fresh = parse("(none)\t(none)\t0\toff\n").unwrap();
        assert_eq!((fresh.public_key, fresh.peers.len()), (None, 0));
    }

    #[test]
    fn what_is_no_dump_is_none_and_no_line_spoils_another() {
        for text in ["", "\n", "a\tb", "x\ty\tz\tw", "(none)\t(none)\t70000\toff", "wg0\t(none)\t1"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let lines: Vec<&str> = DUMP.lines().collect();
        let long = lines[1].replace("203.0.113.6:40112", &"1".repeat(81));
        let escape = lines[1].replace("203.0.113.6", "\u{1b}[2J");
        let never = lines[1].replace("1795269600", "-5");
        let huge = lines[1].replace("1795269600", "9223372036854775807");
        for (line, peers) in [
            (&*long, 1),
            (&*escape, 1),
            (&*never, 1),
            (&*huge, 1),
            (&lines[1][..60], 0),
            (&lines[1].replace("5120", "18446744073709551616"), 0),
            (&lines[1].replace("b25lIHBlZXI", "b25l"), 0),
        ] {
            let dump = parse(&format!("{}\n{line}\n{}\n", lines[0], lines[2])).unwrap();
            assert_eq!(dump.peers.len(), peers + 1, "{line}");
            let odd = dump.peers.values().find(|peer| peer.received == 5120);
            assert!(odd.is_none_or(|p| p.endpoint.is_none() || p.handshake.is_none()), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_says_is_too_much(text in "(\\(none\\)|off|[0-9]{1,20}|b25lIHBlZXIsIHRoaXJ0eS10d28gYnl0ZXMgbG9uZyE=|\t|\n|.){0,60}") {
            let _ = parse(&text);
        }
    }
}
