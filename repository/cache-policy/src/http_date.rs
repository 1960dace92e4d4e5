//! HTTP dates as a cache reads them (RFC 9110 section 5.6.7).
//!
//! The structure is strict, for an invalid `Expires` must count as past (RFC 9111 section 5.3). Two
//! things are lenient, because they leave no doubt about the instant: upper and lower case, and a
//! day of the week that does not fit the date.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads one of the three forms. The present decides the century of a year with two digits.
pub(crate) fn parse(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    if value.len() > 64 {
        return None;
    }
    let text = std::str::from_utf8(crate::field::trim(value)).ok()?.to_ascii_lowercase();
    fixdate(&text).or_else(|| rfc_850(&text, now)).or_else(|| asctime(&text))
}

/// `sun, 06 nov 1994 08:49:37 gmt`
fn fixdate(text: &str) -> Option<Timestamp> {
    let rest = after_day(text, ", ", |name, day| name == &day[..3])?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let &[day, month, year, time, "gmt"] = parts.as_slice() else { return None };
    instant(number(year, 4)?, month, day, time)
}

/// `sunday, 06-nov-94 08:49:37 gmt`; a year more than 50 years ahead is the one a century before.
fn rfc_850(text: &str, now: Timestamp) -> Option<Timestamp> {
    let rest = after_day(text, ", ", |name, day| name == day)?;
    let parts: Vec<&str> = rest.split([' ', '-']).collect();
    let &[day, month, year, time, "gmt"] = parts.as_slice() else { return None };
    if rest.matches('-').count() != 2 {
        return None;
    }
    let this_year = now.to_zoned(TimeZone::UTC).year();
    let year = this_year / 100 * 100 + number(year, 2)?;
    instant(if year > this_year + 50 { year - 100 } else { year }, month, day, time)
}

/// `sun nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<Timestamp> {
    let rest = after_day(text, " ", |name, day| name == &day[..3])?;
    let (month, rest) = rest.split_once(' ')?;
    let (day, rest) = (rest.get(..2)?, rest.get(2..)?.strip_prefix(' ')?);
    let (time, year) = rest.split_once(' ')?;
    let day = day.strip_prefix(' ').map_or_else(|| day.to_owned(), |digit| format!("0{digit}"));
    instant(number(year, 4)?, month, &day, time)
}

fn after_day<'a>(text: &'a str, end: &str, is: impl Fn(&str, &str) -> bool) -> Option<&'a str> {
    let (name, rest) = text.split_once(end)?;
    DAYS.iter().any(|day| is(name, day)).then_some(rest)
}

fn instant(year: i16, month: &str, day: &str, time: &str) -> Option<Timestamp> {
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let parts: Vec<&str> = time.split(':').collect();
    let &[hour, minute, second] = parts.as_slice() else { return None };
    let (month, day) = (i8::try_from(month).ok()?, small(day)?);
    // A leap second is the second before it, as our clock has none.
    let second = small(second).map(|s| if s == 60 { 59 } else { s })?;
    let at = DateTime::new(year, month, day, small(hour)?, small(minute)?, second, 0).ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn small(text: &str) -> Option<i8> {
    number(text, 2).and_then(|n| i8::try_from(n).ok())
}

/// Exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        parse(text.as_bytes(), now).map(|t| t.to_string())
    }

    #[test]
    fn rfc_9110_5_6_7_three_forms_in_any_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 nov 1994 08:49:37 gMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
            // The day of the week is not needed to know the instant.
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(at(text).as_deref(), Some("1994-11-06T08:49:37Z"), "{text}");
        }
        assert_eq!(at("Sun, 21 Nov 2286 04:46:39 GMT").as_deref(), Some("2286-11-21T04:46:39Z"));
        assert_eq!(at("Sat, 31 Dec 2016 23:59:60 GMT").as_deref(), Some("2016-12-31T23:59:59Z"));
    }

    #[test]
    fn rfc_9110_5_6_7_two_digits_are_at_most_fifty_years_ahead() {
        for (text, year) in [("76", "2076"), ("77", "1977"), ("99", "1999"), ("00", "2000")] {
            let found = at(&format!("Sunday, 06-Nov-{text} 08:49:37 GMT")).unwrap();
            assert!(found.starts_with(year), "{text} {found}");
        }
    }

    #[test]
    fn rfc_9111_5_3_every_other_structure_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "now",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun Nov 6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
