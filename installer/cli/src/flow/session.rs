//! One piece of work on a site: its lock, its journal, and what is said while it goes on.

use super::plan::World;
use crate::fleet::Fleet;
use crate::live::Live;
use anyhow::{Error, Result};
use jiff::Timestamp;
use std::sync::Arc;
use stratus_execute::host::Deadlines;
use stratus_execute::journal::{Ended, Entry, Record};
use stratus_execute::keeper::{Holder, Keeper, NotTaken};
use stratus_execute::run::{self, Freight, Run, Stop};
use stratus_site::{HostName, Site};
use stratus_terminal::{Exit, Failure, note};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The lock is held as long as this lives.
pub(super) struct Session {
    pub(super) run: Run,
    frontend: HostName,
    teller: JoinHandle<()>,
}

impl Session {
    /// Takes the lock. `what` is the word for the journal.
    pub(super) async fn begin(world: &World, what: &str) -> Result<Self> {
        let freight = world.loaded.freight();
        Self::of(&world.loaded.site, &world.fleet, freight, what).await
    }

    /// The same where nothing was planned.
    pub(super) async fn over(site: &Site, fleet: &Fleet, what: &str) -> Result<Self> {
        Self::of(site, fleet, None, what).await
    }

    async fn of(
        site: &Site,
        fleet: &Fleet,
        offline: Option<Arc<Freight>>,
        what: &str,
    ) -> Result<Self> {
        let (frontend, hosts) = (fleet.frontend(site), fleet.hosts.clone());
        let (who, from) = (login(), machine());
        let (since, pid) = (Timestamp::now(), std::process::id());
        let holder = Holder { who: who.clone(), from: from.clone(), since, pid };
        let name = format!("{}-{pid}.jsonl", since.strftime("%Y%m%dT%H%M%SZ"));
        let keeper = Keeper::take(&*frontend, "", &holder, &name).await.map_err(not_taken)?;
        let (events, mut heard) = mpsc::unbounded_channel();
        let teller = tokio::spawn(async move {
            let mut live = Live::new();
            while let Some(event) = heard.recv().await {
                live.show(&event);
            }
            live.end();
        });
        let run = Run {
            hosts,
            parallel: usize::from(site.ssh.parallel).max(1),
            deadlines: Deadlines::silent_for(site.ssh.step_timeout),
            root: String::new(),
            who: format!("{who}@{from}"),
            what: what.to_owned(),
            now: Timestamp::now,
            journal: Arc::new(keeper),
            events,
            offline,
            stop: stop_on_interrupt(),
        };
        Ok(Self { run, frontend: site.frontend.host.clone(), teller })
    }

    /// Records that a run begins that carries out no plan and gives no host back: those do it
    /// themselves.
    pub(super) async fn run_began(&self) -> Result<()> {
        let what = self.run.what.clone();
        self.keep(Entry::RunBegan { what, fingerprint: String::new() }).await
    }

    /// Records that something begins that is no step of a plan.
    pub(super) async fn began(&self, step: &str, reason: &str) -> Result<()> {
        let (host, step, reason) = (self.frontend.clone(), step.to_owned(), reason.to_owned());
        self.keep(Entry::StepBegan { host, step, reason, before: None }).await
    }

    /// Records how it ended.
    pub(super) async fn ended(&self, step: &str, result: Ended) -> Result<()> {
        let (host, step) = (self.frontend.clone(), step.to_owned());
        self.keep(Entry::StepEnded { host, step, result }).await
    }

    async fn keep(&self, entry: Entry) -> Result<()> {
        let record = Record { at: (self.run.now)(), who: self.run.who.clone(), entry };
        self.run.journal.keep(&record).await.map_err(Error::from)
    }

    /// Records the end, and gives the lock up.
    pub(super) async fn end(self, good: bool) -> Result<()> {
        let Self { run, teller, .. } = self;
        let kept = run::ended(&run, good).await;
        drop(run);
        teller.await?;
        Ok(kept?)
    }
}

fn not_taken(error: NotTaken) -> Failure {
    let exit = match &error {
        NotTaken::Held(_) | NotTaken::HeldByUnknown => Exit::Failed,
        NotTaken::Host(_) => Exit::Unreachable,
    };
    Failure::new(exit, "the site is not to be had").because(error)
}

/// The first Ctrl-C ends the run after the steps that are under way, the second at once.
fn stop_on_interrupt() -> watch::Receiver<Stop> {
    let (sender, receiver) = watch::channel(Stop::No);
    tokio::spawn(async move {
        for stop in [Stop::AfterSteps, Stop::Now] {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            note("ending after the steps under way; again to end at once");
            sender.send_replace(stop);
        }
    });
    receiver
}

fn login() -> String {
    std::env::var("SUDO_USER")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_else(|_| rustix::process::getuid().as_raw().to_string())
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
