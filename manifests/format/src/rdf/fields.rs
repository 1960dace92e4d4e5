//! The direct children of `rdf:Description`.

use super::{DCTERMS, SLREQ, Vocabulary, about, endorsement, vocabulary};
use crate::flat::compression;
use crate::problem::printable;
use crate::reader::{Element, Reader, Seen, elements, name, trim};
use stratus_model::{Algorithm, Compression, Digest, DiskFormat, Identifier, Manifest};

/// Elements of `dcterms` and of `slterms` that may be given once.
const SINGLE_DCTERMS: [&str; 10] = [
    "identifier",
    "type",
    "valid",
    "created",
    "creator",
    "publisher",
    "title",
    "description",
    "format",
    "compression",
];
const SINGLE_SLTERMS: [&str; 10] = [
    "kind",
    "os",
    "os-version",
    "os-arch",
    "version",
    "serial-number",
    "deprecated",
    "hypervisor",
    "disks-bus",
    "compression",
];

/// A description while it is read.
struct Reading<'d> {
    manifest: Manifest,
    seen: Seen<'d>,
    /// `slreq:checksum` elements, read once the identifier is known.
    checksums: Vec<Element<'d>>,
    /// What each of the three places says about compression, and where.
    compression: Vec<(Compression, Element<'d>)>,
    signed: bool,
}

/// Reads the description and checks what must agree.
pub(super) fn read<'d>(
    reader: &mut Reader<'d>,
    description: Element<'d>,
    signed: bool,
) -> Manifest {
    let mut reading = Reading {
        manifest: Manifest::empty(),
        seen: Seen::default(),
        checksums: Vec::new(),
        compression: Vec::new(),
        signed,
    };
    reader.elements_only(description);
    for node in elements(description) {
        match vocabulary(node) {
            Vocabulary::Slreq => reading.required(reader, node),
            Vocabulary::Dcterms => reading.dcterms(reader, node),
            Vocabulary::Slterms => reading.slterms(reader, node),
            Vocabulary::Foreign => {}
        }
    }
    reading.presence(reader, description);
    reading.agreement(reader, description);
    reading.manifest
}

/// Whether a checksum says that it is a SHA-1, be its value good or not.
fn names_sha1(checksum: Element<'_>) -> bool {
    elements(checksum)
        .filter(|n| n.has_tag_name((SLREQ, "algorithm")))
        .any(|n| Algorithm::parse(n.text().unwrap_or_default()) == Ok(Algorithm::Sha1))
}

impl<'d> Reading<'d> {
    /// The `slreq` elements.
    fn required(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        match name(node) {
            "bytes" if self.seen.first(reader, node) => {
                self.manifest.bytes = reader.number(node, 0);
            }
            "endorsement" if self.seen.first(reader, node) => {
                self.manifest.endorsement = endorsement::read(reader, node, self.signed);
            }
            "checksum" => self.checksums.push(node),
            _ => {}
        }
    }

    fn dcterms(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        let name = name(node);
        if SINGLE_DCTERMS.contains(&name) && !self.seen.first(reader, node) {
            return;
        }
        let manifest = &mut self.manifest;
        match name {
            "identifier" => {
                let rule = "27 characters of A-Z, a-z, 0-9, `-`, `_`, the first within A to P";
                manifest.identifier = reader.parsed(node, rule, |t| t.parse().ok());
            }
            "type" => manifest.kind = reader.required_text(node),
            "valid" => manifest.valid = reader.date(node),
            "created" => manifest.created = reader.date(node),
            "creator" => manifest.user = reader.text(node),
            "title" => manifest.title = reader.text(node),
            "description" => manifest.description = reader.text(node),
            "replaces" => manifest.replaces.extend(reader.text(node)),
            "format" => self.format(reader, node),
            "compression" => self.compressed(reader, node),
            "publisher" | "alternative" | "isReplacedBy" | "isVersionOf" => self.keep(reader, node),
            _ => {}
        }
    }

    fn slterms(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        let name = name(node);
        if SINGLE_SLTERMS.contains(&name) && !self.seen.first(reader, node) {
            return;
        }
        let manifest = &mut self.manifest;
        match name {
            "os" => manifest.os = reader.text(node),
            "os-version" => manifest.osversion = reader.text(node),
            "os-arch" => manifest.arch = reader.text(node),
            "version" => manifest.version = reader.text(node),
            "deprecated" => manifest.deprecated = reader.text(node),
            "location" => manifest.locations.extend(reader.text(node)),
            "hypervisor" => manifest.hypervisors.extend(reader.text(node)),
            "disks-bus" => manifest.bus = reader.text(node),
            "compression" => self.compressed(reader, node),
            "inbound-port" | "outbound-port" => self.in_range(reader, node, 65_535),
            "icmp" => self.in_range(reader, node, 255),
            "kind" | "serial-number" | "tag" => self.keep(reader, node),
            _ => {}
        }
    }

    /// Keeps a value that the later format has no element for.
    fn keep(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        if let Some(value) = reader.text(node) {
            self.manifest.historical.push((name(node).to_owned(), value));
        }
    }

