//! Doing what the plan says.

use super::agreed;
use super::look::{findings, shown as findings_shown};
use super::objects;
use super::plan::{World, shown};
use super::session::Session;
use crate::choices::Choices;
use crate::gather;
use crate::wanted;
use anyhow::Result;
use std::collections::BTreeSet;
use stratus_execute::run;
use stratus_plan::Severity;
use stratus_site::HostName;
use stratus_terminal::{Exit, note, print_line};

/// Shows the plan, asks, and carries it out. Hosts that something stands in the way of are left
/// out, and the exit code tells.
pub async fn apply(choices: &Choices) -> Result<Exit> {
    let mut world = World::look(choices).await?;
    if !world.is_settled() && choices.facts.is_none() {
        gather::around(&world.loaded.site, &world.fleet, &mut world.facts).await;
    }
    let findings = findings(&world.loaded, &world.facts, choices);
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
    if !agreed(choices, "Do this?", "what `plan` shows is what you want")? {
        return Ok(Exit::Changes);
    }
    leave_out(&mut world, &refused);
    carry_out(&world).await
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
async fn carry_out(world: &World) -> Result<Exit> {
    let session = Session::begin(world, "apply").await?;
    let report = run::apply(&world.plan, &session.run).await;
    let mut text = report.text();
    let mut exit = exit(report.exit_code());
    let site = &world.loaded.site;
    let daemon_is_up = report
        .hosts
        .get(&site.frontend.host)
        .is_none_or(|steps| steps.iter().all(|(_, result)| result.is_good()));
    if report.stopped.is_some() {
        print_line(text.trim_end())?;
        return Ok(exit);
    }
    if daemon_is_up && !report.interrupted {
        let wanted = wanted(site);
        for bad in objects::carry_out(&session, site, &world.fleet, &wanted).await? {
            text.push_str(&format!("OpenNebula: {bad}\n"));
            exit = Exit::Failed;
        }
        objects::note_wanted(&session, &*world.fleet.frontend(site), &wanted).await?;
    } else {
        text.push_str("OpenNebula's objects were left alone, for its host is not ready.\n");
        exit = Exit::Failed;
    }
    session.end(exit == Exit::Done).await?;
    print_line(text.trim_end())?;
    Ok(exit)
}

pub(super) fn exit(code: u8) -> Exit {
    match code {
        0 => Exit::Done,
        5 => Exit::Unreachable,
        _ => Exit::Failed,
    }
}
