//! Pulling an appliance: find it, prove who made it, then fetch it.

use crate::accept::{Deprecated, Trust, accept_manifest, read_deprecation};
use crate::error::{ClientError, NotAccepted};
use crate::fetch::{FetchOptions, fetch};
use crate::place::Form;
use crate::repository::Repository;
use crate::wanted::Wanted;
use std::path::PathBuf;
use stratus_model::{AppliancePath, Exit, FileKind, Manifest};
use stratus_repository_api::route::Route;
use stratus_terminal::Progress;
use url::Url;

/// Most places of an image that are tried.
const PLACES: usize = 8;

/// What to pull, and how.
#[derive(Clone, Debug)]
pub struct Download<'a> {
    /// Which appliance.
    pub wanted: Wanted,
    /// Whom to trust.
    pub trust: Trust<'a>,
    /// Where it goes; none: its own name, in the current folder.
    pub target: Option<PathBuf>,
    /// In which form it is kept, over how many connections.
    pub options: FetchOptions,
    /// Whether an image that its endorser has withdrawn is pulled all the same.
    pub even_if_deprecated: bool,
    /// The site's cache, which is asked for the image before the repository.
    pub cache: Option<Url>,
}

/// An appliance that was found and whose manifest is accepted.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it lives in the repository.
    pub path: AppliancePath,
    /// What was signed.
    pub manifest: Manifest,
    /// The signed manifest itself.
    pub bytes: Vec<u8>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Where the image will be.
    pub target: PathBuf,
    /// Where it can come from, best first.
    places: Vec<Url>,
}

impl Download<'_> {
    /// Finds the appliance and checks its manifest; no byte of the image is asked for.
    pub async fn find(&self, repository: &Repository) -> Result<Found, ClientError> {
        let path = repository.locate(&self.wanted).await?;
        let file = |kind| repository.url(&Route::file(&path, kind));
        let bytes = repository
            .get(&file(FileKind::Manifest), "application/xml", stratus_manifest::SIZE_LIMIT)
            .await?
            .ok_or_else(|| ClientError::NoSuchAppliance(self.wanted.to_string()))?;
        let accepted = accept_manifest(&bytes, &self.wanted, &path, &self.trust)?;
        let mut notes = accepted.notes;
        let statement = repository
            .get(&file(FileKind::Deprecation), "application/xml", stratus_manifest::SIZE_LIMIT)
            .await?;
        if let Some(statement) = statement {
            notes.push(self.deprecated(&statement, &accepted.manifest, &path)?);
        }
        let target = self.target.clone().unwrap_or_else(|| match self.options.form {
            Form::Inflated => format!("{}.img", path.name()).into(),
            Form::Compressed => path.file_name(FileKind::Image).into(),
        });
        let own = file(FileKind::Image);
        let near =
            self.cache.as_ref().map(|cache| below(cache, &Route::file(&path, FileKind::Image)));
        let near = match near {
            Some(near) if repository.answers(&near).await => Some(near),
            Some(near) => {
                notes.push(away(&near));
                None
            }
            None => None,
        };
        let places = places(near, own, &accepted.manifest);
        Ok(Found { path, manifest: accepted.manifest, bytes, notes, target, places })
    }

    /// Fetches the image of an appliance that was found.
    pub async fn fetch(
        &self,
        repository: &Repository,
        found: &Found,
        progress: &Progress,
    ) -> Result<(), ClientError> {
        let expected = found.manifest.expected()?;
        fetch(repository, &found.places, &expected, &found.target, self.options, progress).await
    }

    /// A sentence for the person, or a refusal.
    fn deprecated(
        &self,
        statement: &[u8],
        manifest: &Manifest,
        path: &AppliancePath,
    ) -> Result<String, ClientError> {
        match read_deprecation(statement, manifest, &self.trust) {
            Deprecated::For(reason) if self.even_if_deprecated => {
                Ok(format!("this image is deprecated: {reason}"))
            }
            Deprecated::For(reason) => Err(ClientError::NotAccepted(NotAccepted {
                what: format!("`{path}`"),
                reasons: vec![format!("it is deprecated: {reason}")],
                exit: Exit::Refused,
            })),
            Deprecated::Doubtful(why) => {
                Ok(format!("somebody says that this image is deprecated, without proof ({why})"))
            }
        }
    }
}

/// Where the cache has what the repository has.
fn below(cache: &Url, route: &Route) -> Url {
    let mut url = cache.clone();
    let prefix = cache.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{}", route.to_path()));
    url
}

fn away(cache: &Url) -> String {
    let address = cache.origin().ascii_serialization();
    format!("the cache at {address} does not answer; the image comes from the repository itself")
}

/// The cache's copy first, then the repository's own, then the places that the manifest names, each
/// once.
fn places(near: Option<Url>, own: Url, manifest: &Manifest) -> Vec<Url> {
    let mut places: Vec<Url> = near.into_iter().chain([own]).collect();
    let named = manifest.locations.iter().filter_map(|text| Url::parse(text.trim()).ok());
    for url in named.filter(|url| matches!(url.scheme(), "https" | "http")) {
        if !places.contains(&url) && places.len() < PLACES {
            places.push(url);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_own_copy_comes_first() {
        let own = Url::parse("https://a/images/x.img.gz").unwrap();
        let mut manifest = Manifest::empty();
        for text in
            ["https://b/x.gz", "https://a/images/x.img.gz", "ftp://c/x", "x", " http://d/y "]
        {
            manifest.locations.push(text.to_owned());
        }
        let found: Vec<String> = places(None, own, &manifest).iter().map(Url::to_string).collect();
        assert_eq!(found, ["https://a/images/x.img.gz", "https://b/x.gz", "http://d/y"]);
    }
}
