//! What a manifest says, whichever format it was written in.
//!
//! Historical formats leave much out, so most fields are optional here; [`Manifest::coordinates`]
//! and [`Manifest::expected`] say what is missing where something is needed.

use crate::{Algorithm, Coordinates, Digest, Identifier, Kind, Part, PartError, Subject};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The formats that can be read. Only [`ManifestFormat::Format1`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ManifestFormat {
    /// The flat manifests of 2010, without a namespace.
    #[serde(rename = "flat-2010")]
    Flat2010,
    /// The RDF/XML metadata of 2011 to 2016.
    #[serde(rename = "rdf")]
    Rdf,
    /// Namespace `urn:stratus:manifest:1`.
    #[serde(rename = "1")]
    Format1,
}

/// How the disk inside the gzip file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU copy-on-write, version 2 or 3.
    Qcow2,
}

impl DiskFormat {
    /// The name as manifests write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// How the file as served is compressed. New manifests always say gz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all (historical).
    None,
    /// gzip, RFC 1952.
    Gz,
    /// bzip2 (historical).
    Bz2,
}

/// Digests of the consecutive pieces of the compressed file, so that a piece can be checked before
/// it is used, whatever source it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chunks {
    /// Bytes in each piece but the last: 4,194,304 in what Stratus writes.
    pub size: u64,
    /// SHA-256 of each piece, in order.
    #[serde(serialize_with = "hex_list")]
    pub sha256: Vec<[u8; 32]>,
}

impl Chunks {
    /// The piece size Stratus writes: 4 MiB.
    pub const SIZE: u64 = 4_194_304;
}

fn hex_list<S: serde::Serializer>(list: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(hex::encode))
}

/// The file as served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compressed {
    /// Its size.
    pub bytes: u64,
    /// Its digests.
    pub checksums: Vec<Digest>,
    /// Its pieces.
    pub chunks: Option<Chunks>,
}

/// The least a machine needs to run the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Minimum {
    /// Virtual processors.
    pub cpu: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Disk in MiB.
    pub disk_mib: Option<u64>,
}

/// The person whose certificate signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endorser {
    /// Subject of the certificate.
    pub subject: Option<Subject>,
    /// Issuer of the certificate.
    pub issuer: Option<Subject>,
    /// E-mail address.
    pub email: Option<String>,
}

/// The statement that somebody stands for the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endorsement {
    /// When.
    pub created: Option<Timestamp>,
    /// Who.
    pub endorser: Endorser,
}

/// A manifest's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// When the image was made.
    pub created: Option<Timestamp>,
    /// Type: `base`, `grid.ce`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The appliance's version.
    pub version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Who made it, free text.
    pub user: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Version of the operating system.
    pub osversion: Option<String>,
    /// Compression of the file as served.
    pub compression: Option<Compression>,
    /// Name of the image file when the manifest was made.
    pub filename: Option<String>,
    /// Layout of the disk.
    pub format: Option<DiskFormat>,
    /// Size of the uncompressed image.
    pub bytes: Option<u64>,
    /// Digests of the uncompressed image (for flat manifests, of the file as it was).
    pub checksums: Vec<Digest>,
    /// The file as served.
    pub compressed: Option<Compressed>,
    /// One line for people.
    pub title: Option<String>,
    /// A paragraph for people.
    pub description: Option<String>,
    /// Remarks.
    pub comments: Vec<String>,
    /// End of validity.
    pub valid: Option<Timestamp>,
    /// URLs of the image, best first.
    pub locations: Vec<String>,
    /// Hypervisors it runs on: `kvm`.
    pub hypervisors: Vec<String>,
    /// Disk bus: `virtio`, `scsi`, `ide`.
    pub bus: Option<String>,
    /// The least it needs.
    pub minimum: Option<Minimum>,
    /// Identifiers of the images it replaces.
    pub replaces: Vec<String>,
    /// The 27-character identifier.
    pub identifier: Option<Identifier>,
    /// Who stands for it.
    pub endorsement: Option<Endorsement>,
    /// Reason for no longer using it (historical metadata carries it in the manifest itself).
    pub deprecated: Option<String>,
    /// What a historical manifest says that format 1 has no element for (publisher, tag, ports):
    /// element name and value, in the order of the document.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub historical: Vec<(String, String)>,
}

