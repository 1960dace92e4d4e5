//! Figures as people read them.

/// How long something lasts: the largest unit that says enough.
pub(crate) fn lasts(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// A moment, to the minute, in UTC.
pub(crate) fn moment(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Bytes in a binary unit with two or three digits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 10.0);
    format!("{size:.digits$} {}", UNITS[unit])
}

/// Bytes of a count that cannot be negative, in KiB.
pub(crate) fn kib(count: i64) -> String {
    bytes(u64::try_from(count).unwrap_or(0).saturating_mul(1024))
}

/// Bytes of a count in MiB.
pub(crate) fn mib(count: u64) -> String {
    bytes(count.saturating_mul(1 << 20))
}

/// Hundredths of a core as cores.
pub(crate) fn cores(hundredths: i64) -> String {
    if hundredths % 100 == 0 {
        format!("{}", hundredths / 100)
    } else {
        format!("{:.1}", hundredths as f64 / 100.0)
    }
}

/// Cores as hundredths of one.
#[expect(clippy::cast_possible_truncation, reason = "no machine has so many")]
pub(crate) fn hundredths(cores: f32) -> i64 {
    (cores * 100.0).round() as i64
}

/// A part in percent of a whole; 0 of nothing.
pub(crate) fn percent(part: i64, whole: i64) -> u32 {
    if whole <= 0 {
        return 0;
    }
    let percent = i128::from(part.max(0)) * 100 / i128::from(whole);
    u32::try_from(percent).unwrap_or(u32::MAX).min(999)
}

/// A count with its noun.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// Thousands apart.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_right() {
        assert_eq!(
            [lasts(-5), lasts(119), lasts(7000), lasts(90_000)],
            ["0 s", "119 s", "116 min", "25 h"]
        );
        assert_eq!([bytes(0), bytes(1536), bytes(u64::MAX)], ["0 B", "1.5 KiB", "16384 PiB"]);
        assert_eq!([cores(800), cores(150)], ["8", "1.5"]);
        assert_eq!([percent(1, 0), percent(-5, 10), percent(i64::MAX, 1)], [0, 0, 999]);
        assert_eq!([grouped(0), grouped(999), grouped(1_184_000)], ["0", "999", "1,184,000"]);
        assert_eq!(moment(1_795_220_400), "2026-11-21 00:20");
    }
}
