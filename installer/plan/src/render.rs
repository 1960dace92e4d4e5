//! A plan as text for people: grouped by what hosts are for, each step once for all hosts that it
//! is the same on, so that the plan of three thousand nodes is as long as that of two.

use crate::plan::{HostPlan, Plan, Planned, Role, Stage, State};
use std::collections::{BTreeMap, BTreeSet};

mod brief;

/// The plan as an administrator reads it before saying yes: new files as a count of lines, what is
/// done as a number.
pub fn text(plan: &Plan) -> String {
    let text: String = groups(plan).iter().map(brief::group).collect();
    text + &summary(plan)
}

/// The plan with every line of every file, and why nothing is to do where nothing is.
pub fn full(plan: &Plan) -> String {
    let text: String = groups(plan).iter().map(group).collect();
    text + &summary(plan)
}

/// The hosts that are for the same.
struct Group<'a> {
    roles: &'a BTreeSet<Role>,
    hosts: Vec<&'a HostPlan>,
}

impl<'a> Group<'a> {
    /// The hosts that have a plan, with it.
    fn planned(&self) -> Vec<(&'a HostPlan, &'a [Planned])> {
        self.hosts.iter().filter_map(|h| Some((*h, h.steps.as_deref().ok()?))).collect()
    }

    /// The steps of all hosts, those with the same name together, in the order of the stages.
    fn steps(&self) -> Vec<Vec<OnHost<'a>>> {
        by_step(&self.planned())
    }
}

fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut index: BTreeMap<&BTreeSet<Role>, usize> = BTreeMap::new();
    for host in &plan.hosts {
        let at = *index.entry(&host.roles).or_insert_with(|| {
            groups.push(Group { roles: &host.roles, hosts: Vec::new() });
            groups.len() - 1
        });
        groups[at].hosts.push(host);
    }
    groups
}

/// What the hosts are for, their names, and those without a plan.
fn role_title(group: &Group) -> String {
    let roles: Vec<&str> = group.roles.iter().map(|&r| role_text(r)).collect();
    let names: Vec<&str> = group.hosts.iter().map(|h| h.host.as_str()).collect();
    format!("{}: {}\n{}", roles.join(", "), shortened(&names), failures(&group.hosts))
}

fn group(group: &Group) -> String {
    let mut text = role_title(group);
    let of = group.planned().len();
    let mut stage = None;
    for variants in group.steps() {
        let first = variants[0].1;
        if stage != Some(first.stage) {
            stage = Some(first.stage);
            text.push_str(&format!("\n  {}\n", stage_text(first.stage)));
        }
        text.push_str(&step(&variants, of));
    }
    text.push('\n');
    text
}

/// Hosts without a plan, by reason.
fn failures(hosts: &[&HostPlan]) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        if let Err(reason) = &host.steps {
            reasons.entry(reason).or_default().push(host.host.as_str());
        }
    }
    let line = |(reason, names): (&str, Vec<&str>)| {
        format!("  no plan for {}: {reason}\n", shortened(&names))
    };
    reasons.into_iter().map(line).collect()
}

type OnHost<'a> = (&'a HostPlan, &'a Planned);

fn by_step<'a>(hosts: &[(&'a HostPlan, &'a [Planned])]) -> Vec<Vec<OnHost<'a>>> {
    let mut steps: Vec<Vec<OnHost>> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (host, planned) in hosts {
        for one in *planned {
            let at = *index.entry(&one.id).or_insert_with(|| {
                steps.push(Vec::new());
                steps.len() - 1
            });
            steps[at].push((host, one));
        }
    }
    steps.sort_by_key(|on_hosts| on_hosts[0].1.stage);
    steps
}

/// One step on all hosts that have it: what is to do, then where nothing is.
fn step(on_hosts: &[OnHost], of: usize) -> String {
    let (done, todo): (Vec<OnHost>, Vec<OnHost>) =
        on_hosts.iter().partition(|(_, p)| matches!(p.state, State::Done(_)));
    let mut text = String::new();
    for (word, some) in [("change", change(&todo, true)), ("later", change(&todo, false))] {
        if let Some((host, planned)) = some.first() {
            let place = place(&some, of, host.host.as_str());
            text.push_str(&format!("    {word:<7}{}{place}\n", planned.id));
            text.push_str(&format!("           why: {}\n", planned.reason));
            text.push_str(&details(&planned.state));
        }
    }
    if let Some((_, planned)) = done.first()
        && let State::Done(why) = &planned.state
    {
        let place = if done.len() == of {
            String::new()
        } else {
            format!(" ({} of {of} hosts)", done.len())
        };
        text.push_str(&format!("    done   {}{place}: {why}\n", planned.id));
    }
    text
}

fn change<'a>(todo: &[OnHost<'a>], now: bool) -> Vec<OnHost<'a>> {
    let is = |p: &Planned| matches!(p.state, State::Change(_)) == now;
    todo.iter().filter(|(_, p)| is(p)).copied().collect()
}

/// On how many hosts, and whether what is shown is that of one of them only.
fn place(some: &[OnHost], of: usize, shown: &str) -> String {
    let states: BTreeSet<Vec<&str>> = some.iter().map(|(_, p)| lines(&p.state)).collect();
    let count =
        if some.len() == of { String::new() } else { format!(" ({} of {of} hosts)", some.len()) };
    if states.len() > 1 {
        format!("{count} (different on each; that of {shown} is shown)")
    } else {
        count
    }
}

fn lines(state: &State) -> Vec<&str> {
    match state {
        State::Change(lines) => lines.iter().map(String::as_str).collect(),
        State::Done(text) | State::Later(text) => vec![text],
    }
}

fn details(state: &State) -> String {
    lines(state).iter().map(|line| format!("           {line}\n")).collect()
}

fn summary(plan: &Plan) -> String {
    let without = plan.hosts.iter().filter(|h| h.steps.is_err()).count();
    let hosts = plan.hosts.len();
    let changes = plan.changes();
    let mut text = match (changes, without) {
        (0, 0) => format!(
            "Nothing is to be done: {} as the site file says.\n",
            if hosts == 1 { "the host is".to_owned() } else { format!("all {hosts} hosts are") }
        ),
        _ => format!("{changes} steps on {} hosts.", hosts - without),
    };
    if without > 0 {
        text.push_str(&format!(" No plan for {without} of {hosts} hosts."));
    }
    format!("{}\nNothing has been changed.\n", text.trim_end())
}

/// Names of hosts: some, then how many more.
fn shortened(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 3 => {
            format!("{first} … {last} ({} hosts)", names.len())
        }
        _ => names.join(", "),
    }
}

fn role_text(role: Role) -> &'static str {
    match role {
        Role::Frontend => "front-end",
        Role::Node => "node",
        Role::Repository => "repository",
        Role::Cache => "cache",
        Role::Monitor => "monitor",
        Role::Gateway => "gateway",
    }
}

fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Repositories => "package repositories",
        Stage::Packages => "packages",
        Stage::Accounts => "accounts and keys",
        Stage::Share => "share",
        Stage::Hypervisor => "hypervisor",
        Stage::Network => "network",
        Stage::Database => "database",
        Stage::OpenNebula => "OpenNebula",
        Stage::Dhcp => "DHCP",
        Stage::Firewall => "firewall",
        Stage::Services => "services",
        Stage::Overlay => "overlay",
        Stage::Start => "start",
    }
}
