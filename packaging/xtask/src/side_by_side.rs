//! All tests: every test program is built once, then several run side by side, the longest first.
//!
//! What a program says goes into a file of its own, `target/test-output/…`; it is shown whole where
//! the program fails, and in one line where it does not. A failure ends nothing: the others run, and
//! all that failed are named in the end.

use crate::run::{cargo, output, root, target, tools};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// So many run at once, more than small machines have processors: hosts that boot, packages that
/// settle and browsers that draw leave most of the time to others.
const AT_ONCE: usize = 3;

/// These begin first, in this order: the longest one decides how long all take.
const LONGEST: [&str; 15] = [
    "tests installer_faults",
    "tests families",
    "tests burst_node_over_vpn",
    "tests config_to_verified_site",
    "tests burst_node_over_wireguard",
    "tests package_life",
    "tests tiny_machine",
    "tests killed",
    "tests offline",
    "tests monitor_pages",
    "documentation",
    "tests cache_faults",
    "tests monitor",
    "tests test_hosts",
    "tests kernel_mount",
];

/// Whoever reads along is told what runs when nothing has ended for so long.
const QUIET: Duration = Duration::from_mins(1);

/// How many are listed in the end.
const LISTED: usize = 10;

/// A program with tests.
struct Program {
    /// Its crate's folder and its target: `tests families`.
    name: String,
    command: Command,
}

/// How it went.
struct Ended {
    name: String,
    took: Duration,
    /// What it said.
    file: PathBuf,
    good: bool,
}

enum Event {
    Begun(String),
    Ended(Ended),
}

/// Builds and runs all tests.
pub(crate) fn run() -> Result<()> {
    let begun = Instant::now();
    let mut programs = build()?;
    println!("{} test programs, built in {:.0} s", programs.len(), begun.elapsed().as_secs_f64());
    programs.push(examples_in_documentation());
    in_order(&mut programs)?;
    let folder = target().join("test-output");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("the output of the last run")?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let queue = Mutex::new(VecDeque::from(programs));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..AT_ONCE {
            let (tell, next, folder) = (tell.clone(), &next, &folder);
            scope.spawn(move || {
                while let Some(program) = next() {
                    let name = program.name.clone();
                    // Nobody listens only where the report itself has failed.
                    let _ = tell.send(Ok(Event::Begun(name)));
                    let _ = tell.send(program.run(folder).map(Event::Ended));
                }
            });
        }
        drop(tell);
        report(&told)
    })
}

/// Builds the test programs. The programs under test hold no tests (`tidy` sees to it), so nothing is
/// built of them.
fn build() -> Result<Vec<Program>> {
    let told = output(cargo().args([
        "test",
        "--workspace",
        "--lib",
        "--test",
        "*",
        "--bin",
        "xtask",
        "--bin",
        "stratus-release",
        "--no-run",
        "--locked",
        "--message-format=json-render-diagnostics",
    ]))?;
    let mut programs = Vec::new();
    for line in told.lines() {
        let message = serde_json::from_str(line).with_context(|| format!("cargo said {line}"))?;
        programs.extend(Program::of(&message));
    }
    ensure!(!programs.is_empty(), "cargo built no test program");
    Ok(programs)
}

/// The examples in documentation, which cargo itself runs.
fn examples_in_documentation() -> Program {
    let mut command = cargo();
    command.args(["test", "--workspace", "--doc", "--locked", "--quiet"]);
    command.env("STRATUS_TOOLS", tools());
    Program { name: "documentation".to_owned(), command }
}

/// The longest first.
fn in_order(programs: &mut [Program]) -> Result<()> {
    for name in LONGEST {
        let known = programs.iter().any(|program| program.name == name);
        ensure!(
            known,
            "LONGEST in packaging/xtask/src/side_by_side.rs names `{name}`: there is none"
        );
    }
    let place = |name: &str| LONGEST.iter().position(|long| *long == name);
    programs.sort_by_key(|program| place(&program.name).unwrap_or(LONGEST.len()));
    Ok(())
}

impl Program {
    /// The test program that a message of cargo's is about; none where it is about something else.
    fn of(message: &Value) -> Option<Self> {
        let is_test = message["profile"]["test"].as_bool()?;
        let file = message["executable"].as_str().filter(|_| is_test)?;
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let (folder, target) = (manifest.parent()?, &message["target"]);
        let crate_folder = folder.strip_prefix(root()).unwrap_or(folder).display();
        let kind = target["kind"][0].as_str()?;
        let name = if kind == "lib" { kind } else { target["name"].as_str()? };
        // As cargo runs them.
        let mut command = Command::new(file);
        command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
        command.env("STRATUS_TOOLS", tools());
        Some(Self { name: format!("{crate_folder} {name}"), command })
    }

    /// Runs it to its end.
    fn run(mut self, folder: &Path) -> Result<Ended> {
        let file = folder.join(format!("{}.txt", self.name.replace(['/', ' '], "-")));
        let said =
            File::create(&file).with_context(|| format!("cannot make {}", file.display()))?;
        let begun = Instant::now();
        let status = self
            .command
            .stdin(Stdio::null())
            .stderr(said.try_clone()?)
            .stdout(said)
            .status()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        Ok(Ended { name: self.name, took: begun.elapsed(), file, good: status.success() })
    }
}

