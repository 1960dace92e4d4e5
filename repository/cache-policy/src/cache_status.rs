//! `Cache-Status` (RFC 9211): what the cache did, for whoever looks for a mistake.

use crate::decide::Forward;
use crate::field;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::fmt;

/// The field.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// One cache's member of the list. An answer that the cache makes without any response, as a 504,
/// carries none (section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStatus {
    cache: String,
    /// `hit`: the answer came from the store, and nobody was asked (section 2.1).
    pub hit: bool,
    /// `fwd`: why somebody was (section 2.2).
    pub forward: Option<Forward>,
    /// `fwd-status`: what came back (section 2.3).
    pub forward_status: Option<StatusCode>,
    /// `ttl`: how long the answer stays fresh, less than zero if it is stale (section 2.4).
    pub ttl_seconds: Option<i64>,
    /// `stored`: the answer went into the store (section 2.5).
    pub stored: bool,
    /// `collapsed`: the request joined another one (section 2.6).
    pub collapsed: bool,
    /// `key` (section 2.7).
    pub key: Option<String>,
    /// `detail` (section 2.8).
    pub detail: Option<String>,
}

impl CacheStatus {
    /// Answered from the store.
    pub fn hit(cache: &str, ttl_seconds: i64) -> Self {
        Self { hit: true, ttl_seconds: Some(ttl_seconds), ..Self::nothing(cache) }
    }

    /// Asked upstream.
    pub fn forwarded(cache: &str, why: Forward) -> Self {
        Self { forward: Some(why), detail: why.detail().map(str::to_owned), ..Self::nothing(cache) }
    }

    /// Neither: the cache itself answers, because of this.
    pub fn own(cache: &str, detail: &str) -> Self {
        Self { detail: Some(detail.to_owned()), ..Self::nothing(cache) }
    }

    fn nothing(cache: &str) -> Self {
        Self {
            cache: cache.to_owned(),
            hit: false,
            forward: None,
            forward_status: None,
            ttl_seconds: None,
            stored: false,
            collapsed: false,
            key: None,
            detail: None,
        }
    }

    /// Adds it behind those of the caches nearer to the origin (section 2).
    pub fn append_to(&self, headers: &mut HeaderMap) {
        let before = field::combined(headers, &CACHE_STATUS).filter(|v| !field::trim(v).is_empty());
        let mut value = before.map(|v| [v.as_slice(), b", "].concat()).unwrap_or_default();
        value.extend_from_slice(self.to_string().as_bytes());
        // What we write is visible ASCII, and what was there came in a field value.
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.insert(CACHE_STATUS, value);
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text_item(&self.cache))?;
        for (name, set) in
            [("hit", self.hit), ("stored", self.stored), ("collapsed", self.collapsed)]
        {
            if set {
                write!(f, "; {name}")?;
            }
        }
        if let Some(why) = self.forward {
            write!(f, "; fwd={}", why.token())?;
        }
        if let Some(status) = self.forward_status {
            write!(f, "; fwd-status={}", status.as_u16())?;
        }
        if let Some(ttl) = self.ttl_seconds {
            write!(f, "; ttl={}", ttl.clamp(-LARGEST, LARGEST))?;
        }
        if let Some(key) = &self.key {
            write!(f, "; key={}", string(key))?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "; detail={}", text_item(detail))?;
        }
        Ok(())
    }
}

/// The largest integer of a structured field (RFC 9651 section 3.3.1).
const LARGEST: i64 = 999_999_999_999_999;

/// A token where it can be one, or else a string.
fn text_item(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
    let allowed = |b: u8| field::is_token(&[b]) || b":/".contains(&b);
    if starts && text.bytes().all(allowed) { text.to_owned() } else { string(text) }
}

/// RFC 9651 section 4.1.6. A character that it cannot hold becomes `?`.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted + "\""
}

impl Forward {
    /// The value of `fwd`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Bypass(_) => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Partial => "partial",
        }
    }

    /// What `fwd` does not say.
    fn detail(self) -> Option<&'static str> {
        use crate::decide::Bypass;
        match self {
            Self::Bypass(Bypass::Authorization) => Some("authorization"),
            Self::Bypass(Bypass::Precondition) => Some("precondition"),
            Self::Bypass(Bypass::Content) => Some("content"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9211_2_parameters() {
        assert_eq!(CacheStatus::hit("stratus", 30).to_string(), "stratus; hit; ttl=30");
        let mut status = CacheStatus::forwarded("cache.site:80", Forward::Stale);
        status.forward_status = Some(StatusCode::NOT_MODIFIED);
        status.stored = true;
        status.collapsed = true;
        status.ttl_seconds = Some(i64::MAX);
        status.key = Some("/a \"b\"\u{e9}".into());
        status.detail = Some("no-store".into());
        assert_eq!(
            status.to_string(),
            "cache.site:80; stored; collapsed; fwd=stale; fwd-status=304; ttl=999999999999999; \
             key=\"/a \\\"b\\\"?\"; detail=no-store"
        );
        assert_eq!(CacheStatus::hit("my cache", -3).to_string(), "\"my cache\"; hit; ttl=-3");
    }

    #[test]
    fn rfc_9211_2_each_cache_adds_itself_at_the_end() {
        let mut headers = HeaderMap::new();
        CacheStatus::hit("a", 1).append_to(&mut headers);
        headers.append(CACHE_STATUS, "b; hit".parse().unwrap());
        CacheStatus::hit("c", 2).append_to(&mut headers);
        assert_eq!(headers.get_all(CACHE_STATUS).iter().count(), 1);
        assert_eq!(headers[CACHE_STATUS], "a; hit; ttl=1, b; hit, c; hit; ttl=2");
    }
}
