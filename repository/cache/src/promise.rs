//! What is known of an object's bytes before they come: from its manifest, or from the answer itself.
//!
//! A manifest is believed as far as comparing goes: what contradicts it is not served. Whether it is
//! *trusted* is for whoever uses the image; the cache takes nobody's decision.

use crate::spool::journal::{Pieces, Promise};
use crate::upstream::Upstream;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use http::{HeaderMap, Method, StatusCode};
use stratus_model::Algorithm;
use url::Url;

/// The ending of images, and what their manifests have instead.
const IMAGE: &str = ".img.gz";

/// Largest list of pieces: 256 TiB in pieces of 4 MiB would be 64 Mi of them.
const PIECES_LIMIT: usize = 1 << 20;

/// The manifest of an image's URL; `None` where the URL is not an image's.
fn manifest_url(image: &Url) -> Option<Url> {
    let stem = image.path().strip_suffix(IMAGE)?;
    let mut url = image.clone();
    url.set_path(&format!("{stem}.img.manifest.xml"));
    url.set_query(None);
    Some(url)
}

/// Asks the upstream what the bytes at a URL must be. Whatever goes wrong, nothing is known then.
pub(crate) async fn ask(upstream: &Upstream, image: &Url, headers: &HeaderMap) -> Option<Told> {
    // Everybody who wants the image waits for it: all of it may take as long as a head.
    tokio::time::timeout(upstream.head_time, read(upstream, image, headers)).await.ok().flatten()
}

async fn read(upstream: &Upstream, image: &Url, headers: &HeaderMap) -> Option<Told> {
    let url = manifest_url(image).filter(|_| upstream.manifests)?;
    let response = upstream.send(Method::GET, &url, headers.clone(), None).await.ok()?;
    if response.status() != http::StatusCode::OK {
        return None;
    }
    let mut text = Vec::new();
    let mut stream = crate::upstream::pieces(response);
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.ok()?);
        if text.len() > stratus_manifest::SIZE_LIMIT {
            return None;
        }
    }
    tokio::task::spawn_blocking(move || told(&text)).await.ok().flatten()
}

/// What a manifest tells of the file as served.
pub(crate) struct Told {
    bytes: u64,
    promise: Promise,
}

fn told(text: &[u8]) -> Option<Told> {
    let manifest = stratus_manifest::read(text).ok()?.into_unverified_manifest();
    let compressed = manifest.compressed?;
    let sha256 = compressed.checksums.iter().find(|d| d.algorithm() == Algorithm::Sha256);
    let pieces = compressed.chunks.filter(|chunks| {
        let count = usize::try_from(compressed.bytes.div_ceil(chunks.size.max(1)));
        chunks.size > 0 && count == Ok(chunks.sha256.len()) && chunks.sha256.len() <= PIECES_LIMIT
    });
    Some(Told {
        bytes: compressed.bytes,
        promise: Promise {
            sha256: sha256.map(stratus_model::Digest::to_hex),
            pieces: pieces.map(|chunks| Pieces { size: chunks.size, sha256: chunks.sha256 }),
            locations: manifest.locations,
        },
    })
}

/// What is promised of a response with this head and size.
pub(crate) fn of(
    told: Option<Told>,
    status: StatusCode,
    headers: &HeaderMap,
    total: Option<u64>,
) -> Promise {
    let is_image = matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
        && !headers.contains_key("content-encoding");
    match told.filter(|_| is_image) {
        Some(Told { bytes, promise }) if Some(bytes) == total => promise,
        // Pieces need their places. The digest of all will tell whether the length is a lie.
        Some(Told { promise, .. }) if promise.sha256.is_some() => {
            Promise { pieces: None, ..promise }
        }
        _ => Promise { sha256: repr_digest(headers), ..Promise::default() },
    }
}

/// `Repr-Digest: sha-256=:…:` (RFC 9530 section 3). It is about the representation as it is encoded,
/// which is what we keep.
fn repr_digest(headers: &HeaderMap) -> Option<String> {
    headers.get_all("repr-digest").iter().find_map(|line| {
        line.to_str().ok()?.split(',').find_map(|member| {
            let encoded = member.trim().strip_prefix("sha-256=:")?;
            let bytes = STANDARD.decode(encoded.split(':').next()?).ok()?;
            (bytes.len() == 32).then(|| hex::encode(bytes))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_their_manifests_beside_them() {
        let url = |text: &str| manifest_url(&Url::parse(text).unwrap()).map(String::from);
        assert_eq!(
            url("https://h/images/a/1/a-1.img.gz?x"),
            Some("https://h/images/a/1/a-1.img.manifest.xml".into())
        );
        assert_eq!(url("https://h/a.iso"), None);
    }

    #[test]
    fn digests_of_an_answer_are_read() {
        let digest = STANDARD.encode([7; 32]);
        let mut headers = HeaderMap::new();
        let text = format!("sha-512=:AA==:, sha-256=:{digest}:");
        headers.insert("repr-digest", text.parse().unwrap());
        assert_eq!(repr_digest(&headers), Some("07".repeat(32)));
        headers.insert("repr-digest", "sha-256=:AA==:".parse().unwrap());
        assert_eq!(repr_digest(&headers), None);
    }
}
