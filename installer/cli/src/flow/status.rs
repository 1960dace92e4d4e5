//! Who did what to the site, and what is under way: the journals of the last runs.

use super::look::journal_work;
use crate::choices::Choices;
use crate::fleet::{Fleet, host_failure};
use crate::site_file::site;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::journal::{Entry, Read, read};
use stratus_site::HostName;
use stratus_terminal::{Exit, print_json, print_line};

/// Shows the last ten runs.
const READ: &str = "cd /var/lib/stratus/installer/journal 2> /dev/null || exit 0\n\
    ls -1 | sort | tail -n 10 | while read -r name; do printf '\\001\\n'; cat -- \"$name\"; done";

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Shown {
    who: String,
    what: String,
    began: Timestamp,
    last: Timestamp,
    /// None while it goes on, or when it was cut off.
    good: Option<bool>,
    changed: usize,
    failed: Vec<(HostName, String, String)>,
    /// Steps that began and have no end.
    cut_off: Vec<(HostName, String)>,
}

/// The last runs, the newest last.
pub async fn status(choices: &Choices) -> Result<Exit> {
    let (site, _) = site(choices)?;
    let fleet = Fleet::of(&site, choices)?;
    let output = run_well(&*fleet.frontend(&site), &journal_work(READ), &Attention::none()).await;
    fleet.tell_learned_keys();
    let output = output.map_err(host_failure)?;
    let mut runs = Vec::new();
    for journal in output.stdout.split(|b| *b == 1).skip(1) {
        runs.extend(shown(&read(journal)?));
    }
    if choices.json {
        print_json(&runs)?;
    } else if runs.is_empty() {
        print_line("nothing was done to this site yet")?;
    }
    for run in runs.iter().filter(|_| !choices.json) {
        print_line(text(run).trim_end())?;
    }
    Ok(Exit::Done)
}

/// A run that took the lock and wrote nothing is none.
fn shown(journal: &Read) -> Option<Shown> {
    use stratus_execute::journal::Ended::{Changed, Failed};
    let (first, last) = (journal.records.first()?, journal.records.last()?);
    let mut run = Shown {
        who: first.who.clone(),
        what: String::new(),
        began: first.at,
        last: last.at,
        good: None,
        changed: 0,
        failed: Vec::new(),
        cut_off: Vec::new(),
    };
    for record in &journal.records {
        match &record.entry {
            Entry::RunBegan { what, .. } => run.what.clone_from(what),
            Entry::StepEnded { result: Changed(_), .. } => run.changed += 1,
            Entry::StepEnded { host, step, result: Failed(why) } => {
                run.failed.push((host.clone(), step.clone(), why.clone()));
            }
            Entry::RunEnded { good } => run.good = Some(*good),
            Entry::StepBegan { .. } | Entry::StepEnded { .. } => {}
        }
    }
    let open = journal.cut_off().into_iter();
    run.cut_off = open.map(|(host, step)| (host.clone(), step.to_owned())).collect();
    Some(run)
}

fn text(run: &Shown) -> String {
    let result = match run.good {
        Some(true) => "good",
        Some(false) => "failed",
        None => "has no end: it goes on, or was cut off",
    };
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let Shown { who, what, began, last, changed, .. } = run;
    let (began, last) = (time(*began), time(*last));
    let mut text = format!("{began} to {last} UTC  {who}  {what}: {changed} changed, {result}\n");
    for (host, step, why) in &run.failed {
        text.push_str(&format!("  {host}: {step} failed: {}\n", why.replace('\n', "\n    ")));
    }
    for (host, step) in &run.cut_off {
        text.push_str(&format!("  {host}: {step} began and has no end\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: &str = r#"{"at":"2026-01-02T03:04:05Z","who":"ann@desk","entry":"run-began","what":"apply","fingerprint":""}
{"at":"2026-01-02T03:04:06Z","who":"ann@desk","entry":"step-began","host":"n1","step":"file:/x","reason":"","before":null}
"#;

    #[test]
    fn a_run_that_was_cut_off_names_the_step() {
        let text = text(&shown(&read(BEGAN.as_bytes()).unwrap()).unwrap());
        assert!(text.contains("ann@desk  apply: 0 changed, has no end"), "{text}");
        assert!(text.contains("  n1: file:/x began and has no end"), "{text}");
    }

    #[test]
    fn a_run_that_ended_says_how() {
        let ended = r#"{"at":"2026-01-02T03:05:05Z","who":"ann@desk","entry":"step-ended","host":"n1","step":"file:/x","result":{"failed":"no space"}}
{"at":"2026-01-02T03:05:06Z","who":"ann@desk","entry":"run-ended","good":false}
"#;
        let run = shown(&read(format!("{BEGAN}{ended}").as_bytes()).unwrap()).unwrap();
        assert_eq!((run.good, run.cut_off.len()), (Some(false), 0));
        assert!(text(&run).contains("n1: file:/x failed: no space"));
        assert_eq!(shown(&Read::default()), None);
    }
}
