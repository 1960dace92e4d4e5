//! What was changed by hand since the last apply, as opposed to what the site file newly wants: the
//! hosts note how each step left things, and what is no longer so was changed by somebody.

use super::objects::{ObjectPlan, wanted_digest};
use super::plan::World;
use crate::choices::Choices;
use crate::wanted;
use anyhow::Result;
use serde::Serialize;
use stratus_execute::scripts::{after_image, left_as};
use stratus_plan::facts::{Facts, HostFacts, HostReport, PathKind};
use stratus_plan::plan::{Planned, State};
use stratus_plan::step::{Network, Step, Unit};
use stratus_site::{HostName, Site};
use stratus_terminal::{Exit, note, print_json, print_line};

/// Something that was changed by hand.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Drift {
    /// The host.
    host: HostName,
    /// What.
    what: String,
    /// How it would be mended.
    mend: Vec<String>,
}

/// Shows it. Exit code 10 when there is something, 5 when a host was not reached and the others are
/// as they were left.
pub async fn drift(choices: &Choices) -> Result<Exit> {
    let world = World::look(choices).await?;
    let mut all = Vec::new();
    let mut unknown = false;
    for plan in &world.plan.hosts {
        let (Ok(steps), Some(HostReport::Known(told))) =
            (&plan.steps, world.facts.hosts.get(&plan.host))
        else {
            unknown = true;
            note(&format!("{}: not known; `plan` says why", plan.host));
            continue;
        };
        let found = steps.iter().filter_map(|planned| of_step(told, planned));
        all.extend(found.map(|(what, mend)| Drift { host: plan.host.clone(), what, mend }));
    }
    all.extend(of_objects(&world.loaded.site, &world.facts, &world.objects));
    if choices.json {
        print_json(&all)?;
    } else if all.is_empty() {
        print_line("nothing was changed by hand")?;
    }
    for drift in all.iter().filter(|_| !choices.json) {
        print_line(&format!("{}: {}", drift.host, drift.what))?;
        for line in &drift.mend {
            print_line(&format!("    {line}"))?;
        }
    }
    Ok(match (all.is_empty(), unknown) {
        (false, _) => Exit::Changes,
        (true, true) => Exit::Unreachable,
        (true, false) => Exit::Done,
    })
}

/// What somebody did to what a step made, and what mends it.
fn of_step(told: &HostFacts, planned: &Planned) -> Option<(String, Vec<String>)> {
    let State::Change(lines) = &planned.state else { return None };
    let noted = |step: &Step| told.after.get(&after_image(step)?);
    let what = match &planned.step {
        Step::Packages { names } => {
            let gone: Vec<&str> = names
                .iter()
                .filter(|n| !told.packages.contains_key(*n))
                .filter(|n| told.after.contains_key(&format!("package:{n}")))
                .map(String::as_str)
                .collect();
            let removed = format!("removed by hand: {}", gone.join(", "));
            return (!gone.is_empty()).then_some((removed, lines.clone()));
        }
        Step::Unit(unit) => of_unit(told, unit, noted(&planned.step)?)?,
        Step::File(file) => of_path(told, &file.path, noted(&planned.step)?, lines)?,
        Step::Secret { path, .. } | Step::SecretFile { path, .. } | Step::SshKey { path, .. } => {
            of_path(told, path, noted(&planned.step)?, lines)?
        }
        Step::Network(network) => of_network(told, network)?,
        Step::Group { name, .. } => {
            as_wanted(told, planned)?;
            of_account("group", name, told.groups.contains_key(name))
        }
        Step::User(user) => {
            as_wanted(told, planned)?;
            of_account("user", &user.name, told.users.contains_key(&user.name))
        }
        Step::Directory { path, .. } => {
            as_wanted(told, planned)?;
            match told.paths.get(path).map(|is| is.kind) {
                None => format!("{path} removed by hand"),
                Some(PathKind::Directory) => {
                    format!("{path}: owner or permissions changed by hand")
                }
                Some(_) => format!("{path} is no directory any more"),
            }
        }
        Step::Action { .. } | Step::Database { .. } | Step::Carry(_) => return None,
    };
    Some((what, lines.clone()))
}

/// Something only if the host was left as the site file wants it now.
fn as_wanted(told: &HostFacts, planned: &Planned) -> Option<()> {
    let noted = told.after.get(&after_image(&planned.step)?)?;
    (*noted == left_as(&planned.step)?).then_some(())
}

