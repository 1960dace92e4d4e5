//! Everything wrong that a client can send: each gets a clear answer, and nothing is lost.
//!
//! One file a family, one test a case. After each case the same server still takes the right thing.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod images;
mod manifests;
mod paths;
mod places;
mod transfers;

use std::fs;
use std::path::Path;
use stratus_tests::{Appliance, Repository};

/// Puts the right image and the right manifest, which must be published by now or before.
#[track_caller]
fn publishes(repository: &Repository, appliance: &Appliance) {
    let image = fs::read(&appliance.image).unwrap();
    let manifest = fs::read(&appliance.manifest).unwrap();
    let first = repository.put("signer", &appliance.image_path(), image);
    assert!([200, 201, 202].contains(&first.status), "{}", first.text());
    let second = repository.put("signer", &appliance.manifest_path(), manifest);
    assert!([200, 201].contains(&second.status), "{}", second.text());
    assert!(repository.get(&appliance.image_path()).body == fs::read(&appliance.image).unwrap());
}

/// Nothing is to be seen of an appliance: no file, no listing, no search result.
#[track_caller]
fn invisible(repository: &Repository, appliance: &Appliance) {
    for path in [appliance.image_path(), appliance.manifest_path()] {
        assert_eq!(repository.get(&path).status, 404, "{path}");
    }
    let found = repository.get("/api/v1/appliances").text();
    assert!(!found.contains(&appliance.name), "{found}");
}

/// The paths of all files below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}