    fn in_range(&mut self, reader: &mut Reader<'d>, node: Element<'d>, most: u64) {
        let rule = format!("a whole number from 0 to {most}");
        let number = reader.parsed(node, &rule, |t| crate::reader::whole(t).filter(|n| *n <= most));
        if let Some(number) = number {
            self.manifest.historical.push((name(node).to_owned(), number.to_string()));
        }
    }

    /// The layout of the disk; for five weeks in 2011 the compression stood here.
    fn format(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        let Some(text) = reader.text(node) else {
            return;
        };
        match text.to_ascii_lowercase().as_str() {
            "raw" => self.manifest.format = Some(DiskFormat::Raw),
            "qcow2" => self.manifest.format = Some(DiskFormat::Qcow2),
            other => {
                if let Some(found) = compression(other) {
                    return self.compression.push((found, node));
                }
                reader.note(format!("the disk format `{}` is not known", printable(&text)));
                self.manifest.historical.push(("format".to_owned(), text));
            }
        }
    }

    fn compressed(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        if let Some(found) = reader.parsed(node, "none, gz or bz2", compression) {
            self.compression.push((found, node));
        }
    }

    /// What must be there.
    fn presence(&mut self, reader: &mut Reader<'d>, description: Element<'d>) {
        let mut needed = vec![(DCTERMS, "identifier"), (DCTERMS, "type"), (SLREQ, "bytes")];
        if self.signed {
            needed.push((SLREQ, "endorsement"));
        }
        for (namespace, field) in needed {
            if !self.seen.has(Some(namespace), field) {
                let rule = format!("the description has one <{field}>, and this one has none");
                reader.broken(description, rule);
            }
        }
    }

    /// What is said in several places must be the same.
    fn agreement(&mut self, reader: &mut Reader<'d>, description: Element<'d>) {
        let about = about(reader, description);
        if let (Some(about), Some(identifier)) = (about, self.manifest.identifier)
            && about != identifier.to_string()
        {
            let rule = format!("rdf:about must be `#` and the identifier {identifier}");
            reader.wrong(description, rule, &format!("#{about}"));
        }
        self.manifest.compression = self.compression.first().map(|(c, _)| *c);
        for (other, node) in &self.compression {
            if Some(*other) != self.manifest.compression {
                let rule = "the compression is said in several places, and they disagree";
                reader.wrong(*node, rule, node.text().unwrap_or_default());
            }
        }
        let checksums = std::mem::take(&mut self.checksums);
        let sha1_is_named = checksums.iter().any(|n| names_sha1(*n));
        for node in checksums {
            self.checksum(reader, node);
        }
        let sha1 = self.seen.get(Some(DCTERMS), "identifier").unwrap_or(description);
        match (self.manifest.checksum(Algorithm::Sha1), self.manifest.identifier) {
            (None, _) if !sha1_is_named => {
                reader.broken(
                    description,
                    "the description has one SHA-1 checksum, and this one has none",
                );
            }
            (Some(digest), Some(identifier)) if identifier.sha1() != *digest => {
                let rule = format!("the identifier must spell the SHA-1 checksum {digest}");
                reader.wrong(sha1, rule, &identifier.to_string());
            }
            _ => {}
        }
    }

    /// `slreq:checksum` {`algorithm`, `value`}. The algorithm was free text, so an unknown one is
    /// noted, not refused.
    fn checksum(&mut self, reader: &mut Reader<'d>, node: Element<'d>) {
        let child = |wanted| elements(node).find(|n| n.has_tag_name((SLREQ, wanted)));
        let (Some(algorithm), Some(value)) = (child("algorithm"), child("value")) else {
            return reader.broken(node, "<checksum> has one <algorithm> and one <value>");
        };
        if elements(node).count() > 2 {
            reader.broken(node, "<checksum> has one <algorithm> and one <value>, nothing else");
        }
        let (algorithm, hex) = (reader.required_text(algorithm), reader.required_text(value));
        let (Some(algorithm), Some(hex)) = (algorithm, hex) else {
            return;
        };
        if Algorithm::parse(&algorithm).is_err() {
            let note = format!("the checksum algorithm `{}` is not known", printable(&algorithm));
            reader.note(note);
            return;
        }
        let hex = self.whole_sha1(reader, &algorithm, &hex);
        if let Some(digest) = reader.digest(node, &algorithm, &hex) {
            reader.add_digest(&mut self.manifest.checksums, node, digest);
        }
    }

    /// The tools of the time took digests for numbers: some lost leading zeros, others added one. A
    /// SHA-1 that is the identifier's number is that SHA-1.
    fn whole_sha1(&self, reader: &mut Reader<'_>, algorithm: &str, hex: &str) -> String {
        let hex = trim(hex);
        let identifier = self.manifest.identifier.as_ref().map(Identifier::sha1);
        let same_number = |sha1: &Digest| {
            let written = hex.trim_start_matches('0').to_ascii_lowercase();
            written == sha1.to_hex().trim_start_matches('0')
        };
        match identifier {
            Some(sha1)
                if Algorithm::parse(algorithm) == Ok(Algorithm::Sha1)
                    && hex.len() != 40
                    && same_number(&sha1) =>
            {
                reader.note("the SHA-1 lost or gained leading zeros; read as the identifier's");
                sha1.to_hex()
            }
            _ => hex.to_owned(),
        }
    }
}
