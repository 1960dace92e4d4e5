//! Readers: many at once, each of which knows how its answer ended.

use reqwest::header::HeaderMap;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// What a reader got.
#[derive(Clone, Debug)]
pub struct Got {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The bytes that came.
    pub body: Vec<u8>,
    /// Whether the answer ended as it should.
    pub is_whole: bool,
}

impl Got {
    /// A header field's value, if it is there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Itself, after checking that it is exactly this, and all of it.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "called for its assertion")]
    pub fn is(self, case: &str, status: u16, bytes: &[u8]) -> Self {
        let (came, wanted) = (self.body.len(), bytes.len());
        assert_eq!(self.status, status, "{case}: {}", String::from_utf8_lossy(&self.body));
        assert!(self.is_whole, "{case}: broken off after {came} of {wanted} bytes");
        assert!(self.body == bytes, "{case}: {came} bytes came for {wanted}, and others");
        self
    }

    /// Itself, after checking that it did not end as if it were good.
    ///
    /// # Panics
    /// It did.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "called for its assertion")]
    pub fn is_broken(self, case: &str) -> Self {
        let good = self.is_whole && self.status < 400;
        assert!(!good, "{case}: {} with {} bytes and a clean end", self.status, self.body.len());
        self
    }

    /// Whether it is a beginning of this, or all of it.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.body)
    }
}

/// People who read.
pub struct Readers {
    runtime: Runtime,
    client: reqwest::Client,
}

impl Default for Readers {
    fn default() -> Self {
        Self::new()
    }
}

impl Readers {
    /// As many as are asked for; each request has a connection of its own.
    ///
    /// # Panics
    /// No runtime can be made.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_mins(1));
        Self { runtime, client: client.build().expect("a client") }
    }

    /// Reads all of an answer.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Got {
        self.end(self.begin(url, headers))
    }

    /// Begins to read in the background.
    pub fn begin(&self, url: &str, headers: &[(&str, &str)]) -> JoinHandle<Option<Got>> {
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.spawn(async move {
            let mut response = request.send().await.ok()?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            let is_whole = loop {
                match response.chunk().await {
                    Ok(Some(piece)) => body.extend_from_slice(&piece),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            Some(Got { status, headers, body, is_whole })
        })
    }

    /// Waits for one that was begun. Where there was no answer at all, its status is 0.
    ///
    /// # Panics
    /// The reader panicked.
    pub fn end(&self, reading: JoinHandle<Option<Got>>) -> Got {
        let none = Got { status: 0, headers: HeaderMap::new(), body: Vec::new(), is_whole: false };
        self.runtime.block_on(reading).expect("a reader").unwrap_or(none)
    }

    /// Reads so many bytes of an answer, and hangs up.
    ///
    /// # Panics
    /// They do not come.
    pub fn leave_after(&self, url: &str, headers: &[(&str, &str)], bytes: usize) -> Vec<u8> {
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async move {
            let mut response = request.send().await.expect("an answer");
            let mut body = Vec::new();
            while body.len() < bytes {
                let piece = response.chunk().await.expect("more bytes");
                body.extend_from_slice(&piece.expect("more bytes"));
            }
            body
        })
    }
}
