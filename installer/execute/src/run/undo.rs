//! Gives hosts back, each from its own records: nodes first, the front-end after all others.

use super::{Context, Report, Run, StepResult, Stop, What};
use crate::error::Trouble;
use crate::journal::Entry;
use crate::scripts::{self, Back};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use stratus_plan::plan::Plan;
use stratus_site::HostName;

/// A host that is given back.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host.
    pub host: HostName,
    /// What is known of it beside its own records.
    pub back: Back,
    /// Whether others need it while they are given back: the front-end keeps the journal.
    pub last: bool,
}

/// Gives them back. The caller ends the run ([`super::ended`]).
pub async fn undo(targets: &[Target], run: &Run) -> Report {
    let nothing = Plan { fingerprint: String::new(), hosts: Vec::new() };
    let context = Context::new(&nothing, run);
    context.began("").await;
    let mut hosts = BTreeMap::new();
    for last in [false, true] {
        let these = targets.iter().filter(|t| t.last == last);
        let all = join_all(these.map(|target| context.back(target)));
        let done = tokio::select! {
            done = all => done,
            never = context.abort_when_told() => match never {},
        };
        hosts.extend(done);
    }
    context.report(hosts)
}

impl Context<'_> {
    async fn back(&self, target: &Target) -> (HostName, Vec<(String, StepResult)>) {
        let name = &target.host;
        // The semaphore is never closed.
        let _permit = self.permits.clone().acquire_owned().await.ok();
        let mut results = Vec::new();
        let Some(host) = self.run.hosts.get(name) else {
            return (name.clone(), vec![("back".to_owned(), self.no_way(name))]);
        };
        let jobs = match scripts::undo(&target.back, &self.run.root, self.run.deadlines) {
            Ok(jobs) => jobs,
            Err(unfit) => {
                let failed = self.failed(&Trouble::Here(unfit.to_string()).of(name));
                return (name.clone(), vec![("back".to_owned(), failed)]);
            }
        };
        let mut good = true;
        for (id, job) in jobs {
            let result = if !good {
                StepResult::Skipped("a step before failed".to_owned())
            } else if *self.run.stop.borrow() != Stop::No || self.broke().is_some() {
                StepResult::NotBegun
            } else {
                self.tell(name, Some(id), What::Begins);
                let began = Entry::StepBegan {
                    host: name.clone(),
                    step: id.to_owned(),
                    reason: "the host is given back".to_owned(),
                    before: None,
                };
                self.recorded(began, name, id, self.drive(host, id, job)).await
            };
            good = result.is_good();
            self.tell(name, Some(id), What::Ends(result.clone()));
            results.push((id.to_owned(), result));
        }
        host.renew().await;
        self.tell(name, None, What::Done);
        (name.clone(), results)
    }
}
