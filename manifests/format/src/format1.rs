//! Format 1: namespace `urn:stratus:manifest:1`, the only one that is written.
//!
//! The XSD in `manifests/schema` is the contract for the written form. Reading is as strict about
//! what stands there and more generous about order: elements of ours may come in any order, an
//! unknown element or attribute of ours is refused (a later format has another namespace), and
//! elements of other namespaces may follow after the last one of ours, before the signature.
//! Beyond the XSD, what must agree is compared: identifier and SHA-1, the list of chunks and the
//! size, one checksum for each algorithm, at least one strong.

mod endorsement;
mod files;

use crate::problem::printable;
use crate::reader::{Element, Reader, Seen, elements, name, namespace};
use crate::values;
use crate::xml::DS;
pub(crate) use endorsement::read as read_endorsement;
use stratus_model::{Algorithm, Identifier, Manifest, Minimum};

/// The namespace.
pub const NAMESPACE: &str = "urn:stratus:manifest:1";

/// Elements without which the format names no appliance and no bytes.
const NEEDED: [&str; 11] = [
    "created",
    "type",
    "version",
    "arch",
    "user",
    "os",
    "osversion",
    "compression",
    "format",
    "bytes",
    "checksum",
];
/// Elements that may be given once.
const SINGLE: [&str; 20] = [
    "created",
    "type",
    "version",
    "arch",
    "user",
    "os",
    "osversion",
    "compression",
    "filename",
    "format",
    "bytes",
    "compressed",
    "title",
    "description",
    "valid",
    "bus",
    "minimum",
    "deprecated",
    "identifier",
    "endorsement",
];
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Reads the tree below `<manifest>`.
pub(crate) fn read<'d>(reader: &mut Reader<'d>, root: Element<'d>) -> Manifest {
    let mut manifest = Manifest::empty();
    let mut seen = Seen::default();
    reader.elements_only(root);
    attributes(reader, root, &[]);
    for node in ours(reader, root) {
        let again = seen.has(Some(NAMESPACE), name(node)) && !SINGLE.contains(&name(node));
        if again || seen.first(reader, node) {
            field(reader, &mut manifest, node);
        }
    }
    for needed in NEEDED {
        if !seen.has(Some(NAMESPACE), needed) {
            reader.broken(root, format!("a manifest has <{needed}>, and this one has none"));
        }
    }
    agreement(reader, &manifest, &seen, root);
    manifest
}

/// The children that are ours; others may only follow them, and the signature ends the document.
pub(crate) fn ours<'d>(reader: &mut Reader<'d>, root: Element<'d>) -> Vec<Element<'d>> {
    let mut found = Vec::new();
    let mut other = false;
    let (mut signed, mut told) = (false, false);
    for node in elements(root) {
        let is_ours = namespace(node) == Some(NAMESPACE);
        if signed {
            if !told {
                reader.wrong(node, "nothing follows the signature", &format!("<{}>", name(node)));
            }
            told = true;
        } else if is_ours && other {
            let rule = "elements of other namespaces come after the last one of ours";
            reader.wrong(node, rule, &format!("<{}> after one", name(node)));
            other = false;
        }
        match namespace(node) {
            Some(NAMESPACE) => found.push(node),
            Some(DS) if name(node) == "Signature" => signed = true,
            Some(_) => other = true,
            None => {
                let rule = format!("the elements of a manifest are in the namespace {NAMESPACE}");
                reader.wrong(node, rule, &format!("<{}>", name(node)));
            }
        }
    }
    found
}

/// One element of ours, checked by itself.
fn field<'d>(reader: &mut Reader<'d>, manifest: &mut Manifest, node: Element<'d>) {
    let element = name(node);
    if !matches!(element, "checksum" | "compressed") {
        attributes(reader, node, &[]);
    }
    match element {
        "created" => manifest.created = reader.date(node),
        "type" => manifest.kind = reader.parsed(node, values::KIND, values::kind),
        "version" => manifest.version = part(reader, node),
        "arch" => manifest.arch = part(reader, node),
        "os" => manifest.os = part(reader, node),
        "osversion" => manifest.osversion = part(reader, node),
        "user" => manifest.user = line(reader, node),
        "title" => manifest.title = line(reader, node),
        "filename" => {
            manifest.filename = reader.parsed(node, values::FILE_NAME, values::file_name);
        }
        "description" => manifest.description = prose(reader, node),
        "comment" => manifest.comments.extend(prose(reader, node)),
        "deprecated" => manifest.deprecated = prose(reader, node),
        "valid" => manifest.valid = reader.date(node),
        "compression" => {
            manifest.compression = reader.parsed(node, "gz", values::compression);
        }
        "format" => manifest.format = reader.parsed(node, "raw or qcow2", values::disk_format),
        "bytes" => manifest.bytes = reader.number(node, 1),
        "checksum" => files::checksum(reader, &mut manifest.checksums, node),
        "compressed" => manifest.compressed = files::compressed(reader, node),
        "location" => {
            manifest.locations.extend(reader.parsed(node, values::LOCATION, values::location));
        }
        "hypervisor" => manifest.hypervisors.extend(word(reader, node)),
        "bus" => manifest.bus = word(reader, node),
        "minimum" => manifest.minimum = Some(minimum(reader, node)),
        "replaces" => manifest.replaces.extend(identifier(reader, node).map(|i| i.to_string())),
        "identifier" => manifest.identifier = identifier(reader, node),
        "endorsement" => manifest.endorsement = Some(endorsement::read(reader, node)),
        other => unknown(reader, node, other),
    }
}

