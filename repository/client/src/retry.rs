//! When to try again, decided from numbers alone: the attempt, what the server asked for, chance.

use std::time::Duration;
use stratus_repository_api::date;

use jiff::Timestamp;

/// How patient to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often in a row a request may fail without any progress in between.
    pub attempts: u32,
    /// The same for a server that has never answered: its address may simply be wrong.
    pub first_attempts: u32,
    /// Pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause of our own choice.
    pub longest: Duration,
    /// The longest `Retry-After` that is waited for; what asks for more ends the command.
    pub longest_asked: Duration,
}

impl Default for Patience {
    /// Eight attempts within about two minutes.
    fn default() -> Self {
        Self {
            attempts: 8,
            first_attempts: 3,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            longest_asked: Duration::from_mins(5),
        }
    }
}

impl Patience {
    /// The patience with a server that has never answered.
    #[must_use]
    pub fn at_first(&self) -> Self {
        Self { attempts: self.first_attempts.min(self.attempts), ..*self }
    }

    /// How long to wait after `failures` failures in a row (from 1); none: give up.
    ///
    /// `asked` is the server's `Retry-After`; `chance` is within 0 and 1 and spreads clients that
    /// failed at the same moment over half of the pause.
    pub fn pause(&self, failures: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        if failures >= self.attempts {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(20);
        let own = self.first.saturating_mul(1 << doublings).min(self.longest);
        let own = own.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        match asked {
            Some(asked) if asked > self.longest_asked => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3).
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let text = header.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let wait = date::parse(text)?.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// Whether the same request may be answered otherwise a little later.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_then_it_gives_up() {
        let patience = Patience::default();
        let pauses: Vec<Option<u128>> =
            (1..=8).map(|n| patience.pause(n, None, 0.0).map(|d| d.as_millis())).collect();
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 30000].map(Some);
        assert_eq!(pauses[..7], expected);
        assert_eq!(pauses[7], None);
    }

    #[test]
    fn an_address_that_never_answered_is_given_up_soon() {
        let patience = Patience::default().at_first();
        assert!(patience.pause(2, None, 0.0).is_some());
        assert_eq!(patience.pause(3, None, 0.0), None);
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_ever() {
        let patience = Patience::default();
        let pause = |asked| patience.pause(1, Some(Duration::from_secs(asked)), 1.0);
        assert_eq!(pause(20), Some(Duration::from_secs(20)));
        assert_eq!(pause(0), Some(Duration::from_millis(250)));
        assert_eq!(pause(3600), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let found = retry_after(header, now).map(|d| d.as_secs());
            assert_eq!(found, seconds, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_said(failures: u32, asked: Option<u32>, chance: f64) {
            let patience = Patience::default();
            let asked = asked.map(|s| Duration::from_secs(s.into()));
            if let Some(pause) = patience.pause(failures, asked, chance) {
                prop_assert!(pause <= patience.longest.max(patience.longest_asked));
                prop_assert!(asked.is_none_or(|asked| pause >= asked));
            }
        }
    }
}
