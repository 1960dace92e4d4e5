//! Certificates, keys and chains: who signed, and who vouches for them.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`subject`] | names in slash form and as LDAP writes them | RFC 4514 |
//! | [`Certificate`] | a certificate, read once | RFC 5280 |
//! | [`Credential`] | chain and key from PEM, PKCS#8, PKCS#1, SEC1, PKCS#12 | RFC 5958, 7292 |
//! | [`TrustStore`] | what a site trusts, and its judgement of a chain | RFC 5280, 3820, Globus signing policies |
//! | [`generate`] | making certificates | |
//!
//! Pure: bytes and instants are arguments. `stratus-anchors` reads trust anchors from a disk.

mod certificate;
mod credential;
mod der;
pub mod generate;
mod proxy;
mod revocation;
mod signature;
mod signing_policy;
pub mod subject;
mod trust;

pub use certificate::{Certificate, CertificateError, KeyKind};
pub use credential::{Credential, CredentialError, PrivateKey};
pub use revocation::RevocationPolicy;
pub use trust::{ChainOutcome, TrustError, TrustStore};
