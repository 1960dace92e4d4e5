//! An image from one of several places into a file, verified.

use crate::arrived::Arrived;
use crate::error::ClientError;
use crate::partial::Partial;
use crate::place::{Form, Ready, place, verify};
use crate::repository::Repository;
use crate::transfer::{Cut, Transfer, broken};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stratus_image::ChunkVerifier;
use stratus_model::Expected;
use stratus_terminal::Progress;
use url::Url;

/// Largest pieces that are held in memory, in bytes; a list with larger ones is not used.
const PIECE_LIMIT: u64 = 64 << 20;

/// How an image is fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchOptions {
    /// In which form it is kept.
    pub form: Form,
    /// Most connections at the same time.
    pub connections: usize,
    /// Missing bytes from which on more than one connection is used; see
    /// [`PARALLEL_FROM`](crate::pieces::PARALLEL_FROM).
    pub parallel_from: u64,
}

impl Default for FetchOptions {
    /// The image itself, over four connections where that is worth it.
    fn default() -> Self {
        Self { form: Form::Inflated, connections: 4, parallel_from: crate::pieces::PARALLEL_FROM }
    }
}

/// Fetches the image that a verified manifest describes, from the first of the places that has it.
///
/// `target` appears only when sizes and digests of both forms agree. Until then the bytes are in
/// `.<name>.stratus-partial` beside it, from where another call goes on. A place that sends wrong
/// bytes, or none, is left for the next.
pub async fn fetch(
    repository: &Repository,
    places: &[Url],
    expected: &Expected,
    target: &Path,
    options: FetchOptions,
    progress: &Progress,
) -> Result<(), ClientError> {
    let target =
        stratus_terminal::output_target(target).map_err(ClientError::file("write", target))?;
    let partial = Arc::new(Partial::open(&target)?);
    let job = Job { repository, expected, options, progress, partial: &partial };
    let ready = match job.pieces() {
        Some((chunks, bytes)) => job.in_pieces(places, chunks, bytes).await,
        None => job.in_order(places).await,
    };
    progress.finish();
    let partial = only_owner(partial, &target)?;
    match ready {
        Ok(ready) => blocking(move || place(ready, partial)).await,
        Err(error) => {
            // Pieces that are right by themselves and wrong together are of no use to a later run.
            if matches!(&error, ClientError::Image { source, .. } if source.is_about_the_bytes()) {
                partial.discard();
            }
            Err(error)
        }
    }
}

struct Job<'a> {
    repository: &'a Repository,
    expected: &'a Expected,
    options: FetchOptions,
    progress: &'a Progress,
    partial: &'a Arc<Partial>,
}

