//! The project's own chores.
//!
//! ```text
//! cargo xtask demo [--once]   the main job on embedded defaults, from nothing to a verified image
//! cargo xtask test            everything that must hold before a change lands
//! cargo xtask bench           the figures of docs/performance.md, measured anew
//! cargo xtask pictures        the pictures of docs/guide/monitor.md, made anew
//! cargo xtask release OPTIONS packages, signed repositories, bill of materials, checksums; see --help
//! cargo xtask setup           installs what the tests use, and nothing else
//! cargo xtask tidy            the repository's own rules
//! ```

mod bench;
mod demo;
mod pictures;
mod release;
mod run;
mod setup;
mod side_by_side;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str =
    "usage: cargo xtask demo [--once] | test | bench | pictures | release OPTIONS | setup | tidy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["demo"] => demo::run(demo::Until::Interrupted),
        ["demo", "--once"] => demo::run(demo::Until::Done),
        ["test"] => test::run(),
        ["bench", names @ ..] => bench::run(names),
        ["pictures"] => pictures::run(),
        ["release", options @ ..] => release::run(options),
        ["setup"] => setup::run(),
        ["tidy"] => tidy::run(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
