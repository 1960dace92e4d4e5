//! One step on one host: what it needs from others, its journal, its program, its confirmation.

use super::{Context, Failure, StepResult, What};
use crate::drive::{Attention, run, run_well};
use crate::error::{HostError, Trouble};
use crate::host::{Heard, Host, Output, Work};
use crate::journal::{Ended, Entry};
use crate::scripts::{self, Job, Known, quote};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stratus_plan::plan::Planned;
use stratus_plan::step::Step;
use stratus_site::HostName;
use tokio::time::{Instant, sleep};

/// A new network is confirmed within this time, or comes back: less than the timer's 60 s.
const CONFIRM_WITHIN: Duration = Duration::from_secs(55);
const CONFIRM_EVERY: Duration = Duration::from_millis(500);
const LARGEST_TAKEN: usize = 64 << 10;

impl Context<'_> {
    pub(super) async fn carry_out(&self, name: &HostName, planned: &Planned) -> StepResult {
        let Some(host) = self.run.hosts.get(name).cloned() else { return self.no_way(name) };
        let began = Entry::StepBegan {
            host: name.clone(),
            step: planned.id.clone(),
            reason: planned.reason.clone(),
            before: scripts::before_image(&planned.step),
        };
        self.recorded(began, name, &planned.id, self.work(&host, planned)).await
    }

    pub(super) fn no_way(&self, name: &HostName) -> StepResult {
        let trouble = Trouble::Here("the run has no way to this host".into()).of(name);
        self.failed(&trouble)
    }

    /// Does something between its two records.
    pub(super) async fn recorded(
        &self,
        began: Entry,
        name: &HostName,
        id: &str,
        work: impl Future<Output = Result<Output, HostError>>,
    ) -> StepResult {
        if !self.keep(began).await {
            return StepResult::NotBegun;
        }
        let result = match work.await {
            Ok(output) => done(&self.redactor.clean(&String::from_utf8_lossy(&output.stdout))),
            Err(error) => self.failed(&error),
        };
        let ended = match &result {
            StepResult::Changed(what) => Ended::Changed(what.clone()),
            StepResult::Failed(failure) => Ended::Failed(failure.cause.clone()),
            _ => Ended::Same,
        };
        let (host, step) = (name.clone(), id.to_owned());
        self.keep(Entry::StepEnded { host, step, result: ended }).await;
        result
    }

    pub(super) fn failed(&self, error: &HostError) -> StepResult {
        let unreachable = matches!(error.trouble, Trouble::Unreachable(_));
        let cause = self.redactor.clean(&error.to_string());
        StepResult::Failed(Failure { cause, cure: error.cure(), unreachable })
    }

    async fn work(&self, host: &Arc<dyn Host>, planned: &Planned) -> Result<Output, HostError> {
        if let Step::Carry(carry) = &planned.step {
            return self.carry(host, &planned.id, carry).await;
        }
        let known = self.read_needed(host.name(), planned).await?;
        let deadlines = self.run.deadlines;
        let job = scripts::job(&planned.step, &known, &self.run.root, deadlines)
            .map_err(|e| Trouble::Here(format!("{}: {e}", planned.id)).of(host.name()))?;
        self.drive(host, &planned.id, job).await
    }

    /// A job, and its confirmation if it has one.
    pub(super) async fn drive(
        &self,
        host: &Arc<dyn Host>,
        id: &str,
        job: Job,
    ) -> Result<Output, HostError> {
        let begun = Instant::now();
        let doing = Mutex::new(job.work.what.clone());
        let heard = |heard: Heard| self.heard(host.name(), id, &doing, heard);
        let attention = Attention { heard: &heard, abort: Some(self.abort.subscribe()) };
        let output = run_well(&**host, &job.work, &attention).await;
        let Some(confirm) = job.confirm else { return output };
        // The connection may have broken because the network is the new one already.
        let cut =
            |e: &HostError| matches!(e.trouble, Trouble::Broken { .. } | Trouble::Silent { .. });
        match output {
            Err(error) if !cut(&error) => Err(error),
            other => {
                self.confirm(host, &confirm, begun).await?;
                Ok(other.unwrap_or_default())
            }
        }
    }

    /// Confirms a new network over a new connection: the old one proves nothing.
    async fn confirm(
        &self,
        host: &Arc<dyn Host>,
        confirm: &Work,
        begun: Instant,
    ) -> Result<(), HostError> {
        loop {
            host.renew().await;
            let attention = Attention { heard: &|_| (), abort: Some(self.abort.subscribe()) };
            let tried = run(&**host, confirm, &attention);
            let left = CONFIRM_WITHIN.saturating_sub(begun.elapsed());
            let error = match tokio::time::timeout(left.max(CONFIRM_EVERY), tried).await {
                Ok(Ok(output)) if output.status == 0 => return Ok(()),
                Ok(Ok(output)) if output.status != 75 => {
                    let (status, last) = (output.status, output.stderr.trim().to_owned());
                    let command = confirm.what.clone();
                    return Err(Trouble::Failed { status, command, last }.of(host.name()));
                }
                Ok(Err(error)) if matches!(error.trouble, Trouble::Aborted { .. }) => {
                    return Err(error);
                }
                Ok(Err(error)) => error.trouble.to_string(),
                Ok(Ok(_)) | Err(_) => "the new network is not loaded yet".to_owned(),
            };
            if begun.elapsed() >= CONFIRM_WITHIN {
                let text = format!(
                    "over the new network the host does not answer ({error}); the old one comes back by itself within a minute"
                );
                return Err(Trouble::Unreachable(text).of(host.name()));
            }
            sleep(CONFIRM_EVERY).await;
        }
    }

    /// The files of other hosts that go into this step.
    async fn read_needed(&self, name: &HostName, planned: &Planned) -> Result<Known, HostError> {
        let mut known = Known { offline: self.run.offline.is_some(), ..Known::default() };
        if let Step::SecretFile { source, .. } = &planned.step {
            let read = tokio::fs::read(source).await;
            let bytes = read.map_err(|e| {
                let text = format!("{} cannot be read here: {e}", source.display());
                Trouble::Here(text).of(name)
            })?;
            known.source = Some(bytes.into());
        }
        for (name, path) in scripts::needs(&planned.step) {
            let Some(host) = self.run.hosts.get(&name) else {
                let text = format!("{path} is needed, and the run has no way to its host");
                return Err(Trouble::Here(text).of(&name));
            };
            let work = Work {
                what: format!("reading {path}"),
                script: format!("exec cat -- {}", quote(&format!("{}{path}", self.run.root))),
                payload: Vec::new(),
                deadlines: self.run.deadlines,
                stdout_limit: LARGEST_TAKEN,
            };
            let output = run_well(&**host, &work, &Attention::none()).await?;
            let text = String::from_utf8(output.stdout).map_err(|_| {
                let reason = "it is not text".to_owned();
                Trouble::Answer { command: work.what.clone(), reason }.of(&name)
            })?;
            known.files.insert((name, path), text);
        }
        Ok(known)
    }

    pub(super) fn heard(&self, host: &HostName, id: &str, doing: &Mutex<String>, heard: Heard) {
        let mut doing = doing.lock().unwrap_or_else(PoisonError::into_inner);
        let what = match heard {
            Heard::Doing(command) => {
                doing.clone_from(&self.redactor.clean(&command));
                What::Doing(doing.clone())
            }
            Heard::Silent(after) => What::Silent(after, doing.clone()),
        };
        self.tell(host, Some(id), what);
    }
}

/// What a step's program says that it changed, or left.
fn done(stdout: &str) -> StepResult {
    let said = |l: &str| {
        let left = l.starts_with("left ").then_some(l);
        l.strip_prefix("changed ").or(left).map(str::to_owned)
    };
    let changed: Vec<String> = stdout.lines().filter_map(said).collect();
    if changed.is_empty() { StepResult::Same } else { StepResult::Changed(changed) }
}
