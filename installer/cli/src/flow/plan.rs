//! What would be done, and why.

use super::objects::{self, ObjectPlan};
use crate::choices::Choices;
use crate::fleet::Fleet;
use crate::gather;
use crate::site_file::{Loaded, load};
use anyhow::Result;
use serde::Serialize;
use stratus_plan::facts::{Facts, HostReport};
use stratus_plan::plan::Plan;
use stratus_plan::render;
use stratus_site::HostName;
use stratus_terminal::{Exit, print_json, print_line};

/// Everything that is known and wanted at one moment.
pub(super) struct World {
    pub(super) loaded: Loaded,
    pub(super) fleet: Fleet,
    pub(super) facts: Facts,
    pub(super) plan: Plan,
    pub(super) objects: ObjectPlan,
}

impl World {
    /// Reads the file, asks the hosts and OpenNebula, and plans.
    pub(super) async fn look(choices: &Choices) -> Result<Self> {
        Self::of(choices, load(choices)?, choices.limit.clone()).await
    }

    /// The same of a file that was read, for these hosts; for all where there are none.
    pub(super) async fn of(
        choices: &Choices,
        loaded: Loaded,
        limit: Vec<HostName>,
    ) -> Result<Self> {
        let choices = Choices { limit, ..choices.clone() };
        let fleet = Fleet::of(&loaded.site, &choices)?;
        let facts = gather::facts(&loaded.site, &fleet, &choices).await?;
        let mut plan = stratus_plan::plan(&loaded.site, &facts, &loaded.inputs);
        plan.hosts.retain(|h| choices.means(&h.host));
        let objects = objects::plan(&loaded.site, &fleet, &facts, &choices).await;
        Ok(Self { loaded, fleet, facts, plan, objects })
    }

    /// Whether anything is to do.
    pub(super) fn is_settled(&self) -> bool {
        self.plan.is_empty()
            && self.plan.hosts.iter().all(|h| h.steps.is_ok())
            && self.objects.is_settled()
    }

    fn all_known(&self) -> bool {
        self.facts.hosts.values().all(|r| matches!(r, HostReport::Known(_)))
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    objects: &'a ObjectPlan,
}

/// Shows the plan. Exit code 10 when there is something to do, 5 when a host was not reached and
/// the rest is done.
pub async fn plan(choices: &Choices) -> Result<Exit> {
    let world = World::look(choices).await?;
    if choices.json {
        print_json(&Shown { plan: &world.plan, objects: &world.objects })?;
    } else {
        print_line(&shown(&world, choices))?;
    }
    Ok(match (world.is_settled(), world.all_known()) {
        (true, _) => Exit::Done,
        (false, false) if world.plan.is_empty() && world.objects.is_settled() => Exit::Unreachable,
        (false, _) => Exit::Changes,
    })
}

/// The plan for people.
pub(super) fn shown(world: &World, choices: &Choices) -> String {
    let hosts = if choices.verbose { render::full(&world.plan) } else { render::text(&world.plan) };
    let objects = world.objects.text();
    format!("{objects}{}", hosts.trim_end())
}
