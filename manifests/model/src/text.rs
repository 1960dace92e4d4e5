//! What a stranger sent, made harmless for a message.

/// At most `limit` characters, with an ellipsis where some are missing. Control characters, and the
/// marks that turn the direction of what follows on the screen, are replaced.
pub fn printable(text: &str, limit: usize) -> String {
    let shown = |c| if is_unprintable(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut short: String = text.chars().take(limit).map(shown).collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\n", 80), "a\u{fffd}[31m\u{fffd}b\u{fffd}");
    }

    #[test]
    fn what_is_cut_is_marked() {
        assert_eq!(printable("äöü", 3), "äöü");
        assert_eq!(printable("äöüx", 3), "äöü…");
    }
}
