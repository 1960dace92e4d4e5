//! Sending an image, from wherever the repository says it stopped, and the documents beside it.

use crate::error::ClientError;
use crate::repository::{Failed, Repository, answer};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Method, Response, StatusCode};
use std::path::Path;
use stratus_model::{AppliancePath, Digest, FileKind};
use stratus_repository_api::digest_header;
use stratus_repository_api::problem::{Problem, ProblemKind};
use stratus_repository_api::range::ContentRange;
use stratus_repository_api::route::Route;
use stratus_repository_api::tus;
use stratus_terminal::Progress;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;
use url::Url;

/// Bytes read from the file at once.
const BLOCK: usize = 1 << 20;

/// How far the repository is with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It knows nothing of it.
    Nothing,
    /// It has a part of it, for its owner.
    Staged {
        /// Bytes that have arrived.
        offset: u64,
        /// Bytes in the whole file, as was said when the upload began.
        total: Option<u64>,
    },
    /// It is published.
    Published {
        /// Its size.
        bytes: Option<u64>,
        /// Its digests.
        digests: Vec<Digest>,
    },
}

/// What happened to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it, or the rest of it from this byte on, was sent now.
    From(u64),
    /// The repository had all of it already.
    NotNeeded,
}

/// What the repository did with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is published now.
    Published,
    /// The same bytes were published before.
    AlreadyThere,
    /// It is kept until what belongs to it arrives.
    Waiting,
}

/// What to do next with an image of `total` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Send { from: u64 },
    Nothing,
    Conflict,
}

fn next(standing: &Standing, total: u64, digest: Option<&Digest>) -> Step {
    match standing {
        Standing::Nothing => Step::Send { from: 0 },
        Standing::Staged { offset, total: known } => match known {
            // Another file was begun under this name; ours replaces it.
            Some(known) if *known != total => Step::Send { from: 0 },
            _ if *offset > total => Step::Send { from: 0 },
            _ if *offset == total && total > 0 => Step::Nothing,
            _ => Step::Send { from: *offset },
        },
        Standing::Published { bytes, digests } => {
            let other_size = bytes.is_some_and(|bytes| bytes != total);
            let other_digest = digest.is_some_and(|ours| {
                digests.iter().any(|d| d.algorithm() == ours.algorithm() && d != ours)
            });
            if other_size || other_digest { Step::Conflict } else { Step::Nothing }
        }
    }
}

impl Repository {
    /// How far the repository is with an image, as its owner sees it.
    pub async fn standing(&self, place: &AppliancePath) -> Result<Standing, ClientError> {
        let url = self.url(&Route::file(place, FileKind::Image));
        let asked = self.send(&url, || self.request_as_owner(Method::HEAD, &url)).await;
        let response = match asked {
            Ok(response) => response,
            Err(error) => return Err(self.in_its_words(&url, error).await),
        };
        match response.status() {
            StatusCode::OK => Ok(Standing::Published {
                bytes: number(response.headers(), CONTENT_LENGTH.as_str()),
                digests: text(response.headers(), "repr-digest")
                    .and_then(digest_header::parse)
                    .unwrap_or_default(),
            }),
            StatusCode::NOT_FOUND => {
                let offset = number(response.headers(), tus::header::OFFSET);
                let total = number(response.headers(), tus::header::LENGTH);
                Ok(offset.map_or(Standing::Nothing, |offset| Standing::Staged { offset, total }))
            }
            _ => {
                let error = answer(&url, response).await;
                Err(self.in_its_words(&url, error).await)
            }
        }
    }

    /// Sends the image at `file`, beginning where the repository stopped, as often as the connection
    /// breaks. `digest` is the SHA-256 of the file as served, to recognise what is published.
    pub async fn upload_image(
        &self,
        place: &AppliancePath,
        file: &Path,
        digest: Option<&Digest>,
        progress: &Progress,
    ) -> Result<Sent, ClientError> {
        let read = |error| ClientError::file("read", file)(error);
        let total = tokio::fs::metadata(file).await.map_err(read)?.len();
        let url = self.url(&Route::file(place, FileKind::Image));
        let (mut failures, mut best, mut first) = (0, 0, None);
        let mut told: Option<u64> = None;
        loop {
            let from = match told.take() {
                Some(from) if from <= total => from,
                _ => match next(&self.standing(place).await?, total, digest) {
                    Step::Send { from } => from,
                    Step::Nothing => return Ok(first.map_or(Sent::NotNeeded, Sent::From)),
                    Step::Conflict => return Err(taken(&url)),
                },
            };
            if from > best {
                (best, failures) = (from, 0);
            }
            first.get_or_insert(from);
            progress.resume_at(from);
            let failed = match self.send_from(&url, file, from, total, progress).await {
                Ok(response) if response.status().is_success() => {
                    return Ok(Sent::From(first.unwrap_or(from)));
                }
                Ok(response) => refused(answer(&url, response).await, &mut told),
                Err(failed) => failed,
            };
            failures += 1;
            self.pause(failures, failed).await?;
        }
    }

