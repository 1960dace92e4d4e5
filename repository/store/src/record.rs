//! An appliance as it is found again.

use crate::Deprecation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stratus_image::{Form, Inspected, Measured};
use stratus_model::{
    Algorithm, AppliancePath, Digest, DiskFormat, Endorser, Identifier, Manifest, Subject, Verdict,
};

/// What is kept in mind of a published appliance.
///
/// Everything here comes from the tree (manifest, deprecation, the files themselves), so that it can
/// be made again at any time; lookups never touch a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it lives.
    pub path: AppliancePath,
    /// Type, operating system, its version, architecture, version, as the manifest says.
    #[serde(flatten)]
    pub labels: Labels,
    /// The 27-character identifier.
    pub identifier: Option<Identifier>,
    /// One line for people.
    pub title: Option<String>,
    /// A paragraph for people.
    pub description: Option<String>,
    /// Who made it, free text.
    pub user: Option<String>,
    /// Layout of the disk.
    pub disk_format: Option<DiskFormat>,
    /// The image inside.
    pub content: FormFacts,
    /// The file as served; always with a SHA-256.
    pub compressed: FormFacts,
    /// Size of the pieces of the file that the manifest lists digests of, in bytes.
    #[serde(default)]
    pub chunk_bytes: Option<u64>,
    /// What the manifest says for people and machines that choose an image.
    #[serde(default)]
    pub facts: Facts,
    /// When the image was made.
    pub created: Option<Timestamp>,
    /// When it was endorsed.
    pub endorsed: Option<Timestamp>,
    /// When it was published here, in whole milliseconds.
    pub published: Timestamp,
    /// End of validity.
    pub valid: Option<Timestamp>,
    /// Who stands for it.
    pub endorser: Option<Subject>,
    /// Issuer of the endorser's certificate.
    pub issuer: Option<Subject>,
    /// The endorser's e-mail address.
    pub email: Option<String>,
    /// What the site thought of the manifest when it was last read.
    pub verdict: Verdict,
    /// Why it should no longer be used, if so.
    pub deprecated: Option<Deprecation>,
    /// Digests that the manifest gives and that are, or are not yet, compared with the bytes.
    pub checks: Vec<Check>,
    /// What is wrong with the stored bytes, in a sentence; they are not served then.
    pub damaged: Option<String>,
    /// The manifest as stored.
    pub manifest: FileFacts,
    /// The deprecation as stored.
    pub deprecation: Option<FileFacts>,
    /// What the place calls the image; of no meaning to others.
    pub image_key: String,
}

/// The words of an appliance's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Type: `base`, `grid.ce`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Operating system.
    pub os: String,
    /// Version of the operating system.
    pub osversion: String,
    /// Architecture.
    pub arch: String,
    /// The appliance's version.
    pub version: String,
}

/// What a manifest says for people and machines that choose an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Remarks.
    pub comments: Vec<String>,
    /// Hypervisors it runs on.
    pub hypervisors: Vec<String>,
    /// Disk bus.
    pub bus: Option<String>,
    /// Virtual processors it needs.
    pub cpu: Option<u32>,
    /// Memory it needs, in MiB.
    pub memory_mib: Option<u64>,
    /// Disk it needs, in MiB.
    pub disk_mib: Option<u64>,
    /// Other places of the image.
    pub locations: Vec<String>,
    /// Identifiers of the images it replaces.
    pub replaces: Vec<String>,
}

impl From<&Manifest> for Facts {
    fn from(manifest: &Manifest) -> Self {
        let minimum = manifest.minimum.unwrap_or_default();
        Self {
            comments: manifest.comments.clone(),
            hypervisors: manifest.hypervisors.clone(),
            bus: manifest.bus.clone(),
            cpu: minimum.cpu,
            memory_mib: minimum.memory_mib,
            disk_mib: minimum.disk_mib,
            locations: manifest.locations.clone(),
            replaces: manifest.replaces.clone(),
        }
    }
}

/// Size and digests of one form of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormFacts {
    /// Size in bytes.
    pub bytes: u64,
    /// Digests that were computed from the bytes, or that the verified manifest gives.
    pub digests: Vec<Digest>,
}

impl FormFacts {
    /// The digest in one algorithm.
    pub fn digest(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.digests.iter().find(|d| d.algorithm() == algorithm)
    }

    pub(crate) fn add(&mut self, digest: &Digest) {
        if self.digest(digest.algorithm()).is_none() {
            self.digests.push(digest.clone());
            self.digests.sort();
        }
    }
}

