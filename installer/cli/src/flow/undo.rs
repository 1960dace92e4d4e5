//! Giving hosts back as they were.

use super::agreed;
use super::plan::World;
use crate::choices::Choices;
use crate::site_file::load;
use anyhow::Result;
use std::sync::Arc;
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Deadlines, Host};
use stratus_execute::scripts;
use stratus_plan::plan::{HostPlan, Role};
use stratus_terminal::{Exit, note, print_line};

/// Gives every host back as it was, nodes first, and lists what stays.
pub async fn uninstall(choices: &Choices) -> Result<Exit> {
    let world = World::of(choices, load(&choices.config)?, choices.limit.clone()).await?;
    let hosts = world.plan.hosts.len();
    if !agreed(choices, &format!("Give {hosts} hosts back as they were before Stratus?"))? {
        return Ok(Exit::Changes);
    }
    give_back(&world).await
}

/// Takes the steps of the planned hosts back, last first; the front-end after all others.
pub(super) async fn give_back(world: &World) -> Result<Exit> {
    let (frontends, others): (Vec<&HostPlan>, Vec<&HostPlan>) =
        world.plan.hosts.iter().partition(|h| h.roles.contains(&Role::Frontend));
    let mut exit = Exit::Done;
    for plan in others.into_iter().chain(frontends) {
        let Some(host) = world.fleet.hosts.get(&plan.host) else { continue };
        if let Err(reason) = one(world, plan, host).await? {
            note(&format!("{}: {reason}", plan.host));
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// One host. The inner error is what stopped it; the other hosts go on.
async fn one(world: &World, plan: &HostPlan, host: &Arc<dyn Host>) -> Result<Result<(), String>> {
    let steps = match &plan.steps {
        Ok(steps) => steps,
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let deadlines = Deadlines::silent_for(world.loaded.site.ssh.step_timeout);
    for planned in steps.iter().rev() {
        let Some(work) = scripts::undo(&planned.step, "", deadlines)? else { continue };
        match run_well(&**host, &work, &Attention::none()).await {
            Ok(output) => {
                for line in said(&String::from_utf8_lossy(&output.stdout)) {
                    print_line(&format!("{}: {line}", plan.host))?;
                }
            }
            Err(error) => return Ok(Err(format!("{}: {error}; {}", planned.id, error.cure()))),
        }
    }
    host.renew().await;
    note(&format!("{}: as it was before, but for what is listed", plan.host));
    Ok(Ok(()))
}

/// What a step back says that it changed, or left; package managers say more.
fn said(stdout: &str) -> impl Iterator<Item = &str> {
    stdout.lines().filter_map(|line| {
        line.strip_prefix("changed ").or_else(|| line.starts_with("left ").then_some(line))
    })
}
