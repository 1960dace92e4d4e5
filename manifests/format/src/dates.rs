//! Dates in every spelling that manifests had.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// `yyyy-MM-ddTHH:mm:ssZ`, the only spelling of RDF metadata and format 1.
pub(crate) fn strict(text: &str) -> Option<Timestamp> {
    let shape = text.len() == 20
        && text.bytes().zip(*b"0000-00-00T00:00:00Z").all(|(found, wanted)| match wanted {
            b'0' => found.is_ascii_digit(),
            other => found == other,
        });
    shape.then(|| text.parse().ok()).flatten()
}

/// The spellings of 2010: a date and a time with microseconds or seconds and no zone, which meant
/// UTC, or RFC 2822 as the shell writes it. The later spelling is read too.
pub(crate) fn of_2010(text: &str) -> Option<Timestamp> {
    strict(text).or_else(|| without_zone(text)).or_else(|| {
        // A wrong name of the day was never checked by anybody.
        rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
    })
}

fn without_zone(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let full = bytes.len() >= 19 && matches!(bytes[10], b' ' | b'T') && bytes[16] == b':';
    let civil: DateTime = full.then(|| text.parse().ok()).flatten()?;
    let zoneless = bytes[19..].iter().all(|b| b.is_ascii_digit() || *b == b'.');
    zoneless.then(|| civil.to_zoned(TimeZone::UTC).ok()).flatten().map(|z| z.timestamp())
}

/// The spelling that is written: whole seconds, UTC.
pub(crate) fn show(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_2010_are_one_moment() {
        for text in [
            "2010-08-17 13:39:23.000000",
            "2010-08-17T13:39:23",
            "2010-08-17 13:39:23",
            "Tue, 17 Aug 2010 15:39:23 +0200",
            "Mon, 17 Aug 2010 13:39:23 GMT",
            "2010-08-17T13:39:23Z",
        ] {
            assert_eq!(of_2010(text).map(show).as_deref(), Some("2010-08-17T13:39:23Z"), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2010",
            "2010-08-17",
            "2010-13-01 00:00:00",
            "17/08/2010",
            "2010-08-17 13:39",
            "2010-08-17 13:39:23 Europe/Paris",
            "2010-08-17T13:39:23[UTC]",
            "now",
            "é".repeat(12).as_str(),
        ] {
            assert_eq!(of_2010(text), None, "{text}");
        }
    }

    #[test]
    fn the_later_formats_know_one_spelling() {
        assert!(strict("2011-02-28T16:33:17Z").is_some());
        for text in [
            "2011-02-28T16:33:17",
            "2011-02-28T16:33:17+00:00",
            "2011-02-28T16:33:17.5Z",
            "2011-02-28 16:33:17Z",
            "2011-02-30T16:33:17Z",
            "+011-02-28T16:33:17Z",
        ] {
            assert_eq!(strict(text), None, "{text}");
        }
    }
}
