//! What the server says about itself, and its errors in plain words.

mod log;
mod report;

pub use log::{Event, events};
pub use report::{ClientReport, Report, Seen, Session, Stranger, Trouble, report};

use jiff::Timestamp;
use std::collections::BTreeMap;

/// What the server agrees to.
const CIPHERS: [&str; 2] = ["AES-256-GCM", "CHACHA20-POLY1305"];

/// A client that is connected, as `status 3` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The name in its certificate.
    pub name: String,
    /// Where it is, with port.
    pub peer: String,
    /// Bytes that came from it.
    pub received: u64,
    /// Bytes that went to it.
    pub sent: u64,
    /// Since when.
    pub since: Timestamp,
    /// The cipher of its data.
    pub cipher: String,
}

/// Reads `status 3`. Columns are found by their names, so that more of them do no harm; lines that
/// are not whole are passed over.
pub fn connected(text: &str) -> Vec<Connected> {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim_end_matches('\r').split('\t').collect();
        match fields.as_slice() {
            ["HEADER", "CLIENT_LIST", names @ ..] => {
                let positions = names.iter().enumerate();
                columns = positions.map(|(at, name)| ((*name).to_owned(), at + 1)).collect();
            }
            ["CLIENT_LIST", ..] => all.extend(client(&columns, &fields)),
            _ => {}
        }
    }
    all
}

fn client(columns: &BTreeMap<String, usize>, fields: &[&str]) -> Option<Connected> {
    let field = |name: &str| columns.get(name).and_then(|at| fields.get(*at)).copied();
    let name = field("Common Name")?;
    let cipher = field("Data Channel Cipher")?;
    // In the middle of the handshake there is no name yet, and without an agreed cipher nobody was
    // let in: OpenVPN also lists machines that it is about to refuse.
    if name.is_empty() || name == "UNDEF" || !CIPHERS.contains(&cipher) {
        return None;
    }
    Some(Connected {
        name: name.to_owned(),
        peer: field("Real Address")?.to_owned(),
        received: field("Bytes Received")?.parse().ok()?,
        sent: field("Bytes Sent")?.parse().ok()?,
        since: Timestamp::from_second(field("Connected Since (time_t)")?.parse().ok()?).ok()?,
        cipher: cipher.to_owned(),
    })
}

#[cfg(test)]
mod tests;
