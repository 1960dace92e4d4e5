//! Appliances to publish, grounds to publish them on.
#![expect(clippy::unwrap_used, reason = "a test helper")]
#![expect(unreachable_pub, reason = "each test uses its own part")]
#![cfg_attr(test, allow(dead_code, clippy::allow_attributes, reason = "each test uses its part"))]

mod s3;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use stratus_image::{Algorithms, CompressOptions, Measurement, compress};
use stratus_model::{
    AppliancePath, Chunks, Compressed, Digest, Endorsement, Endorser, Identifier, Manifest,
    PolicyState, SignatureState, SignerState, Subject, Verdict,
};
use stratus_store::{
    Bucket, Credentials, Deprecation, Limits, ManifestReader, Outcome, Place, Record, Settings,
    Store, StoreError,
};
use tempfile::TempDir;

/// What stands for a manifest here: the store does not look inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paper {
    pub title: String,
    pub os: String,
    pub endorser: String,
    pub bytes: u64,
    pub digests: Vec<Digest>,
    pub compressed: Option<PaperCompressed>,
    pub valid: Option<jiff::Timestamp>,
    pub identifier: Option<Identifier>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaperCompressed {
    pub bytes: u64,
    pub digests: Vec<Digest>,
    pub chunks: Vec<[u8; 32]>,
}

/// Reads papers; refuses those with the word `unreadable`.
#[derive(Debug)]
pub struct Papers;

impl ManifestReader for Papers {
    fn manifest(&self, path: &AppliancePath, bytes: &[u8]) -> Result<(Manifest, Verdict), String> {
        let paper: Paper = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let mut manifest = Manifest::empty();
        manifest.kind = Some("base".into());
        manifest.os = Some(paper.os);
        manifest.osversion = Some("1".into());
        manifest.arch = Some("x86_64".into());
        manifest.version = path.name().rsplit('-').next().map(str::to_owned);
        manifest.title = Some(paper.title);
        manifest.bytes = Some(paper.bytes);
        manifest.checksums = paper.digests;
        manifest.valid = paper.valid;
        manifest.identifier = paper.identifier;
        manifest.compressed = paper.compressed.map(|c| Compressed {
            bytes: c.bytes,
            checksums: c.digests,
            chunks: Some(Chunks { size: Chunks::SIZE, sha256: c.chunks }),
        });
        manifest.endorsement = Some(Endorsement {
            created: None,
            endorser: Endorser {
                subject: Some(Subject::new(format!("/O=Example/CN={}", paper.endorser))),
                issuer: None,
                email: Some(format!("{}@example.org", paper.endorser)),
            },
        });
        let verdict = Verdict {
            signature: SignatureState::Good,
            signer: SignerState::Trusted,
            policy: PolicyState::Allowed,
            reasons: vec![],
        };
        Ok((manifest, verdict))
    }

    fn deprecation(&self, _path: &AppliancePath, bytes: &[u8]) -> Result<Deprecation, String> {
        let reason = std::str::from_utf8(bytes).map_err(|e| e.to_string())?.to_owned();
        Ok(Deprecation { reason, replaced_by: None, by: None, at: None })
    }
}

/// An appliance that can be published.
#[derive(Clone, Debug)]
pub struct Sample {
    pub path: AppliancePath,
    pub image: Bytes,
    pub content: Vec<u8>,
    pub measured: Measurement,
    pub paper: Paper,
}

pub fn path(text: &str) -> AppliancePath {
    AppliancePath::parse(text).unwrap()
}

/// Where the appliance called `name` lives.
pub fn place(name: &str) -> AppliancePath {
    path(&format!("base/{name}/1.0/{name}-1.0"))
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length).map(|_| next().to_le_bytes()[3]).collect()
}

impl Sample {
    /// An image of `length` bytes that do not compress.
    pub fn new(name: &str, seed: u64, length: usize) -> Self {
        let content = noise(seed, length);
        let mut image = Vec::new();
        let options = CompressOptions {
            algorithms: Algorithms::manifest(),
            threads: std::num::NonZeroUsize::MIN,
            ..CompressOptions::default()
        };
        let mut go_on = |_| std::ops::ControlFlow::Continue(());
        let measured = compress(&mut content.as_slice(), &mut image, &options, &mut go_on).unwrap();
        let gz = measured.compressed.clone().unwrap();
        let paper = Paper {
            title: format!("The {name} appliance"),
            os: "debian".into(),
            endorser: "signer".into(),
            bytes: measured.content.bytes,
            digests: measured.content.digests.clone(),
            compressed: Some(PaperCompressed {
                bytes: gz.bytes,
                digests: gz.digests,
                chunks: gz.chunks.unwrap().sha256,
            }),
            valid: None,
            identifier: None,
        };
        Self { path: place(name), image: image.into(), content, measured, paper }
    }

