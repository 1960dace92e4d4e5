//! A oned to test with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stratus_opennebula::{Client, HttpTransport, Session};
use stratus_tests::oned::{Delays, Oned, Real, Settings};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const AUTH: &str = "oneadmin:opennebula";

/// A simulator, or the real oned of the environment.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) auth: String,
    /// Kept running; `None` with a real oned.
    _simulator: Option<(Oned, tempfile::TempDir)>,
}

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        database: folder.join("one.db"),
        oneadmin: AUTH.to_owned(),
        delays: Delays::default(),
        probe: None,
        drivers: false,
    }
}

impl Bench {
    /// What the environment asks for.
    pub(crate) async fn start() -> Self {
        match Real::named() {
            Some(Real { url, auth }) => Self { url, auth, _simulator: None },
            None => Self::simulated().await,
        }
    }

    /// A simulator in any case.
    pub(crate) async fn simulated() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let oned = Oned::start(settings(folder.path())).await;
        Self { url: oned.url(), auth: AUTH.to_owned(), _simulator: Some((oned, folder)) }
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.url, &self.auth)
    }

    pub(crate) fn client_as(&self, auth: &str) -> Client {
        client(&self.url, auth)
    }
}

pub(crate) fn client(url: &str, auth: &str) -> Client {
    let session = Session::from_auth_file(&auth.to_owned().into()).unwrap();
    Client::new(Arc::new(HttpTransport::new(url).unwrap()), session)
}

/// A name that nobody else has: the tests run at the same time.
pub(crate) fn unmistakable(what: &str) -> String {
    format!("stratus-test-{}-{what}", std::process::id())
}
