//! Why a command failed, what that means for its exit code, and what to do about it.

use std::error::Error;
use std::fmt;
use std::fmt::Write as _;
use stratus_model::Exit;

/// A failure that knows its exit code and hints. Commands attach it to the errors of libraries.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with this exit code. The message names the thing and does not repeat its cause.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new(), source: None }
    }

    /// Wrong usage or configuration: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds what the person may do about it, a sentence without a full stop.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What the person may do about it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

/// The exit code of an error: that of the outermost [`Failure`] in its chain, else 1.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    failures(error).next().map_or(Exit::Failed, Failure::exit)
}

/// The whole chain as text: the error, its causes, and after a blank line the hints.
///
/// A cause whose text the line above already ends with is left out.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut above = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let message = cause.to_string();
        if depth == 0 {
            let _ = writeln!(text, "error: {}", indent(&message, "  "));
        } else if !message.is_empty() && !above.ends_with(&message) {
            let _ = writeln!(text, "  caused by: {}", indent(&message, "    "));
        }
        above = message;
    }
    let mut hints: Vec<&str> = Vec::new();
    for hint in failures(error).flat_map(Failure::hints) {
        if !hints.contains(&hint.as_str()) {
            hints.push(hint);
        }
    }
    if !hints.is_empty() {
        text.push('\n');
    }
    for hint in hints {
        let _ = writeln!(text, "hint: {}", indent(hint, "  "));
    }
    text
}

fn failures(error: &anyhow::Error) -> impl Iterator<Item = &Failure> {
    error.chain().filter_map(|cause| cause.downcast_ref::<Failure>())
}

/// Further lines of a message are set in, so that the chain stays readable.
fn indent(message: &str, by: &str) -> String {
    message.trim_end().replace('\n', &format!("\n{by}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open `vm.xml`")]
    struct Outer(#[source] std::io::Error);

    fn example() -> Failure {
        let io = std::io::Error::other("no such file");
        Failure::new(Exit::Refused, "the manifest is not accepted")
            .because(Outer(io))
            .hint("add `--trust signer.crt`")
    }

    #[test]
    fn the_chain_is_printed_with_hints_last() {
        assert_eq!(
            describe(&anyhow::Error::new(example())),
            "error: the manifest is not accepted\n  caused by: cannot open `vm.xml`\n  caused by: no such file\n\nhint: add `--trust signer.crt`\n"
        );
    }

    #[test]
    fn the_outermost_failure_decides_the_exit_code() {
        let inner: anyhow::Result<()> = Err(anyhow::Error::new(example()));
        assert_eq!(exit_of(&anyhow::Error::new(example())), Exit::Refused);
        let wrapped = inner.context("while downloading").unwrap_err();
        assert_eq!(exit_of(&wrapped), Exit::Refused);
        assert!(describe(&wrapped).starts_with("error: while downloading\n  caused by: the man"));
        assert!(describe(&wrapped).ends_with("\n\nhint: add `--trust signer.crt`\n"));
        let outer = Failure::new(Exit::Unreachable, "gone").because(example());
        assert_eq!(exit_of(&anyhow::Error::new(outer)), Exit::Unreachable);
        assert_eq!(exit_of(&anyhow::anyhow!("plain")), Exit::Failed);
    }

    #[test]
    fn nothing_is_said_twice() {
        let repeated = anyhow::anyhow!("no such file").context("cannot read x: no such file");
        assert_eq!(describe(&repeated), "error: cannot read x: no such file\n");
        let twice = Failure::usage("a").hint("h").because(Failure::usage("b").hint("h"));
        let text = describe(&anyhow::Error::new(twice));
        assert_eq!(text.matches("hint: h").count(), 1);
    }
}
