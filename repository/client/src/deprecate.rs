//! Withdrawing an appliance: a signed statement with a reason beside it.

use crate::error::ClientError;
use crate::repository::Repository;
use crate::upload::Stored;
use crate::wanted::Wanted;
use jiff::Timestamp;
use stratus_manifest::deprecation::{self, Deprecation};
use stratus_model::{AppliancePath, FileKind};
use stratus_repository_api::route::Route;
use stratus_x509::Credential;

/// What is said about an appliance.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// Which appliance.
    pub wanted: Wanted,
    /// Why it should no longer be used.
    pub reason: String,
    /// Name of the appliance to use instead.
    pub replaced_by: Option<String>,
}

impl Withdrawal {
    /// Signs the statement and publishes it. Gives where, and whether it was new.
    pub async fn publish(
        &self,
        repository: &Repository,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<(AppliancePath, Stored), ClientError> {
        let path = repository.locate(&self.wanted).await?;
        if let Some(name) = &self.replaced_by {
            // A signed statement cannot be mended, so a slip in the name is found before.
            let other = repository.locate(&Wanted::Name(name.clone())).await?;
            if other == path {
                return Err(ClientError::ReplacedByItself(name.clone()));
            }
        }
        let url = repository.url(&Route::file(&path, FileKind::Manifest));
        let bytes = repository
            .get(&url, "application/xml", stratus_manifest::SIZE_LIMIT)
            .await?
            .ok_or_else(|| ClientError::NoSuchAppliance(self.wanted.to_string()))?;
        let manifest = stratus_manifest::read(&bytes)
            .map_err(|error| ClientError::Unexpected {
                url: url.to_string(),
                what: error.to_string(),
            })?
            // Whose image it is, the repository knows; what is said here is about its digests.
            .into_unverified_manifest();
        let name = path.name().to_owned();
        let mut statement = Deprecation::of(&manifest, name, self.reason.clone(), now);
        statement.replaced_by.clone_from(&self.replaced_by);
        let unsigned =
            deprecation::write(&statement).map_err(|e| ClientError::Sign(Box::new(e)))?;
        let signed = deprecation::endorse(&unsigned, credential, now)
            .map_err(|e| ClientError::Sign(Box::new(e)))?;
        let stored =
            repository.put_document(&path, FileKind::Deprecation, signed.as_bytes()).await?;
        Ok((path, stored))
    }
}
