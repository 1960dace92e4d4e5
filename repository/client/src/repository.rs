//! One repository: its address, who we are there, and requests that are tried again.

use crate::error::ClientError;
use crate::retry::{self, Patience};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderValue, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stratus_repository_api::problem::Problem;
use stratus_repository_api::route::Route;
use url::{Host, Url};
use zeroize::Zeroizing;

/// Longest error body that is read, in bytes.
const PROBLEM_LIMIT: usize = 256 * 1024;
/// How long a server may take to accept a connection, or to send the next byte.
const CONNECT_TIME: Duration = Duration::from_secs(15);
const READ_TIME: Duration = Duration::from_mins(2);
/// How long sent bytes may stay unacknowledged, and how often a silent connection is probed.
const ACKNOWLEDGE_TIME: Duration = Duration::from_mins(3);
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// Most redirects that are followed.
const REDIRECTS: usize = 5;

/// Who we are at the repository.
#[derive(Clone, Debug)]
pub enum Login {
    /// Name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token.
    Token(SecretString),
}

/// How to reach a repository.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its address: `https://images.example.org`, also with a path.
    pub address: String,
    /// PEM certificates of the authorities for TLS; none: those of the system.
    pub authorities: Option<Vec<u8>>,
    /// Who we are; none: anonymous.
    pub login: Option<Login>,
    /// How patient to be.
    pub patience: Patience,
}

/// A repository that requests go to.
#[derive(Debug)]
pub struct Repository {
    base: Url,
    client: Client,
    /// For uploads: their answer comes after the last byte went out, however long that takes, so
    /// only the connection itself tells whether somebody is there.
    sender: Client,
    login: Option<HeaderValue>,
    /// Whether reading was refused without the login.
    login_to_read: AtomicBool,
    /// Whether anybody ever answered.
    answered: AtomicBool,
    patience: Patience,
}

impl Repository {
    /// Prepares requests; nothing is sent yet.
    ///
    /// Refuses an address that is not HTTPS, unless it is this machine's own: a password must not
    /// cross a network in the clear.
    pub fn new(connection: &Connection) -> Result<Self, ClientError> {
        let base = address(&connection.address)?;
        let authorities = connection.authorities.as_deref();
        let sender = client(&base, authorities, None)?;
        let client = client(&base, authorities, Some(READ_TIME))?;
        let login = connection.login.as_ref().map(authorization);
        Ok(Self {
            base,
            client,
            sender,
            login,
            login_to_read: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            patience: connection.patience,
        })
    }

    /// Its address.
    pub fn address(&self) -> &Url {
        &self.base
    }

    /// The URL of an endpoint.
    pub fn url(&self, route: &Route) -> Url {
        self.join(&route.to_path())
    }