    pub fn manifest(&self) -> Bytes {
        serde_json::to_vec(&self.paper).unwrap().into()
    }

    pub fn compressed(&self) -> &Digest {
        let gz = self.measured.compressed.as_ref().unwrap();
        gz.digest(stratus_model::Algorithm::Sha256).unwrap()
    }

    /// Sends the image in pieces of a network's size.
    pub async fn send(&self, store: &Store, owner: &str) -> Result<Outcome, StoreError> {
        let total = Some(self.image.len() as u64);
        let mut staged = store.begin(&self.path, owner, total).await?;
        let rest = self.image.slice(usize::try_from(staged.offset()).unwrap()..);
        for start in (0..rest.len()).step_by(60_000) {
            staged.append(rest.slice(start..rest.len().min(start + 60_000))).await?;
        }
        Ok(staged.finish().await?.outcome)
    }

    pub async fn describe(&self, store: &Store, owner: &str) -> Result<Outcome, StoreError> {
        store.stage_manifest(&self.path, owner, self.manifest()).await
    }

    pub async fn publish(&self, store: &Store, owner: &str) -> Result<Arc<Record>, StoreError> {
        self.describe(store, owner).await?;
        match self.send(store, owner).await? {
            Outcome::Published(record) => Ok(record),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the store serves exactly this appliance.
    pub async fn is_whole(&self, store: &Store) -> bool {
        let Some(record) = store.lookup(&self.path) else { return false };
        let Ok(source) = store.open_image(&record).await else { return false };
        let length = source.len();
        let Ok(image) = read(source.stream(0..length)).await else { return false };
        image == self.image && store.manifest_bytes(&record).await.unwrap() == self.manifest()
    }
}

/// All bytes of a stream.
pub async fn read(
    stream: impl futures_util::Stream<Item = Result<Bytes, StoreError>>,
) -> Result<Vec<u8>, StoreError> {
    use futures_util::TryStreamExt;
    stream
        .try_fold(Vec::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

/// Somewhere to keep appliances, empty at first, gone in the end.
pub struct Ground {
    pub settings: Settings,
    folder: TempDir,
    server: Option<Arc<s3::Server>>,
}

impl Ground {
    pub fn tree() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            data: folder.path().join("data"),
            place: Place::Tree,
            limits: Limits::default(),
        };
        Self { settings, folder, server: None }
    }

    pub fn bucket() -> Self {
        let server = s3::Server::shared();
        let folder = tempfile::tempdir().unwrap();
        let bucket = Bucket {
            name: s3::BUCKET.into(),
            prefix: format!("site/{}", uuid::Uuid::new_v4()),
            endpoint: Some(server.url()),
            region: "us-east-1".into(),
            credentials: Some(Credentials {
                access_key_id: s3::KEY.into(),
                secret_access_key: s3::SECRET.into(),
            }),
        };
        let settings = Settings {
            data: folder.path().join("data"),
            place: Place::Bucket(Box::new(bucket)),
            limits: Limits::default(),
        };
        Self { settings, folder, server: Some(server) }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn is_bucket(&self) -> bool {
        self.server.is_some()
    }

    /// Opens the store; waits for background work of one that was dropped just now.
    pub async fn open(&self) -> Store {
        for _ in 0..1000 {
            match Store::open(self.settings.clone(), Arc::new(Papers)).await {
                Err(StoreError::Locked { .. }) => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                other => return other.unwrap(),
            }
        }
        panic!("the store stays locked");
    }

    /// Another server of the same site: its own data folder, the same bucket.
    pub async fn open_second(&self) -> Store {
        let data = self.folder.path().join("second");
        let settings = Settings { data, ..self.settings.clone() };
        Store::open(settings, Arc::new(Papers)).await.unwrap()
    }
}

/// Waits for a condition that another task brings about.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen within ten seconds");
}
