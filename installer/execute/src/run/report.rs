//! What a run did: for each host and step, and in one exit code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use stratus_site::HostName;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// The plan had nothing to do.
    Unchanged,
    /// It was looked at on the host and was so already.
    Same,
    /// It is so now; what changed.
    Changed(Vec<String>),
    /// It failed.
    Failed(Failure),
    /// It was not tried; why.
    Skipped(String),
    /// The run was ended before.
    NotBegun,
}

impl StepResult {
    /// Whether the step is as it should be.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Same | Self::Changed(_))
    }
}

/// Why something failed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Host, command, reason.
    pub cause: String,
    /// What to do.
    pub cure: String,
    /// Whether the host was not reached, rather than failed.
    pub unreachable: bool,
}

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// For each host its steps in order, with their names.
    pub hosts: BTreeMap<HostName, Vec<(String, StepResult)>>,
    /// Hosts that the plan has no steps for, and why.
    pub left_out: BTreeMap<HostName, String>,
    /// Why the run ended before its time: the journal failed, or the plan cannot be carried out.
    pub stopped: Option<String>,
    /// Whether somebody ended it.
    pub interrupted: bool,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_good(&self) -> bool {
        self.stopped.is_none()
            && !self.interrupted
            && self.left_out.is_empty()
            && self.hosts.values().flatten().all(|(_, result)| result.is_good())
    }

    /// 0 done, 1 failed, 5 where the only trouble is that hosts were not reached.
    pub fn exit_code(&self) -> u8 {
        if self.is_good() {
            return 0;
        }
        let failures = || {
            self.hosts.values().flatten().filter_map(|(_, r)| match r {
                StepResult::Failed(failure) => Some(failure),
                _ => None,
            })
        };
        let away = self.stopped.is_none()
            && !self.interrupted
            && self.left_out.is_empty()
            && failures().next().is_some()
            && failures().all(|f| f.unreachable);
        if away { 5 } else { 1 }
    }

    /// The report as text: what failed with its cause and cure, and a count for each host.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(why) = &self.stopped {
            let _ = writeln!(text, "The run was stopped: {why}");
        }
        if self.interrupted {
            text.push_str("The run was ended on request; run it again to go on.\n");
        }
        for (host, why) in &self.left_out {
            let _ = writeln!(text, "{host}: left out: {why}");
        }
        for (host, steps) in &self.hosts {
            let count = |f: fn(&StepResult) -> bool| steps.iter().filter(|(_, r)| f(r)).count();
            let changed = count(|r| matches!(r, StepResult::Changed(_)));
            let good = count(StepResult::is_good) - changed;
            let _ = write!(text, "{host}: {changed} changed, {good} as they should be");
            for (word, number) in [
                ("failed", count(|r| matches!(r, StepResult::Failed(_)))),
                ("skipped", count(|r| matches!(r, StepResult::Skipped(_)))),
                ("not begun", count(|r| matches!(r, StepResult::NotBegun))),
            ] {
                if number > 0 {
                    let _ = write!(text, ", {number} {word}");
                }
            }
            text.push('\n');
            for (step, result) in steps {
                match result {
                    StepResult::Failed(f) => {
                        let cause = f.cause.replace('\n', "\n    ");
                        let _ = writeln!(text, "  {step}: {cause}\n    cure: {}", f.cure);
                    }
                    StepResult::Skipped(why) => {
                        let _ = writeln!(text, "  {step}: skipped because {why}");
                    }
                    _ => {}
                }
            }
        }
        text
    }
}
