//! How a run is seen while it goes on: on a terminal a line for each host at work, which is redrawn;
//! elsewhere a line for each thing that happens.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;
use stratus_execute::run::{Event, StepResult, What, line};
use stratus_site::HostName;
use stratus_terminal::note;

/// Most hosts that have a line of their own; a run of hundreds must fit on a screen.
const MOST_LINES: usize = 30;

/// Shows events.
pub(crate) struct Live {
    /// None where there is no terminal.
    lines: Option<MultiProgress>,
    hosts: BTreeMap<HostName, ProgressBar>,
}

impl Live {
    /// For the terminal that standard error is, or is not.
    pub(crate) fn new() -> Self {
        let lines = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { lines, hosts: BTreeMap::new() }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        let Some(lines) = &self.lines else {
            if let Some(line) = line(event) {
                note(&line);
            }
            return;
        };
        if is_kept(&event.what)
            && let Some(line) = line(event)
        {
            lines.suspend(|| note(&line));
        }
        match &event.what {
            What::Ends(_) => {}
            What::Done => {
                if let Some(bar) = self.hosts.remove(&event.host) {
                    bar.finish_and_clear();
                    lines.remove(&bar);
                }
            }
            what => self.work(event, what),
        }
    }

    /// Takes away the lines of hosts that an interruption left at work.
    pub(crate) fn end(self) {
        for bar in self.hosts.values() {
            bar.finish_and_clear();
        }
    }

    /// The line of a host at work; the seconds are those of its step.
    fn work(&mut self, event: &Event, what: &What) {
        let Some(lines) = &self.lines else { return };
        if !self.hosts.contains_key(&event.host) {
            if self.hosts.len() >= MOST_LINES {
                return;
            }
            let bar = lines.add(ProgressBar::new_spinner().with_style(style()));
            bar.set_prefix(event.host.to_string());
            bar.enable_steady_tick(Duration::from_millis(250));
            self.hosts.insert(event.host.clone(), bar);
        }
        let Some(bar) = self.hosts.get(&event.host) else { return };
        if matches!(what, What::Begins | What::Waits(..)) {
            bar.reset_elapsed();
        }
        bar.set_message(message(event.step.as_deref().unwrap_or_default(), what));
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {wide_msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// What stays on the screen above the lines that are redrawn: changes, failures, hosts that are done.
fn is_kept(what: &What) -> bool {
    match what {
        What::Ends(result) => {
            matches!(
                result,
                StepResult::Failed(_) | StepResult::Skipped(_) | StepResult::Changed(_)
            )
        }
        What::Done => true,
        What::Waits(..) | What::Begins | What::Doing(_) | What::Silent(..) => false,
    }
}

/// What a host does, in one line.
fn message(step: &str, what: &What) -> String {
    match what {
        What::Begins | What::Ends(_) | What::Done => step.to_owned(),
        What::Doing(command) => format!("{step}: {command}"),
        What::Waits(host, their) => format!("{step} waits for {host}: {their}"),
        What::Silent(after, command) => {
            format!("{step}: nothing heard for {} s: {command}", after.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    fn live() -> Live {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Live { lines: Some(lines), hosts: BTreeMap::new() }
    }

    fn event(host: &str, what: What) -> Event {
        Event { host: host.parse().unwrap(), step: Some("packages:node".into()), what }
    }

    fn shown(live: &Live) -> Vec<String> {
        live.hosts.values().map(|bar| format!("{}: {}", bar.prefix(), bar.message())).collect()
    }

    #[test]
    fn each_host_at_work_has_a_line_that_goes_when_it_is_done() {
        let mut live = live();
        live.show(&event("node1", What::Ends(StepResult::Unchanged)));
        assert!(shown(&live).is_empty(), "nothing is to do there");
        live.show(&event("node1", What::Begins));
        live.show(&event("node2", What::Begins));
        live.show(&event("node2", What::Silent(Duration::from_secs(20), "apt-get update".into())));
        assert_eq!(
            shown(&live),
            [
                "node1: packages:node",
                "node2: packages:node: nothing heard for 20 s: apt-get update"
            ]
        );
        live.show(&event("node1", What::Done));
        assert_eq!(shown(&live).len(), 1);
    }

    #[test]
    fn what_failed_stays_on_the_screen_and_what_is_under_way_does_not() {
        assert!(is_kept(&What::Ends(StepResult::Skipped("node1 failed".into()))));
        assert!(!is_kept(&What::Begins) && !is_kept(&What::Doing("true".into())));
    }

    #[test]
    fn no_more_hosts_have_a_line_than_fit() {
        let mut live = live();
        for n in 0..2 * MOST_LINES {
            live.show(&event(&format!("node{n}"), What::Begins));
        }
        assert_eq!(live.hosts.len(), MOST_LINES);
    }
}
