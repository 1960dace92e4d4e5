//! The register: who may join, with which certificates, and every decision about them.

pub(crate) mod place;

use crate::serial::Serial;
use crate::token::TokenRecord;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;
use stratus_site::{HostName, MacAddress, MacPrefix, Vpn};

/// The form of the file.
pub const VERSION: u32 = 1;
/// How long a revocation list counts. It never leaves the server's host, so a long time costs
/// nothing; an expired one would lock everybody out.
pub const LIST_VALIDITY: Duration = days(400);
/// A list is made anew when it is this old, whatever runs.
pub const LIST_RENEWAL: Duration = days(7);
/// Certificates begin a little in the past: clocks of machines that just booted are off.
pub const CLOCK_TOLERANCE: Duration = Duration::from_hours(1);
/// Names in certificates have at most this many characters (X.520, ub-common-name).
pub const LONGEST_NAME: usize = 64;

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// Everything that is known of the overlay, without keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The form of the file, [`VERSION`].
    pub version: u32,
    /// Name of the site.
    pub site: String,
    /// The authorities that are trusted, oldest first. The last one issues.
    pub authorities: Vec<Authority>,
    /// The server's certificate.
    pub server: Issued,
    /// The revocation lists, one of each authority, made together.
    pub list: ListRecord,
    /// The burst nodes.
    pub clients: BTreeMap<HostName, Client>,
    /// Certificates that were revoked and would otherwise still count.
    pub revoked: Vec<RevokedRecord>,
}

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Its number, from 1.
    pub generation: u32,
    /// Serial number of its certificate.
    pub serial: Serial,
    /// Begin of its certificate.
    pub from: Timestamp,
    /// End of its certificate.
    pub to: Timestamp,
}

/// A certificate of the server or of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its serial number.
    pub serial: Serial,
    /// The generation of its authority.
    pub authority: u32,
    /// Begin.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// How it was given out, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
}

/// How a certificate was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handed {
    /// As it is: who has it may connect.
    Alone,
    /// Only together with a join token, so the first machine that uses it is the only one.
    WithToken(TokenRecord),
}

/// A burst node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// The MAC address of its end of the tunnel, derived from the address.
    pub mac: MacAddress,
    /// Since when it is known.
    pub added: Timestamp,
    /// Its certificates that count, oldest first.
    pub certificates: Vec<Issued>,
}

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedRecord {
    /// Whose it was.
    pub name: HostName,
    /// Its serial number.
    pub serial: Serial,
    /// The generation of its authority.
    pub authority: u32,
    /// When it would have ended; after that the lists need not name it.
    pub expires: Timestamp,
    /// When it was revoked.
    pub at: Timestamp,
}

/// The revocation lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRecord {
    /// Their number; goes up.
    pub number: u64,
    /// When they were made.
    pub from: Timestamp,
    /// When they end.
    pub to: Timestamp,
}

/// Why the register does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The name is taken.
    #[error("`{0}` is known already")]
    Known(HostName),
    /// Nobody has the name.
    #[error("there is no burst node `{0}`")]
    Unknown(HostName),
    /// It does not fit into a certificate.
    #[error("`{0}` is longer than {LONGEST_NAME} characters, which certificates do not hold")]
    TooLong(HostName),
    /// No address left.
    #[error("no address is free in `vpn.range`, {first} to {last}")]
    Full {
        /// First address.
        first: Ipv4Addr,
        /// Last address.
        last: Ipv4Addr,
    },
    /// The site file wants an address that another one has.
    #[error("`{name}` is to have {address} by the site file, and `{holder}` has it")]
    Taken {
        /// Who is to have it.
        name: HostName,
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        holder: HostName,
    },
    /// An authority is being replaced already.
    #[error("the authority is being replaced already, since {0}")]
    Rotating(Timestamp),
    /// Nothing to finish.
    #[error("no authority is being replaced")]
    NotRotating,
    /// Nodes that would be locked out.
    #[error("{} certificates of the old authority only: {}", count(.0), list(.0))]
    NotRenewed(Vec<HostName>),
}

fn count(names: &[HostName]) -> String {
    if names.len() == 1 {
        "1 burst node has".into()
    } else {
        format!("{} burst nodes have", names.len())
    }
}

fn list(names: &[HostName]) -> String {
    let mut text: Vec<&str> = names.iter().take(10).map(HostName::as_str).collect();
    if names.len() > 10 {
        text.push("…");
    }
    text.join(", ")
}

/// What has to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The revocation lists.
    pub list: bool,
    /// The server's certificate.
    pub server: bool,
}

impl Register {
    /// The authority that issues. There is always one.
    pub fn issuing(&self) -> &Authority {
        self.authorities.last().expect("a register has an authority")
    }

    /// Whether an authority is being replaced: the older one is trusted still.
    pub fn is_rotating(&self) -> bool {
        self.authorities.len() > 1
    }

