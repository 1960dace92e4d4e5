//! The nouns every other crate speaks.
//!
//! Nothing here reads a file, a socket or a clock. Whatever a stranger can type is parsed once, into
//! a type that cannot hold a wrong value; the rest of Stratus then relies on the type.
//!
//! | noun | type | where it comes from |
//! |---|---|---|
//! | digest of a file | [`Digest`] | FIPS 180-4, RFC 1321 |
//! | 27-character image identifier | [`Identifier`] | the SHA-1 of the uncompressed image |
//! | what an appliance is called | [`Coordinates`] | type, os, os version, arch, version |
//! | where it lives in the tree | [`AppliancePath`], [`TreePath`] | [`Layout`] applied to coordinates |
//! | who signed | [`Subject`] | the slash form of an X.509 distinguished name |
//! | what the XML says | [`Manifest`] | `stratus-manifest` reads and writes it |
//! | what we think of it | [`Verdict`] | signature, signer and policy, never mixed |

mod bytes;
mod coordinates;
mod digest;
mod exit;
mod identifier;
mod manifest;
mod path;
mod subject;
pub mod text;
mod trust;

pub use bytes::{ByteCount, ByteCountError};
pub use coordinates::{Coordinates, Kind, Layout, LayoutError, Part, PartError};
pub use digest::{Algorithm, Digest, DigestError};
pub use exit::Exit;
pub use identifier::{Identifier, IdentifierError};
pub use manifest::{
    Chunks, Compressed, Compression, DiskFormat, Endorsement, Endorser, Expected, Manifest,
    ManifestFormat, Minimum, MissingField,
};
pub use path::{AppliancePath, FileKind, PathError, TreePath};
pub use subject::{Subject, SubjectPattern};
pub use trust::{PolicyState, SignatureState, SignerState, Verdict};
