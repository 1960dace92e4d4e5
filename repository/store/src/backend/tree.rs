//! Appliances in folders of this machine.
//!
//! ```text
//! <data>/lock                                   held while a server uses the folder
//! <data>/index.sqlite                           made from the tree, may be deleted
//! <data>/images/<path>.img.gz                   the tree that people browse
//!              /<path>.img.manifest.xml         the commit record: without it, nothing is published
//!              /<path>.deprecated.xml
//! <data>/staging/<upload id>/state.json         who, where, how far
//!                           /image              bytes so far, then all of them
//!                           /manifest.xml
//! <data>/staging/.<anything>                    on its way in or out; swept
//! <data>/orphans/                               images that nothing described; swept by age
//! ```
//!
//! Publishing gives the staged files their final names with `link(2)`, which never replaces: image,
//! sync of the folder, manifest, sync of the folder, acknowledgement. The staged names go last, so a
//! crash in between leaves the upload as it was, and [`Backend::recover`] takes the unfinished name
//! out of the tree. Uploads and tree must be on one file system that has hard links.

mod files;
mod publish;
mod spool;
mod walk;

use super::{Backend, Commit, Found, Small, SmallFile, Spool, Version, Whole, blocking};
use crate::upload::{ImageState, Saved, UploadState};
use crate::{ImageSource, StoreError, UploadId, fault};
use async_trait::async_trait;
use bytes::Bytes;
use files::{ignore_absent, read_small, remove_file, sync_folder, write_synced};
use jiff::Timestamp;
use spool::TreeSpool;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use stratus_model::{AppliancePath, FileKind};
use uuid::Uuid;

/// The folders of one server.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    images: PathBuf,
    staging: PathBuf,
    orphans: PathBuf,
    boot: String,
}

impl Tree {
    /// Makes the folders that are missing.
    pub(crate) async fn open(data: &Path) -> Result<Self, StoreError> {
        let data = data.to_owned();
        blocking(move || {
            let tree = Self {
                images: data.join("images"),
                staging: data.join("staging"),
                orphans: data.join("orphans"),
                boot: boot(),
            };
            for (folder, mode) in
                [(&tree.images, 0o755), (&tree.staging, 0o700), (&tree.orphans, 0o700)]
            {
                DirBuilder::new()
                    .recursive(true)
                    .mode(mode)
                    .create(folder)
                    .map_err(StoreError::io("create", folder))?;
            }
            sync_folder(&data)?;
            Ok(tree)
        })
        .await
    }

    fn staged(&self, id: &UploadId) -> PathBuf {
        self.staging.join(id.as_str())
    }

    /// A name in staging that no upload has.
    fn passing(&self) -> PathBuf {
        self.staging.join(format!(".{}", Uuid::new_v4()))
    }

    fn published(&self, path: &AppliancePath, kind: FileKind) -> PathBuf {
        self.images.join(path.file(kind).as_str())
    }

    fn whole(&self, path: &AppliancePath) -> Result<Option<Whole>, StoreError> {
        let key = path.file(FileKind::Image).as_str().to_owned();
        let image = self.published(path, FileKind::Image);
        let manifest = read_small(&self.published(path, FileKind::Manifest), key)?;
        let Some(manifest) = manifest else { return Ok(None) };
        let deprecation = read_small(&self.published(path, FileKind::Deprecation), String::new())?;
        let metadata = fs::metadata(&image).map_err(StoreError::io("look at", &image))?;
        Ok(Some(Whole { manifest, deprecation, image_bytes: metadata.len() }))
    }

    fn load(&self, id: &UploadId) -> Result<Option<UploadState>, StoreError> {
        let folder = self.staged(id);
        let file = folder.join("state.json");
        let Some(text) = ignore_absent(fs::read(&file), "read", &file)? else { return Ok(None) };
        let mut state: UploadState = serde_json::from_slice(&text)
            .map_err(|source| StoreError::Format { what: file.display().to_string(), source })?;
        let image = folder.join("image");
        let length = ignore_absent(fs::metadata(&image), "look at", &image)?
            .map_or(0, |metadata| metadata.len());
        if state.facts().is_some_and(|facts| facts.compressed.bytes != length) {
            // Starting over was interrupted: the bytes went, the state stayed.
            state.start_over(state.total);
        }
        if let ImageState::Receiving(saved) = &mut state.image {
            // Within one boot the system has all that was written; after a power cut only what was
            // synced is certain.
            let same_boot = saved.boot.as_deref() == Some(&self.boot);
            saved.offset = if same_boot { length } else { saved.offset.min(length) };
        }
        Ok(Some(state))
    }

