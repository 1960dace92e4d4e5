//! Steps of the plan as blocks of pan.

mod files;
mod network;
#[cfg(test)]
mod tests;
mod units;

use crate::host::Bare;
use crate::left::{Left, Why};
use crate::pan::{self, Block, Line, Unwritable, Value};
use std::collections::{BTreeMap, BTreeSet};
use stratus_plan::metadata::opennebula;
use stratus_plan::plan::Planned;
use stratus_plan::step::{Access, Action, Step, Unit, User};

pub(crate) const COMPONENTS: &str = "/software/components";

/// What became of a host's steps.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) blocks: Vec<Block>,
    pub(crate) left: Vec<Left>,
}

impl Said {
    fn say(&mut self, path: impl Into<String>, reason: &str, lines: Vec<Line>) {
        self.blocks.push(Block { path: path.into(), lines, reason: reason.to_owned() });
    }

    fn leave(&mut self, what: &str, why: Why) {
        self.left.push(Left::new(what, why));
    }
}

/// What the steps of a host need to know of each other.
struct Around<'a> {
    bare: &'a Bare,
    /// Units that read a file.
    readers: BTreeMap<&'a str, Vec<&'a Unit>>,
    /// Actions that read a file.
    actions: BTreeMap<&'a str, Vec<Action>>,
    /// Files that actions make.
    made: BTreeSet<&'a str>,
    /// Users without a number.
    numberless: BTreeSet<&'a str>,
}

impl<'a> Around<'a> {
    fn of(bare: &'a Bare) -> Self {
        Self {
            bare,
            readers: BTreeMap::new(),
            actions: BTreeMap::new(),
            made: BTreeSet::new(),
            numberless: BTreeSet::new(),
        }
    }
}

/// All steps of a host. An error names the step.
pub(crate) fn translate(bare: &Bare, steps: &[Planned]) -> Result<Said, (String, Unwritable)> {
    let mut around = Around::of(bare);
    for planned in steps {
        match &planned.step {
            Step::Unit(unit) if unit.running => {
                for path in &unit.inputs {
                    around.readers.entry(path).or_default().push(unit);
                }
            }
            Step::User(user) if user.uid.is_none() => drop(around.numberless.insert(&user.name)),
            Step::Action { action, inputs } => {
                around.made.extend(action.makes());
                for path in inputs {
                    around.actions.entry(path).or_default().push(*action);
                }
            }
            _ => {}
        }
    }
    let mut said = Said::default();
    for planned in steps {
        one(&around, planned, &mut said).map_err(|error| (planned.id.clone(), error))?;
    }
    Ok(said)
}

fn one(around: &Around, planned: &Planned, said: &mut Said) -> Result<(), Unwritable> {
    let (id, reason) = (planned.id.as_str(), planned.reason.as_str());
    match &planned.step {
        Step::Packages { names } => {
            let line = |name: &String| Ok(Line::default(pan::escaped(name)?, Value::Dict(vec![])));
            let lines = names.iter().map(line).collect::<Result<_, _>>()?;
            said.say("/software/packages", reason, lines);
        }
        Step::Group { name, gid: Some(gid) } => {
            let lines = vec![group(name, *gid)?];
            said.say(format!("{COMPONENTS}/accounts"), reason, lines);
        }
        Step::Group { gid: None, .. } => said.leave(id, Why::GroupNumber),
        Step::User(user) if user.uid.is_none() => said.leave(id, Why::GroupNumber),
        Step::User(user) => {
            said.say(format!("{COMPONENTS}/accounts"), reason, self::user(user)?);
        }
        Step::Directory { access, .. } if around.numberless.contains(&*access.owner) => {
            said.leave(id, Why::GroupNumber);
        }
        Step::Directory { path, access } => directory(path, access, reason, said)?,
        Step::File(file) => files::say(around, file, id, reason, said)?,
        Step::Carry(_) => said.leave(id, Why::Carried),
        Step::Secret { .. } => said.leave(id, Why::SecretMadeThere),
        Step::SecretFile { .. } => said.leave(id, Why::SecretFile),
        Step::SshKey { .. } => said.leave(id, Why::SshKey),
        Step::Unit(unit) => {
            units::say(unit, reason, said)?;
            if unit.inputs.iter().any(|path| around.made.contains(&**path)) {
                said.leave(id, Why::Overlay);
            }
        }
        Step::Action { action, .. } => said.left.extend(left_of(*action).map(|w| Left::new(id, w))),
        Step::Database { .. } => said.leave(id, Why::Database),
        Step::Network(network) => network::say(around, network, id, reason, said)?,
    }
    Ok(())
}

/// Why an action is left; one that follows a file is said there, as the command after a change.
fn left_of(action: Action) -> Option<Why> {
    match action {
        Action::ExportShares | Action::LoadSysctl | Action::ReloadUnits => None,
        Action::RefreshPackages => Some(Why::PackageLists),
        Action::RemoveLibvirtNetwork => Some(Why::LibvirtNetwork),
        Action::RestoreLabels => Some(Why::Labels),
        Action::AllowNfsMachines => Some(Why::Boolean),
        Action::MakeOverlay | Action::MakeWireguard => Some(Why::Overlay),
        Action::LoadFirewall | Action::SyncRemotes => Some(Why::OtherAction),
    }
}

fn group(name: &str, gid: u32) -> Result<Line, Unwritable> {
    let key = format!("groups/{}", pan::key(name)?);
    Ok(Line::set(key, Value::Dict(vec![("gid", Value::Number(gid.into()))])))
}

/// The user, with the group that packages make with the same number. Further groups belong to
/// packages, so they are kept as they are.
fn user(user: &User) -> Result<Vec<Line>, Unwritable> {
    let groups: Vec<&String> = std::iter::once(&user.group).chain(&user.groups).collect();
    let named = groups.iter().map(|name| Value::text(name.as_str())).collect();
    let mut members = vec![
        ("comment", Value::text("OpenNebula")),
        ("createHome", Value::Flag(false)),
        ("groups", Value::List(named)),
        ("homeDir", Value::text(&user.home)),
        ("shell", Value::text(&user.shell)),
    ];
    members.extend(user.uid.map(|uid| ("uid", Value::Number(uid.into()))));
    let mut lines = Vec::new();
    for name in &user.groups {
        lines.push(Line::default(format!("kept_groups/{}", pan::key(name)?), Value::text("")));
    }
    let common = &opennebula().user;
    if user.group == common.group {
        lines.push(group(&user.group, common.number)?);
    }
    lines.push(Line::set(format!("users/{}", pan::key(&user.name)?), Value::Dict(members)));
    Ok(lines)
}

fn directory(path: &str, access: &Access, reason: &str, said: &mut Said) -> Result<(), Unwritable> {
    pan::writable(path)?;
    let entry = Value::Dict(vec![
        ("owner", Value::text(format!("{}:{}", access.owner, access.group))),
        ("path", Value::text(path)),
        ("perm", Value::text(format!("{:04o}", access.mode))),
        ("type", Value::text("d")),
    ]);
    said.say(format!("{COMPONENTS}/dirperm"), reason, vec![Line::append("paths", entry)]);
    Ok(())
}
