//! What a manifest promises about bytes: checksums, the compressed file, its chunks.

use super::{NAMESPACE, attributes, unknown};
use crate::problem::printable;
use crate::reader::{Element, Reader, Seen, elements, name, namespace, plain_attribute, whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stratus_model::{Algorithm, Chunks, Compressed, Digest};

/// `<checksum algorithm="SHA-256">`.
pub(super) fn checksum<'d>(reader: &mut Reader<'d>, list: &mut Vec<Digest>, node: Element<'d>) {
    attributes(reader, node, &["algorithm"]);
    let Some(algorithm) = plain_attribute(node, "algorithm") else {
        return reader.broken(node, "<checksum> has the attribute `algorithm`");
    };
    let spelled_right = Algorithm::ALL.iter().any(|a| a.name() == algorithm);
    if !spelled_right {
        let rule = "the algorithm of a checksum must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512";
        return reader.wrong(node, rule, algorithm);
    }
    let Some(hex) = reader.required_text(node) else {
        return;
    };
    if let Some(digest) = reader.digest(node, algorithm, &hex) {
        reader.add_digest(list, node, digest);
    }
}

/// `<compressed>` {`bytes`, `checksum`+, `chunks`?}.
pub(super) fn compressed<'d>(reader: &mut Reader<'d>, node: Element<'d>) -> Option<Compressed> {
    let mut seen = Seen::default();
    let (mut bytes, mut checksums, mut chunks) = (None, Vec::new(), None);
    reader.elements_only(node);
    attributes(reader, node, &[]);
    for child in elements(node) {
        match (namespace(child), name(child)) {
            (Some(NAMESPACE), "bytes") if seen.first(reader, child) => {
                attributes(reader, child, &[]);
                bytes = reader.number(child, 1);
            }
            (Some(NAMESPACE), "checksum") => checksum(reader, &mut checksums, child),
            (Some(NAMESPACE), "chunks") if seen.first(reader, child) => chunks = Some(child),
            (Some(NAMESPACE), "bytes" | "chunks") => {}
            (_, other) => unknown(reader, child, other),
        }
    }
    if !seen.has(Some(NAMESPACE), "bytes") {
        reader.broken(node, "<compressed> has <bytes>, and this one has none");
    }
    if !checksums.iter().any(|d| d.algorithm().is_strong()) {
        reader.broken(
            node,
            "<compressed> has one <checksum> of SHA-256 or SHA-512, and this one has none",
        );
    }
    let chunks = chunks.and_then(|c| read_chunks(reader, c, bytes));
    Some(Compressed { bytes: bytes?, checksums, chunks })
}

/// `<chunks size="4194304" algorithm="SHA-256">`: base64 of the digests, one after the other. The
/// last chunk may be shorter, so the count follows from the file's size.
fn read_chunks<'d>(
    reader: &mut Reader<'d>,
    node: Element<'d>,
    bytes: Option<u64>,
) -> Option<Chunks> {
    attributes(reader, node, &["size", "algorithm"]);
    let algorithm = plain_attribute(node, "algorithm").unwrap_or_default();
    if algorithm != Algorithm::Sha256.name() {
        reader.wrong(node, "the algorithm of <chunks> must be SHA-256", algorithm);
    }
    let written = plain_attribute(node, "size").unwrap_or_default();
    let size = whole(written).filter(|s| *s > 0);
    if size.is_none() {
        reader.wrong(node, "the size of <chunks> must be a number of bytes, at least 1", written);
    }
    let text = reader.required_text(node)?;
    let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let Ok(digests) = STANDARD.decode(plain) else {
        reader.wrong(node, "<chunks> must be base64", &printable(&text));
        return None;
    };
    let (sha256, rest) = digests.as_chunks::<32>();
    if !rest.is_empty() {
        let rule = "<chunks> must be whole SHA-256 digests of 32 bytes";
        reader.wrong(node, rule, &format!("{} bytes", digests.len()));
        return None;
    }
    let (size, bytes) = (size?, bytes?);
    let wanted = bytes.div_ceil(size);
    if wanted != sha256.len() as u64 {
        let rule = format!(
            "<chunks> must list {wanted} digests, one for each {size} of the {bytes} bytes"
        );
        reader.wrong(node, rule, &format!("{} digests", sha256.len()));
        return None;
    }
    Some(Chunks { size, sha256: sha256.to_vec() })
}
