//! Doing what the plan says.

use super::agreed;
use super::look::{findings, shown as findings_shown};
use super::objects;
use super::plan::{World, shown};
use crate::choices::Choices;
use crate::live::Live;
use crate::wanted;
use anyhow::Result;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use stratus_execute::host::Deadlines;
use stratus_execute::keeper::{Holder, Keeper, NotTaken};
use stratus_execute::run::{self, Run, Stop};
use stratus_plan::Severity;
use stratus_site::HostName;
use stratus_terminal::{Exit, Failure, note, print_line};
use tokio::sync::{mpsc, watch};

/// Shows the plan, asks, and carries it out. Hosts that something stands in the way of are left
/// out, and the exit code tells.
pub async fn apply(choices: &Choices) -> Result<Exit> {
    let mut world = World::look(choices).await?;
    let findings = findings(&world.loaded.site, &world.facts, choices);
    if !findings.is_empty() {
        note(&findings_shown(&findings));
    }
    let refused: BTreeSet<HostName> = findings
        .iter()
        .filter(|f| f.severity == Severity::Refuse)
        .map(|f| f.host.clone())
        .collect();
    if world.is_settled() {
        note("nothing is to be done");
        return Ok(if refused.is_empty() { Exit::Done } else { Exit::Failed });
    }
    print_line(&shown(&world, choices))?;
    if !agreed(choices, "Do this?")? {
        return Ok(Exit::Changes);
    }
    leave_out(&mut world, &refused);
    carry_out(&world, "apply").await
}

/// Nothing is done to a host that something stands in the way of.
fn leave_out(world: &mut World, refused: &BTreeSet<HostName>) {
    for host in &mut world.plan.hosts {
        if refused.contains(&host.host) && host.steps.is_ok() {
            host.steps = Err("something stands in the way, see above".to_owned());
        }
    }
}

/// Takes the lock, does everything, and tells.
pub(super) async fn carry_out(world: &World, what: &str) -> Result<Exit> {
    let site = &world.loaded.site;
    let frontend = world.fleet.frontend(site);
    let (who, from) = (login(), machine());
    let now = Timestamp::now();
    let holder =
        Holder { who: who.clone(), from: from.clone(), since: now, pid: std::process::id() };
    let name = format!("{}-{}.jsonl", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
    let keeper = Keeper::take(&*frontend, "", &holder, &name).await.map_err(not_taken)?;
    let keeper = Arc::new(keeper);
    let (events, mut heard) = mpsc::unbounded_channel();
    let teller = tokio::spawn(async move {
        let mut live = Live::new();
        while let Some(event) = heard.recv().await {
            live.show(&event);
        }
        live.end();
    });
    let run = Run {
        hosts: world.fleet.hosts.clone(),
        parallel: usize::from(site.ssh.parallel).max(1),
        deadlines: Deadlines::silent_for(site.ssh.step_timeout),
        root: String::new(),
        who: format!("{who}@{from}"),
        what: what.to_owned(),
        now: Timestamp::now,
        journal: keeper.clone(),
        events,
        stop: stop_on_interrupt(),
    };
    let report = run::apply(&world.plan, &run).await;
    drop(run);
    teller.await?;
    let mut text = report.text();
    let mut exit = exit(report.exit_code());
    let daemon_is_up = report
        .hosts
        .get(&site.frontend.host)
        .is_none_or(|steps| steps.iter().all(|(_, result)| result.is_good()));
    if daemon_is_up && report.stopped.is_none() && !report.interrupted {
        for bad in objects::carry_out(site, &world.fleet, &wanted(site)).await? {
            text.push_str(&format!("OpenNebula: {bad}\n"));
            exit = Exit::Failed;
        }
    } else {
        text.push_str("OpenNebula's objects were left alone, for its host is not ready.\n");
        exit = Exit::Failed;
    }
    // The lock ends here: OpenNebula's objects are part of the work.
    drop(keeper);
    print_line(text.trim_end())?;
    Ok(exit)
}

fn exit(code: u8) -> Exit {
    match code {
        0 => Exit::Done,
        5 => Exit::Unreachable,
        _ => Exit::Failed,
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
