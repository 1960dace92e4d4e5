//! Publishing an appliance: first everything that can be known here, then the image, then the
//! manifest.

use crate::error::{ClientError, NotAccepted};
use crate::repository::Repository;
use crate::upload::{Sent, Stored};
use jiff::Timestamp;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use stratus_image::{ImageError, Mismatch, Mismatches};
use stratus_manifest::validate;
use stratus_model::{
    Algorithm, AppliancePath, Digest, Exit, Expected, FileKind, Layout, SignatureState,
};
use stratus_terminal::Progress;

/// A manifest whose signature is good, and the place it asks for.
#[derive(Clone, Debug)]
pub struct Publication {
    manifest: Vec<u8>,
    place: AppliancePath,
    expected: Expected,
    notes: Vec<String>,
}

impl Publication {
    /// Reads a signed manifest. `name` is its file, for messages.
    ///
    /// Whether the signer is trusted is for the repository to say; whether the signature is good at
    /// all is said here, before anything is sent.
    pub fn read(manifest: Vec<u8>, name: &Path, now: Timestamp) -> Result<Self, ClientError> {
        let validation = validate(&manifest, None, None, now);
        let signature = validation.verdict.signature;
        let good = matches!(signature, SignatureState::Good | SignatureState::Weak);
        let reasons = validation.verdict.reasons;
        let content = match validation.manifest {
            Some(content) if validation.fault.is_none() && good => content,
            _ => {
                let what = format!("the manifest `{}`", name.display());
                let exit = Exit::Failed;
                return Err(ClientError::NotAccepted(NotAccepted { what, reasons, exit }));
            }
        };
        let place = Layout::default().place(&content.coordinates()?).map_err(ClientError::Place)?;
        let expected = content.expected()?;
        let mut notes: Vec<String> = Vec::new();
        if signature == SignatureState::Weak {
            notes.push("the signature is weak; most repositories refuse it".to_owned());
        }
        Ok(Self { manifest, place, expected, notes })
    }

    /// Publishes at another place than the usual layout says, for a repository with its own.
    #[must_use]
    pub fn at(mut self, place: AppliancePath) -> Self {
        self.place = place;
        self
    }

    /// Where it will be.
    pub fn place(&self) -> &AppliancePath {
        &self.place
    }

    /// What a person should know before.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the manifest promises about the image.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Whether the image can be the one the manifest describes, by what is cheap to see: it is a
    /// gzip file and has the right size. Blocks.
    pub fn check_quickly(&self, image: &Path) -> Result<(), ClientError> {
        let read = |error| ClientError::file("read", image)(error);
        let mut file = std::fs::File::open(image).map_err(read)?;
        let found = file.metadata().map_err(read)?;
        let mut magic = Vec::new();
        file.by_ref().take(2).read_to_end(&mut magic).map_err(read)?;
        let wrong = |source| ClientError::Image { path: image.to_owned(), source };
        if magic != [0x1f, 0x8b] {
            return Err(wrong(ImageError::NotGzip { found: None }));
        }
        match &self.expected.compressed {
            Some(compressed) if compressed.bytes != found.len() => {
                let mismatch = Mismatch::Bytes {
                    form: stratus_image::Form::Compressed,
                    expected: compressed.bytes,
                    found: found.len(),
                };
                Err(wrong(ImageError::Mismatch(Mismatches(vec![mismatch]))))
            }
            _ => Ok(()),
        }
    }

    /// Whether the image is the one the manifest describes, by all digests of both forms. Reads the
    /// whole file; blocks.
    pub fn check(&self, image: &Path, progress: &Progress) -> Result<(), ClientError> {
        let mut report = |done| {
            progress.resume_at(done);
            ControlFlow::Continue(())
        };
        stratus_image::check(image, &self.expected, &mut report)
            .map_err(|source| ClientError::Image { path: image.to_owned(), source })
    }

    /// Sends the image, unless the repository has it, and then the manifest.
    pub async fn publish(
        &self,
        repository: &Repository,
        image: &Path,
        progress: &Progress,
    ) -> Result<(Sent, Stored), ClientError> {
        let sent =
            repository.upload_image(&self.place, image, self.served_digest(), progress).await?;
        progress.finish();
        let stored =
            repository.put_document(&self.place, FileKind::Manifest, &self.manifest).await?;
        Ok((sent, stored))
    }

    /// SHA-256 of the file as served, where the manifest has it.
    fn served_digest(&self) -> Option<&Digest> {
        let compressed = self.expected.compressed.as_ref()?;
        compressed.checksums.iter().find(|d| d.algorithm() == Algorithm::Sha256)
    }
}