/// Shows what happens until all have ended. Fails if one failed.
fn report(told: &mpsc::Receiver<Result<Event>>) -> Result<()> {
    let (mut running, mut ended) = (Vec::<(String, Instant)>::new(), Vec::new());
    loop {
        match told.recv_timeout(QUIET) {
            Ok(event) => match event? {
                Event::Begun(name) => running.push((name, Instant::now())),
                Event::Ended(one) => {
                    running.retain(|(name, _)| *name != one.name);
                    one.show()?;
                    ended.push(one);
                }
            },
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let line = |(name, since): &(String, Instant)| {
                    format!("{name} ({} s)", since.elapsed().as_secs())
                };
                println!("     …  {}", running.iter().map(line).collect::<Vec<_>>().join(", "));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    ended.sort_by_key(|one| std::cmp::Reverse(one.took));
    println!("the longest:");
    for one in ended.iter().take(LISTED) {
        println!("{:>6.0} s  {}", one.took.as_secs_f64(), one.name);
    }
    let failed: Vec<_> = ended.iter().filter(|one| !one.good).map(|one| &*one.name).collect();
    if !failed.is_empty() {
        bail!("{} of {} test programs failed: {}", failed.len(), ended.len(), failed.join(", "));
    }
    Ok(())
}

impl Ended {
    /// One line if it was good, and everything that it said if not.
    fn show(&self) -> Result<()> {
        let said = fs::read(&self.file).with_context(|| self.file.display().to_string())?;
        let said = String::from_utf8_lossy(&said);
        let took = format!("{:>6.1} s", self.took.as_secs_f64());
        if !self.good {
            println!("{took}  {} FAILED\n{said}\n{took}  {} FAILED", self.name, self.name);
            return Ok(());
        }
        println!("{took}  {}: {}", self.name, counts(&said));
        for line in said.lines().filter(|line| line.contains("LEFT OUT")) {
            println!("          {line}");
        }
        Ok(())
    }
}

/// How many tests passed, and how many were not run, of all that it said.
fn counts(said: &str) -> String {
    let (mut passed, mut ignored) = (0, 0);
    for line in said.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. ")) {
        for part in line.split("; ") {
            match part.split_once(' ') {
                Some((count, "passed")) => passed += count.parse().unwrap_or(0),
                Some((count, "ignored")) => ignored += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    if ignored == 0 {
        format!("{passed} tests")
    } else {
        format!("{passed} tests, {ignored} ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A message of cargo's about one target of the crate in `folder`.
    fn message(folder: &str, kind: &str, name: &str, test: bool) -> Value {
        json!({
            "reason": "compiler-artifact",
            "manifest_path": root().join(folder).join("Cargo.toml"),
            "target": { "kind": [kind], "name": name },
            "profile": { "test": test },
            "executable": format!("/build/{name}-0123"),
        })
    }

    #[test]
    fn test_programs_are_found_and_run_as_cargo_runs_them() {
        let of = |folder, kind, name, test| Program::of(&message(folder, kind, name, test));
        let program = of("tests", "test", "families", true).unwrap();
        assert_eq!(program.name, "tests families");
        assert_eq!(program.command.get_program(), "/build/families-0123");
        assert_eq!(program.command.get_current_dir(), Some(&*root().join("tests")));
        let unit = of("installer/site", "lib", "stratus_site", true).unwrap();
        assert_eq!(unit.name, "installer/site lib");
        assert!(of("tests", "bin", "oned-simulator", false).is_none());
        assert!(Program::of(&json!({ "reason": "build-finished", "success": true })).is_none());
    }

    #[test]
    fn the_longest_begin_first_and_are_there() {
        let program = |name: &str| Program { name: name.to_owned(), command: Command::new("true") };
        let others = ["repository/api lib", "tests tus"];
        let mut programs: Vec<_> =
            others.iter().chain(LONGEST.iter().rev()).map(|n| program(n)).collect();
        in_order(&mut programs).unwrap();
        let names: Vec<_> = programs.iter().map(|one| &*one.name).collect();
        assert_eq!(names, [&LONGEST[..], &others].concat());
        programs.remove(0);
        let told = in_order(&mut programs).unwrap_err().to_string();
        assert!(told.contains(LONGEST[0]), "{told}");
    }

    #[test]
    fn tests_are_counted_over_all_that_a_program_says() {
        let said = "running 2 tests\ntest a ... ok\n\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.48s\n\
            test result: ok. 1 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(counts(said), "3 tests, 3 ignored");
        assert_eq!(counts("no test at all"), "0 tests");
    }

    #[test]
    fn what_fails_is_shown_whole_and_named_and_ends_nothing() {
        let folder = target().join("test-output-of-tests");
        fs::create_dir_all(&folder).unwrap();
        let shell = |name: &str, line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            Program { name: name.to_owned(), command }
        };
        let (tell, told) = mpsc::channel();
        for (name, line) in [("a/b bad", "echo one; echo two >&2; exit 1"), ("c good", "true")] {
            tell.send(Ok(Event::Begun(name.to_owned()))).unwrap();
            tell.send(shell(name, line).run(&folder).map(Event::Ended)).unwrap();
        }
        drop(tell);
        let error = report(&told).unwrap_err().to_string();
        assert_eq!(error, "1 of 2 test programs failed: a/b bad");
        assert_eq!(fs::read_to_string(folder.join("a-b-bad.txt")).unwrap(), "one\ntwo\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
