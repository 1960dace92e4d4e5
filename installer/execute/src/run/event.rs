//! What happens during a run, as it happens, and as lines of text.

use super::report::{Failure, StepResult};
use std::time::Duration;
use stratus_site::HostName;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// On this host.
    pub host: HostName,
    /// In this step; none for the host as a whole.
    pub step: Option<String>,
    /// This.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The step waits for a step of another host.
    Waits(HostName, String),
    /// The step begins.
    Begins,
    /// It runs this command now.
    Doing(String),
    /// Nothing was heard for so long, during this command.
    Silent(Duration, String),
    /// The step ended.
    Ends(StepResult),
    /// The host is done.
    Done,
}

/// The event as a line for a terminal that shows only lines. None for what a reader of lines does not
/// miss.
pub fn line(event: &Event) -> Option<String> {
    let host = &event.host;
    let step = event.step.as_deref().unwrap_or_default();
    match &event.what {
        What::Doing(_)
        | What::Ends(StepResult::Unchanged | StepResult::Same | StepResult::NotBegun) => None,
        What::Begins => Some(format!("{host}: {step}")),
        What::Waits(other, their) => Some(format!("{host}: {step} waits for {other}: {their}")),
        What::Silent(after, command) => {
            Some(format!("{host}: nothing heard for {} s: {command}", after.as_secs()))
        }
        What::Ends(StepResult::Changed(what)) => Some(format!(
            "{host}: {step}: {}",
            if what.is_empty() { "done".into() } else { what.join("; ") }
        )),
        What::Ends(StepResult::Skipped(why)) => {
            Some(format!("{host}: {step} skipped because {why}"))
        }
        What::Ends(StepResult::Failed(Failure { cause, cure, .. })) => Some(format!(
            "{host}: {step} FAILED\n  {}\n  cure: {cure}",
            cause.replace('\n', "\n  ")
        )),
        What::Done => Some(format!("{host}: done")),
    }
}
