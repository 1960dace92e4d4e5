//! What is answered. Texts come from manifests as they are; whoever shows them escapes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stratus_model::{AppliancePath, Digest, FileKind, PolicyState, SignatureState, SignerState};

/// One page of appliances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many appliances fit the query, on all pages.
    pub total: u64,
    /// The appliances of this page.
    pub appliances: Vec<ApplianceSummary>,
    /// `after` of the next page; none on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Whether an appliance should be used today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// Yes.
    Valid,
    /// Its manifest's validity has ended.
    Expired,
    /// Its endorser has withdrawn it.
    Deprecated,
}

/// Where an appliance's files are, from the root of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The gzip file.
    pub image: String,
    /// The signed manifest.
    pub manifest: String,
    /// The folder both are in.
    pub folder: String,
    /// The signed statement that it should not be used; none unless it is deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<String>,
}

impl Links {
    /// The links of an appliance.
    pub fn of(appliance: &AppliancePath, validity: Validity) -> Self {
        let file = |kind| crate::route::Route::file(appliance, kind).to_path();
        Self {
            image: file(FileKind::Image),
            manifest: file(FileKind::Manifest),
            folder: crate::route::Route::Folder(appliance.folder()).to_path(),
            deprecation: (validity == Validity::Deprecated).then(|| file(FileKind::Deprecation)),
        }
    }
}

/// An appliance in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplianceSummary {
    /// `<os>-<osversion>-<arch>-<type>-<version>`.
    pub name: String,
    /// Its path below `/images`, without endings.
    pub path: String,
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
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Layout of the disk: `raw`, `qcow2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The 27-character identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// SHA-256 of the uncompressed image, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Size of the uncompressed image, in bytes.
    pub bytes: u64,
    /// Size of the file as served, in bytes.
    pub compressed_bytes: u64,
    /// When it was published here.
    pub published: Timestamp,
    /// End of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Timestamp>,
    /// Whether it should be used today.
    pub status: Validity,
    /// Subject of the endorser's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorser: Option<String>,
    /// The endorser's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Is the signature right?
    pub signature: SignatureState,
    /// Does this repository know the signer?
    pub signer: SignerState,
    /// Do its rules allow this signer at this place?
    pub policy: PolicyState,
    /// Where its files are.
    pub links: Links,
}

/// A digest on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// `SHA-256`.
    pub algorithm: String,
    /// Lower-case hexadecimal digits.
    pub value: String,
}

impl From<&Digest> for Checksum {
    fn from(digest: &Digest) -> Self {
        Self { algorithm: digest.algorithm().name().to_owned(), value: digest.to_hex() }
    }
}

/// The file as served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressedFile {
    /// Its size.
    pub bytes: u64,
    /// Its digests.
    pub checksums: Vec<Checksum>,
    /// Size of the pieces that its manifest lists digests of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_bytes: Option<u64>,
}

/// The least a machine needs to run the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimum {
    /// Virtual processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Disk in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<u64>,
}

/// Another version of the same appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionLink {
    /// The version.
    pub version: String,
    /// Its path below `/images`, without endings.
    pub path: String,
    /// Whether it should be used today.
    pub status: Validity,
}

/// Everything about one appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplianceDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: ApplianceSummary,
    /// A paragraph for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who made it, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it was endorsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsed: Option<Timestamp>,
    /// Issuer of the endorser's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Digests of the uncompressed image.
    pub checksums: Vec<Checksum>,
    /// The file as served.
    pub compressed: CompressedFile,
    /// A sentence for each thing about the signature, the signer or the rules that is not as it
    /// should be.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Why it should no longer be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Name of the appliance to use instead, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Remarks.
    #[serde(default)]
    pub comments: Vec<String>,
    /// Hypervisors it runs on.
    #[serde(default)]
    pub hypervisors: Vec<String>,
    /// Disk bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// The least it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minimum>,
    /// Other places of the image.
    #[serde(default)]
    pub locations: Vec<String>,
    /// Identifiers of the images it replaces.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// All its versions here, newest version first.
    #[serde(default)]
    pub versions: Vec<VersionLink>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> ApplianceDetail {
        let path: AppliancePath =
            AppliancePath::parse("base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0")
                .unwrap();
        let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let sha256 = Digest::sha256([0xab; 32]);
        ApplianceDetail {
            summary: ApplianceSummary {
                name: path.name().to_owned(),
                path: path.as_str().to_owned(),
                kind: "base".into(),
                os: "ubuntu".into(),
                osversion: "24.04".into(),
                arch: "x86_64".into(),
                version: "1.0".into(),
                title: Some("Ubuntu 24.04 base".into()),
                format: Some("qcow2".into()),
                identifier: Some("MMZu9WvwKIro-rtBQfDk4PsKO7_".into()),
                sha256: Some(sha256.to_hex()),
                bytes: 3 << 30,
                compressed_bytes: 1 << 30,
                published: at,
                valid: None,
                status: Validity::Valid,
                endorser: Some("/O=Example/CN=signer".into()),
                email: Some("signer@example.org".into()),
                signature: SignatureState::Good,
                signer: SignerState::Trusted,
                policy: PolicyState::Allowed,
                links: Links::of(&path, Validity::Valid),
            },
            description: Some("A small base system.".into()),
            user: Some("Image team".into()),
            created: Some(at),
            endorsed: Some(at),
            issuer: Some("/O=Example/CN=ca".into()),
            checksums: vec![(&sha256).into()],
            compressed: CompressedFile {
                bytes: 1 << 30,
                checksums: vec![(&Digest::sha256([0xcd; 32])).into()],
                chunk_bytes: Some(4_194_304),
            },
            reasons: vec![],
            deprecated: None,
            replaced_by: None,
            comments: vec![],
            hypervisors: vec!["kvm".into()],
            bus: Some("virtio".into()),
            minimum: Some(Minimum { cpu: Some(1), memory_mib: Some(512), disk_mib: None }),
            locations: vec![],
            replaces: vec![],
            versions: vec![],
        }
    }

    #[test]
    fn the_answer_reads_as_it_was_written() {
        let detail = example();
        let json = serde_json::to_string_pretty(&detail).unwrap();
        assert_eq!(serde_json::from_str::<ApplianceDetail>(&json).unwrap(), detail);
        insta::assert_snapshot!(json);
    }

    #[test]
    fn links_lead_to_the_files() {
        let links =
            Links::of(&AppliancePath::parse("base/x/1.0/x-1.0").unwrap(), Validity::Deprecated);
        assert_eq!(links.image, "/images/base/x/1.0/x-1.0.img.gz");
        assert_eq!(links.folder, "/images/base/x/1.0/");
        assert_eq!(links.deprecation.as_deref(), Some("/images/base/x/1.0/x-1.0.deprecated.xml"));
    }
}