pub(crate) fn unknown(reader: &mut Reader<'_>, node: Element<'_>, found: &str) {
    let parent = node.parent_element().map_or("manifest", |p| p.tag_name().name());
    let rule = format!("<{parent}> has no element of this name; remove it or check its spelling");
    reader.wrong(node, rule, &format!("<{}>", printable(found)));
}

/// Attributes of ours that are not `known`; those of `xsi` and `xml` are everybody's.
pub(crate) fn attributes<'d>(reader: &mut Reader<'d>, node: Element<'d>, known: &[&str]) {
    for attribute in node.attributes() {
        let everybodys =
            matches!(attribute.namespace(), Some(XSI | "http://www.w3.org/XML/1998/namespace"));
        let ours = attribute.namespace().is_none() && known.contains(&attribute.name());
        if !everybodys && !ours {
            let rule = format!("<{}> has no attribute of this name", name(node));
            reader.wrong(node, rule, attribute.name());
        }
    }
}

fn part(reader: &mut Reader<'_>, node: Element<'_>) -> Option<String> {
    reader.parsed(node, values::PART, values::part)
}

pub(crate) fn line(reader: &mut Reader<'_>, node: Element<'_>) -> Option<String> {
    reader.parsed(node, values::LINE, values::line)
}

pub(crate) fn prose(reader: &mut Reader<'_>, node: Element<'_>) -> Option<String> {
    reader.parsed(node, values::PROSE, values::prose)
}

fn word(reader: &mut Reader<'_>, node: Element<'_>) -> Option<String> {
    reader.parsed(node, values::WORD, values::word)
}

pub(crate) fn identifier(reader: &mut Reader<'_>, node: Element<'_>) -> Option<Identifier> {
    reader.parsed(node, values::IDENTIFIER, |t| t.parse().ok())
}

fn minimum<'d>(reader: &mut Reader<'d>, node: Element<'d>) -> Minimum {
    let mut minimum = Minimum::default();
    let mut seen = Seen::default();
    reader.elements_only(node);
    for child in elements(node) {
        attributes(reader, child, &[]);
        if !seen.first(reader, child) {
            continue;
        }
        match (namespace(child), name(child)) {
            (Some(NAMESPACE), "cpu") => {
                let rule = "a whole number, at least 1";
                minimum.cpu = reader.parsed(child, rule, values::processors);
            }
            (Some(NAMESPACE), "memory") => minimum.memory_mib = reader.number(child, 1),
            (Some(NAMESPACE), "disk") => minimum.disk_mib = reader.number(child, 1),
            (_, other) => unknown(reader, child, other),
        }
    }
    minimum
}

/// What is said twice must be the same, and something strong must be said at all.
fn agreement<'d>(reader: &mut Reader<'d>, manifest: &Manifest, seen: &Seen<'d>, root: Element<'d>) {
    if let (Some(identifier), Some(sha1)) =
        (manifest.identifier, manifest.checksum(Algorithm::Sha1))
        && identifier.sha1() != *sha1
    {
        let node = seen.get(Some(NAMESPACE), "identifier").unwrap_or(root);
        let rule = format!("<identifier> must spell the SHA-1 checksum {sha1}");
        reader.wrong(node, rule, &identifier.to_string());
    }
    if !manifest.checksums.is_empty()
        && !manifest.checksums.iter().any(|d| d.algorithm().is_strong())
    {
        let node = seen.get(Some(NAMESPACE), "checksum").unwrap_or(root);
        reader.broken(node, "one <checksum> must be SHA-256 or SHA-512");
    }
}
