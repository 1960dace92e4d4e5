//! Reading arguments, and printing what is made from their definition: man page and completions.
//!
//! `--generate man|bash|zsh|fish` is understood by every command and shown by none: it serves the
//! packages.

use crate::output::unless_unread;
use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Command, Parser};
use clap_complete::Shell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process;
use stratus_model::Exit;

/// How help and usage errors are coloured, on terminals that want it.
pub const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// Reads the process's arguments. Ends the process after `--help`, `--version` and `--generate`
/// (exit code 0) and on wrong usage (exit code 2).
pub fn arguments<A: Parser>() -> A {
    let given: Vec<OsString> = std::env::args_os().collect();
    let command = A::command().styles(STYLES);
    if let Some(kind) = generate_what(&given) {
        let done = generate(command, &kind, &mut io::stdout().lock());
        let exit = match done {
            Ok(()) => Exit::Done,
            Err(message) => {
                crate::output::note(&format!("error: {message}"));
                Exit::Usage
            }
        };
        process::exit(i32::from(exit.code()));
    }
    let matches = command.get_matches_from(given);
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The word after `--generate`, which stands alone on the command line.
fn generate_what(given: &[OsString]) -> Option<String> {
    let rest: Vec<String> =
        given.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    match rest.as_slice() {
        [flag, kind] if flag == "--generate" => Some(kind.clone()),
        [both] => both.strip_prefix("--generate=").map(str::to_owned),
        _ => None,
    }
}

/// Writes a man page or a shell's completions.
fn generate(mut command: Command, kind: &str, out: &mut impl Write) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write: {error}");
    let name = command.get_name().to_owned();
    let shell = match kind {
        "man" => {
            let page = crate::manual::page(&command).map_err(failed)?;
            return unless_unread(out.write_all(page.as_bytes())).map_err(failed);
        }
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        other => return Err(format!("`--generate {other}` is not one of man, bash, zsh, fish")),
    };
    // The generator panics where it cannot write, so it writes into memory first.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    unless_unread(out.write_all(&text)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Weighs things.
    #[derive(Parser)]
    #[command(name = "stratus-weigh", version)]
    struct Example {
        /// What to weigh.
        #[arg(long)]
        thing: String,
    }

    fn made(kind: &str) -> Result<String, String> {
        let mut out = Vec::new();
        generate(Example::command(), kind, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn man_page_and_completions_know_the_options() {
        for (kind, text) in [
            ("man", ".TH stratus-weigh 1"),
            ("bash", "--thing"),
            ("zsh", "#compdef stratus-weigh"),
            ("fish", "thing"),
        ] {
            assert!(made(kind).unwrap().contains(text), "{kind}");
        }
        assert!(made("pdf").unwrap_err().contains("man, bash, zsh, fish"));
    }

    #[test]
    fn generating_needs_no_other_arguments() {
        let given = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(generate_what(&given(&["x", "--generate", "man"])).as_deref(), Some("man"));
        assert_eq!(generate_what(&given(&["x", "--generate=zsh"])).as_deref(), Some("zsh"));
        assert_eq!(generate_what(&given(&["x", "--thing", "--generate", "man"])), None);
        assert_eq!(generate_what(&given(&["x"])), None);
    }
}
