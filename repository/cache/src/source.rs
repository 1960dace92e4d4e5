//! Where an object's bytes come from: an upstream, a URL, and the headers that choose among variants.

use crate::fetch::for_transfers;
use crate::proxy::{Asked, Cache, url};
use crate::upstream::{Upstream, UpstreamError, pieces};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use jiff::Timestamp;
use reqwest::Response;
use std::sync::{Arc, OnceLock};
use stratus_cache_policy::{Stored, partial};
use stratus_serve::Interim;
use url::Url;

/// One place of an object.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) url: Url,
    /// End-to-end headers of the request, without conditions and ranges.
    pub(crate) headers: HeaderMap,
}

/// Why a transfer cannot bring the bytes it is for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceFault {
    /// The upstream has other bytes now.
    #[error("the upstream has other bytes now ({0})")]
    Changed(String),
    /// It may go better later, or elsewhere.
    #[error(transparent)]
    Passing(#[from] UpstreamError),
    /// The answer makes no sense.
    #[error("the upstream answered {0}")]
    Nonsense(String),
}

/// Bytes from `at` on.
pub(crate) struct Incoming {
    /// Where the first of them belongs.
    pub(crate) at: u64,
    /// Where a part ends, whatever its framing brings; `None`: where the answer ends.
    pub(crate) end: Option<u64>,
    pub(crate) response: Response,
}

impl Incoming {
    /// The bytes as they come.
    pub(crate) fn pieces(self) -> impl Stream<Item = Result<Bytes, reqwest::Error>> + Send + Unpin {
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.at));
        let limited = pieces(self.response).scan(left, |left, piece| {
            let piece = piece.map(|mut piece| {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.len() as u64;
                piece
            });
            let is_surplus = *left == 0 && piece.as_ref().is_ok_and(Bytes::is_empty);
            ready((!is_surplus).then_some(piece))
        });
        Box::pin(limited)
    }
}

/// A place that may be asked later. Most answers find all they need in the store, so what only a
/// transfer needs is made when there is one.
pub(crate) struct Origin {
    cache: Cache,
    upstream: Arc<Upstream>,
    key: Arc<str>,
    /// The client's.
    headers: Arc<HeaderMap>,
    version: Version,
    source: OnceLock<Arc<Source>>,
}

impl Origin {
    /// Where the bytes of an answer to this request come from.
    pub(crate) fn of(asked: &Asked, cache: &Cache) -> Self {
        Self {
            cache: cache.clone(),
            upstream: Arc::clone(&asked.upstream),
            key: Arc::clone(&asked.key),
            headers: Arc::clone(&asked.headers),
            version: asked.version,
            source: OnceLock::new(),
        }
    }

    /// It, with the headers of a transfer.
    pub(crate) fn source(&self) -> Arc<Source> {
        let make = || {
            Arc::new(Source {
                upstream: Arc::clone(&self.upstream),
                url: url(&self.key),
                headers: for_transfers(&self.cache, &self.headers, self.version),
            })
        };
        Arc::clone(self.source.get_or_init(make))
    }
}

impl Source {
    /// The same bytes elsewhere, as a manifest says. No login goes there.
    pub(crate) fn elsewhere(&self, location: &str) -> Option<Self> {
        let url = Url::parse(location).ok()?;
        let mut headers = self.headers.clone();
        headers.remove(header::AUTHORIZATION);
        headers.remove(header::COOKIE);
        let is_other = matches!(url.scheme(), "http" | "https") && url != self.url;
        is_other.then(|| Self { upstream: Arc::clone(&self.upstream), url, headers })
    }

    /// Asks for the bytes from `at` to `end` of an object of `total` bytes with this head; without a
    /// head, somebody compares each piece.
    pub(crate) async fn ask(
        &self,
        (at, end): (u64, Option<u64>),
        total: Option<u64>,
        head: Option<&Stored>,
    ) -> Result<Incoming, SourceFault> {
        self.ask_for(None, (at, end), total, head).await
    }

    /// The same for a client that hears of interim responses.
    pub(crate) async fn ask_for(
        &self,
        client: Option<&Interim>,
        (at, end): (u64, Option<u64>),
        total: Option<u64>,
        head: Option<&Stored>,
    ) -> Result<Incoming, SourceFault> {
        let whole = at == 0 && end == total;
        let mut headers = self.headers.clone();
        if !whole {
            let last = end.map(|end| (end - 1).to_string()).unwrap_or_default();
            if let Ok(range) = HeaderValue::try_from(format!("bytes={at}-{last}")) {
                headers.insert(header::RANGE, range);
            }
            if let Some(validator) = head.and_then(partial::if_range) {
                headers.insert(header::IF_RANGE, validator);
            }
        }
        let sent = self.upstream.send_for(client, Method::GET, &self.url, headers, None);
        let response = sent.await?;
        self.accept(response, at, total, head)
    }

    fn accept(
        &self,
        response: Response,
        at: u64,
        total: Option<u64>,
        head: Option<&Stored>,
    ) -> Result<Incoming, SourceFault> {
        let status = response.status();
        if matches!(status.as_u16(), 408 | 425 | 429 | 500..=599) {
            return Err(UpstreamError::Status { url: self.url.to_string(), status }.into());
        }
        let can_be_joined = head.is_none_or(|head| partial::if_range(head).is_some());
        let (theirs, now) = (response.headers(), Timestamp::now());
        let same = head.is_none_or(|head| partial::is_same_representation(head, theirs, now));
        match status {
            StatusCode::PARTIAL_CONTENT => {
                let said = partial::part(response.headers())
                    .map_err(|error| SourceFault::Nonsense(error.to_string()))?;
                if (total.is_some() && said.total != total) || !same {
                    return Err(SourceFault::Changed(format!("{} bytes", shown(said.total))));
                }
                let range = said.range;
                if range.start != at {
                    let text = format!("with bytes from {} instead of {at}", range.start);
                    return Err(SourceFault::Nonsense(text));
                }
                if let Some(length) = response.content_length()
                    && length != range.end - range.start
                {
                    return Err(SourceFault::Nonsense("a range of another length".into()));
                }
                Ok(Incoming { at: range.start, end: Some(range.end), response })
            }
            // All of it, because ranges are not its strength; good if it is the same.
            StatusCode::OK if same || (at == 0 && !can_be_joined) => {
                match (response.content_length(), total) {
                    (Some(length), Some(total)) if length != total => {
                        Err(SourceFault::Changed(format!("{length} bytes")))
                    }
                    _ => Ok(Incoming { at: 0, end: None, response }),
                }
            }
            StatusCode::OK
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::RANGE_NOT_SATISFIABLE => Err(SourceFault::Changed(status.to_string())),
            status => Err(SourceFault::Nonsense(status.to_string())),
        }
    }
}

fn shown(total: Option<u64>) -> String {
    total.map_or_else(|| "unknown".to_owned(), |total| total.to_string())
}
