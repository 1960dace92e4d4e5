//! The elements of a manifest by name, whatever format it is written in.

use stratus_model::{Algorithm, Digest, Manifest};

/// Every element that has a name of its own, in the order they are shown.
pub const NAMES: [&str; 31] = [
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
    "md5",
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "compressed.bytes",
    "compressed.sha256",
    "title",
    "description",
    "comment",
    "valid",
    "locations",
    "hypervisor",
    "bus",
    "minimum.cpu",
    "minimum.memory",
    "minimum.disk",
    "replaces",
    "deprecated",
    "identifier",
];

/// Elements of the endorsement.
pub const ENDORSEMENT: [&str; 4] =
    ["endorsement.created", "endorser.subject", "endorser.issuer", "endorser.email"];

/// The values of an element; none where the manifest has none. Historical names work too.
pub fn values(manifest: &Manifest, element: &str) -> Vec<String> {
    let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    match element {
        "created" => one(manifest.created.map(|t| t.to_string())),
        "type" => one(manifest.kind.clone()),
        "version" => one(manifest.version.clone()),
        "arch" | "os-arch" => one(manifest.arch.clone()),
        "user" | "creator" => one(manifest.user.clone()),
        "os" => one(manifest.os.clone()),
        "osversion" | "os-version" => one(manifest.osversion.clone()),
        "compression" => one(manifest.compression.map(|c| format!("{c:?}").to_lowercase())),
        "filename" => one(manifest.filename.clone()),
        "format" => one(manifest.format.map(|f| f.name().to_owned())),
        "bytes" => one(manifest.bytes.map(|b| b.to_string())),
        "checksum" => manifest.checksums.iter().map(named).collect(),
        "title" => one(manifest.title.clone()),
        "description" => one(manifest.description.clone()),
        "comment" | "comments" => manifest.comments.clone(),
        "valid" => one(manifest.valid.map(|t| t.to_string())),
        "location" => one(manifest.locations.first().cloned()),
        "locations" => manifest.locations.clone(),
        "hypervisor" | "hypervisors" => manifest.hypervisors.clone(),
        "bus" | "disks-bus" => one(manifest.bus.clone()),
        "replaces" => manifest.replaces.clone(),
        "deprecated" => one(manifest.deprecated.clone()),
        "identifier" => one(manifest.identifier.map(|i| i.to_string())),
        other => deeper(manifest, other),
    }
}

/// Elements inside others, digests by algorithm, and what only historical manifests have.
fn deeper(manifest: &Manifest, element: &str) -> Vec<String> {
    let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    let digest_in = |list: &[Digest], name: &str| {
        let wanted = Algorithm::parse(name).ok();
        list.iter().find(|d| Some(d.algorithm()) == wanted).map(Digest::to_hex)
    };
    let endorsement = manifest.endorsement.as_ref();
    let endorser = endorsement.map(|e| &e.endorser);
    match element {
        "compressed.bytes" => one(manifest.compressed.as_ref().map(|c| c.bytes.to_string())),
        "minimum.cpu" => one(manifest.minimum.and_then(|m| m.cpu).map(|n| n.to_string())),
        "minimum.memory" => one(manifest.minimum.and_then(|m| m.memory_mib).map(|n| n.to_string())),
        "minimum.disk" => one(manifest.minimum.and_then(|m| m.disk_mib).map(|n| n.to_string())),
        "endorsement.created" => one(endorsement.and_then(|e| e.created).map(|t| t.to_string())),
        "endorser" | "endorser.subject" | "subject" => {
            one(endorser.and_then(|e| e.subject.as_ref()).map(ToString::to_string))
        }
        "endorser.issuer" | "issuer" => {
            one(endorser.and_then(|e| e.issuer.as_ref()).map(ToString::to_string))
        }
        "endorser.email" | "email" => one(endorser.and_then(|e| e.email.clone())),
        other => match other.strip_prefix("compressed.") {
            Some(name) => {
                one(manifest.compressed.as_ref().and_then(|c| digest_in(&c.checksums, name)))
            }
            None => digest_in(&manifest.checksums, other)
                .map_or_else(|| historical(manifest, other), |hex| vec![hex]),
        },
    }
}

fn historical(manifest: &Manifest, element: &str) -> Vec<String> {
    let element = if element == "tag" { "alternative" } else { element };
    manifest.historical.iter().filter(|(n, _)| n == element).map(|(_, v)| v.clone()).collect()
}

fn named(digest: &Digest) -> String {
    format!("{} {digest}", digest.algorithm().name())
}
