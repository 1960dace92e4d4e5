//! Distinguished names in the slash form that grids use: `/DC=org/O=Example/CN=signer`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The distinguished name of a certificate's holder, in slash form.
///
/// Comparison is exact: two spellings of one name are two names, so nobody gains a right by a
/// look-alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

impl Subject {
    /// From the slash form. Nothing is normalised.
    pub fn new(slash_form: impl Into<String>) -> Self {
        Self(slash_form.into())
    }

    /// The slash form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A subject with `*` (any characters) and `?` (one character), as in Globus signing policies.
///
/// A pattern is another type than a name, so that a name is never matched as a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPattern(String);

impl SubjectPattern {
    /// From text such as `/O=Example/CN=*`.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole subject fits the pattern; case matters.
    pub fn matches(&self, subject: &Subject) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = subject.0.chars().collect();
        glob(&pattern, &text)
    }
}

/// Wildcard match in time linear in `pattern × text`: on a mismatch only the last star is retried.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_signing_policies() {
        let matches = |p: &str, s: &str| SubjectPattern::new(p).matches(&Subject::new(s));
        assert!(matches("/O=Example/CN=*", "/O=Example/CN=signer"));
        assert!(matches("/O=Example/*", "/O=Example/OU=x/CN=signer"));
        assert!(matches("/O=Example/CN=signer", "/O=Example/CN=signer"));
        assert!(matches("/O=E?ample/CN=*r", "/O=Example/CN=signer"));
        assert!(!matches("/O=Example/CN=*", "/O=Example"));
        assert!(!matches("/O=Example/CN=signer", "/O=Example/CN=Signer"));
        assert!(!matches("", "/O=Example"));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = SubjectPattern::new("*a".repeat(2_000) + "b");
        assert!(!pattern.matches(&Subject::new("a".repeat(4_000))));
    }
}
