//! The other end: what the commands use.

use super::{Listed, Scrubbed, Status, socket};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A running cache.
pub struct Client {
    client: reqwest::Client,
    socket: PathBuf,
}

/// Why a running cache did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers on the socket.
    #[error("no cache answers at `{}`: is stratus-cache running, and are you its user?", .socket.display())]
    Away {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: reqwest::Error,
    },
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

impl Client {
    /// Of the cache that uses a directory.
    pub fn new(directory: &Path) -> Result<Self, ControlError> {
        let socket = socket(directory);
        let client = reqwest::Client::builder().unix_socket(socket.as_path()).no_proxy().build();
        match client {
            Ok(client) => Ok(Self { client, socket }),
            Err(source) => Err(ControlError::Away { socket, source }),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ControlError> {
        let away = |source| ControlError::Away { socket: self.socket.clone(), source };
        let mut url = url::Url::parse("http://cache/").expect("a constant URL");
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let response = self.client.request(method, url).send().await.map_err(away)?;
        if !response.status().is_success() {
            return Err(ControlError::Refused(response.text().await.map_err(away)?));
        }
        response.json().await.map_err(away)
    }

    /// What it is doing.
    pub async fn status(&self) -> Result<Status, ControlError> {
        self.call(Method::GET, "/status", &[]).await
    }

    /// What it has.
    pub async fn list(&self) -> Result<Vec<Listed>, ControlError> {
        self.call(Method::GET, "/objects", &[]).await
    }

    /// Has it fetch something whole.
    pub async fn prefetch(&self, path: &str) -> Result<Listed, ControlError> {
        self.call(Method::POST, "/prefetch", &[("path", path)]).await
    }

    /// Has it keep something, or not any longer.
    pub async fn pin(&self, path: &str, pinned: bool) -> Result<Vec<Listed>, ControlError> {
        let off = if pinned { "false" } else { "true" };
        self.call(Method::POST, "/pin", &[("path", path), ("off", off)]).await
    }

    /// Has it forget something; answers how many variants there were.
    pub async fn purge(&self, path: &str) -> Result<usize, ControlError> {
        self.call(Method::POST, "/purge", &[("path", path)]).await
    }

    /// Has it compare everything with its checksums.
    pub async fn scrub(&self) -> Result<Scrubbed, ControlError> {
        self.call(Method::POST, "/scrub", &[]).await
    }
}
