//! The servers behind the cache, and requests to them.

use crate::client::{Client, OnInterim};
use crate::settings;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper_util::client::legacy;
use reqwest::Response;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use stratus_cache_policy::hop;
use stratus_serve::Interim;
use url::Url;

/// A server whose answers are kept.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) prefix: String,
    pub(crate) host: Option<String>,
    pub(crate) base: Url,
    /// What its URLs begin with, where paths can be put behind it as they are.
    front: Option<String>,
    client: Client,
    login: Option<HeaderValue>,
    store_private: bool,
    pub(crate) head_time: Duration,
    complete_from: u8,
    pub(crate) manifests: bool,
    /// Bytes of bodies that came for the store.
    pub(crate) received: Arc<AtomicU64>,
}

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// It could not be reached, or broke off.
    #[error("`{url}` cannot be reached: {}", root(source))]
    Connection { url: String, source: legacy::Error },
    /// It has characters that no request can have.
    #[error("`{0}` cannot be asked for")]
    Target(String),
    /// It accepted the connection and did not answer in time.
    #[error("`{url}` did not answer within {} s", .after.as_secs())]
    Silent { url: String, after: Duration },
    /// It says that it cannot answer now.
    #[error("`{url}` answered {status}")]
    Status { url: String, status: StatusCode },
}

/// The innermost cause, which says most.
fn root(error: &legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Why an upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamSetupError {
    /// The authorities cannot be read.
    #[error("cannot read the authorities in `{path}`")]
    Authorities {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The authorities in the file cannot be used, or the system's cannot be found.
    #[error("no client can be made for `{url}`")]
    Client {
        /// The upstream.
        url: Url,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// The file with the password cannot be used.
    #[error("cannot use the password in `{path}`: {reason}")]
    Password {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
}

impl Upstream {
    /// `received` counts what comes from it.
    pub(crate) fn new(
        settings: &settings::Upstream,
        received: Arc<AtomicU64>,
    ) -> Result<Self, UpstreamSetupError> {
        let authorities = settings.ca.as_deref().map(authorities).transpose()?;
        let client = Client::new(authorities, settings.connect_time, settings.stall_time)
            .map_err(Box::new)
            .map_err(|source| UpstreamSetupError::Client { url: settings.url.clone(), source })?;
        Ok(Self {
            prefix: settings.prefix.clone(),
            host: settings.host.clone(),
            front: front(&settings.url),
            base: settings.url.clone(),
            client,
            login: settings.login()?,
            store_private: settings.store_private,
            head_time: settings.head_time,
            complete_from: settings.complete_from,
            manifests: settings.manifests,
            received,
        })
    }

    /// Whether requests for this host and path go here.
    pub(crate) fn serves(&self, host: &str, path: &str) -> bool {
        let below = path.strip_prefix(self.prefix.trim_end_matches('/'));
        self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host))
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The upstream's URL of a path and query that came to the cache. Kept as they are spelled, but
    /// for what no URL can have; `None` where its dots lead out of the upstream's folder.
    pub(crate) fn url(&self, path_and_query: &str) -> Option<Url> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let rest = path.strip_prefix(self.prefix.trim_end_matches('/')).unwrap_or(path);
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{rest}"));
        url.set_query(query);
        let below = url.path().strip_prefix(&base);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')).then_some(url)
    }

    /// The same as text, which is what objects are known by. Most paths need no URL for that.
    pub(crate) fn key(&self, path_and_query: &str) -> Option<String> {
        let rest = path_and_query.strip_prefix(self.prefix.trim_end_matches('/'));
        match (&self.front, rest.filter(|rest| is_plain(rest))) {
            (Some(front), Some(rest)) => Some([front, rest].concat()),
            _ => self.url(path_and_query).map(String::from),
        }
    }

    /// The headers of a request as the rules about storing must see them: our own login counts as
    /// one, unless the site says that it stands for everybody.
    pub(crate) fn with_login(&self, headers: &HeaderMap) -> HeaderMap {
        let mut headers = headers.clone();
        if let Some(login) = &self.login
            && !self.store_private
        {
            headers.insert(header::AUTHORIZATION, login.clone());
        }
        headers
    }

    /// Whether the rest of an object is fetched though nobody asked for it.
    pub(crate) fn completes(&self, bytes: u64, total: Option<u64>) -> bool {
        total.is_some_and(|total| {
            bytes.saturating_mul(100) >= total.saturating_mul(self.complete_from.into())
        })
    }

    /// Sends a request. Every answer is an answer; redirects are not followed.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<reqwest::Body>,
    ) -> Result<Response, UpstreamError> {
        self.send_for(None, method, url, headers, body).await
    }

    /// The same for a client that hears of interim responses.
    pub(crate) async fn send_for(
        &self,
        client: Option<&Interim>,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Option<reqwest::Body>,
    ) -> Result<Response, UpstreamError> {
        if let Some(login) = &self.login
            && url.origin() == self.base.origin()
            && !headers.contains_key(header::AUTHORIZATION)
        {
            headers.insert(header::AUTHORIZATION, login.clone());
        }
        let sends_body = body.is_some();
        let mut request = http::Request::new(body.unwrap_or_default());
        *request.method_mut() = method;
        *request.uri_mut() =
            url.as_str().parse().map_err(|_| UpstreamError::Target(url.to_string()))?;
        *request.headers_mut() = headers;
        let on_interim = client.cloned().map(|client| -> OnInterim {
            Box::new(move |status, headers| {
                let mut headers = headers.clone();
                hop::strip(&mut headers);
                client.send(status, &headers);
            })
        });
        let failed = |source| UpstreamError::Connection { url: url.to_string(), source };
        let sent = self.client.send(request, on_interim);
        if sends_body {
            // However long the body takes to go out.
            return sent.await.map_err(failed);
        }
        match tokio::time::timeout(self.head_time, sent).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(UpstreamError::Silent { url: url.to_string(), after: self.head_time }),
        }
    }
}

