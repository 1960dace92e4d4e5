//! Getting the bytes as served into the partial file, from one place.
//!
//! Two ways. *In pieces*, where the manifest lists digests of them: several connections ask for
//! ranges, each piece is checked before it is written, and a cut connection costs at most a piece.
//! *In order*, where it does not: one connection, continued after a cut with `Range` and `If-Range`,
//! and only the digest of the whole says whether it was right.

use crate::arrived::Arrived;
use crate::error::ClientError;
use crate::fetch::FetchOptions;
use crate::partial::{Origin, Partial};
use crate::pieces::{Pieces, shares};
use crate::repository::{Failed, Repository, answer};
use bytes::BytesMut;
use futures_util::future::try_join_all;
use reqwest::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Method, Response, StatusCode};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use stratus_image::ChunkVerifier;
use stratus_repository_api::conditional::EntityTag;
use stratus_repository_api::range::ContentRange;
use stratus_terminal::Progress;
use url::Url;

/// Bytes gathered before they are written, where there are no pieces.
const BLOCK: usize = 1 << 20;

/// Everything one transfer works with.
pub(crate) struct Transfer<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) url: &'a Url,
    pub(crate) partial: &'a Arc<Partial>,
    pub(crate) arrived: &'a Arc<Arrived>,
    pub(crate) progress: &'a Progress,
}

/// What the server says about the file before it is asked for.
struct Offer {
    etag: Option<String>,
    ranges: bool,
}