impl Job<'_> {
    /// The manifest's list of pieces, if it has a usable one.
    fn pieces(&self) -> Option<(Arc<ChunkVerifier>, u64)> {
        let compressed = self.expected.compressed.as_ref()?;
        let chunks = ChunkVerifier::new(compressed).ok().filter(|c| c.size() <= PIECE_LIMIT)?;
        Some((Arc::new(chunks), compressed.bytes))
    }

    fn transfer<'b>(&'b self, url: &'b Url, arrived: &'b Arc<Arrived>) -> Transfer<'b> {
        Transfer {
            repository: self.repository,
            url,
            partial: self.partial,
            arrived,
            progress: self.progress,
        }
    }

    /// Every piece that arrived is right, so another place goes on with what is missing.
    async fn in_pieces(
        &self,
        places: &[Url],
        chunks: Arc<ChunkVerifier>,
        bytes: u64,
    ) -> Result<Ready, ClientError> {
        let (partial, list) = (Arc::clone(self.partial), Arc::clone(&chunks));
        let here = blocking(move || {
            let here = partial.verify(&list, bytes)?;
            partial.set_length(bytes)?;
            Ok(here)
        })
        .await?;
        self.progress.resume_at(here.bytes_here());
        let arrived = Arc::new(Arrived::in_pieces(here, bytes));
        self.verified_while(&arrived, async {
            let mut failures = Failures::default();
            for url in places {
                let transfer = self.transfer(url, &arrived);
                match transfer.in_pieces(&chunks, bytes, &self.options).await {
                    Ok(()) => return Ok(()),
                    Err(error) => failures.note(self.progress, error)?,
                }
            }
            Err(failures.conclude(places.len()))
        })
        .await
    }

    /// Only the whole file can be compared, so another place begins anew.
    async fn in_order(&self, places: &[Url]) -> Result<Ready, ClientError> {
        let mut failures = Failures::default();
        for url in places {
            match self.in_order_from(url).await {
                Ok(ready) => return Ok(ready),
                Err(error) => failures.note(self.progress, error)?,
            }
        }
        Err(failures.conclude(places.len()))
    }

    async fn in_order_from(&self, url: &Url) -> Result<Ready, ClientError> {
        // The file may change once while we read it; a file that goes on changing is no image.
        for _ in 0..3 {
            let known = self.partial.origin().is_some_and(|o| o.url == url.as_str());
            let begun = if known { self.partial.length()? } else { 0 };
            self.partial.set_length(begun)?;
            if begun == 0 {
                self.partial.forget();
            }
            self.progress.resume_at(begun);
            let arrived = Arc::new(Arrived::in_order(begun));
            let transfer = self.transfer(url, &arrived);
            let changed = std::sync::atomic::AtomicBool::new(false);
            let result = self
                .verified_while(&arrived, async {
                    match transfer.in_order().await {
                        Ok(()) => Ok(()),
                        Err(Cut::Failed(error)) => Err(*error),
                        Err(Cut::Changed) => {
                            changed.store(true, std::sync::atomic::Ordering::Relaxed);
                            Err(unstable(url))
                        }
                    }
                })
                .await;
            let again = changed.into_inner();
            if again || matches!(result, Err(ClientError::Image { .. })) {
                // What is there is wrong, or the beginning of something else.
                self.partial.set_length(0)?;
                self.partial.forget();
            }
            match result {
                // Perhaps only what an earlier run left is wrong.
                Err(ClientError::Image { .. }) if begun > 0 => {}
                Err(ClientError::Image { source, .. }) if source.is_about_the_bytes() => {
                    let what = source.to_string();
                    return Err(ClientError::WrongBytes { url: url.to_string(), what });
                }
                result if !again => return result,
                _ => {}
            }
        }
        Err(unstable(url))
    }

    /// Runs the transfer and, on another thread, the check of what arrives. Whichever fails first
    /// stops the other.
    async fn verified_while(
        &self,
        arrived: &Arc<Arrived>,
        transfer: impl Future<Output = Result<(), ClientError>>,
    ) -> Result<Ready, ClientError> {
        let (partial, following) = (Arc::clone(self.partial), Arc::clone(arrived));
        let (expected, form) = (self.expected.clone(), self.options.form);
        let checking = blocking(move || verify(&partial, &following, expected, form));
        // A caller that gives up drops this future: then nobody must wait for more bytes.
        let _stop = StopOnDrop(arrived);
        tokio::pin!(checking, transfer);
        tokio::select! {
            checked = &mut checking => checked,
            transferred = &mut transfer => match transferred {
                Ok(()) => checking.await,
                Err(error) => {
                    arrived.stop();
                    let _ = checking.await;
                    Err(error)
                }
            },
        }
    }
}

struct StopOnDrop<'a>(&'a Arrived);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What happened at the places that were tried.
#[derive(Default)]
struct Failures(Option<ClientError>);

impl Failures {
    /// Keeps an error that another place may do without; others end the download.
    fn note(&mut self, progress: &Progress, error: ClientError) -> Result<(), ClientError> {
        if !error.is_about_the_source() {
            return Err(error);
        }
        if let Some(before) = self.0.take() {
            progress.note(&format!("warning: {before}"));
            // Bytes that are wrong matter more than a server that is away.
            let worse = matches!(before, ClientError::WrongBytes { .. });
            self.0 = Some(if worse { before } else { error });
        } else {
            self.0 = Some(error);
        }
        Ok(())
    }

    fn conclude(self, places: usize) -> ClientError {
        match self.0 {
            Some(source) if places > 1 => {
                ClientError::Everywhere { places, source: Box::new(source) }
            }
            Some(error) => error,
            None => ClientError::NoSuchAppliance("without any place to get it from".to_owned()),
        }
    }
}

fn unstable(url: &Url) -> ClientError {
    ClientError::Unexpected {
        url: url.to_string(),
        what: "the file changes while it is read".to_owned(),
    }
}

fn only_owner(partial: Arc<Partial>, target: &Path) -> Result<Partial, ClientError> {
    Arc::try_unwrap(partial).map_err(|_| ClientError::Locked(PathBuf::from(target)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(broken(&error)))
}
