//! Appliances by name: what people say instead of the path of an image.
//!
//! A name is looked up where that can be done: for what is to be fetched at the upstreams, which
//! search; for what is stored among the files that are here, so that it works while they are away.

use crate::prefetch::search;
use crate::proxy::Cache;
use std::collections::BTreeSet;
use stratus_repository_api::search::{ApplianceSummary, SearchQuery, StatusFilter};

/// Most appliances of an answer that are looked at.
const LIMIT: u16 = 100;

/// Whether the text is a name, with or without version: a path has a slash.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// The path of the image with this name, as clients of the cache ask for it.
pub(crate) async fn image(cache: &Cache, name: &str) -> Result<String, String> {
    let query = SearchQuery {
        q: Some(name.to_owned()),
        status: StatusFilter::All,
        limit: LIMIT,
        ..SearchQuery::default()
    };
    let query = query.to_query();
    let mut reasons = Vec::new();
    for upstream in cache.upstreams.iter().filter(|upstream| upstream.manifests) {
        let prefix = upstream.prefix.trim_end_matches('/');
        match search(cache, prefix, &query).await {
            Ok(found) => match choose(&found, name)? {
                Some(one) => return Ok(format!("{prefix}{}", one.links.image)),
                None => reasons.push(format!("`{}` has no such appliance", upstream.base)),
            },
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("there is no appliance `{name}`: {}", reasons.join("; ")))
}

/// The one with this name, or the only version of a name without one.
fn choose<'a>(
    found: &'a [ApplianceSummary],
    name: &str,
) -> Result<Option<&'a ApplianceSummary>, String> {
    let is_version =
        |one: &&ApplianceSummary| one.name.strip_suffix(&format!("-{}", one.version)) == Some(name);
    let mut fit: Vec<_> = found.iter().filter(|one| one.name == name).collect();
    if fit.is_empty() {
        fit = found.iter().filter(is_version).collect();
    }
    match fit.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let images: Vec<_> = several.iter().map(|one| one.links.image.as_str()).collect();
            Err(format!("`{name}` may be one of {}; say which", images.join(", ")))
        }
    }
}

/// The keys of the files of the appliance with this name that are stored.
pub(crate) fn stored(cache: &Cache, name: &str) -> Vec<String> {
    let keys: BTreeSet<String> = cache
        .spool
        .all()
        .iter()
        .filter(|object| is_file_of(&object.key, name))
        .map(|object| object.key.to_string())
        .collect();
    keys.into_iter().collect()
}

/// Image, manifest, checksums and deprecation have the whole name, version included.
fn is_file_of(key: &str, name: &str) -> bool {
    let path = key.split(['?', '#']).next().unwrap_or(key);
    let file = path.rsplit('/').next().unwrap_or(path);
    let rest = file.strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with(".img.") || rest == ".deprecated.xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_slash() {
        assert!(is_name("ubuntu-24.04-x86_64-base-1.0"));
        for path in ["/images/a/1.0/a-1.0.img.gz", "images/a", "/a", ""] {
            assert!(!is_name(path), "{path}");
        }
    }

    #[test]
    fn the_files_of_a_name_are_those_of_its_version() {
        let key = |file: &str| format!("https://h/images/base/a/1.0/{file}");
        for file in [
            "a-1.0.img.gz",
            "a-1.0.img.manifest.xml",
            "a-1.0.img.gz.sha256",
            "a-1.0.deprecated.xml",
        ] {
            assert!(is_file_of(&key(file), "a-1.0"), "{file}");
        }
        for file in ["a-1.0.1.img.gz", "b-a-1.0.img.gz", "a-1.0", "", "x?a-1.0.img.gz"] {
            assert!(!is_file_of(&key(file), "a-1.0"), "{file}");
        }
    }
}
