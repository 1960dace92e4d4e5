//! The one byte form of format 1 that is written and signed.
//!
//! Two-space indent, UTF-8, line feeds, an XML declaration, elements in the order of the XSD.
//! Surrounding white space of values is dropped, times are whole seconds in UTC.

use crate::dates;
use crate::emit::{Emitter, WriteError};
use crate::format1::NAMESPACE;
use crate::read;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stratus_model::{Chunks, Compressed, Compression, Digest, Endorsement, Manifest, Minimum};

/// Characters in a line of base64.
const BASE64_LINE: usize = 76;

/// Writes a manifest as format 1, without a signature.
///
/// What cannot be read back is not written: a manifest that lacks a required field or breaks
/// another rule of the format is refused with all its problems.
pub fn write(manifest: &Manifest) -> Result<String, WriteError> {
    write_with(manifest, &[])
}

/// Writes a manifest and, at its end, elements of other namespaces.
pub(crate) fn write_with(manifest: &Manifest, extensions: &[String]) -> Result<String, WriteError> {
    let mut out = Emitter::new();
    out.element("manifest", &[("xmlns", NAMESPACE)], |out| {
        name(out, manifest);
        image(out, manifest);
        for_people(out, manifest);
        needs(out, manifest);
        if let Some(endorsement) = &manifest.endorsement {
            write_endorsement(out, endorsement);
        }
        for extension in extensions {
            out.verbatim(extension);
        }
    });
    let text = out.finish()?;
    let sentences =
        |e: crate::ReadError| e.problems().iter().map(crate::Problem::sentence).collect();
    read::read(text.as_bytes()).map_err(|e| WriteError::Rules(sentences(e)))?;
    Ok(text)
}

/// What the appliance is called and who made it.
fn name(out: &mut Emitter, manifest: &Manifest) {
    out.optional("created", manifest.created.map(dates::show).as_deref());
    out.optional("type", manifest.kind.as_deref());
    out.optional("version", manifest.version.as_deref());
    out.optional("arch", manifest.arch.as_deref());
    out.optional("user", manifest.user.as_deref());
    out.optional("os", manifest.os.as_deref());
    out.optional("osversion", manifest.osversion.as_deref());
}

/// What the bytes are.
fn image(out: &mut Emitter, manifest: &Manifest) {
    out.optional("compression", manifest.compression.map(compression));
    out.optional("filename", manifest.filename.as_deref());
    out.optional("format", manifest.format.map(stratus_model::DiskFormat::name));
    out.optional("bytes", manifest.bytes.map(|b| b.to_string()).as_deref());
    manifest.checksums.iter().for_each(|digest| checksum(out, digest));
    if let Some(file) = &manifest.compressed {
        compressed(out, file);
    }
}

/// What people want to know.
fn for_people(out: &mut Emitter, manifest: &Manifest) {
    out.optional("title", manifest.title.as_deref());
    out.optional("description", manifest.description.as_deref());
    manifest.comments.iter().for_each(|c| out.text("comment", c));
    out.optional("valid", manifest.valid.map(dates::show).as_deref());
    manifest.locations.iter().for_each(|l| out.text("location", l));
}

/// What it runs on and what it stands for.
fn needs(out: &mut Emitter, manifest: &Manifest) {
    manifest.hypervisors.iter().for_each(|h| out.text("hypervisor", h));
    out.optional("bus", manifest.bus.as_deref());
    if let Some(least) = &manifest.minimum {
        minimum(out, least);
    }
    manifest.replaces.iter().for_each(|r| out.text("replaces", r));
    out.optional("deprecated", manifest.deprecated.as_deref());
    out.optional("identifier", manifest.identifier.map(|i| i.to_string()).as_deref());
}

fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::Gz => "gz",
        Compression::Bz2 => "bz2",
        Compression::None => "none",
    }
}

fn checksum(out: &mut Emitter, digest: &Digest) {
    out.text_with("checksum", &[("algorithm", digest.algorithm().name())], &digest.to_hex());
}

fn compressed(out: &mut Emitter, file: &Compressed) {
    out.element("compressed", &[], |out| {
        out.text("bytes", &file.bytes.to_string());
        file.checksums.iter().for_each(|digest| checksum(out, digest));
        if let Some(list) = &file.chunks {
            chunks(out, list);
        }
    });
}

fn chunks(out: &mut Emitter, list: &Chunks) {
    let encoded = STANDARD.encode(list.sha256.as_flattened());
    let lines: Vec<&str> = (0..encoded.len())
        .step_by(BASE64_LINE)
        .map(|at| &encoded[at..encoded.len().min(at + BASE64_LINE)])
        .collect();
    let size = list.size.to_string();
    out.text_with("chunks", &[("size", &size), ("algorithm", "SHA-256")], &lines.join("\n"));
}

fn minimum(out: &mut Emitter, least: &Minimum) {
    out.element("minimum", &[], |out| {
        out.optional("cpu", least.cpu.map(|n| n.to_string()).as_deref());
        out.optional("memory", least.memory_mib.map(|n| n.to_string()).as_deref());
        out.optional("disk", least.disk_mib.map(|n| n.to_string()).as_deref());
    });
}

/// Who stands for it.
pub(crate) fn write_endorsement(out: &mut Emitter, endorsement: &Endorsement) {
    let endorser = &endorsement.endorser;
    out.element("endorsement", &[], |out| {
        out.optional("created", endorsement.created.map(dates::show).as_deref());
        out.element("endorser", &[], |out| {
            out.optional("subject", endorser.subject.as_ref().map(stratus_model::Subject::as_str));
            out.optional("issuer", endorser.issuer.as_ref().map(stratus_model::Subject::as_str));
            out.optional("email", endorser.email.as_deref());
        });
    });
}