fn of_account(word: &str, name: &str, there: bool) -> String {
    let what = if there { "changed" } else { "removed" };
    format!("the {word} {name} {what} by hand")
}

/// The host compares these itself: the name of one is only known once its interfaces are.
fn of_network(told: &HostFacts, network: &Network) -> Option<String> {
    let edited = network.files.iter().filter_map(|file| {
        let there = told.edited_network.get(&file.path)?;
        Some(format!("{} {} by hand", file.path, if *there { "changed" } else { "removed" }))
    });
    let edited: Vec<String> = edited.collect();
    (!edited.is_empty()).then(|| edited.join(", "))
}

fn of_path(told: &HostFacts, path: &str, noted: &str, lines: &[String]) -> Option<String> {
    let Some(is) = told.paths.get(path) else { return Some(format!("{path} removed by hand")) };
    // Behind a link is another file, whose digest was not asked for.
    if is.kind == PathKind::Link {
        return None;
    }
    if is.sha256.as_deref() != Some(noted) {
        return Some(format!("{path} changed by hand"));
    }
    let of_access = |l: &String| l.starts_with("owner ") || l.starts_with("permissions ");
    let access = !lines.is_empty() && lines.iter().all(of_access);
    access.then(|| format!("{path}: owner or permissions changed by hand"))
}

/// A unit that was left as the site file wants it now, and is not so.
fn of_unit(told: &HostFacts, unit: &Unit, noted: &str) -> Option<String> {
    let word = |yes: bool, a: &'static str, b: &'static str| if yes { a } else { b };
    let wanted = format!(
        "{},{}",
        word(unit.enabled, "enabled", "disabled"),
        word(unit.running, "running", "stopped")
    );
    let Some(is) = told.units.get(&unit.name) else {
        return Some(format!("{} removed by hand", unit.name));
    };
    let active = matches!(is.active.as_str(), "active" | "activating" | "reloading");
    let enabled = match is.enabled.as_str() {
        "enabled" => true,
        "disabled" | "masked" => false,
        _ => unit.enabled,
    };
    if noted != wanted || (active, enabled) == (unit.running, unit.enabled) {
        return None;
    }
    Some(match (active == unit.running, active, enabled) {
        (false, false, _) => format!("{} stopped by hand", unit.name),
        (false, true, _) => format!("{} started by hand", unit.name),
        (true, _, false) => format!("{} disabled by hand", unit.name),
        (true, _, true) => format!("{} enabled by hand", unit.name),
    })
}

/// OpenNebula's objects were changed by hand if they are not what the same site file made of them.
fn of_objects(site: &Site, facts: &Facts, objects: &ObjectPlan) -> Option<Drift> {
    let ObjectPlan::Known { changes, refusals, .. } = objects else { return None };
    let Some(HostReport::Known(told)) = facts.hosts.get(&site.frontend.host) else { return None };
    let noted = told.after.get("opennebula")?;
    if changes.is_empty() && refusals.is_empty() {
        return None;
    }
    if *noted != wanted_digest(&wanted(site)) {
        note(
            "the site file wants other objects of OpenNebula since the last apply: what was \
             changed there by hand cannot be told apart; `plan` shows all",
        );
        return None;
    }
    let mend = changes.iter().chain(refusals).cloned().collect();
    let what = "objects of OpenNebula changed by hand".to_owned();
    Some(Drift { host: site.frontend.host.clone(), what, mend })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_plan::facts::PathFacts;

    fn told(digest: &str) -> HostFacts {
        let path = PathFacts {
            kind: PathKind::File,
            mode: 0o644,
            owner: "root".into(),
            group: "root".into(),
            sha256: Some(digest.into()),
            content: None,
        };
        HostFacts { paths: [("/x".to_owned(), path)].into(), ..HostFacts::default() }
    }

    #[test]
    fn only_a_file_that_is_not_as_it_was_left_was_changed_by_hand() {
        let of = |digest, lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            of_path(&told(digest), "/x", "1", &lines)
        };
        assert_eq!(of("1", &["-a", "+b"]), None);
        assert_eq!(of("2", &["-a", "+b"]).unwrap(), "/x changed by hand");
        assert!(of("1", &["permissions 0644 become 0600"]).unwrap().contains("permissions"));
        assert_eq!(of_path(&told("1"), "/y", "1", &[]).unwrap(), "/y removed by hand");
    }
}
