//! What is wrong with a file, where, and how to mend it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub cure: Option<String>,
}

/// Everything found wrong so far.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    all: Vec<Problem>,
    /// Bytes of the text that no report shows.
    hidden: Vec<Range<usize>>,
}

/// A file that cannot be used, with everything that is wrong in it.
///
/// `Display` is the whole report: for each problem `file:line:column`, the line, and the cure.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Invalid {
    file: String,
    text: String,
    problems: Vec<Problem>,
}

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>, cure: Option<String>) {
        self.all.push(Problem { span, message: message.into(), cure });
    }

    /// The text there is a secret: reports show stars in its place.
    pub fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// Takes over what somebody else noted.
    pub fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
        self.hidden.extend(other.hidden);
    }

    /// Nothing if nothing is wrong, else the report. `file` is the name shown, `text` its content.
    pub fn into_result(mut self, file: &str, text: &str) -> Result<(), Invalid> {
        if self.all.is_empty() {
            return Ok(());
        }
        self.all.sort_by_key(|p| (p.span.start, p.span.end));
        let text = without(text, &self.hidden);
        Err(Invalid { file: file.to_owned(), text, problems: self.all })
    }
}

/// The text with stars in some places; each other byte stays where it is.
fn without(text: &str, hidden: &[Range<usize>]) -> String {
    let is_hidden = |at: usize| hidden.iter().any(|span| span.contains(&at));
    let star = |(at, c): (usize, char)| match c {
        '\n' => c.to_string(),
        _ if is_hidden(at) => "*".repeat(c.len_utf8()),
        _ => c.to_string(),
    };
    text.char_indices().map(star).collect()
}

impl Invalid {
    /// The problems in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            let end = problem.span.end.min(self.text.len());
            let span = problem.span.start.min(end)..end;
            let snippet = Snippet::source(&self.text)
                .path(&self.file)
                .annotation(AnnotationKind::Primary.span(span));
            let mut group = Level::ERROR.primary_title(&problem.message).element(snippet);
            if let Some(cure) = &problem.cure {
                group = group.element(Level::HELP.message(cure));
            }
            f.write_str(&renderer.render(&[group]))?;
        }
        Ok(())
    }
}
