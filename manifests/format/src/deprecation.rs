//! The statement that an appliance should no longer be used.
//!
//! Published images never change and are not taken away; instead somebody who may endorse them
//! signs a small document of its own: which image, why, since when, and what to use instead.
//!
//! ```xml
//! <deprecated xmlns="urn:stratus:manifest:1">
//!   <identifier>MMZu9WvwKIro-rtBQfDk4PsKO7_</identifier>
//!   <sha256>…</sha256>
//!   <name>debian-12-x86_64-base-1.0</name>
//!   <reason>contains a broken resolver</reason>
//!   <created>2026-11-21T10:00:00Z</created>
//!   <replacedBy>debian-12-x86_64-base-1.1</replacedBy>
//!   <endorsement>…</endorsement>
//! </deprecated>
//! ```
//!
//! The image is named by its identifier, by the SHA-256 of the uncompressed image, or by both.

use crate::dates;
use crate::emit::{Emitter, WriteError};
use crate::format1::{self, NAMESPACE};
use crate::problem::{Problem, ReadError, ReadErrorKind, printable};
use crate::reader::{Element, Reader, Seen, elements, name, namespace};
use crate::values;
use crate::xml::{self, DS};
use jiff::Timestamp;
use roxmltree::Document;
use serde::Serialize;
use stratus_model::{Algorithm, Digest, Endorsement, Identifier, Manifest};

mod sealed;

pub use sealed::{DeprecationValidation, endorse, endorse_with, validate};

/// Elements that the statement always has.
const NEEDED: [&str; 3] = ["name", "reason", "created"];

/// What the statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deprecation {
    /// Identifier of the image.
    pub identifier: Option<Identifier>,
    /// SHA-256 of the uncompressed image.
    pub sha256: Option<Digest>,
    /// Name of the appliance with its version.
    pub name: String,
    /// Why it should no longer be used.
    pub reason: String,
    /// When this was said.
    pub created: Timestamp,
    /// Name of the appliance to use instead.
    pub replaced_by: Option<String>,
    /// Who says so.
    pub endorsement: Option<Endorsement>,
}

impl Deprecation {
    /// A statement about the image of a manifest, not endorsed yet.
    pub fn of(manifest: &Manifest, name: String, reason: String, created: Timestamp) -> Self {
        Self {
            identifier: manifest.identifier,
            sha256: manifest.checksum(Algorithm::Sha256).cloned(),
            name,
            reason,
            created,
            replaced_by: None,
            endorsement: None,
        }
    }

    /// Whether the statement is about the image of this manifest: at least one of identifier and
    /// SHA-256 is the same, and neither differs.
    pub fn concerns(&self, manifest: &Manifest) -> bool {
        let same = |ours: Option<String>, theirs: Option<String>| Some(ours? == theirs?);
        let identifier = same(
            self.identifier.map(|i| i.to_string()),
            manifest.identifier.map(|i| i.to_string()),
        );
        let theirs = manifest.checksum(Algorithm::Sha256).map(Digest::to_hex);
        let sha256 = same(self.sha256.as_ref().map(Digest::to_hex), theirs);
        let both = [identifier, sha256];
        both.contains(&Some(true)) && !both.contains(&Some(false))
    }
}

/// A statement as it was read. Nobody vouches for it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedDeprecation {
    deprecation: Deprecation,
    carries_signature: bool,
}

impl UnverifiedDeprecation {
    /// Whether a signature element is there; nothing is said about its worth.
    pub fn carries_signature(&self) -> bool {
        self.carries_signature
    }

    /// The name it claims to be about, for messages only.
    pub fn claimed_name(&self) -> &str {
        &self.deprecation.name
    }

    /// The content, which anybody may have written.
    pub fn into_unverified_deprecation(self) -> Deprecation {
        self.deprecation
    }
}

/// Reads a statement; the limits are those of [`crate::read()`].
pub fn read(bytes: &[u8]) -> Result<UnverifiedDeprecation, ReadError> {
    let text = xml::text(bytes)?;
    read_document(&xml::parse(text)?)
}

