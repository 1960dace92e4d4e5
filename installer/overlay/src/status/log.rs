//! The server's log, line by line.

use crate::serial::Serial;
use jiff::Timestamp;

/// Something that went wrong with a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Where the client was, with port.
    pub peer: Option<String>,
    /// The name in its certificate, where it came that far.
    pub name: Option<String>,
    /// The serial number of its certificate.
    pub serial: Option<Serial>,
    /// What went wrong, a sentence without a full stop.
    pub reason: &'static str,
}

/// What OpenVPN 2.6 writes, and what that means. The first that is found in a line counts.
const MEANINGS: [(&str, &str); 19] = [
    ("error=certificate revoked", "its certificate was revoked"),
    (
        "error=certificate has expired",
        "its certificate has expired; `stratus-vpn renew NAME` makes a new one",
    ),
    ("error=certificate is not yet valid", "its certificate is not valid yet; compare the clocks"),
    (
        "error=CRL has expired",
        "the revocation list has expired and nobody is let in; run `stratus-vpn renew`",
    ),
    ("error=CRL is not yet valid", "the revocation list is not valid yet; compare the clocks"),
    ("error=unable to get local issuer certificate", "its certificate is from another authority"),
    ("error=self-signed certificate", "its certificate is from another authority"),
    ("error=self signed certificate", "its certificate is from another authority"),
    ("error=unable to get issuer certificate", "its certificate is from another authority"),
    (
        "error=certificate signature failure",
        "its certificate was not signed by the authority that it names",
    ),
    ("VERIFY KU ERROR", "its certificate is not for clients"),
    ("VERIFY EKU ERROR", "its certificate is not for clients"),
    ("--client-config-dir authentication failed", "its name is not in the register"),
    ("Auth Username/Password verification failed", "its join token was refused"),
    ("tls-crypt unwrap error", "its tls-crypt-v2 key is not one of this server"),
    ("can not extract tls-crypt-v2 client key", "its tls-crypt-v2 key is not one of this server"),
    ("failed to unwrap tls-crypt-v2 client key", "its tls-crypt-v2 key is not one of this server"),
    (
        "TLS key negotiation failed to occur within",
        "the connection was not complete in time: the network loses packets, or the node does not trust this server",
    ),
    ("Inactivity timeout", "it was silent for too long and its session was ended"),
];

/// The errors in a log as the management interface gives it: `seconds,flags,text`.
pub fn events(log: &str) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for line in log.lines() {
        if let Some(event) = event(line) {
            // A handshake that failed says so in several lines; the first has the reason.
            let told = all.last().is_some_and(|last| {
                last.peer == event.peer && last.at == event.at && event.serial.is_none()
            });
            if !told {
                all.push(event);
            }
        }
    }
    all
}

fn event(line: &str) -> Option<Event> {
    let mut parts = line.splitn(3, ',');
    let (seconds, _flags, text) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, reason) = MEANINGS.iter().find(|(words, _)| text.contains(words))?;
    let at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    let (known, peer) = from(text);
    let subject = field(text, "CN=").or_else(|| quoted(text, "common name '"));
    let serial = field(text, "serial=").and_then(Serial::from_decimal);
    let name = subject.or(known).map(str::to_owned);
    Some(Event { at, peer: peer.map(str::to_owned), name, serial, reason })
}

/// Who a line is about: `NAME/ADDRESS:PORT text` or `ADDRESS:PORT text`, and in the lines before
/// a session is made, an address in brackets somewhere.
fn from(text: &str) -> (Option<&str>, Option<&str>) {
    let first = text.split(' ').next().unwrap_or_default();
    let (name, peer) = match first.split_once('/') {
        Some((name, peer)) => (Some(name), peer),
        None => (None, first),
    };
    if is_peer(peer) {
        return (name, Some(peer));
    }
    let marks = ["[AF_INET]", "[AF_INET6]"];
    let inside = marks.iter().find_map(|mark| text.split_once(mark).map(|(_, rest)| rest));
    let peer = inside.map(|rest| {
        rest.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']')))
            .next()
            .unwrap_or_default()
    });
    (None, peer.filter(|peer| !peer.is_empty()))
}

fn is_peer(text: &str) -> bool {
    let Some((address, port)) = text.rsplit_once(':') else { return false };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    port.parse::<u16>().is_ok() && address.parse::<std::net::IpAddr>().is_ok()
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(key)?;
    let end = rest.find([',', ' ', '/']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|value| !value.is_empty())
}

fn quoted<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(key)?;
    rest.split_once('\'').map(|(value, _)| value)
}
