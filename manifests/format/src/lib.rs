//! Manifests as XML: reading, writing, endorsing, validating, policy.
//!
//! One format is written ([`write()`], the XSD is in `manifests/schema`), all known ones are read
//! ([`read()`]):
//!
//! | format | root | signature |
//! |---|---|---|
//! | flat, 2010 | `<manifest>` without namespace | none |
//! | RDF/XML, 2011 to 2016 | `<rdf:RDF>` | enveloped, SHA-1: good but weak |
//! | 1 | `<manifest xmlns="urn:stratus:manifest:1">` | enveloped, SHA-256 up |
//!
//! What was read is [`Unverified`] and shows little. The flow:
//!
//! ```text
//! Manifest --write--> XML --endorse--> signed XML --validate--> Validation --> Verified<Manifest>
//! ```
//!
//! Nothing here touches a file, a socket or a clock; the time is an argument everywhere. Every
//! refusal names line, column, rule and value, all problems of a document together.

mod dates;
pub mod deprecation;
mod email;
mod emit;
mod endorse;
mod extensions;
mod flat;
mod format1;
pub mod policy;
mod problem;
mod rdf;
mod read;
mod reader;
mod seal;
mod tags;
mod validate;
mod values;
mod write;
mod xml;

pub use emit::WriteError;
pub use endorse::{EndorseError, EndorseOptions, Endorsed, endorse, endorse_with};
pub use format1::NAMESPACE;
pub use policy::Policy;
pub use problem::{Problem, ReadError, ReadErrorKind};
pub use read::{Unverified, read};
pub use validate::{Checks, Validation, Verified, validate, validate_with};
pub use write::write;
pub use xml::SIZE_LIMIT;
