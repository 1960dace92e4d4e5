//! Text as it is searched: words in lower case without accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Between fields: no word, so that nothing stands together across it.
const FIELD: char = '\n';

/// Words, each after a blank; fields apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(Box<str>);

impl Text {
    /// A word is a run of letters and digits of any script, compatibility forms made plain (Unicode
    /// Standard Annex 15, NFKD).
    pub(super) fn new<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for field in fields {
            text.push(FIELD);
            let mut in_word = false;
            let lower = field.chars().flat_map(char::to_lowercase);
            for c in lower.nfkd().filter(|c| !is_combining_mark(*c)) {
                if c.is_alphanumeric() {
                    if !in_word {
                        text.push(' ');
                    }
                    text.push(c);
                }
                in_word = c.is_alphanumeric();
            }
        }
        Self(text.into_boxed_str())
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split_whitespace()
    }

    /// Whether the words of the phrase stand together here, the last one as the beginning of a word.
    pub(super) fn has(&self, phrase: &Self) -> bool {
        self.0.contains(phrase.0.trim_start_matches(FIELD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Text::new([text]).words().map(str::to_owned).collect()
    }

    #[test]
    fn words_are_letters_and_digits_without_case_and_accents() {
        assert_eq!(words("Ubuntu-24.04_x86"), ["ubuntu", "24", "04", "x86"]);
        assert_eq!(words("Pärt  ÉCOLE İzmir ﬁne"), ["part", "ecole", "izmir", "fine"]);
        assert_eq!(words("e\u{301}te\u{301} \u{3000} Ω"), ["ete", "ω"]);
        assert_eq!(words(" -- \" * "), Vec::<String>::new());
    }

    #[test]
    fn pieces_of_a_phrase_stand_together_in_one_field() {
        let text = Text::new(["base 24.04.1", "4 worker"]);
        assert!(text.has(&Text::new(["24.04"])));
        assert!(text.has(&Text::new(["4-wor"])));
        assert!(!text.has(&Text::new(["4.04"])));
        assert!(!text.has(&Text::new(["04.24"])));
        assert!(!text.has(&Text::new(["1.4"])));
    }
}
