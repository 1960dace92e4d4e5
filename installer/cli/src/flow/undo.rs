//! Giving hosts back as they were.

use super::agreed;
use super::apply::exit;
use super::plan::World;
use super::session::Session;
use crate::choices::Choices;
use crate::site_file::load;
use anyhow::Result;
use stratus_execute::run::{self, Report, StepResult, Target};
use stratus_execute::scripts::Back;
use stratus_plan::OVERLAY_DATA;
use stratus_plan::metadata::opennebula;
use stratus_plan::plan::{HostPlan, Role};
use stratus_plan::step::Step;
use stratus_terminal::{Exit, note, print_line};

/// Gives every host back as it was, nodes first, and lists what stays.
pub async fn uninstall(choices: &Choices) -> Result<Exit> {
    let world = World::of(choices, load(choices)?, choices.limit.clone()).await?;
    let hosts = world.plan.hosts.len();
    let question = format!("Give {hosts} hosts back as they were before Stratus?");
    if !agreed(choices, &question, "these hosts are to become what they were before Stratus")? {
        return Ok(Exit::Changes);
    }
    let session = Session::begin(&world, "uninstall").await?;
    let done = give_back(&world, &session).await?;
    session.end(done == Exit::Done).await?;
    Ok(done)
}

/// Takes the planned hosts back, the front-end after all others.
pub(super) async fn give_back(world: &World, session: &Session) -> Result<Exit> {
    let targets: Vec<Target> = world.plan.hosts.iter().map(target).collect();
    let report = run::undo(&targets, &session.run).await;
    tell(&report)?;
    Ok(exit(report.exit_code()))
}

/// The plan gives the order in which units end, and says where OpenNebula's data and keys are; the rest is
/// in the host's own records.
fn target(plan: &HostPlan) -> Target {
    let units = plan.steps.iter().flatten().rev().filter_map(|planned| match &planned.step {
        Step::Unit(unit) => Some(unit.name.clone()),
        _ => None,
    });
    let last = plan.roles.contains(&Role::Frontend);
    let mut data: Vec<String> = last.then(|| opennebula().user.home.clone()).into_iter().collect();
    // Burst nodes elsewhere have certificates of the authority there.
    data.extend(plan.roles.contains(&Role::Gateway).then(|| OVERLAY_DATA.to_owned()));
    Target { host: plan.host.clone(), back: Back { units: units.collect(), data }, last }
}

/// What changed, and what stays.
fn tell(report: &Report) -> Result<()> {
    for (host, steps) in &report.hosts {
        for (_, result) in steps {
            let StepResult::Changed(lines) = result else { continue };
            for line in lines {
                print_line(&format!("{host}: {line}"))?;
            }
        }
        if steps.iter().all(|(_, r)| r.is_good()) {
            note(&format!("{host}: as it was before, but for what is listed"));
        }
    }
    let text = report.text();
    if !report.is_good() {
        print_line(text.trim_end())?;
    }
    Ok(())
}