    /// The URL of a path from the root of the repository.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    /// Whether our login is for this URL: the same scheme, host and port.
    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// A request; reads carry the login only after they were refused without it.
    pub(crate) fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let read = matches!(method, Method::GET | Method::HEAD);
        let client = if read { &self.client } else { &self.sender };
        let request = client.request(method, url.clone());
        let known = !read || self.login_to_read.load(Ordering::Relaxed);
        match &self.login {
            Some(login) if known && self.is_ours(url) => {
                request.header(AUTHORIZATION, login.clone())
            }
            _ => request,
        }
    }

    /// As [`Repository::request`], always with the login: what only its owner sees or may do.
    pub(crate) fn request_as_owner(&self, method: Method, url: &Url) -> RequestBuilder {
        self.login_to_read.store(true, Ordering::Relaxed);
        self.request(method, url)
    }

    /// Whether somebody answers there, asked once; what the answer is does not matter.
    pub(crate) async fn answers(&self, url: &Url) -> bool {
        let asked = self.request(Method::HEAD, url).timeout(CONNECT_TIME).send().await;
        asked.is_ok_and(|response| !response.status().is_server_error())
    }

    /// Sends a request that changes nothing, or nothing more when it is repeated, until it is
    /// answered. Gives the answer whatever its status, unless that is a passing one.
    pub(crate) async fn send(
        &self,
        url: &Url,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ClientError> {
        let mut failures = 0;
        loop {
            match self.once(url, &make).await {
                Ok(response) => return Ok(response),
                Err(failed) => {
                    failures += 1;
                    self.pause(failures, failed).await?;
                }
            }
        }
    }

    /// Sends a request once. What may pass is an error; every other status is an answer.
    pub(crate) async fn once(
        &self,
        url: &Url,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Response, Failed> {
        let mut response = make().send().await.map_err(|e| Failed::connection(url, e))?;
        if response.status() == StatusCode::UNAUTHORIZED
            && self.login.is_some()
            && self.is_ours(url)
            && !self.login_to_read.swap(true, Ordering::Relaxed)
        {
            // Reading needs a login here; a request that carried it already is refused again.
            response = make().send().await.map_err(|e| Failed::connection(url, e))?;
        }
        self.check_passing(url, response).await
    }

    /// Makes an error of a status that may pass.
    pub(crate) async fn check_passing(
        &self,
        url: &Url,
        response: Response,
    ) -> Result<Response, Failed> {
        self.answered.store(true, Ordering::Relaxed);
        if !retry::is_passing(response.status().as_u16()) {
            return Ok(response);
        }
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| retry::retry_after(text, Timestamp::now()));
        Err(Failed { error: answer(url, response).await, asked, passing: true })
    }

    /// A refusal of a HEAD request as the server explains it: the answer itself had no body (RFC 9110
    /// section 9.3.2), so the same is asked once more in a way that has one.
    pub(crate) async fn in_its_words(&self, url: &Url, error: ClientError) -> ClientError {
        let ClientError::Answer { problem: bare, .. } = &error else { return error };
        // A server counts logins that fail: a wrong password is sent once.
        if let Some(login) = &self.login
            && bare.status == StatusCode::UNAUTHORIZED
        {
            let told = bare.clone().detail(if login.as_bytes().starts_with(b"Bearer ") {
                "The token is wrong, or has ended."
            } else {
                "The login or the password is wrong."
            });
            return ClientError::Answer { url: url.to_string(), problem: Box::new(told) };
        }
        let request = self.request_as_owner(Method::GET, url).header(RANGE, "bytes=0-0");
        let Ok(response) = request.timeout(READ_TIME).send().await else { return error };
        if response.status().as_u16() != bare.status {
            return error;
        }
        answer(url, response).await
    }

    /// Waits before the next attempt, or gives the error back when there is to be none.
    pub(crate) async fn pause(&self, failures: u32, failed: Failed) -> Result<(), ClientError> {
        let known = self.answered.load(Ordering::Relaxed);
        let patience = if known { self.patience } else { self.patience.at_first() };
        let pause = patience.pause(failures, failed.asked, rand::random());
        match pause {
            Some(pause) if failed.passing => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            _ => Err(failed.error),
        }
    }

    /// Gets a small body whole. 404 is none.
    pub(crate) async fn get(
        &self,
        url: &Url,
        accept: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let mut failures = 0;
        loop {
            let response =
                self.send(url, || self.request(Method::GET, url).header("accept", accept)).await?;
            match response.status() {
                StatusCode::NOT_FOUND => return Ok(None),
                status if status.is_success() => {}
                _ => return Err(answer(url, response).await),
            }
            match body(response, limit).await {
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => {
                    return Err(ClientError::Unexpected {
                        url: url.to_string(),
                        what: format!("more than {limit} bytes"),
                    });
                }
                Err(error) => {
                    failures += 1;
                    self.pause(failures, Failed::connection(url, error)).await?;
                }
            }
        }
    }
}

/// A request that was not answered, or not for good.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: ClientError,
    /// The server's `Retry-After`.
    pub(crate) asked: Option<Duration>,
    /// Whether it may go better later.
    pub(crate) passing: bool,
}

impl Failed {
    pub(crate) fn connection(url: &Url, error: reqwest::Error) -> Self {
        // What cannot be sent at all, or leads nowhere, will not get better.
        if let Some(reason) = bad_certificate(&error) {
            return Self::for_good(ClientError::Untrusted { url: url.to_string(), reason });
        }
        let passing = !(error.is_builder() || error.is_redirect());
        let source = error.without_url();
        Self {
            error: ClientError::Unreachable { url: url.to_string(), source },
            asked: None,
            passing,
        }
    }

    pub(crate) fn for_good(error: ClientError) -> Self {
        Self { error, asked: None, passing: false }
    }

    pub(crate) fn passing(error: ClientError) -> Self {
        Self { error, asked: None, passing: true }
    }
}

/// The error that an answer with a status of 4xx or 5xx means.
pub(crate) async fn answer(url: &Url, response: Response) -> ClientError {
    let status = response.status().as_u16();
    // An error body that does not arrive is no reason to hide the status.
    let bytes = body(response, PROBLEM_LIMIT).await.ok().flatten().unwrap_or_default();
    let problem = Box::new(Problem::read(status, &bytes));
    ClientError::Answer { url: url.to_string(), problem }
}

/// A body of at most `limit` bytes; none where it is longer.
async fn body(mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if bytes.len() + piece.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

/// What is wrong with the server's certificate, in words; the TLS library's own are for programmers.
fn bad_certificate(error: &reqwest::Error) -> Option<String> {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if let Some((_, what)) = text.split_once("invalid peer certificate: ") {
            return Some(in_words(what));
        }
        next = error.source();
    }
    None
}

fn in_words(what: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("UnknownIssuer", "no authority that is known here vouches for its certificate"),
        ("Expired", "its certificate has expired"),
        ("expired", "its certificate has expired"),
        ("NotValidYet", "its certificate is not valid yet"),
        ("BadSignature", "the signature of its certificate does not fit the authority"),
        ("Revoked", "its certificate was revoked"),
    ];
    if let Some((_, words)) = WORDS.iter().find(|(word, _)| what.starts_with(word)) {
        return (*words).to_owned();
    }
    if what.contains("not valid for name") || what.starts_with("NotValidForName") {
        return "its certificate is for another name".to_owned();
    }
    if what.contains("UnsupportedSignatureAlgorithm") {
        return "its certificate was not signed by an authority that is known here, or in a way that is not accepted".to_owned();
    }
    // Without the details in brackets, which are Rust's.
    let short = what.split(['(', '{']).next().unwrap_or(what).trim();
    format!("its certificate is not accepted ({short})")
}

