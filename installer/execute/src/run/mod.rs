//! Carries a plan out: all hosts at once, each its steps in order.
//!
//! One failed host stops no other one. A step whose predecessor on another host failed is skipped,
//! and says so. Every step is in the journal before and after; a journal that cannot be written
//! stops the run.

mod carry;
mod event;
mod order;
mod report;
mod step;
mod undo;

pub use carry::Freight;
pub use event::{Event, What, line};
pub use report::{Failure, Report, StepResult};
pub use undo::{Target, undo};

use crate::host::{Deadlines, Host};
use crate::journal::{Entry, Journal, NotKept, Record};
use crate::redact::Redactor;
use futures_util::future::join_all;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use stratus_plan::plan::{HostPlan, Plan, Planned, State};
use stratus_site::HostName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Whether a run shall end before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// No.
    #[default]
    No,
    /// After the steps that run now (the first Ctrl-C).
    AfterSteps,
    /// At once (the second one): the commands are ended. A later run goes on where they were.
    Now,
}

/// All that a run needs beside the plan.
pub struct Run {
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, Arc<dyn Host>>,
    /// Most hosts at once.
    pub parallel: usize,
    /// How long a step may take.
    pub deadlines: Deadlines,
    /// Root of the hosts' file systems: empty but in tests.
    pub root: String,
    /// Who runs it: login and host.
    pub who: String,
    /// What is run, for the journal: `apply`.
    pub what: String,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Where records go.
    pub journal: Arc<dyn Journal>,
    /// Where events go.
    pub events: mpsc::UnboundedSender<Event>,
    /// The directory of packages for hosts without internet, if that is where they come from.
    pub offline: Option<Arc<Freight>>,
    /// Whether to end.
    pub stop: watch::Receiver<Stop>,
}

/// What became of a step, for those that wait for it.
type Fate = Option<Result<(), String>>;

struct Context<'a> {
    run: &'a Run,
    redactor: Redactor,
    fates: BTreeMap<(HostName, String), watch::Sender<Fate>>,
    left_out: BTreeMap<HostName, String>,
    permits: Arc<Semaphore>,
    journal_broke: Mutex<Option<String>>,
    abort: watch::Sender<bool>,
}

/// Carries a plan out. The caller ends the run ([`ended`]): it may have more to do in it.
pub async fn apply(plan: &Plan, run: &Run) -> Report {
    if let Some(circle) = order::circle(plan) {
        let stopped = Some(format!("the plan cannot be carried out: {circle}"));
        return Report { stopped, ..Report::default() };
    }
    let context = Context::new(plan, run);
    context.began(&plan.fingerprint).await;
    let all = join_all(plan.hosts.iter().map(|host| context.host(host)));
    let hosts: BTreeMap<_, _> = tokio::select! {
        done = all => done.into_iter().flatten().collect(),
        never = context.abort_when_told() => match never {},
    };
    context.report(hosts)
}

/// Records the end of a run.
pub async fn ended(run: &Run, good: bool) -> Result<(), NotKept> {
    let record = Record { at: (run.now)(), who: run.who.clone(), entry: Entry::RunEnded { good } };
    run.journal.keep(&record).await
}

impl<'a> Context<'a> {
    fn new(plan: &Plan, run: &'a Run) -> Self {
        let mut fates = BTreeMap::new();
        let mut left_out = BTreeMap::new();
        for host in &plan.hosts {
            match &host.steps {
                Err(why) => {
                    left_out.insert(host.host.clone(), why.clone());
                }
                Ok(steps) => {
                    for planned in steps {
                        let name = (host.host.clone(), planned.id.clone());
                        fates.insert(name, watch::Sender::new(None));
                    }
                }
            }
        }
        Self {
            run,
            redactor: Redactor::of(plan),
            fates,
            left_out,
            permits: Arc::new(Semaphore::new(run.parallel.max(1))),
            journal_broke: Mutex::new(None),
            abort: watch::Sender::new(false),
        }
    }

    async fn began(&self, fingerprint: &str) {
        let (what, fingerprint) = (self.run.what.clone(), fingerprint.to_owned());
        self.keep(Entry::RunBegan { what, fingerprint }).await;
    }

    fn report(&self, hosts: BTreeMap<HostName, Vec<(String, StepResult)>>) -> Report {
        let mut report = Report { hosts, left_out: self.left_out.clone(), ..Report::default() };
        report.interrupted = *self.run.stop.borrow() != Stop::No
            && report.hosts.values().flatten().any(|(_, r)| !r.is_good());
        report.stopped = self.broke();
        report
    }

