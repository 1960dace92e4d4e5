//! XML digital signatures in the one narrow profile that manifests use.
//!
//! XML-DSig (W3C, second edition) lets the signer choose what a signature covers, through
//! references, transforms and key hints, and every such choice has been an attack. Here there is no
//! choice: one enveloped signature over the whole document, one certificate chain whose first
//! certificate's key made it. What is accepted beyond what we write is what `xmlsec1` writes in this
//! profile, and the algorithms of 2011, which verify as [`Strength::Weak`].
//!
//! ```text
//! text --parse--> tree --profile--> signature's parts --verify--> SignedDocument
//!                                    (structure)       (digest, then key)
//! ```
//!
//! A [`SignedDocument`] carries the canonical octets that were signed. Parse those and nothing else:
//! then a second parser cannot be shown another document.
//!
//! Not here: whether anybody trusts the signer (`stratus-x509`), and what the document says
//! (`stratus-manifest`).

mod c14n;
mod error;
mod key;
mod parse;
mod profile;
mod sign;
mod uri;
mod verify;

pub use error::{KeyError, SignError, SignatureError};
pub use key::SigningKey;
pub use sign::sign;
pub use verify::{SignedDocument, Strength, verify};
