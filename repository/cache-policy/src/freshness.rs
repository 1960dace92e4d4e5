//! How long a response may be used, and how old it is (RFC 9111 sections 4.2.1 to 4.2.3).

use crate::cache_control::Period;
use crate::field;
use crate::http_date;
use crate::options::Options;
use crate::policy::Policy;
use crate::status;
use crate::stored::Stored;
use crate::validator;
use http::{HeaderMap, header};
use jiff::Timestamp;
use std::time::Duration;

/// How long a response is fresh, counted from when the origin made it, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The origin, with `s-maxage`, `max-age` or `Expires`. What cannot be read is zero.
    Explicit(Duration),
    /// A guess from `Last-Modified` (section 4.2.2).
    Heuristic(Duration),
    /// The site, for an error without a lifetime of its own.
    Negative(Duration),
    /// Nobody: stale from the start.
    Unknown,
}

impl Lifetime {
    /// As a time.
    pub fn duration(self) -> Duration {
        match self {
            Self::Explicit(time) | Self::Heuristic(time) | Self::Negative(time) => time,
            Self::Unknown => Duration::ZERO,
        }
    }
}

/// Freshness of a stored response at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How long it is fresh.
    pub lifetime: Lifetime,
    /// How old it is.
    pub age: Duration,
}

impl Freshness {
    /// Of a stored response, now.
    pub fn of(stored: &Stored, policy: &Policy, now: Timestamp, options: &Options) -> Self {
        Self { lifetime: lifetime(stored, policy, options), age: age(stored, now) }
    }

    /// Section 4.2: the lifetime is greater than the age.
    pub fn is_fresh(&self) -> bool {
        self.lifetime.duration() > self.age
    }

    /// How long it stays fresh; zero if it is stale.
    pub fn remaining(&self) -> Duration {
        self.lifetime.duration().saturating_sub(self.age)
    }

    /// How long it has been stale; zero if it is fresh.
    pub fn staleness(&self) -> Duration {
        self.age.saturating_sub(self.lifetime.duration())
    }

    /// What remains in whole seconds, less than zero if it is stale (`ttl` of RFC 9211).
    pub fn ttl_seconds(&self) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        if self.is_fresh() { seconds(self.remaining()) } else { -seconds(self.staleness()) }
    }
}

/// Section 4.2.1 for a shared cache: the first that is there counts, readable or not.
pub fn lifetime(stored: &Stored, policy: &Policy, options: &Options) -> Lifetime {
    let headers = &stored.headers;
    for period in [policy.directives.s_maxage, policy.directives.max_age] {
        match period {
            Period::Absent => {}
            Period::Given(time) => return Lifetime::Explicit(time),
            Period::Invalid => return Lifetime::Explicit(Duration::ZERO),
        }
    }
    if !policy.targeted && headers.contains_key(header::EXPIRES) {
        let expires = expires(headers, stored.received_at());
        let time = expires.map_or(Duration::ZERO, |at| elapsed(stored.date, at));
        return Lifetime::Explicit(time);
    }
    if let Some(time) = options.negative_lifetime.filter(|_| status::is_negative(stored.status)) {
        return Lifetime::Negative(time);
    }
    heuristic(stored, policy, options).map_or(Lifetime::Unknown, Lifetime::Heuristic)
}

/// Section 5.3: what is no date, or more than one, lies in the past.
fn expires(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let mut dates =
        headers.get_all(header::EXPIRES).iter().map(|v| http_date::parse(v.as_bytes(), now));
    let first = dates.next()??;
    dates.all(|other| other == Some(first)).then_some(first)
}

/// Section 4.2.2: only where the status allows it or the response is `public`.
fn heuristic(stored: &Stored, policy: &Policy, options: &Options) -> Option<Duration> {
    if !status::is_heuristic(stored.status) && !policy.directives.public {
        return None;
    }
    let modified = validator::last_modified(&stored.headers, stored.received_at())?;
    let guess =
        elapsed(modified, stored.date).as_secs().saturating_mul(options.heuristic_percent.into());
    Some(Duration::from_secs(guess / 100).min(options.heuristic_cap)).filter(|t| !t.is_zero())
}

/// Section 4.2.3, with the names used there.
pub fn age(stored: &Stored, now: Timestamp) -> Duration {
    let Stored { exchange, date, .. } = stored;
    // Date has whole seconds; what it cut off is no age.
    let apparent_age = Duration::from_secs(elapsed(*date, exchange.received_at).as_secs());
    let response_delay = elapsed(exchange.requested_at, exchange.received_at);
    let corrected_age_value = age_value(&stored.headers).saturating_add(response_delay);
    let corrected_initial_age = apparent_age.max(corrected_age_value);
    corrected_initial_age.saturating_add(elapsed(exchange.received_at, now))
}

/// Section 5.1: of a list the first counts; what is no number counts as absent.
fn age_value(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::AGE).and_then(|line| {
        let first = line.as_bytes().split(|&b| b == b',').next()?;
        field::delta_seconds(field::trim(first))
    });
    Duration::from_secs(seconds.unwrap_or(0))
}

/// From one moment to another; zero if the second is not later. Our clock may have been set back.
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
