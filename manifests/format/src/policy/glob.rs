//! Patterns of paths: `base/**`, `grid/*/sl-*`.

use std::fmt;

/// A path of the tree with `*` (any characters within a segment), `?` (one of them) and `**` (any
/// number of segments, none included).
#[derive(Clone, PartialEq, Eq)]
pub struct PathPattern(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Any,
    Like(Vec<char>),
}

/// A text that is no pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pattern of paths; write segments joined by `/`, such as `base/**`, with `**` only as a whole segment"
)]
pub struct PathPatternError(String);

/// Most segments in a pattern; a path has at most 24.
const SEGMENTS: usize = 32;
/// Longest pattern, in bytes.
const LENGTH: usize = 1024;

impl PathPattern {
    /// Reads a pattern. A leading slash is refused, because paths of the tree have none.
    pub fn new(text: &str) -> Result<Self, PathPatternError> {
        let wrong = || PathPatternError(crate::problem::printable(text));
        let parts: Vec<&str> = text.split('/').collect();
        if text.len() > LENGTH || parts.len() > SEGMENTS {
            return Err(wrong());
        }
        parts
            .into_iter()
            .map(|part| match part {
                "**" => Ok(Segment::Any),
                // No path of the tree has such segments, so it would fit nothing.
                "" | "." | ".." => Err(wrong()),
                other if other.contains("**") => Err(wrong()),
                other => Ok(Segment::Like(other.chars().collect())),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the whole path fits; case matters.
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<Vec<char>> =
            path.split('/').filter(|s| !s.is_empty()).map(|s| s.chars().collect()).collect();
        // Row by row: `reached[i]` says whether the pattern so far can take the first i segments.
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for segment in &self.0 {
            reached = match segment {
                Segment::Any => {
                    let mut open = false;
                    reached
                        .iter()
                        .map(|r| {
                            open |= r;
                            open
                        })
                        .collect()
                }
                Segment::Like(like) => {
                    let fits = path.iter().enumerate().map(|(i, s)| reached[i] && fits(like, s));
                    std::iter::once(false).chain(fits).collect()
                }
            };
        }
        reached[path.len()]
    }
}

/// Wildcards within a segment; on a mismatch only the last star is tried again.
fn fits(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
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
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match segment {
                Segment::Any => f.write_str("**")?,
                Segment::Like(like) => f.write_str(&like.iter().collect::<String>())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::new(pattern).unwrap().matches(path)
    }

    #[test]
    fn two_stars_take_segments_and_one_star_characters() {
        let path = "base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0";
        for pattern in
            ["**", "base/**", "base/*/*/*", "base/ubuntu-*/**", "**/1.?/**", "base/**/**/*-1.0"]
        {
            assert!(matches(pattern, path), "{pattern}");
        }
        for pattern in ["base", "base/*", "bas/**", "Base/**", "base/**/2.0/*", "*"] {
            assert!(!matches(pattern, path), "{pattern}");
        }
        assert!(matches("base/**", "base"));
    }

    #[test]
    fn one_star_never_crosses_a_slash() {
        assert!(!matches("base*", "base/x"));
        assert!(!matches("base/*x", "base/a/x"));
        assert!(!matches("base/**", "baseline/x"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "/base/**", "base//x", "base/a**", "base/", "../x", "base/./x"] {
            assert!(PathPattern::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = PathPattern::new("**/*a*a*a*a*b/".repeat(15).trim_end_matches('/')).unwrap();
        assert!(!pattern.matches(&format!("{}x", "a".repeat(180) + "/").repeat(20)));
    }
}