fn address(text: &str) -> Result<Url, ClientError> {
    let wrong = |reason| ClientError::Address { address: without_secret(text), reason };
    let mut url = Url::parse(text).map_err(|_| wrong("write it as `https://host[:port]`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a login does not belong into the address; use `--user`"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(wrong("plain HTTP is for this machine's own addresses only")),
        _ => return Err(wrong("it starts with `https://`")),
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn without_secret(text: &str) -> String {
    // Whatever stands before an `@` may be a password.
    let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
    shown.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// HTTP/1.1 only: each request that runs at the same time then has a connection of its own, which is
/// what parallel ranges are for.
fn client(
    base: &Url,
    authorities: Option<&[u8]>,
    read_time: Option<Duration>,
) -> Result<Client, ClientError> {
    let mut builder = Client::builder()
        .http1_only()
        .user_agent(concat!("stratus-client/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIME)
        .tcp_user_timeout(ACKNOWLEDGE_TIME)
        .tcp_keepalive(PROBE_EVERY)
        .tcp_keepalive_interval(PROBE_EVERY)
        .tcp_nodelay(true)
        .redirect(redirects());
    if let Some(time) = read_time {
        builder = builder.read_timeout(time);
    }
    if is_loopback(base) {
        // A proxy cannot reach this machine's own addresses.
        builder = builder.no_proxy();
    }
    if let Some(pem) = authorities {
        let list = reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError::Setup)?;
        if list.is_empty() {
            return Err(ClientError::NoAuthority);
        }
        builder = builder.tls_certs_only(list);
    }
    builder.build().map_err(ClientError::Setup)
}

/// Follows a few redirects, never from HTTPS to plain HTTP.
fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let from_tls = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > REDIRECTS {
            attempt.error("too many redirects")
        } else if from_tls && attempt.url().scheme() != "https" {
            attempt.error("a redirect leads from HTTPS to plain HTTP")
        } else {
            attempt.follow()
        }
    })
}

fn authorization(login: &Login) -> HeaderValue {
    let text = Zeroizing::new(match login {
        Login::Token(token) => format!("Bearer {}", token.expose_secret()),
        Login::Password { user, password } => {
            let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
            format!("Basic {}", STANDARD.encode(pair.as_bytes()))
        }
    });
    // A token with characters that no header can hold is no token; it is refused by the server.
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer invalid"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_cross_no_network_in_the_clear() {
        for good in [
            "https://images.example.org",
            "https://images.example.org:8443/prefix/",
            "http://localhost:8080",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://images.example.org",
            "http://localhost.example.org",
            "ftp://localhost",
            "images.example.org",
            "https://",
            "",
            "https://user:secret@images.example.org",
        ] {
            let error = address(bad).expect_err(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_tls_says_of_a_certificate_is_said_in_words() {
        for (what, words) in [
            ("UnknownIssuer", "no authority"),
            ("certificate expired: verification time 1 (UNIX), but", "not accepted"),
            ("certificate not valid for name \"a\"; certificate is only valid for", "another name"),
            (
                "Other(OtherError(UnsupportedSignatureAlgorithmForPublicKeyContext { signature_algorithm_id: [6, 8], public_key_algorithm_id: [6] }))",
                "not signed by an authority",
            ),
            ("Other(X { y: [1] })", "its certificate is not accepted (Other)"),
        ] {
            let said = in_words(what);
            assert!(said.contains(words) && !said.contains('['), "{said}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_no_authority() {
        let connection = Connection {
            address: "https://localhost:1".to_owned(),
            authorities: Some(b"# none\n".to_vec()),
            login: None,
            patience: Patience::default(),
        };
        let refused = Repository::new(&connection).unwrap_err();
        assert_eq!(refused.exit(), stratus_model::Exit::Usage);
        assert!(matches!(refused, ClientError::NoAuthority), "{refused}");
    }

    #[test]
    fn a_prefix_stays_in_front_of_every_path() {
        let connection = |address: &str| Connection {
            address: address.to_owned(),
            authorities: None,
            login: Some(Login::Token("t".to_owned().into())),
            patience: Patience::default(),
        };
        let plain = Repository::new(&connection("http://localhost:1")).unwrap();
        assert_eq!(plain.url(&Route::Search).as_str(), "http://localhost:1/api/v1/appliances");
        let prefixed = Repository::new(&connection("http://localhost:1/a/b/")).unwrap();
        assert_eq!(prefixed.url(&Route::Health).as_str(), "http://localhost:1/a/b/healthz");
        assert!(!format!("{prefixed:?}").contains("Bearer"));
    }
}
