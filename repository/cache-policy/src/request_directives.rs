//! `Cache-Control` and `Pragma` of requests (RFC 9111 sections 5.2.1 and 5.4).

use crate::cache_control::split_directive;
use crate::field::{self, Quoting};
use http::{HeaderMap, header};
use std::time::Duration;

/// How stale a response a client takes (section 5.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxStale {
    /// `max-stale` without a number.
    Any,
    /// At most so long after its lifetime.
    UpTo(Duration),
}

/// The directives of a request. A number that cannot be read is as if the directive were not there:
/// a cache may ignore each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `max-age`, section 5.2.1.1.
    pub max_age: Option<Duration>,
    /// `max-stale`, section 5.2.1.2.
    pub max_stale: Option<MaxStale>,
    /// `min-fresh`, section 5.2.1.3.
    pub min_fresh: Option<Duration>,
    /// `no-cache`, section 5.2.1.4, or `Pragma: no-cache` without `Cache-Control`, section 5.4.
    pub no_cache: bool,
    /// `no-store`, section 5.2.1.5.
    pub no_store: bool,
    /// `only-if-cached`, section 5.2.1.7.
    pub only_if_cached: bool,
    /// `stale-if-error`, RFC 5861 section 4.
    pub stale_if_error: Option<Duration>,
}

impl RequestDirectives {
    /// Reads the fields of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let Some(value) = field::combined(headers, &header::CACHE_CONTROL) else {
            found.no_cache = pragma_no_cache(headers);
            return found;
        };
        for member in field::members(&value, Quoting::Escapes).list {
            let (name, argument) = split_directive(member);
            found.add(&name, argument.as_deref());
        }
        found
    }

    fn add(&mut self, name: &str, argument: Option<&[u8]>) {
        let seconds = argument.and_then(field::delta_seconds).map(Duration::from_secs);
        match name {
            "max-age" => self.max_age = least(self.max_age, seconds),
            "min-fresh" => self.min_fresh = self.min_fresh.max(seconds),
            "max-stale" => match (argument, seconds) {
                (None, _) => self.max_stale = Some(MaxStale::Any),
                (_, Some(up_to)) => self.max_stale = Some(MaxStale::UpTo(up_to)),
                _ => {}
            },
            "stale-if-error" => self.stale_if_error = least(self.stale_if_error, seconds),
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

fn least(before: Option<Duration>, found: Option<Duration>) -> Option<Duration> {
    [before, found].into_iter().flatten().min()
}

fn pragma_no_cache(headers: &HeaderMap) -> bool {
    field::combined(headers, &header::PRAGMA).is_some_and(|value| {
        let list = field::members(&value, Quoting::Escapes).list;
        list.iter().any(|member| member.eq_ignore_ascii_case(b"no-cache"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &str) -> RequestDirectives {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        RequestDirectives::of(&headers)
    }

    #[test]
    fn rfc_9111_5_2_1_directives_of_a_request() {
        let seconds = |n| Some(Duration::from_secs(n));
        let all = "max-age=1, MAX-STALE, min-fresh=\"3\", no-cache, no-store, only-if-cached, x=y";
        assert_eq!(
            read("cache-control", all),
            RequestDirectives {
                max_age: seconds(1),
                max_stale: Some(MaxStale::Any),
                min_fresh: seconds(3),
                no_cache: true,
                no_store: true,
                only_if_cached: true,
                stale_if_error: None,
            }
        );
        assert_eq!(
            read("cache-control", "max-stale=5").max_stale,
            Some(MaxStale::UpTo(Duration::from_secs(5)))
        );
        assert_eq!(
            read("cache-control", "max-age=x, max-stale=x, min-fresh"),
            RequestDirectives::default()
        );
    }

    #[test]
    fn rfc_9111_5_4_pragma_counts_without_cache_control() {
        assert!(read("pragma", "x, No-Cache").no_cache);
        assert!(!read("pragma", "no-caches").no_cache);
        let mut both = HeaderMap::new();
        both.insert("pragma", "no-cache".parse().unwrap());
        both.insert("cache-control", "max-age=3".parse().unwrap());
        assert!(!RequestDirectives::of(&both).no_cache);
    }
}