/// One list of values for each name, so that a repeated element loses nothing in JSON.
fn by_name<S: serde::Serializer>(
    list: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut names: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for (name, value) in list {
        names.entry(name).or_default().push(value);
    }
    names.serialize(serializer)
}

/// A field that is needed here and not in the manifest, or not usable as a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissingField {
    /// Not in the manifest.
    #[error("the manifest has no <{0}>")]
    Absent(&'static str),
    /// There, but it cannot be part of a name.
    #[error("<{field}>: {source}")]
    Unusable {
        /// Element name.
        field: &'static str,
        /// Why not.
        source: PartError,
    },
}

impl Manifest {
    /// A manifest that says nothing yet.
    pub fn empty() -> Self {
        Self {
            created: None,
            kind: None,
            version: None,
            arch: None,
            user: None,
            os: None,
            osversion: None,
            compression: None,
            filename: None,
            format: None,
            bytes: None,
            checksums: Vec::new(),
            compressed: None,
            title: None,
            description: None,
            comments: Vec::new(),
            valid: None,
            locations: Vec::new(),
            hypervisors: Vec::new(),
            bus: None,
            minimum: None,
            replaces: Vec::new(),
            identifier: None,
            endorsement: None,
            deprecated: None,
            historical: Vec::new(),
        }
    }

    /// The five parts of the name.
    pub fn coordinates(&self) -> Result<Coordinates, MissingField> {
        fn read<T: std::str::FromStr<Err = PartError>>(
            field: &'static str,
            value: Option<&String>,
        ) -> Result<T, MissingField> {
            let text = value.ok_or(MissingField::Absent(field))?;
            text.parse().map_err(|source| MissingField::Unusable { field, source })
        }
        Ok(Coordinates {
            kind: read::<Kind>("type", self.kind.as_ref())?,
            os: read::<Part>("os", self.os.as_ref())?,
            os_version: read::<Part>("osversion", self.osversion.as_ref())?,
            arch: read::<Part>("arch", self.arch.as_ref())?,
            version: read::<Part>("version", self.version.as_ref())?,
        })
    }

    /// The digest of the uncompressed image in one algorithm.
    pub fn checksum(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.checksums.iter().find(|d| d.algorithm() == algorithm)
    }

    /// What the image must be, byte for byte.
    ///
    /// Needs a size and a SHA-256 or SHA-512 of the uncompressed image; a match of weaker digests
    /// proves nothing.
    pub fn expected(&self) -> Result<Expected, MissingField> {
        if !self.checksums.iter().any(|d| d.algorithm().is_strong()) {
            return Err(MissingField::Absent("checksum algorithm=\"SHA-256\""));
        }
        Ok(Expected {
            bytes: self.bytes.ok_or(MissingField::Absent("bytes"))?,
            checksums: self.checksums.clone(),
            compressed: self.compressed.clone(),
        })
    }
}

/// What a manifest promises about its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Size of the uncompressed image.
    pub bytes: u64,
    /// Digests of the uncompressed image; at least one is strong.
    pub checksums: Vec<Digest>,
    /// The file as served, if the manifest tells.
    pub compressed: Option<Compressed>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let mut manifest = Manifest::empty();
        assert_eq!(manifest.coordinates(), Err(MissingField::Absent("type")));
        manifest.kind = Some("base/..".into());
        assert!(matches!(
            manifest.coordinates(),
            Err(MissingField::Unusable { field: "type", .. })
        ));
    }

    #[test]
    fn a_weak_digest_promises_nothing() {
        let mut manifest = Manifest::empty();
        manifest.bytes = Some(1);
        manifest.checksums.push(Digest::from_hex(Algorithm::Sha1, &"00".repeat(20)).unwrap());
        assert!(manifest.expected().is_err());
        manifest.checksums.push(Digest::sha256([0; 32]));
        assert!(manifest.expected().is_ok());
    }
}
