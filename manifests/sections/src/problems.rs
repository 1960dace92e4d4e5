//! What is wrong with a file, where, and how to mend it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// Most problems that the text of a report shows; nobody reads more, and each takes the renderer
/// through the whole file.
const MOST_SHOWN: usize = 200;

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
pub struct Problems(Vec<Problem>);

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
        self.0.push(Problem { span, message: message.into(), cure });
    }

    /// Takes over what somebody else noted.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what is about nothing but one of these parts of the text, because something
    /// better was said about them.
    pub fn forget_within(&mut self, parts: &[Range<usize>]) {
        let within = |p: &Problem| {
            parts.iter().any(|part| part.start <= p.span.start && p.span.end <= part.end)
        };
        self.0.retain(|problem| !within(problem));
    }

    /// Nothing if nothing is wrong, else the report. `file` is the name shown, `text` its content.
    pub fn into_result(mut self, file: &str, text: &str) -> Result<(), Invalid> {
        if self.0.is_empty() {
            return Ok(());
        }
        // What two readings found of one value is said once.
        let mut said = HashSet::new();
        self.0.retain(|p| said.insert((p.span.start, p.span.end, p.message.clone())));
        self.0.sort_by_key(|p| (p.span.start, p.span.end));
        Err(Invalid { file: file.to_owned(), text: text.to_owned(), problems: self.0 })
    }
}

impl Invalid {
    /// The problems in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Line and column of a problem, both from 1, as the report has them.
    pub fn place(&self, problem: &Problem) -> (usize, usize) {
        let before = self.text.get(..problem.span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (index, problem) in self.problems.iter().take(MOST_SHOWN).enumerate() {
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
        match self.problems.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more problems"),
        }
    }
}