    /// When a certificate begins and ends that is issued now: never after its authority.
    pub fn span(&self, validity: Duration, now: Timestamp) -> (Timestamp, Timestamp) {
        (before(now, CLOCK_TOLERANCE), after(now, validity).min(self.issuing().to))
    }

    /// Where a new node goes: the address that the site file gives it, else the lowest free one.
    pub fn place(&self, vpn: &Vpn, name: &HostName) -> Result<Ipv4Addr, RegisterError> {
        if name.as_str().len() > LONGEST_NAME {
            return Err(RegisterError::TooLong(name.clone()));
        }
        place::free(vpn, name, self.clients.iter().map(|(name, client)| (name, client.address)))
    }

    /// Puts a node in.
    pub fn add(
        &mut self,
        name: HostName,
        address: Ipv4Addr,
        prefix: MacPrefix,
        certificate: Issued,
        now: Timestamp,
    ) {
        let mac = MacAddress::derived(prefix, address);
        let certificates = vec![certificate];
        self.clients.insert(name, Client { address, mac, added: now, certificates });
    }

    /// A node by its name.
    pub fn client(&self, name: &HostName) -> Result<&Client, RegisterError> {
        self.clients.get(name).ok_or_else(|| RegisterError::Unknown(name.clone()))
    }

    /// A node by its name, to be changed.
    pub fn client_mut(&mut self, name: &HostName) -> Result<&mut Client, RegisterError> {
        self.clients.get_mut(name).ok_or_else(|| RegisterError::Unknown(name.clone()))
    }

    /// Takes a node out: its name and address are free again, its certificates are revoked.
    pub fn revoke(&mut self, name: &HostName, now: Timestamp) -> Result<(), RegisterError> {
        let client =
            self.clients.remove(name).ok_or_else(|| RegisterError::Unknown(name.clone()))?;
        let gone = client.certificates.into_iter().map(|certificate| RevokedRecord {
            name: name.clone(),
            serial: certificate.serial,
            authority: certificate.authority,
            expires: certificate.to,
            at: now,
        });
        self.revoked.extend(gone);
        Ok(())
    }

    /// Forgets what has ended: certificates that a newer one replaces, revocations, and an
    /// authority that was replaced.
    pub fn prune(&mut self, now: Timestamp) {
        // A day more: the clock of whoever compares may be behind.
        let ended = |to: Timestamp| after(to, days(1)) < now;
        self.revoked.retain(|revoked| !ended(revoked.expires));
        for client in self.clients.values_mut() {
            let newest = client.certificates.last().map(|c| c.serial);
            client.certificates.retain(|c| Some(c.serial) == newest || !ended(c.to));
        }
        let (issuing, server) = (self.issuing().generation, self.server.authority);
        self.authorities.retain(|authority| {
            authority.generation == issuing
                || authority.generation == server
                || !ended(authority.to)
        });
    }

    /// What has to be made anew now.
    pub fn due(&self, now: Timestamp) -> Due {
        let list = self.list.to <= now || after(self.list.from, LIST_RENEWAL) <= now;
        // The last third, so that many days are left to notice that nothing renews.
        let whole = self.server.to.duration_since(self.server.from);
        let left = self.server.to.duration_since(now);
        Due { list, server: left < whole / 3 }
    }

    /// Whether another authority may begin.
    pub fn may_rotate(&self) -> Result<u32, RegisterError> {
        if self.is_rotating() {
            return Err(RegisterError::Rotating(self.issuing().from));
        }
        Ok(self.issuing().generation + 1)
    }

    /// Whether the older authority may go. Nodes whose new certificate was never given out count
    /// as not renewed.
    pub fn may_finish(&self) -> Result<(), RegisterError> {
        if !self.is_rotating() {
            return Err(RegisterError::NotRotating);
        }
        let new = self.issuing().generation;
        let renewed = |client: &Client| {
            client.certificates.iter().any(|c| c.authority == new && c.handed.is_some())
        };
        let left: Vec<HostName> = self
            .clients
            .iter()
            .filter(|(_, client)| !renewed(client))
            .map(|(name, _)| name.clone())
            .collect();
        if left.is_empty() { Ok(()) } else { Err(RegisterError::NotRenewed(left)) }
    }

    /// Takes every authority but the issuing one away, with its certificates.
    pub fn finish(&mut self) {
        let new = self.issuing().generation;
        self.authorities.retain(|authority| authority.generation == new);
        self.revoked.retain(|revoked| revoked.authority == new);
        for client in self.clients.values_mut() {
            client.certificates.retain(|certificate| certificate.authority == new);
        }
    }

    /// Every serial number whose key file is needed.
    pub fn serials(&self) -> BTreeSet<Serial> {
        self.clients.values().flat_map(|c| &c.certificates).map(|c| c.serial).collect()
    }
}

/// An instant later; the last one that there is where it would be none.
pub fn after(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
