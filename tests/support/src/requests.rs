//! Single requests to a repository, for what the commands would never send.

use crate::repository::{PASSWORD, Repository};
use reqwest::Method;
use reqwest::header::HeaderMap;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field's value, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Itself, if it has this status and its body holds this text.
    ///
    /// # Panics
    /// It has not; with all of it.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "called for its assertion")]
    pub fn expect(self, case: &str, status: u16, text: &str) -> Self {
        let body = self.text();
        assert_eq!(self.status, status, "{case}: {body}");
        assert!(body.contains(text), "{case}: `{text}` is not in {body}");
        self
    }
}

impl Repository {
    /// Puts bytes to a path as `login`.
    pub fn put(&self, login: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.put_with(login, path, &[], body)
    }

    /// The same with header fields.
    pub fn put_with(
        &self,
        login: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.request(Method::PUT, Some(login), path, headers, body)
    }

    /// Gets a path without a login.
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// The same with header fields.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, None, path, headers, "")
    }

    /// Any request.
    ///
    /// # Panics
    /// There is no answer.
    pub fn request(
        &self,
        method: Method,
        login: Option<&str>,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut request = self.http().request(method, format!("{}{path}", self.url()));
            if let Some(login) = login {
                request = request.basic_auth(login, Some(PASSWORD));
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.body(body).send().await.expect("an answer");
            Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.bytes().await.expect("a whole answer").to_vec(),
            }
        })
    }
}