    /// One PUT, from a byte to the end.
    async fn send_from(
        &self,
        url: &Url,
        file: &Path,
        from: u64,
        total: u64,
        progress: &Progress,
    ) -> Result<Response, Failed> {
        let read = |error| Failed::for_good(ClientError::file("read", file)(error));
        let mut source = File::open(file).await.map_err(read)?;
        source.seek(SeekFrom::Start(from)).await.map_err(read)?;
        let counter = progress.clone();
        let stream = ReaderStream::with_capacity(source.take(total - from), BLOCK)
            .inspect(move |piece| counter.advance(piece.as_ref().map_or(0, |p| p.len() as u64)));
        let mut request = self
            .request_as_owner(Method::PUT, url)
            .header(CONTENT_TYPE, FileKind::Image.media_type())
            .header(CONTENT_LENGTH, total - from)
            .body(Body::wrap_stream(stream));
        if from > 0 {
            let range = ContentRange::Part { first: from, last: total - 1, total: Some(total) };
            request = request.header(CONTENT_RANGE, range.to_string());
        }
        let response = request.send().await.map_err(|e| Failed::connection(url, e))?;
        self.check_passing(url, response).await
    }

    /// Publishes a small document: a manifest, or a statement that an image is deprecated.
    pub async fn put_document(
        &self,
        place: &AppliancePath,
        kind: FileKind,
        document: &[u8],
    ) -> Result<Stored, ClientError> {
        let url = self.url(&Route::file(place, kind));
        let response = self
            .send(&url, || {
                self.request_as_owner(Method::PUT, &url)
                    .header(CONTENT_TYPE, kind.media_type())
                    .body(document.to_vec())
            })
            .await?;
        match response.status() {
            StatusCode::CREATED => Ok(Stored::Published),
            StatusCode::ACCEPTED => Ok(Stored::Waiting),
            status if status.is_success() => Ok(Stored::AlreadyThere),
            _ => Err(answer(&url, response).await),
        }
    }
}

/// A refusal that only says where to go on is none.
fn refused(error: ClientError, told: &mut Option<u64>) -> Failed {
    match &error {
        ClientError::Answer { problem, .. } => match problem.kind {
            ProblemKind::ResumeAt => {
                *told = problem.offset;
                Failed::passing(error)
            }
            ProblemKind::UploadExpired => {
                *told = Some(0);
                Failed::passing(error)
            }
            _ => Failed::for_good(error),
        },
        _ => Failed::for_good(error),
    }
}

fn taken(url: &Url) -> ClientError {
    let problem =
        Problem::new(ProblemKind::Conflict).detail("another image is published under this name");
    ClientError::Answer { url: url.to_string(), problem: Box::new(problem) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_model::Algorithm;

    #[test]
    fn an_upload_goes_on_where_it_stopped_and_never_in_anothers_place() {
        let ours = Digest::sha256([1; 32]);
        let other = Digest::sha256([2; 32]);
        let sha512 = Digest::from_hex(Algorithm::Sha512, &"00".repeat(64)).unwrap();
        let staged = |offset, total| Standing::Staged { offset, total };
        let published = |bytes, digests: &[&Digest]| Standing::Published {
            bytes,
            digests: digests.iter().map(|d| (*d).clone()).collect(),
        };
        for (standing, step) in [
            (Standing::Nothing, Step::Send { from: 0 }),
            (staged(0, Some(10)), Step::Send { from: 0 }),
            (staged(4, Some(10)), Step::Send { from: 4 }),
            (staged(4, None), Step::Send { from: 4 }),
            (staged(10, Some(10)), Step::Nothing),
            (staged(4, Some(11)), Step::Send { from: 0 }),
            (staged(11, None), Step::Send { from: 0 }),
            (published(Some(10), &[&ours]), Step::Nothing),
            (published(Some(10), &[&sha512]), Step::Nothing),
            (published(None, &[]), Step::Nothing),
            (published(Some(11), &[&ours]), Step::Conflict),
            (published(Some(10), &[&sha512, &other]), Step::Conflict),
        ] {
            assert_eq!(next(&standing, 10, Some(&ours)), step, "{standing:?}");
        }
    }
}
