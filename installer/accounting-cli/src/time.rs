//! Times as people write and read them: dates and RFC 3339, UTC.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use stratus_accounting::Month;

/// A moment on the command line, seconds since 1970: `2026-11-01` is its first second, UTC;
/// `2026-11-01T12:30:00+01:00` is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub i64);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(date) = text.parse::<Date>()
            && !text.contains(['T', 't', ' '])
        {
            let start = date.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
            return Ok(Self(start.timestamp().as_second()));
        }
        let time: Timestamp = text
            .parse()
            .map_err(|_| "write a date as 2026-11-01, or a time as 2026-11-01T12:00:00Z")?;
        Ok(Self(time.as_second()))
    }
}

/// The first second of the month that a second is in.
pub fn month_start(second: i64) -> i64 {
    Month::of(second).window().from
}

/// A second as RFC 3339, UTC.
pub fn shown(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        for (text, expected) in [
            ("1970-01-02", Some(86_400)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("2026-11-01T00:00:00Z", Some(1_793_491_200)),
            ("2026-02-30", None),
            ("yesterday", None),
            ("2026-11-01T00:00:00", None),
        ] {
            assert_eq!(text.parse::<Moment>().ok(), expected.map(Moment), "{text}");
        }
    }
}
