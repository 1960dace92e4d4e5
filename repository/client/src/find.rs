//! Searching, and finding the one appliance that a person means.

use crate::error::ClientError;
use crate::repository::Repository;
use crate::wanted::Wanted;
use serde::de::DeserializeOwned;
use stratus_model::AppliancePath;
use stratus_repository_api::listing::natural;
use stratus_repository_api::route::{ApplianceKey, Route};
use stratus_repository_api::search::{
    ApplianceDetail, ApplianceSummary, LIMIT_MAX, Page, SearchQuery, StatusFilter,
};
use url::Url;

/// Longest answer of the search that is read, in bytes.
const ANSWER_LIMIT: usize = 16 << 20;

impl Repository {
    /// One page of a search.
    pub async fn search(&self, query: &SearchQuery) -> Result<Page, ClientError> {
        let mut url = self.url(&Route::Search);
        let text = query.to_query();
        url.set_query((!text.is_empty()).then_some(&text));
        let page = self.json(&url).await?;
        page.ok_or_else(|| ClientError::Unexpected {
            url: url.to_string(),
            what: "there is no search; is this a Stratus repository?".to_owned(),
        })
    }

    /// The first `most` appliances of a search, over as many pages as that takes.
    pub async fn search_all(&self, query: &SearchQuery, most: usize) -> Result<Page, ClientError> {
        let mut query = query.clone();
        let mut found = Page::default();
        loop {
            let left = u16::try_from(most - found.appliances.len()).unwrap_or(u16::MAX);
            query.limit = left.clamp(1, LIMIT_MAX);
            let page = self.search(&query).await?;
            let empty = page.appliances.is_empty();
            found.total = page.total;
            found.appliances.extend(page.appliances);
            found.appliances.truncate(most);
            found.next.clone_from(&page.next);
            // A server that gives a cursor without progress would be asked for ever.
            let Some(next) = page.next.filter(|_| !empty && found.appliances.len() < most) else {
                return Ok(found);
            };
            query.after = Some(next.parse().map_err(|()| ClientError::Unexpected {
                url: self.url(&Route::Search).to_string(),
                what: "its cursor cannot be read".to_owned(),
            })?);
        }
    }

    /// Everything about the appliance that a person means.
    pub async fn show(&self, wanted: &Wanted) -> Result<ApplianceDetail, ClientError> {
        let (key, path) = match wanted {
            Wanted::Key(key) => (key.clone(), None),
            Wanted::Path(path) => self.key_of(path.name(), Some(path)).await?,
            Wanted::Name(name) => self.key_of(name, None).await?,
        };
        let mut url = self.url(&Route::Appliance(key));
        if let Some(path) = &path {
            url.query_pairs_mut().append_pair("path", path);
        }
        let detail: Option<ApplianceDetail> = self.json(&url).await?;
        let detail = detail.ok_or_else(|| ClientError::NoSuchAppliance(wanted.to_string()))?;
        match path {
            // Two appliances may have the same image, and an older server does not ask which.
            Some(path) if path != detail.summary.path => Err(ClientError::Ambiguous {
                name: detail.summary.sha256.unwrap_or_default(),
                candidates: vec![path, detail.summary.path],
            }),
            _ => Ok(detail),
        }
    }

    /// The place of the appliance that a person means.
    pub async fn locate(&self, wanted: &Wanted) -> Result<AppliancePath, ClientError> {
        let path = match wanted {
            Wanted::Path(path) => return Ok(path.clone()),
            Wanted::Key(_) => self.show(wanted).await?.summary.path,
            Wanted::Name(name) => self.named(name, None).await?.path,
        };
        AppliancePath::parse(&path).map_err(ClientError::Place)
    }

    /// The key that shows an appliance, and its path to compare with.
    async fn key_of(
        &self,
        name: &str,
        path: Option<&AppliancePath>,
    ) -> Result<(ApplianceKey, Option<String>), ClientError> {
        let found = self.named(name, path).await?;
        let key = found.sha256.as_deref().or(found.identifier.as_deref());
        let key = key.and_then(|text| text.parse().ok());
        let key = key.ok_or_else(|| ClientError::Unexpected {
            url: self.url(&Route::Search).to_string(),
            what: format!("`{name}` has neither SHA-256 nor identifier"),
        })?;
        Ok((key, Some(found.path)))
    }

