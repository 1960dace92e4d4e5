//! The pages' login, kept in one encrypted cookie.
//!
//! The cookie holds the login and an end, sealed with a key of the service, so no table of
//! sessions is needed and several servers can share one key. What a person may do is never in it:
//! that is asked for anew with each request.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar, SameSite};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `__Host-` makes browsers insist on TLS, this host and the whole site; without TLS (loopback) they
/// would drop it.
const SECURE_NAME: &str = "__Host-stratus";
const PLAIN_NAME: &str = "stratus";

/// Whose session the cookie is, if it is ours and has not ended.
pub fn login_of(headers: &HeaderMap, key: &Key, now: Timestamp) -> Option<String> {
    let jar = PrivateCookieJar::from_headers(headers, key.clone());
    let cookie = jar.get(SECURE_NAME).or_else(|| jar.get(PLAIN_NAME))?;
    let (ends, login) = cookie.value().split_once(' ')?;
    let ends: i64 = ends.parse().ok()?;
    (now.as_second() < ends).then(|| login.to_owned())
}

/// `Set-Cookie` that begins a session.
pub fn begin(
    login: &str,
    key: &Key,
    now: Timestamp,
    lasts: SignedDuration,
    tls: bool,
) -> Option<HeaderValue> {
    let ends = now.as_second().saturating_add(lasts.as_secs());
    set(Cookie::new(name(tls), format!("{ends} {login}")), key, tls)
}

/// `Set-Cookie` that ends it.
pub fn end(tls: bool) -> HeaderValue {
    HeaderValue::from_static(if tls {
        "__Host-stratus=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
    } else {
        "stratus=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"
    })
}

fn name(tls: bool) -> &'static str {
    if tls { SECURE_NAME } else { PLAIN_NAME }
}

fn set(mut cookie: Cookie<'static>, key: &Key, tls: bool) -> Option<HeaderValue> {
    use axum::response::IntoResponse;
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_path("/");
    cookie.set_secure(tls);
    let jar = PrivateCookieJar::new(key.clone()).add(cookie);
    jar.into_response().headers().get(axum::http::header::SET_COOKIE).cloned()
}

/// Reads the key, or makes one that only we can read.
pub fn key(file: &Path) -> std::io::Result<Key> {
    match std::fs::read(file) {
        Ok(bytes) => {
            Key::try_from(bytes.as_slice()).map_err(|e| std::io::Error::other(e.to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = Key::generate();
            let mut options = std::fs::OpenOptions::new();
            let mut out = options.write(true).create_new(true).mode(0o600).open(file)?;
            out.write_all(key.master())?;
            out.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;

    fn cookie_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(pair).unwrap())])
    }

    #[test]
    fn a_session_ends_by_itself() {
        let (key, now) = (Key::generate(), Timestamp::UNIX_EPOCH);
        let set = begin("alice", &key, now, SignedDuration::from_secs(10), true).unwrap();
        let headers = cookie_back(&set);
        assert_eq!(login_of(&headers, &key, now).as_deref(), Some("alice"));
        let later = now + SignedDuration::from_secs(10);
        assert_eq!(login_of(&headers, &key, later), None);
    }

    #[test]
    fn a_cookie_of_another_key_is_nobodys() {
        let now = Timestamp::UNIX_EPOCH;
        let set =
            begin("alice", &Key::generate(), now, SignedDuration::from_secs(10), true).unwrap();
        assert_eq!(login_of(&cookie_back(&set), &Key::generate(), now), None);
    }

    #[test]
    fn the_cookie_stays_with_this_host_and_out_of_scripts() {
        let set =
            begin("a", &Key::generate(), Timestamp::UNIX_EPOCH, SignedDuration::from_secs(1), true);
        let text = set.unwrap().to_str().unwrap().to_owned();
        for part in ["__Host-stratus=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }
}
