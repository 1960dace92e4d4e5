//! One run of `stratus-install apply` that is cut at a step.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(4);

/// A host and one of its steps.
pub(crate) type At = (String, String);

/// A run whose lines are heard as they come.
pub(crate) struct Apply {
    pub(crate) child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    begun: Instant,
}

impl Apply {
    pub(crate) fn start(mut command: Command) -> Self {
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        // What is a report and not news must not look like a line that says what begins.
        for (mark, pipe) in [("| ", Box::new(out) as Box<dyn Read + Send>), ("", Box::new(err))] {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
                lines.all(|line| sender.send(format!("{mark}{line}")).is_ok())
            });
        }
        Self { child, lines, heard: Vec::new(), begun: Instant::now() }
    }

    /// The first step that begins of those that `counts` says; none when the run ends without one.
    pub(crate) fn begins(&mut self, counts: impl Fn(&At) -> bool) -> Option<At> {
        while let Some(line) = self.line(PATIENCE) {
            let at = step(&line).filter(|at| counts(at));
            if at.is_some() {
                return at;
            }
        }
        None
    }

    /// Lets the step run for so long, at most until something is said of its host.
    pub(crate) fn run_on(&mut self, host: &str, time: Duration) {
        let end = Instant::now() + time;
        while let Some(line) = self.line(end.saturating_duration_since(Instant::now())) {
            if line.starts_with(host) {
                return;
            }
        }
    }

    /// Waits until it ended; the exit code and everything it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        while self.line(PATIENCE).is_some() {}
        (self.child.wait().unwrap().code(), self.heard.join("\n"))
    }

    fn line(&mut self, time: Duration) -> Option<String> {
        if self.begun.elapsed() > PATIENCE {
            let _ = self.child.kill();
            panic!("the run does not end:\n{}", self.heard.join("\n"));
        }
        let line = self.lines.recv_timeout(time).ok()?;
        self.heard.push(line.clone());
        Some(line)
    }
}

impl Drop for Apply {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line that says a step begins is `<host>: <step>`; whoever asks knows the steps.
fn step(line: &str) -> Option<At> {
    line.split_once(": ").map(|(host, step)| (host.to_owned(), step.to_owned()))
}

/// The steps of a plan in JSON that are still to be done.
pub(crate) fn to_do(plan: &str) -> BTreeSet<At> {
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    let mut all = BTreeSet::new();
    for host in plan["hosts"].as_array().unwrap() {
        let name = host["host"].as_str().unwrap();
        let steps = host["steps"].as_array();
        let steps = steps.unwrap_or_else(|| panic!("{name}: {}", host["error"]));
        let left = steps.iter().filter(|s| s["state"].get("done").is_none());
        all.extend(left.map(|s| (name.to_owned(), s["id"].as_str().unwrap().to_owned())));
    }
    all
}