    async fn named(
        &self,
        name: &str,
        path: Option<&AppliancePath>,
    ) -> Result<ApplianceSummary, ClientError> {
        let query = SearchQuery {
            q: Some(name.to_owned()),
            status: StatusFilter::All,
            ..SearchQuery::default()
        };
        let page = self.search_all(&query, 1000).await?;
        choose(page.appliances, name, path)
    }

    async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<Option<T>, ClientError> {
        let Some(bytes) = self.get(url, "application/json", ANSWER_LIMIT).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| ClientError::Unexpected {
            url: url.to_string(),
            what: format!("it is not the JSON of a repository ({error})"),
        })
    }
}

/// The one that is meant: by path if that is known, else by whole name, else the only version of a
/// name without version.
fn choose(
    found: Vec<ApplianceSummary>,
    name: &str,
    path: Option<&AppliancePath>,
) -> Result<ApplianceSummary, ClientError> {
    let family = format!("{name}-");
    let fits = |one: &ApplianceSummary| match path {
        Some(path) => one.path == path.as_str(),
        None => one.name == name,
    };
    let is_version = |one: &ApplianceSummary| {
        path.is_none() && one.name.strip_prefix(&family) == Some(one.version.as_str())
    };
    let (mut exact, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(fits);
    if exact.is_empty() {
        exact = rest.into_iter().filter(is_version).collect();
    }
    exact.sort_by(|a, b| natural(&b.path, &a.path));
    match exact.len() {
        0 => Err(ClientError::NoSuchAppliance(name.to_owned())),
        1 => Ok(exact.remove(0)),
        _ => {
            let one_name = exact.iter().all(|one| one.name == exact[0].name);
            let candidates = exact.into_iter().map(|a| if one_name { a.path } else { a.name });
            Err(ClientError::Ambiguous { name: name.to_owned(), candidates: candidates.collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_model::{PolicyState, SignatureState, SignerState};
    use stratus_repository_api::search::{Links, Validity};

    fn appliance(path: &str, version: &str) -> ApplianceSummary {
        let place = AppliancePath::parse(path).unwrap();
        ApplianceSummary {
            name: place.name().to_owned(),
            path: path.to_owned(),
            kind: "base".into(),
            os: "debian".into(),
            osversion: "12".into(),
            arch: "x86_64".into(),
            version: version.into(),
            title: None,
            format: None,
            identifier: None,
            sha256: None,
            bytes: 1,
            compressed_bytes: 1,
            published: jiff::Timestamp::UNIX_EPOCH,
            valid: None,
            status: Validity::Valid,
            endorser: None,
            email: None,
            signature: SignatureState::Good,
            signer: SignerState::Trusted,
            policy: PolicyState::Allowed,
            links: Links::of(&place, Validity::Valid),
        }
    }

    #[test]
    fn a_name_means_one_appliance_or_none() {
        let one = appliance("base/x/1.9/x-1.9", "1.9");
        let two = appliance("base/x/1.10/x-1.10", "1.10");
        let other = appliance("base/x-extra/1.0/x-extra-1.0", "1.0");
        let all = vec![one.clone(), two.clone(), other.clone()];
        assert_eq!(choose(all.clone(), "x-1.10", None).unwrap(), two);
        assert_eq!(choose(all.clone(), "x-extra", None).unwrap(), other);
        assert!(matches!(choose(all.clone(), "y", None), Err(ClientError::NoSuchAppliance(_))));
        let Err(ClientError::Ambiguous { candidates, .. }) = choose(all, "x", None) else {
            panic!("two versions fit");
        };
        assert_eq!(candidates, ["x-1.10", "x-1.9"]);
    }

    #[test]
    fn a_path_means_exactly_that_place() {
        let here = appliance("base/x/1.0/x-1.0", "1.0");
        let there = appliance("grid/x/1.0/x-1.0", "1.0");
        let both = vec![here.clone(), there];
        let path = AppliancePath::parse("base/x/1.0/x-1.0").unwrap();
        assert_eq!(choose(both.clone(), "x-1.0", Some(&path)).unwrap(), here);
        let Err(ClientError::Ambiguous { candidates, .. }) = choose(both, "x-1.0", None) else {
            panic!("two places have that name");
        };
        assert_eq!(candidates, ["grid/x/1.0/x-1.0", "base/x/1.0/x-1.0"]);
    }
}
