//! HTTP dates (RFC 9110 section 5.6.7). Written in one form, read in three.

use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`. Fractions of a second are cut.
pub fn format(at: Timestamp) -> String {
    strtime::format("%a, %d %b %Y %H:%M:%S GMT", at)
        .expect("every part of the format exists in a timestamp")
}

/// Reads an IMF-fixdate, or one of the two obsolete forms. A day of the week that does not fit the
/// date makes it no date.
pub fn parse(text: &str) -> Option<Timestamp> {
    // RFC 850 years have two digits; the full name of the day tells that form from the others.
    let formats =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    let found = formats
        .iter()
        .find_map(|f| strtime::parse(f, text).ok().and_then(|parts| parts.to_datetime().ok()))?;
    to_timestamp(found)
}

fn to_timestamp(at: civil::DateTime) -> Option<Timestamp> {
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_the_rfc_are_one_instant() {
        let instant: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), Some(instant), "{text}");
        }
        assert_eq!(format(instant), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "now",
            "2026-11-20T10:00:00Z",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn fractions_are_cut() {
        let at: Timestamp = "2026-11-20T10:00:00.999Z".parse().unwrap();
        assert_eq!(format(at), "Fri, 20 Nov 2026 10:00:00 GMT");
    }
}
