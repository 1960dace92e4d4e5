//! Sizes as people write them: `200 GiB`, `4096`, `1.5 TiB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; write a number with an optional unit, such as `200 GiB` or `512 MB`")]
pub struct ByteCountError(String);

const UNITS: [(&str, u64); 13] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

impl FromStr for ByteCount {
    type Err = ByteCountError;

    /// Reads a number, at most three decimals, and a unit: decimal (`kB`, `MB`, `GB`, `TB`) or
    /// binary (`KiB`, `MiB`, `GiB`, `TiB`, or the bare letters `K`, `M`, `G`, `T`).
    fn from_str(text: &str) -> Result<Self, ByteCountError> {
        let wrong = || ByteCountError(text.to_owned());
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = (&trimmed[..end], trimmed[end..].trim().to_ascii_lowercase());
        let factor = match unit.as_str() {
            "tib" => 1 << 40,
            other => UNITS.iter().find(|(name, _)| *name == other).ok_or_else(wrong)?.1,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > 3 || (number.contains('.') && fraction.is_empty()) {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| wrong())?;
        let bytes = u128::from(whole) * u128::from(factor)
            + u128::from(thousandths) * u128::from(factor) / 1000;
        u64::try_from(bytes).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for ByteCount {
    /// The largest binary unit that keeps at least one whole digit, with one decimal: `3.0 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = match self.0 {
            n if n >= 1 << 40 => ("TiB", 1u64 << 40),
            n if n >= 1 << 30 => ("GiB", 1 << 30),
            n if n >= 1 << 20 => ("MiB", 1 << 20),
            n if n >= 1 << 10 => ("KiB", 1 << 10),
            n => return write!(f, "{n} B"),
        };
        write!(f, "{:.1} {unit}", self.0 as f64 / factor as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1 KiB", 1024),
            ("200 GiB", 200 << 30),
            ("512MB", 512_000_000),
            ("1.5 TiB", (1 << 40) + (1 << 39)),
            (" 2g ", 2 << 30),
        ] {
            assert_eq!(text.parse::<ByteCount>().map(|b| b.0), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "GiB", "-1", "1.2345 GiB", "1 parsec", "1.", "99999999 TiB", "1e3"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_fitting_unit() {
        assert_eq!(ByteCount(1023).to_string(), "1023 B");
        assert_eq!(ByteCount(3 << 30).to_string(), "3.0 GiB");
    }
}
