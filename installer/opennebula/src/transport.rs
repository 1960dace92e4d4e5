//! How a call comes to oned: HTTP, or whatever the caller has.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::{Error, TransportError};

/// Bounds of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of the call to the last of the answer.
    pub time: Duration,
    /// Bytes of an answer. 5,000 machines with full bodies are about 23 MB.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_mins(2), answer_bytes: 128 * 1024 * 1024 }
    }
}

/// Carries the text of a call to oned and brings the text of the answer. A caller may have its
/// own, through ssh for instance.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Where oned is, for messages; it holds no secret.
    fn endpoint(&self) -> &str;

    /// One call. The body holds the session's secret: it is neither logged nor kept.
    async fn exchange(&self, body: SecretString, limits: Limits)
    -> Result<Vec<u8>, TransportError>;
}

/// Plain HTTP or HTTPS.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    url: Url,
    shown: String,
}

impl HttpTransport {
    /// `http://frontend:2633/RPC2`. The session goes in clear text with `http`: use it on
    /// loopback or through a tunnel.
    ///
    /// Proxies of the environment are not used and redirects are not followed, because every
    /// call carries a password.
    pub fn new(url: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Settings(format!("the endpoint of OpenNebula {what}"));
        let url = Url::parse(url).map_err(|e| wrong(&format!("is no URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("is not of the form `http://host:2633/RPC2`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user or password; give those separately"));
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // oned closes each connection; a kept one would only fail later.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|e| Error::Settings(format!("no HTTP client can be made: {e}")))?;
        let shown = url.to_string();
        Ok(Self { client, url, shown })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    fn endpoint(&self) -> &str {
        &self.shown
    }

    async fn exchange(
        &self,
        body: SecretString,
        limits: Limits,
    ) -> Result<Vec<u8>, TransportError> {
        tokio::time::timeout(limits.time, self.post(body, limits.answer_bytes))
            .await
            .map_err(|_| TransportError::TimedOut(limits.time))?
    }
}

impl HttpTransport {
    async fn post(&self, body: SecretString, limit: usize) -> Result<Vec<u8>, TransportError> {
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "text/xml; charset=utf-8")
            .body(body.expose_secret().to_owned());
        let mut answer = request.send().await.map_err(|e| {
            let e = e.without_url();
            if e.is_connect() {
                TransportError::Unreachable(Box::new(e))
            } else {
                TransportError::Broken(Box::new(e))
            }
        })?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(TransportError::Status(answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        loop {
            let piece = answer.chunk().await;
            match piece.map_err(|e| TransportError::Broken(Box::new(e.without_url())))? {
                None => return Ok(bytes),
                Some(piece) if bytes.len() + piece.len() > limit => {
                    return Err(TransportError::TooLong(limit));
                }
                Some(piece) => bytes.extend_from_slice(&piece),
            }
        }
    }
}