    /// All steps of a host; none where the plan has none for it.
    async fn host(&self, plan: &HostPlan) -> Option<(HostName, Vec<(String, StepResult)>)> {
        let steps = plan.steps.as_ref().ok()?;
        let mut results: Vec<(String, StepResult)> = Vec::new();
        let mut permit = None;
        let mut failed: Option<String> = None;
        for planned in steps {
            let result = match &failed {
                _ if matches!(planned.state, State::Done(_)) => StepResult::Unchanged,
                Some(first) => StepResult::Skipped(format!("{first} failed")),
                None => self.planned(&plan.host, planned, &mut permit).await,
            };
            if matches!(result, StepResult::Failed(_)) {
                failed = Some(planned.id.clone());
            }
            self.settle(&plan.host, planned, &result);
            results.push((planned.id.clone(), result));
        }
        if let Some(host) = self.run.hosts.get(&plan.host) {
            host.renew().await;
        }
        self.tell(&plan.host, None, What::Done);
        Some((plan.host.clone(), results))
    }

    async fn planned(
        &self,
        host: &HostName,
        planned: &Planned,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> StepResult {
        if let Err(why) = self.wait_for_others(host, planned, permit).await {
            return StepResult::Skipped(why);
        }
        if permit.is_none() {
            *permit = self.permits.clone().acquire_owned().await.ok();
        }
        if *self.run.stop.borrow() != Stop::No || self.broke().is_some() {
            return StepResult::NotBegun;
        }
        self.tell(host, Some(&planned.id), What::Begins);
        self.carry_out(host, planned).await
    }

    /// Waits for the steps of other hosts that come first. A host that waits takes nobody's place.
    async fn wait_for_others(
        &self,
        host: &HostName,
        planned: &Planned,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<(), String> {
        for (other, id) in &planned.after {
            let Some(fate) = self.fates.get(&(other.clone(), id.clone())) else {
                let why = self.left_out.get(other).map_or("it is not in the plan", String::as_str);
                return Err(format!("{other}: {id} comes first, and {why}"));
            };
            let mut fate = fate.subscribe();
            if fate.borrow().is_none() {
                permit.take();
                self.tell(host, Some(&planned.id), What::Waits(other.clone(), id.clone()));
            }
            let known = fate.wait_for(Option::is_some).await;
            let known = known.ok().and_then(|f| f.clone());
            known.unwrap_or(Ok(())).map_err(|why| format!("{other}: {id} {why}"))?;
        }
        Ok(())
    }

    fn settle(&self, host: &HostName, planned: &Planned, result: &StepResult) {
        self.tell(host, Some(&planned.id), What::Ends(result.clone()));
        let fate = match result {
            StepResult::Unchanged | StepResult::Same | StepResult::Changed(_) => Ok(()),
            StepResult::Failed(_) => Err("failed".to_owned()),
            StepResult::Skipped(_) => Err("was skipped".to_owned()),
            StepResult::NotBegun => Err("was not begun".to_owned()),
        };
        if let Some(sender) = self.fates.get(&(host.clone(), planned.id.clone())) {
            sender.send_replace(Some(fate));
        }
    }

    fn tell(&self, host: &HostName, step: Option<&str>, what: What) {
        let step = step.map(str::to_owned);
        // Nobody may be looking.
        let _ = self.run.events.send(Event { host: host.clone(), step, what });
    }

    /// Writes a record. False when it is not kept: the run ends.
    async fn keep(&self, entry: Entry) -> bool {
        if self.broke().is_some() {
            return false;
        }
        let record = Record { at: (self.run.now)(), who: self.run.who.clone(), entry };
        let Err(error) = self.run.journal.keep(&record).await else { return true };
        let mut broke =
            self.journal_broke.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        broke.get_or_insert(format!("{error}; nothing is done without a record"));
        false
    }

    fn broke(&self) -> Option<String> {
        self.journal_broke.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Passes the second Ctrl-C on to the steps; never ends by itself.
    async fn abort_when_told(&self) -> std::convert::Infallible {
        let mut stop = self.run.stop.clone();
        if stop.wait_for(|s| *s == Stop::Now).await.is_ok() {
            self.abort.send_replace(true);
        }
        std::future::pending().await
    }
}
