//! Results as JUnit XML, for continuous integration.

use crate::flow::Outcome;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Where results go besides the screen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A file for JUnit XML.
    pub junit: Option<PathBuf>,
}

/// The results as one test suite; a promise that is not kept is a failure, one that could not be
/// looked at an error.
pub(crate) fn junit(site: &str, outcomes: &[Outcome]) -> String {
    let count = |word: &str| outcomes.iter().filter(|o| o.word == word).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n",
        escaped(site),
        outcomes.len(),
        count("not kept"),
        count("not seen"),
    );
    for outcome in outcomes {
        let _ = write!(
            text,
            "  <testcase classname=\"{}\" name=\"{}\"",
            escaped(&outcome.host),
            escaped(&outcome.promise),
        );
        let element = match outcome.word {
            "kept" => {
                text.push_str("/>\n");
                continue;
            }
            "not kept" => "failure",
            _ => "error",
        };
        let _ = writeln!(
            text,
            ">\n    <{element} message=\"{}\">{}</{element}>\n  </testcase>",
            escaped(&outcome.reason),
            escaped(&outcome.cure),
        );
    }
    text.push_str("</testsuite>\n");
    text
}

/// Text for XML 1.0: markup escaped, characters that it cannot hold replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hosts_said_cannot_break_the_document() {
        let outcome = Outcome {
            id: "a".into(),
            host: "node1".into(),
            promise: "\"<&>\u{1}".into(),
            word: "not kept",
            reason: "a\nb".into(),
            cure: "]]>".into(),
        };
        let text = junit("s", &[outcome]);
        let document = roxmltree::Document::parse(&text).unwrap();
        let case = document.root_element().first_element_child().unwrap();
        assert_eq!(case.attribute("name"), Some("\"<&>\u{fffd}"));
        assert_eq!(case.first_element_child().unwrap().attribute("message"), Some("a\nb"));
    }
}
