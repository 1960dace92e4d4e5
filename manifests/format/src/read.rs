//! Which format a document is of, and what it claims.

use crate::format1;
use crate::problem::{Problem, ReadError, ReadErrorKind, printable};
use crate::reader::{Reader, elements, name, namespace};
use crate::xml::{self, DS};
use crate::{flat, rdf};
use roxmltree::Document;
use stratus_model::{Coordinates, Manifest, ManifestFormat, MissingField};

/// A manifest as it was read. Nobody vouches for it yet.
///
/// Only what is needed before verification can be asked for. [`crate::validate()`] makes a
/// [`crate::Verified`] manifest of the signed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    format: ManifestFormat,
    manifest: Manifest,
    notes: Vec<String>,
    carries_signature: bool,
}

impl Unverified {
    /// The format it is written in.
    pub fn format(&self) -> ManifestFormat {
        self.format
    }

    /// What the document says it is, for messages only.
    pub fn claimed_coordinates(&self) -> Result<Coordinates, MissingField> {
        self.manifest.coordinates()
    }

    /// Whether a signature element is there; nothing is said about its worth.
    pub fn carries_signature(&self) -> bool {
        self.carries_signature
    }

    /// What was unusual and tolerated, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The content, which anybody may have written: for showing, editing and signing, never for
    /// deciding about an image.
    pub fn into_unverified_manifest(self) -> Manifest {
        self.manifest
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// Reads a manifest of any known format, told by its root element and namespace.
///
/// Limits: 4 MiB, 32 levels, no document type. Where rules of the format are broken, the error
/// lists all of them with line and column.
pub fn read(bytes: &[u8]) -> Result<Unverified, ReadError> {
    let text = xml::text(bytes)?;
    read_document(&xml::parse(text)?)
}

pub(crate) fn read_document(document: &Document<'_>) -> Result<Unverified, ReadError> {
    let root = document.root_element();
    let format = format_of(document)?;
    let mut reader = Reader::new(document);
    let manifest = match format {
        ManifestFormat::Flat2010 => flat::read(&mut reader, root),
        ManifestFormat::Rdf => rdf::read(&mut reader, root),
        ManifestFormat::Format1 => format1::read(&mut reader, root),
    };
    let (manifest, notes) = reader.finish(manifest)?;
    let carries_signature = elements(root).any(|n| n.has_tag_name((DS, "Signature")));
    Ok(Unverified { format, manifest, notes, carries_signature })
}

/// The format by root element and namespace.
pub(crate) fn format_of(document: &Document<'_>) -> Result<ManifestFormat, ReadError> {
    let root = document.root_element();
    match (namespace(root), name(root)) {
        (None, "manifest") => Ok(ManifestFormat::Flat2010),
        (Some(rdf::RDF), "RDF") => Ok(ManifestFormat::Rdf),
        (Some(format1::NAMESPACE), "manifest") => Ok(ManifestFormat::Format1),
        (namespace, element) => {
            let at = document.text_pos_at(root.range().start);
            let rule = format!(
                "the root element of a manifest is <manifest> in the namespace {}, <manifest> without a namespace, or <rdf:RDF>",
                format1::NAMESPACE
            );
            let found = match namespace {
                Some(namespace) => format!("<{}> in {}", printable(element), printable(namespace)),
                None => format!("<{}> without a namespace", printable(element)),
            };
            let mut problem = Problem::new((at.row, at.col), rule);
            problem.value = Some(found);
            Err(ReadError::one(ReadErrorKind::UnknownFormat, problem))
        }
    }
}