fn read_document(document: &Document<'_>) -> Result<UnverifiedDeprecation, ReadError> {
    let root = document.root_element();
    if (namespace(root), name(root)) != (Some(NAMESPACE), "deprecated") {
        let at = document.text_pos_at(root.range().start);
        let rule = format!("the root element is <deprecated> in the namespace {NAMESPACE}");
        let problem = Problem::new((at.row, at.col), rule).with_value(&format!("<{}>", name(root)));
        return Err(ReadError::one(ReadErrorKind::UnknownFormat, problem));
    }
    let mut reader = Reader::new(document);
    let deprecation = fields(&mut reader, root);
    let (deprecation, _) = reader.finish(deprecation)?;
    let carries_signature = elements(root).any(|n| n.has_tag_name((DS, "Signature")));
    // Without broken rules every needed field was read.
    deprecation
        .map(|deprecation| UnverifiedDeprecation { deprecation, carries_signature })
        .ok_or_else(|| {
            let rule = "the statement is not complete";
            ReadError::one(ReadErrorKind::Rules, Problem::new((1, 1), rule))
        })
}

fn fields<'d>(reader: &mut Reader<'d>, root: Element<'d>) -> Option<Deprecation> {
    let mut seen = Seen::default();
    let (mut identifier, mut sha256, mut appliance, mut reason) = (None, None, None, None);
    let (mut created, mut replaced_by, mut endorsement) = (None, None, None);
    reader.elements_only(root);
    format1::attributes(reader, root, &[]);
    for node in format1::ours(reader, root) {
        format1::attributes(reader, node, &[]);
        if !seen.first(reader, node) {
            continue;
        }
        match name(node) {
            "identifier" => identifier = format1::identifier(reader, node),
            "sha256" => {
                let rule = "a SHA-256 digest of 64 hexadecimal digits";
                sha256 = reader.parsed(node, rule, |t| Digest::from_hex(Algorithm::Sha256, t).ok());
            }
            "name" => appliance = reader.parsed(node, values::NAME, values::name),
            "reason" => reason = format1::prose(reader, node),
            "created" => created = reader.date(node),
            "replacedBy" => replaced_by = reader.parsed(node, values::NAME, values::name),
            "endorsement" => endorsement = Some(format1::read_endorsement(reader, node)),
            other => format1::unknown(reader, node, &printable(other)),
        }
    }
    for needed in NEEDED {
        if !seen.has(Some(NAMESPACE), needed) {
            reader.broken(root, format!("<deprecated> has <{needed}>, and this one has none"));
        }
    }
    if !["identifier", "sha256"].iter().any(|n| seen.has(Some(NAMESPACE), n)) {
        reader.broken(root, "<deprecated> names its image by <identifier> or <sha256>");
    }
    Some(Deprecation {
        identifier,
        sha256,
        name: appliance?,
        reason: reason?,
        created: created?,
        replaced_by,
        endorsement,
    })
}

/// Writes a statement in its one byte form, without a signature. What cannot be read back is not
/// written.
pub fn write(deprecation: &Deprecation) -> Result<String, WriteError> {
    let mut out = Emitter::new();
    out.element("deprecated", &[("xmlns", NAMESPACE)], |out| {
        out.optional("identifier", deprecation.identifier.map(|i| i.to_string()).as_deref());
        out.optional("sha256", deprecation.sha256.as_ref().map(Digest::to_hex).as_deref());
        out.text("name", &deprecation.name);
        out.text("reason", &deprecation.reason);
        out.text("created", &dates::show(deprecation.created));
        out.optional("replacedBy", deprecation.replaced_by.as_deref());
        if let Some(endorsement) = &deprecation.endorsement {
            crate::write::write_endorsement(out, endorsement);
        }
    });
    let text = out.finish()?;
    read(text.as_bytes())
        .map_err(|e| WriteError::Rules(e.problems().iter().map(Problem::sentence).collect()))?;
    Ok(text)
}