/// The URL without the slash at its end.
fn front(base: &Url) -> Option<String> {
    let is_plain = base.query().is_none() && base.fragment().is_none();
    is_plain.then(|| base.as_str().trim_end_matches('/').to_owned())
}

/// Whether a path is the same in a URL: nothing to encode, no dots to resolve.
fn is_plain(path: &str) -> bool {
    let is_same = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let is_part = |pair: &[u8]| pair != b"//" && pair != b"/.";
    path.starts_with('/') && path.bytes().all(is_same) && path.as_bytes().windows(2).all(is_part)
}

pub(crate) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, UpstreamSetupError> {
    let bad = |source| UpstreamSetupError::Authorities { path: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(bad)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(bad(io::Error::other("it holds no certificate"))),
        found => found.map_err(|error| bad(io::Error::other(error.to_string()))),
    }
}

/// The bytes of a response as they come.
pub(crate) fn pieces(
    response: Response,
) -> impl Stream<Item = Result<bytes::Bytes, reqwest::Error>> + Send + Unpin {
    Box::pin(response.bytes_stream())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn a_key_is_the_text_of_the_url_however_it_is_made() {
        const BASES: [&str; 5] =
            ["http://h", "http://h/", "http://H:81/a/", "https://h/a/../b", "http://h/a?b"];
        const PATHS: [&str; 12] = [
            "",
            "/",
            "/a/b-1.0_x~.img.gz",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/..",
            "/..",
            "/a%20b",
            "/a b",
            "/a?b=c",
            "/\u{e4}",
        ];
        for (base, prefix) in BASES.iter().flat_map(|base| [(base, "/"), (base, "/p/")]) {
            let text =
                format!("[cache]\n[[cache.upstreams]]\nprefix = \"{prefix}\"\nurl = \"{base}\"\n");
            let settings = Settings::parse(Path::new("site.toml"), &text).unwrap();
            let upstream = Upstream::new(&settings.upstreams[0], Arc::default()).unwrap();
            for path in PATHS {
                let target = format!("{}{path}", prefix.trim_end_matches('/'));
                let url = upstream.url(&target).map(String::from);
                assert_eq!(upstream.key(&target), url, "{base} {target}");
            }
        }
    }
}