impl From<&Measured> for FormFacts {
    fn from(measured: &Measured) -> Self {
        Self { bytes: measured.bytes, digests: measured.digests.clone() }
    }
}

/// A small file of an appliance, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of it.
    pub sha256: Digest,
    /// When it was stored, in whole milliseconds.
    pub modified: Timestamp,
    /// What the place calls this state of the file; changes when the file does.
    pub stamp: String,
}

/// How far the comparison of a digest with the bytes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// The bytes have this digest.
    Verified,
    /// Not compared yet; is being done.
    Pending,
    /// The bytes have another digest.
    Failed,
}

/// A digest and whether it was compared with the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Of which form.
    #[serde(with = "FormName")]
    pub form: Form,
    /// The digest that the manifest gives.
    pub digest: Digest,
    /// How far it is.
    pub state: CheckState,
}

impl Record {
    /// The appliance's name with version: the last part of its path.
    pub fn name(&self) -> &str {
        self.path.name()
    }

    /// SHA-256 of the file as served: its strong validator.
    pub fn sha256(&self) -> Option<&Digest> {
        self.compressed.digest(Algorithm::Sha256)
    }

    /// SHA-256 of the image inside.
    pub fn content_sha256(&self) -> Option<&Digest> {
        self.content.digest(Algorithm::Sha256)
    }

    /// Whether digests are still to be compared.
    pub fn is_pending(&self) -> bool {
        self.checks.iter().any(|check| check.state == CheckState::Pending)
    }

    /// From what a manifest says. Sizes and digests are taken as the manifest's until the image was
    /// measured.
    pub(crate) fn describe(
        path: &AppliancePath,
        manifest: &Manifest,
        verdict: Verdict,
        file: FileFacts,
        image_key: String,
    ) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let endorsement = manifest.endorsement.as_ref();
        let endorser: Option<&Endorser> = endorsement.map(|e| &e.endorser);
        Self {
            path: path.clone(),
            labels: Labels {
                kind: text(&manifest.kind),
                os: text(&manifest.os),
                osversion: text(&manifest.osversion),
                arch: text(&manifest.arch),
                version: text(&manifest.version),
            },
            identifier: manifest.identifier,
            title: manifest.title.clone(),
            description: manifest.description.clone(),
            user: manifest.user.clone(),
            disk_format: manifest.format,
            content: FormFacts::default(),
            compressed: FormFacts::default(),
            chunk_bytes: manifest
                .compressed
                .as_ref()
                .and_then(|c| c.chunks.as_ref())
                .map(|c| c.size),
            facts: Facts::from(manifest),
            created: manifest.created,
            endorsed: endorsement.and_then(|e| e.created),
            published: file.modified,
            valid: manifest.valid,
            endorser: endorser.and_then(|e| e.subject.clone()),
            issuer: endorser.and_then(|e| e.issuer.clone()),
            email: endorser.and_then(|e| e.email.clone()),
            verdict,
            deprecated: manifest.deprecated.clone().map(|reason| Deprecation {
                reason,
                replaced_by: None,
                by: endorser.and_then(|e| e.subject.clone()),
                at: None,
            }),
            checks: Vec::new(),
            damaged: None,
            manifest: file,
            deprecation: None,
            image_key,
        }
    }
}

/// What was measured of a staged image; survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The gzip file.
    pub compressed: FormFacts,
    /// SHA-256 of its 4 MiB pieces.
    #[serde(with = "hex_list")]
    pub chunks: Vec<[u8; 32]>,
    /// The image inside.
    pub content: FormFacts,
    /// Layout of the disk.
    pub disk_format: DiskFormat,
    /// Number of gzip members.
    pub gzip_members: u64,
}

impl From<Inspected> for ImageFacts {
    fn from(found: Inspected) -> Self {
        Self {
            compressed: (&found.compressed).into(),
            content: (&found.content).into(),
            chunks: found.compressed.chunks.map(|c| c.sha256).unwrap_or_default(),
            disk_format: found.disk_format,
            gzip_members: found.gzip_members,
        }
    }
}

/// [`Form`] as JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Form", rename_all = "lowercase")]
enum FormName {
    Compressed,
    Content,
}

mod hex_list {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// One text for all: 64 digits for each piece.
    pub(super) fn serialize<S: Serializer>(list: &[[u8; 32]], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(list.concat()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let bytes = hex::decode(String::deserialize(d)?).map_err(de::Error::custom)?;
        let (pieces, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            Ok(pieces.to_vec())
        } else {
            Err(de::Error::custom("a digest is cut off"))
        }
    }
}