    fn save(&self, state: &UploadState) -> Result<(), StoreError> {
        let folder = self.staged(&state.id);
        let is_new = match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => true,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(StoreError::io("create", &folder)(error)),
        };
        let mut state = state.clone();
        if let ImageState::Receiving(saved) = &mut state.image {
            saved.boot = Some(self.boot.clone());
        }
        let text = serde_json::to_vec(&state)
            .map_err(|source| StoreError::Format { what: folder.display().to_string(), source })?;
        write_synced(&self.passing(), &folder.join("state.json"), &text)?;
        if is_new {
            sync_folder(&self.staging)?;
        }
        Ok(())
    }

    fn ids(&self) -> Result<Vec<UploadId>, StoreError> {
        let entries = fs::read_dir(&self.staging).map_err(StoreError::io("list", &self.staging))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("list", &self.staging))?;
            found.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        Ok(found)
    }

    fn uploads(&self) -> Result<Vec<UploadState>, StoreError> {
        // A folder without a state is being made just now.
        self.ids()?.iter().filter_map(|id| self.load(id).transpose()).collect()
    }

    /// At the start, when nobody else is at work: what cannot be gone on with is taken away.
    fn drop_broken_uploads(&self) -> Result<(), StoreError> {
        for id in self.ids()? {
            match self.load(&id) {
                Ok(Some(_)) => {}
                // The server died while making it.
                Ok(None) => self.remove(&id)?,
                Err(error @ StoreError::Format { .. }) => {
                    tracing::warn!(upload = %id, %error, "an upload cannot be read; taken away");
                    self.remove(&id)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gone at once for everybody, then bit by bit.
    fn remove(&self, id: &UploadId) -> Result<(), StoreError> {
        let (folder, passing) = (self.staged(id), self.passing());
        if ignore_absent(fs::rename(&folder, &passing), "remove", &folder)?.is_none() {
            return Ok(());
        }
        sync_folder(&self.staging)?;
        fault::point("staging-half-removed");
        fs::remove_dir_all(&passing).map_err(StoreError::io("remove", &passing))
    }

    fn stale_before(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut stale = Vec::new();
        for (folder, hidden_only) in [(&self.staging, true), (&self.orphans, false)] {
            for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
                let entry = entry.map_err(StoreError::io("list", folder))?;
                let path = entry.path();
                let metadata = entry.metadata().map_err(StoreError::io("look at", &path))?;
                let old = metadata
                    .modified()
                    .ok()
                    .and_then(|time| Timestamp::try_from(time).ok())
                    .is_some_and(|time| time < before);
                let hidden = entry.file_name().to_str().is_some_and(|name| name.starts_with('.'));
                if old && (hidden || !hidden_only) {
                    stale.extend(path.to_str().map(str::to_owned));
                }
            }
        }
        Ok(stale)
    }
}

/// Names this boot of the machine.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        // Without it nothing is certain but what was synced.
        .map_or_else(|_| Uuid::new_v4().to_string(), |id| id.trim().to_owned())
}

#[async_trait]
impl Backend for Tree {
    async fn load_upload(
        &self,
        id: &UploadId,
    ) -> Result<Option<(UploadState, Version)>, StoreError> {
        let (tree, id) = (self.clone(), id.clone());
        let state = blocking(move || tree.load(&id)).await?;
        Ok(state.map(|state| (state, Version::default())))
    }

    async fn save_upload(
        &self,
        state: &UploadState,
        _seen: &Version,
    ) -> Result<Version, StoreError> {
        let (tree, state) = (self.clone(), state.clone());
        blocking(move || tree.save(&state)).await?;
        Ok(Version::default())
    }

    async fn list_uploads(&self) -> Result<Vec<UploadState>, StoreError> {
        let tree = self.clone();
        blocking(move || tree.uploads()).await
    }

    async fn remove_upload(
        &self,
        state: &UploadState,
        _seen: &Version,
        _committed: bool,
    ) -> Result<(), StoreError> {
        let (tree, id) = (self.clone(), state.id.clone());
        blocking(move || tree.remove(&id)).await
    }

    async fn start_over(
        &self,
        old: &UploadState,
        new: &UploadState,
        seen: &Version,
    ) -> Result<Version, StoreError> {
        let file = self.staged(&old.id).join("image");
        blocking(move || remove_file(&file)).await?;
        self.save_upload(new, seen).await
    }

    async fn rewind(&self, id: &UploadId, saved: Saved, offset: u64) -> Result<Saved, StoreError> {
        let path = self.staged(id).join("image");
        blocking(move || {
            let file = File::options().write(true).open(&path);
            file.and_then(|file| file.set_len(offset)).map_err(StoreError::io("truncate", &path))
        })
        .await?;
        Ok(Saved { offset, ..saved })
    }

    async fn spool(&self, state: &UploadState) -> Result<Box<dyn Spool>, StoreError> {
        let path = self.staged(&state.id).join("image");
        let (offset, total, boot) = (state.offset(), state.total, self.boot.clone());
        blocking(move || {
            TreeSpool::open(path, offset, total, boot)
                .map(|spool| Box::new(spool) as Box<dyn Spool>)
        })
        .await
    }

    async fn stage_manifest(&self, state: &UploadState, bytes: Bytes) -> Result<(), StoreError> {
        let (passing, file) = (self.passing(), self.staged(&state.id).join("manifest.xml"));
        blocking(move || write_synced(&passing, &file, &bytes)).await
    }

    async fn staged_manifest(&self, state: &UploadState) -> Result<Option<Bytes>, StoreError> {
        let file = self.staged(&state.id).join("manifest.xml");
        blocking(move || Ok(ignore_absent(fs::read(&file), "read", &file)?.map(Bytes::from))).await
    }

    async fn staged_image(&self, state: &UploadState) -> Result<ImageSource, StoreError> {
        open_image(self.staged(&state.id).join("image")).await
    }

    async fn commit(
        &self,
        state: &UploadState,
        _seen: &Version,
        _manifest: Bytes,
        published: Timestamp,
    ) -> Result<Commit, StoreError> {
        let (tree, state) = (self.clone(), state.clone());
        blocking(move || tree.publish(&state, published)).await
    }

    async fn list(&self) -> Result<Vec<Found>, StoreError> {
        let tree = self.clone();
        blocking(move || walk::list(&tree.images)).await
    }

    async fn small(
        &self,
        path: &AppliancePath,
        which: Small,
    ) -> Result<Option<SmallFile>, StoreError> {
        let kind = match which {
            Small::Manifest => FileKind::Manifest,
            Small::Deprecation => FileKind::Deprecation,
        };
        let file = self.published(path, kind);
        let image_key = path.file(FileKind::Image).as_str().to_owned();
        blocking(move || read_small(&file, image_key)).await
    }

    async fn read_back(
        &self,
        paths: Vec<AppliancePath>,
    ) -> Vec<(AppliancePath, Result<Option<Whole>, StoreError>)> {
        let tree = self.clone();
        let read = move |path: AppliancePath| {
            let whole = tree.whole(&path);
            (path, whole)
        };
        blocking(move || paths.into_iter().map(read).collect()).await
    }

    async fn deprecate(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tree, path) = (self.clone(), path.clone());
        blocking(move || tree.put_deprecation(&path, &bytes, now)).await
    }

    async fn image(&self, _path: &AppliancePath, key: &str) -> Result<ImageSource, StoreError> {
        open_image(self.images.join(key)).await
    }

    async fn delete(&self, path: &AppliancePath, _key: &str) -> Result<(), StoreError> {
        let (tree, path) = (self.clone(), path.clone());
        blocking(move || tree.unpublish(&path)).await
    }

    async fn recover(&self) -> Result<(), StoreError> {
        let tree = self.clone();
        blocking(move || {
            tree.drop_broken_uploads()?;
            tree.tidy()
        })
        .await
    }

    async fn stale(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let tree = self.clone();
        blocking(move || tree.stale_before(before)).await
    }

    async fn remove_stale(&self, name: &str) -> Result<(), StoreError> {
        let path = PathBuf::from(name);
        blocking(move || {
            if path.is_dir() {
                fs::remove_dir_all(&path).map_err(StoreError::io("remove", &path))
            } else {
                remove_file(&path)
            }
        })
        .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let (images, staging) = (self.images.clone(), self.staging.clone());
        blocking(move || {
            for folder in [images, staging] {
                fs::metadata(&folder).map_err(StoreError::io("look at", &folder))?;
            }
            Ok(())
        })
        .await
    }
}

async fn open_image(path: PathBuf) -> Result<ImageSource, StoreError> {
    blocking(move || {
        let file = File::open(&path).map_err(StoreError::io("open", &path))?;
        let length = file.metadata().map_err(StoreError::io("look at", &path))?.len();
        Ok(ImageSource::File(file, length))
    })
    .await
}