impl Transfer<'_> {
    /// Gets all missing pieces. `bytes` is the size that the manifest promises.
    pub(crate) async fn in_pieces(
        &self,
        chunks: &Arc<ChunkVerifier>,
        bytes: u64,
        options: &FetchOptions,
    ) -> Result<(), ClientError> {
        let missing = bytes - self.arrived.pieces(Pieces::bytes_here);
        if missing == 0 {
            return Ok(());
        }
        let offer = self.offer(Some(bytes)).await?;
        let piece = offer.ranges.then(|| chunks.size());
        let shares = shares(missing, options.connections, piece, options.parallel_from);
        let runs = self.arrived.pieces(|pieces| pieces.missing(shares.bytes));
        let todo = Mutex::new(VecDeque::from(runs));
        let workers = (0..shares.connections).map(|_| async {
            loop {
                // The guard must not live across the await.
                let run = todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(run) = run else { return Ok::<(), ClientError>(()) };
                self.run(chunks, bytes, run, &offer).await?;
            }
        });
        try_join_all(workers).await.map(drop)
    }

    /// Gets a run of pieces, however often the connection is cut.
    async fn run(
        &self,
        chunks: &Arc<ChunkVerifier>,
        bytes: u64,
        run: Range<usize>,
        offer: &Offer,
    ) -> Result<(), ClientError> {
        let mut failures = 0;
        loop {
            let missing = |pieces: &Pieces| {
                let first = run.clone().find(|index| !pieces.has(*index))?;
                Some((first, pieces.range(first).start..pieces.range(run.end - 1).end))
            };
            let Some((first, wanted)) = self.arrived.pieces(missing) else { return Ok(()) };
            match self.some_pieces(chunks, bytes, first..run.end, wanted, offer).await {
                Ok(()) => failures = 0,
                Err(failed) => {
                    let now = self.arrived.pieces(missing).map(|(first, _)| first);
                    failures = if now == Some(first) { failures + 1 } else { 1 };
                    self.repository.pause(failures, failed).await?;
                }
            }
        }
    }

    /// One request for consecutive pieces; ends with the body.
    async fn some_pieces(
        &self,
        chunks: &Arc<ChunkVerifier>,
        bytes: u64,
        indexes: Range<usize>,
        wanted: Range<u64>,
        offer: &Offer,
    ) -> Result<(), Failed> {
        let whole = wanted == (0..bytes);
        let mut response = self
            .repository
            .once(self.url, || {
                let request = self.repository.request(Method::GET, self.url);
                if whole {
                    return request;
                }
                let range = format!("bytes={}-{}", wanted.start, wanted.end - 1);
                let request = request.header(RANGE, range);
                match &offer.etag {
                    Some(etag) => request.header(IF_RANGE, etag.as_str()),
                    None => request,
                }
            })
            .await?;
        let begins = self.begins_at(&response, &wanted, Some(bytes))?;
        let Some(begins) = begins else {
            return Err(Failed::for_good(answer(self.url, response).await));
        };
        // A server without ranges sends everything: what we have already is passed over.
        let mut skip = wanted.start - begins;
        let mut indexes = indexes;
        let mut buffer = BytesMut::new();
        while let Some(mut piece) =
            response.chunk().await.map_err(|e| Failed::connection(self.url, e))?
        {
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            skip -= passed as u64;
            let _ = piece.split_to(passed);
            while !piece.is_empty() {
                let Some(index) = indexes.clone().next() else { return Ok(()) };
                let size = self.arrived.pieces(|p| p.range(index));
                let size = usize::try_from(size.end - size.start).unwrap_or(0);
                buffer.reserve(size - buffer.len());
                let taken = piece.split_to(piece.len().min(size - buffer.len()));
                buffer.extend_from_slice(&taken);
                if buffer.len() == size {
                    self.keep(chunks, index, buffer.split()).await?;
                    indexes.next();
                }
            }
        }
        if indexes.is_empty() { Ok(()) } else { Err(self.cut_short()) }
    }

    /// Checks a piece and writes it.
    async fn keep(
        &self,
        chunks: &Arc<ChunkVerifier>,
        index: usize,
        piece: BytesMut,
    ) -> Result<(), Failed> {
        if self.arrived.pieces(|pieces| pieces.has(index)) {
            return Ok(());
        }
        let (chunks, partial) = (Arc::clone(chunks), Arc::clone(self.partial));
        let offset = self.arrived.pieces(|pieces| pieces.range(index).start);
        let length = piece.len() as u64;
        let url = self.url.to_string();
        // Hashing takes milliseconds, writing may take more: not on a thread that serves sockets.
        let kept = tokio::task::spawn_blocking(move || {
            chunks.verify(index as u64, &piece).map_err(|error| {
                let what = format!("the piece from byte {offset} on is wrong ({error})");
                ClientError::WrongBytes { url, what }
            })?;
            partial.write_at(&piece, offset)
        });
        kept.await.map_err(|e| Failed::for_good(broken(&e)))?.map_err(Failed::for_good)?;
        self.arrived.add(index);
        self.progress.advance(length);
        Ok(())
    }

    /// Gets the file from where the partial file ends. An error says whether the bytes that are
    /// there can still be gone on with: [`Cut::Changed`] means they cannot.
    pub(crate) async fn in_order(&self) -> Result<(), Cut> {
        let mut failures = 0;
        loop {
            let before = self.arrived.prefix();
            let failed = match self.to_the_end().await {
                Ok(()) => return Ok(()),
                Err(Stop::Changed) => return Err(Cut::Changed),
                Err(Stop::Failed(failed)) => failed,
            };
            failures = if self.arrived.prefix() == before { failures + 1 } else { 1 };
            self.repository.pause(failures, failed).await.map_err(|e| Cut::Failed(Box::new(e)))?;
        }
    }

    async fn to_the_end(&self) -> Result<(), Stop> {
        let start = self.arrived.prefix();
        let origin = self.partial.origin().filter(|o| o.url == self.url.as_str());
        if start > 0 && origin.is_none() {
            return Err(Stop::Changed);
        }
        let mut response = self
            .repository
            .once(self.url, || {
                let request = self.repository.request(Method::GET, self.url);
                match &origin {
                    Some(origin) if start > 0 => request
                        .header(RANGE, format!("bytes={start}-"))
                        .header(IF_RANGE, origin.etag.as_str()),
                    _ => request,
                }
            })
            .await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(Stop::Changed);
        }
        let begins = self.begins_at(&response, &(start..u64::MAX), None)?;
        let Some(begins) = begins else {
            return Err(Failed::for_good(answer(self.url, response).await).into());
        };
        if begins != start {
            return Err(Stop::Changed);
        }
        let total = length(&response).map(|body| start + body);
        if let Some(total) = total {
            self.arrived.set_total(total);
        }
        if start == 0 {
            match strong_etag(&response) {
                Some(etag) => {
                    let url = self.url.to_string();
                    self.partial.remember(&Origin { url, etag }).map_err(Failed::for_good)?;
                }
                None => self.partial.forget(),
            }
        }
        let mut buffer = BytesMut::with_capacity(BLOCK);
        loop {
            let piece = response.chunk().await.map_err(|e| Failed::connection(self.url, e));
            let ended = !matches!(piece, Ok(Some(_)));
            if let Ok(Some(piece)) = &piece {
                buffer.extend_from_slice(piece);
            }
            if buffer.len() >= BLOCK || (ended && !buffer.is_empty()) {
                self.append(buffer.split()).await?;
            }
            if piece?.is_none() {
                break;
            }
        }
        let reached = self.arrived.prefix();
        if total.is_some_and(|total| reached < total) {
            return Err(self.cut_short().into());
        }
        self.arrived.set_total(reached);
        Ok(())
    }

    async fn append(&self, bytes: BytesMut) -> Result<(), Failed> {
        let (partial, offset) = (Arc::clone(self.partial), self.arrived.prefix());
        let length = bytes.len() as u64;
        let written = tokio::task::spawn_blocking(move || partial.write_at(&bytes, offset));
        written.await.map_err(|e| Failed::for_good(broken(&e)))?.map_err(Failed::for_good)?;
        self.arrived.reach(offset + length);
        self.progress.advance(length);
        Ok(())
    }

    /// Asks for the headers alone, and compares the size with what it must be.
    async fn offer(&self, bytes: Option<u64>) -> Result<Offer, ClientError> {
        let response = self
            .repository
            .send(self.url, || self.repository.request(Method::HEAD, self.url))
            .await?;
        if !response.status().is_success() {
            return Err(answer(self.url, response).await);
        }
        let headers = response.headers();
        let length =
            headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        if let (Some(expected), Some(found)) = (bytes, length)
            && expected != found
        {
            return Err(self.wrong_size(found, expected));
        }
        let ranges = headers.get(ACCEPT_RANGES).is_some_and(|value| value == "bytes");
        Ok(Offer { etag: strong_etag(&response), ranges })
    }

    /// At which byte of the file the body begins; none where the answer is an error.
    fn begins_at(
        &self,
        response: &Response,
        wanted: &Range<u64>,
        bytes: Option<u64>,
    ) -> Result<Option<u64>, Failed> {
        match response.status() {
            StatusCode::OK => {
                if let (Some(expected), Some(found)) = (bytes, length(response))
                    && expected != found
                {
                    return Err(Failed::for_good(self.wrong_size(found, expected)));
                }
                Ok(Some(0))
            }
            StatusCode::PARTIAL_CONTENT => {
                let header = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok());
                match header.map(ContentRange::parse) {
                    Some(Ok(ContentRange::Part { first, total, .. })) if first == wanted.start => {
                        match (bytes, total) {
                            (Some(expected), Some(found)) if expected != found => {
                                Err(Failed::for_good(self.wrong_size(found, expected)))
                            }
                            _ => Ok(Some(first)),
                        }
                    }
                    _ => Err(Failed::for_good(ClientError::Unexpected {
                        url: self.url.to_string(),
                        what: format!("another range than the one from byte {}", wanted.start),
                    })),
                }
            }
            _ => Ok(None),
        }
    }

    fn wrong_size(&self, found: u64, expected: u64) -> ClientError {
        ClientError::WrongBytes {
            url: self.url.to_string(),
            what: format!("it has {found} bytes, not {expected}"),
        }
    }

    /// The body ended early, without the connection saying so.
    fn cut_short(&self) -> Failed {
        Failed::passing(ClientError::Unexpected {
            url: self.url.to_string(),
            what: "the answer ended early".to_owned(),
        })
    }
}

/// Why a transfer in order ended.
#[derive(Debug)]
pub(crate) enum Cut {
    /// The file at that place is another one now, or cannot be continued: begin anew.
    Changed,
    /// It cannot be got from there.
    Failed(Box<ClientError>),
}

enum Stop {
    Changed,
    Failed(Failed),
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// The size of the body, as its header says.
fn length(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn strong_etag(response: &Response) -> Option<String> {
    let text = response.headers().get(ETAG)?.to_str().ok()?;
    let tag = EntityTag::parse(text)?;
    tag.strongly_equals(&tag).then(|| text.to_owned())
}

/// A thread that panicked; there is no better word for the person.
pub(crate) fn broken(error: &tokio::task::JoinError) -> ClientError {
    ClientError::File {
        what: "work on",
        path: "the download".into(),
        source: std::io::Error::other(error.to_string()),
    }
}
