//! Names in the tree: given in an order that a crash can stop anywhere.

use super::Tree;
use super::files::{ignore_absent, remove_file, sync_folder, write_new};
use super::walk::{Files, walk};
use crate::backend::Commit;
use crate::upload::UploadState;
use crate::{StoreError, fault};
use jiff::Timestamp;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;
use stratus_model::{AppliancePath, FileKind};
use uuid::Uuid;

impl Tree {
    /// Publishes what is staged. The caller sees to it that nobody else publishes the same place
    /// meanwhile.
    pub(super) fn publish(
        &self,
        state: &UploadState,
        published: Timestamp,
    ) -> Result<Commit, StoreError> {
        let staged = self.staged(&state.id);
        let image = self.published(&state.path, FileKind::Image);
        let manifest = self.published(&state.path, FileKind::Manifest);
        if manifest.exists() {
            return Ok(Commit::Taken);
        }
        let staged_manifest = staged.join("manifest.xml");
        File::options()
            .write(true)
            .open(&staged_manifest)
            .and_then(|file| {
                file.set_modified(SystemTime::from(published))?;
                file.sync_all()
            })
            .map_err(StoreError::io("sync", &staged_manifest))?;
        let staged_image = staged.join("image");
        // Published bytes never change, so nobody needs the right to write them.
        fs::set_permissions(&staged_image, Permissions::from_mode(0o444))
            .map_err(StoreError::io("protect", &staged_image))?;
        fault::point("before-publish");
        self.link_image(&staged_image, &image)?;
        fault::point("image-linked");
        let folder = image.parent().unwrap_or(&self.images);
        sync_folder(folder)?;
        fault::point("image-folder-synced");
        match fs::hard_link(&staged_manifest, &manifest) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Commit::Taken),
            Err(error) => return Err(StoreError::io("link", &manifest)(error)),
        }
        fault::point("manifest-linked");
        sync_folder(folder)?;
        fault::point("manifest-folder-synced");
        Ok(Commit::Done(state.path.file(FileKind::Image).as_str().to_owned()))
    }

    fn link_image(&self, staged: &Path, target: &Path) -> Result<(), StoreError> {
        // Deleting another appliance may take an empty folder away in between: try again then.
        for _ in 0..8 {
            self.make_folders(target.parent().unwrap_or(&self.images))?;
            fault::point("folders-made");
            match fs::hard_link(staged, target) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if same_file(staged, target)? {
                        return Ok(());
                    }
                    self.set_aside(target)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("link", target)(error)),
            }
        }
        Err(StoreError::io("link", target)(io::ErrorKind::NotFound.into()))
    }

    /// Makes a folder of the tree with all above it, each synced into the one above.
    fn make_folders(&self, folder: &Path) -> Result<(), StoreError> {
        if folder == self.images || folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make_folders(above)?;
            match fs::create_dir(folder) {
                Ok(()) => sync_folder(above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("create", folder)(error)),
            }
        }
        Ok(())
    }

    /// An image that no manifest describes makes room; it is kept for as long as an upload.
    fn set_aside(&self, orphan: &Path) -> Result<(), StoreError> {
        let place = self.orphans.join(format!("{}.img.gz", Uuid::new_v4()));
        tracing::warn!(file = %orphan.display(), "an image without a manifest is set aside");
        if ignore_absent(fs::rename(orphan, &place), "set aside", orphan)?.is_some() {
            let file = File::open(&place).map_err(StoreError::io("open", &place))?;
            file.set_modified(SystemTime::now()).map_err(StoreError::io("touch", &place))?;
        }
        Ok(())
    }

    /// Writes the deprecation unless there is one.
    pub(super) fn put_deprecation(
        &self,
        path: &AppliancePath,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (passing, target) = (self.passing(), self.published(path, FileKind::Deprecation));
        write_new(&passing, bytes, Some(now))?;
        fault::point("deprecation-written");
        let linked = fs::hard_link(&passing, &target);
        remove_file(&passing)?;
        match linked {
            Ok(()) => {
                sync_folder(target.parent().unwrap_or(&self.images))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("link", &target)(error)),
        }
    }

    /// Takes the names of an appliance away, the commit record first.
    pub(super) fn unpublish(&self, path: &AppliancePath) -> Result<(), StoreError> {
        let manifest = self.published(path, FileKind::Manifest);
        let folder = manifest.parent().unwrap_or(&self.images);
        remove_file(&manifest)?;
        sync_folder(folder)?;
        fault::point("manifest-deleted");
        remove_file(&self.published(path, FileKind::Image))?;
        fault::point("image-deleted");
        remove_file(&self.published(path, FileKind::Deprecation))?;
        sync_folder(folder)?;
        let mut empty = Some(folder);
        while let Some(folder) = empty.filter(|f| *f != self.images) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
            empty = folder.parent();
        }
        Ok(())
    }

    /// After a crash: names without a commit record leave the tree.
    ///
    /// An image that is also staged loses only its name; its upload goes on. Any other one is set
    /// aside, in case a person put it there.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        for (path, files) in walk(&self.images)? {
            let Files { image, manifest: None, deprecation } = files else { continue };
            let name = self.published(&path, FileKind::Image);
            match image {
                Some(metadata) if metadata.nlink() > 1 => remove_file(&name)?,
                Some(_) => self.set_aside(&name)?,
                None => {}
            }
            if deprecation.is_some() {
                remove_file(&self.published(&path, FileKind::Deprecation))?;
            }
            sync_folder(name.parent().unwrap_or(&self.images))?;
        }
        Ok(())
    }
}

fn same_file(a: &Path, b: &Path) -> Result<bool, StoreError> {
    let of = |path: &Path| {
        fs::metadata(path).map(|m| (m.dev(), m.ino())).map_err(StoreError::io("look at", path))
    };
    Ok(of(a)? == of(b)?)
}
