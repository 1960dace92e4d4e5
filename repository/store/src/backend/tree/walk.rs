//! Reading the tree.

use super::files::stamp;
use crate::StoreError;
use crate::backend::Found;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use stratus_model::{AppliancePath, FileKind, TreePath};

/// What of an appliance is in the tree.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) image: Option<Metadata>,
    pub(super) manifest: Option<Metadata>,
    pub(super) deprecation: Option<Metadata>,
}

/// Every file of the tree, by appliance. Names that cannot be of the tree, and links, are passed by.
pub(super) fn walk(images: &Path) -> Result<BTreeMap<AppliancePath, Files>, StoreError> {
    let mut found: BTreeMap<AppliancePath, Files> = BTreeMap::new();
    let mut folders: Vec<(PathBuf, TreePath)> = vec![(images.to_owned(), TreePath::root())];
    while let Some((folder, place)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(StoreError::io("list", &folder))? {
            let entry = entry.map_err(StoreError::io("list", &folder))?;
            let Some(Ok(here)) = entry.file_name().to_str().map(|name| place.join(name)) else {
                continue;
            };
            let path = entry.path();
            let kind = entry.file_type().map_err(StoreError::io("look at", &path))?;
            if kind.is_dir() {
                folders.push((path, here));
            } else if let Ok((appliance, kind_of_file)) = AppliancePath::of_file(&here)
                && kind.is_file()
            {
                let metadata = entry.metadata().map_err(StoreError::io("look at", &path))?;
                let files = found.entry(appliance).or_default();
                match kind_of_file {
                    FileKind::Image => files.image = Some(metadata),
                    FileKind::Manifest => files.manifest = Some(metadata),
                    FileKind::Deprecation => files.deprecation = Some(metadata),
                    FileKind::Sha256Sums | FileKind::Sha512Sums => {}
                }
            }
        }
    }
    Ok(found)
}

/// The published appliances.
pub(super) fn list(images: &Path) -> Result<Vec<Found>, StoreError> {
    let published = |(path, files): (AppliancePath, Files)| {
        Some(Found {
            path,
            manifest: stamp(&files.manifest?),
            deprecation: files.deprecation.as_ref().map(stamp),
        })
    };
    Ok(walk(images)?.into_iter().filter_map(published).collect())
}
