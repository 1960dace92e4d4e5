//! What would be done, and why.

use super::objects::{self, ObjectPlan};
use crate::choices::Choices;
use crate::fleet::Fleet;
use crate::gather;
use crate::site_file::{Loaded, load};
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeSet;
use stratus_plan::facts::{Facts, HostReport};
use stratus_plan::plan::Plan;
use stratus_plan::render;
use stratus_site::HostName;
use stratus_terminal::{Exit, note, print_json, print_line};

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

    /// The hosts that are meant and said nothing.
    fn away(&self) -> Vec<&HostName> {
        let meant = self.plan.hosts.iter().map(|plan| &plan.host);
        away(&self.facts, meant.chain([&self.loaded.site.frontend.host]))
    }

    /// 0 when nothing is to do and 10 when something is; 5 when nobody can say, because a host was
    /// not reached and nothing is to do on the others.
    fn exit(&self) -> Exit {
        let changes = !self.plan.is_empty() || self.objects.has_changes();
        exit(self.is_settled(), changes, self.away().is_empty())
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    objects: &'a ObjectPlan,
}

/// Shows the plan. Exit code 10 when there is something to do, 5 when no host was reached, or some
/// were not and the rest is done.
pub async fn plan(choices: &Choices) -> Result<Exit> {
    let world = World::look(choices).await?;
    if choices.json {
        print_json(&Shown { plan: &world.plan, objects: &world.objects })?;
    } else {
        print_line(&shown(&world, choices))?;
    }
    tell_away(&world.away());
    Ok(world.exit())
}

fn exit(is_settled: bool, has_changes: bool, all_reached: bool) -> Exit {
    match (is_settled, has_changes, all_reached) {
        (true, ..) => Exit::Done,
        (false, false, false) => Exit::Unreachable,
        (false, ..) => Exit::Changes,
    }
}

/// Those of the hosts that said nothing, each once.
pub(super) fn away<'a>(
    facts: &Facts,
    hosts: impl Iterator<Item = &'a HostName>,
) -> Vec<&'a HostName> {
    let said = |host: &HostName| matches!(facts.hosts.get(host), Some(HostReport::Known(_)));
    let silent: BTreeSet<&HostName> = hosts.filter(|host| !said(host)).collect();
    silent.into_iter().collect()
}

/// Tells who was not reached.
pub(super) fn tell_away(hosts: &[&HostName]) {
    const SHOWN: usize = 10;
    if hosts.is_empty() {
        return;
    }
    let names: Vec<&str> = hosts.iter().take(SHOWN).map(|host| host.as_str()).collect();
    let more = match hosts.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    note(&format!("not reached: {}{more}; `stratus-install preflight` says why", names.join(", ")));
}

/// The plan for people.
pub(super) fn shown(world: &World, choices: &Choices) -> String {
    let hosts = if choices.verbose { render::full(&world.plan) } else { render::text(&world.plan) };
    let objects = world.objects.text();
    format!("{objects}{}", hosts.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_are_known_count_more_than_hosts_that_are_away() {
        assert_eq!(exit(true, false, true), Exit::Done);
        assert_eq!(exit(false, true, true), Exit::Changes);
        assert_eq!(exit(false, true, false), Exit::Changes);
        assert_eq!(exit(false, false, false), Exit::Unreachable);
        // A host that was reached and cannot be planned for has to be mended, not waited for.
        assert_eq!(exit(false, false, true), Exit::Changes);
    }
}
