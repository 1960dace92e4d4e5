//! Comparing: how something is now, beside how it should be.

mod files;

use crate::content::{inputs_digest, network_digest, seen_name};
use crate::facts::PathKind;
use crate::offline::{CARRY, INDEX};
use crate::plan::State;
use crate::step::{Access, Action, Carry, File, Network, Step, Unit, User};
use crate::view::View;
use crate::wanted::{Wanted, file_id};
use std::collections::BTreeSet;
use stratus_site::Interface;

/// What is known of the steps before this one on the same host.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Ids of steps that are not done.
    pub(crate) undone: BTreeSet<String>,
    /// Paths that they change.
    pub(crate) changing: BTreeSet<String>,
}

impl Earlier {
    /// Takes a step into account that was judged.
    pub(crate) fn add(&mut self, wanted: &Wanted, state: &State) {
        if matches!(state, State::Done(_)) {
            return;
        }
        self.undone.insert(wanted.id.clone());
        match &wanted.step {
            Step::File(file) => drop(self.changing.insert(file.path.clone())),
            Step::Secret { path, .. } | Step::SecretFile { path, .. } => {
                self.changing.insert(path.clone());
            }
            Step::SshKey { path, .. } => drop(self.changing.insert(format!("{path}.pub"))),
            Step::Carry(_) => drop(self.changing.insert(INDEX.to_owned())),
            Step::Action { action, .. } => self.changing.extend(action.makes().map(str::to_owned)),
            _ => {}
        }
    }
}

/// How the wanted step stands.
pub(crate) fn judge(view: &View, earlier: &Earlier, wanted: &Wanted) -> State {
    if let Some(id) = &wanted.needs
        && earlier.undone.contains(id)
        && is_absent(view, &wanted.step)
    {
        return State::Later(format!("`{id}` comes first and makes what is changed here"));
    }
    match &wanted.step {
        Step::Packages { names } => packages(view, names),
        Step::Carry(carry) => carried(view, carry),
        Step::Group { name, gid } => group(view, name, *gid),
        Step::User(wanted) => user(view, wanted),
        Step::Directory { path, access } => directory(view, path, access),
        Step::File(file) => files::file(view, earlier, file),
        Step::Secret { path, access, .. } => files::secret(view, path, access),
        Step::SecretFile { path, access, source } => files::secret_file(view, path, access, source),
        Step::SshKey { path, .. } => ssh_key(view, path),
        Step::Unit(unit) => self::unit(view, earlier, unit),
        Step::Action { action, inputs } => {
            self::action(view, earlier, &wanted.step, (*action, inputs))
        }
        Step::Database { name, .. } => database(view, name),
        Step::Network(network) => self::network(view, network),
    }
}

/// Whether what the step is about does not exist yet.
fn is_absent(view: &View, step: &Step) -> bool {
    let told = view.told;
    let no_path = |path: &str| !told.paths.contains_key(path);
    match step {
        Step::User(user) => !told.users.contains_key(&user.name),
        Step::File(file) => no_path(&file.path),
        Step::Directory { path, .. }
        | Step::Secret { path, .. }
        | Step::SecretFile { path, .. }
        | Step::SshKey { path, .. } => no_path(path),
        Step::Unit(unit) => !told.units.contains_key(&unit.name),
        Step::Group { name, .. } => !told.groups.contains_key(name),
        Step::Action { .. } | Step::Database { .. } => true,
        Step::Packages { .. } | Step::Carry(_) | Step::Network(_) => false,
    }
}

fn packages(view: &View, names: &BTreeSet<String>) -> State {
    let told = view.told;
    let missing = names.iter().filter(|name| !told.packages.contains_key(*name));
    let line = |name: &String| match told.available.get(name) {
        Some(version) => format!("install {name} {version}"),
        None => format!("install {name}"),
    };
    let lines: Vec<String> = missing.map(line).collect();
    let installed = names.iter().filter_map(|n| Some(format!("{n} {}", told.packages.get(n)?)));
    done_or(lines, || format!("installed: {}", installed.collect::<Vec<_>>().join(", ")))
}

fn carried(view: &View, carry: &Carry) -> State {
    let packages = view
        .offline()
        .map_or(0, |o| o.mirror.choose(&carry.part, &carry.names).map_or(0, |chosen| chosen.len()));
    if view.told.seen.get(CARRY) == Some(&carry.digest) {
        return State::Done(format!("the host has what it needs of {packages} packages"));
    }
    let line = format!("carry what the host does not have of {packages} packages ({})", carry.part);
    State::Change(vec![line])
}

fn done_or(lines: Vec<String>, why: impl FnOnce() -> String) -> State {
    if lines.is_empty() { State::Done(why()) } else { State::Change(lines) }
}

fn group(view: &View, name: &str, gid: Option<u32>) -> State {
    match (view.told.groups.get(name), gid) {
        (None, _) => State::Change(vec![format!("make the group {name}")]),
        (Some(&is), Some(wanted)) if is != wanted => {
            State::Change(vec![format!("the group {name} has the number {is}, not {wanted}")])
        }
        (Some(_), _) => State::Done(format!("the group {name} exists")),
    }
}

fn user(view: &View, wanted: &User) -> State {
    let Some(is) = view.told.users.get(&wanted.name) else {
        return State::Change(vec![format!("make the user {}", wanted.name)]);
    };
    let mut lines = Vec::new();
    if let Some(uid) = wanted.uid.filter(|&uid| uid != is.uid) {
        lines.push(format!("number {} becomes {uid}", is.uid));
    }
    if is.home != wanted.home {
        lines.push(format!("home {} becomes {}", is.home, wanted.home));
    }
    if is.shell != wanted.shell {
        lines.push(format!("shell {} becomes {}", is.shell, wanted.shell));
    }
    let groups = wanted.groups.difference(&is.groups).map(|g| format!("joins the group {g}"));
    lines.extend(groups);
    done_or(lines, || "exists with this number, home and groups".to_owned())
}

fn directory(view: &View, path: &str, access: &Access) -> State {
    let lines = match view.told.paths.get(path) {
        None => vec![format!("make {path}, {}", files::access_text(access))],
        Some(is) if is.kind != PathKind::Directory => {
            vec![format!("{path} is not a directory; nothing is done before somebody looks at it")]
        }
        Some(is) => files::access_lines(is, access),
    };
    done_or(lines, || format!("is there, {}", files::access_text(access)))
}

fn ssh_key(view: &View, path: &str) -> State {
    let public = format!("{path}.pub");
    let missing = [path, &public].into_iter().any(|p| !view.told.paths.contains_key(p));
    let lines = if missing { vec![format!("make a key pair at {path}")] } else { Vec::new() };
    done_or(lines, || "is there; a key is made once".to_owned())
}

fn unit(view: &View, earlier: &Earlier, unit: &Unit) -> State {
    let Some(is) = view.told.units.get(&unit.name) else {
        let none = "is not there".to_owned();
        let lines = [format!("enable and start {}", unit.name)];
        let wanted = unit.enabled || unit.running;
        return done_or(lines.into_iter().filter(|_| wanted).collect(), || none);
    };
    let mut lines = Vec::new();
    // `static`, `indirect` and their like start when something else wants them.
    match (unit.enabled, is.enabled.as_str()) {
        (true, "disabled") => lines.push("enable".to_owned()),
        (true, "masked") => lines.push("unmask and enable".to_owned()),
        (false, "enabled") => lines.push("disable".to_owned()),
        _ => {}
    }
    let active = matches!(is.active.as_str(), "active" | "activating" | "reloading");
    match (unit.running, active) {
        (true, false) => lines.push(format!("start (it is {})", is.active)),
        (false, true) => lines.push("stop".to_owned()),
        (true, true) => lines.extend(anew(view, earlier, unit)),
        (false, false) => {}
    }
    let how = |yes, text: &str| if yes { text.to_owned() } else { format!("not {text}") };
    done_or(lines, || format!("{}, {}", how(unit.enabled, "enabled"), how(unit.running, "running")))
}

/// Why a running unit has to read its inputs again.
fn anew(view: &View, earlier: &Earlier, unit: &Unit) -> Option<String> {
    let verb = if unit.reload { "reload" } else { "restart" };
    let reason = stale(view, earlier, &Step::Unit(unit.clone()), &unit.inputs)?;
    Some(format!("{verb}: {reason}"))
}

/// Why inputs are not the ones that were seen.
fn stale(view: &View, earlier: &Earlier, step: &Step, inputs: &BTreeSet<String>) -> Option<String> {
    let name = seen_name(step)?;
    if let Some(path) = inputs.iter().find(|p| earlier.changing.contains(*p)) {
        return Some(format!("{path} changes"));
    }
    let digest = inputs_digest(inputs, |path| view.digest(view.host, path));
    match view.told.seen.get(&name) {
        Some(seen) if *seen == digest => None,
        Some(_) => Some("it has not seen its files as they are now".to_owned()),
        None => Some("it is not known what it has seen".to_owned()),
    }
}

fn action(
    view: &View,
    earlier: &Earlier,
    step: &Step,
    (action, inputs): (Action, &BTreeSet<String>),
) -> State {
    let gone = action.makes().filter(|path| !view.told.paths.contains_key(*path));
    let again = || gone.map(|path| format!("{path} is not there"));
    let off = view.told.selinux.is_some_and(|selinux| !selinux.nfs_machines);
    let off = || (off && action == Action::AllowNfsMachines).then(|| "it is off".to_owned());
    match stale(view, earlier, step, inputs).or_else(again).or_else(off) {
        None => State::Done("done, and nothing has changed since".to_owned()),
        Some(_) if !view.told.seen.contains_key(&seen_name(step).unwrap_or_default()) => {
            State::Change(vec!["not done yet".to_owned()])
        }
        Some(reason) => State::Change(vec![format!("again: {reason}")]),
    }
}

fn database(view: &View, name: &str) -> State {
    let there = view.told.databases.contains(name);
    let lines = if there { vec![] } else { vec![format!("make the database {name} and its user")] };
    done_or(lines, || format!("the database {name} is there"))
}

/// A bridge that is up with its interface is as wanted, whoever made it; only files of ours are
/// compared, for those of others are none of our business.
fn network(view: &View, network: &Network) -> State {
    let find = |name: &str| view.told.interfaces.iter().find(|i| i.name.as_str() == name);
    let bridge = find(&network.bridge).filter(|i| i.kind == "bridge" && i.up);
    let interface = network.interface.as_deref();
    let master = interface.and_then(find).and_then(|i| i.master.as_ref());
    let inside = interface.is_none() || master.is_some_and(|m| m.as_str() == network.bridge);
    let seen = view.told.seen.get(&format!("network:{}", network.bridge));
    let ours =
        seen.is_some() || network.files.iter().any(|f| view.told.paths.contains_key(&f.path));
    if bridge.is_some() && inside && !ours {
        return State::Done(format!("{} is up; it was made by somebody else", network.bridge));
    }
    let mut lines = Vec::new();
    if bridge.is_none() {
        lines.push(format!("make the bridge {}", network.bridge));
    }
    if let Some(interface) = interface.filter(|_| !inside) {
        lines.push(format!("put {interface} into it; its addresses move to the bridge"));
    }
    let seen = seen.is_some_and(|s| *s == network_digest(network));
    let files = network.files.iter().filter(|f| !seen || is_asked(view, network, f));
    for file in files {
        match files::file(view, &Earlier::default(), file) {
            State::Done(_) => {}
            State::Change(diff) => lines.extend(diff),
            State::Later(why) => lines.push(format!("{}: {why}", file_id(&file.path))),
        }
    }
    for file in network.files.iter().filter(|f| seen && !is_asked(view, network, f)) {
        match view.told.edited_network.get(&file.path) {
            Some(true) => lines.push(format!("{} is replaced", file.path)),
            Some(false) => lines.push(format!("{} is put back", file.path)),
            None => {}
        }
    }
    if !seen && lines.is_empty() {
        lines.push("load the files: it is not known that they were confirmed".to_owned());
    }
    done_or(lines, || format!("{} is up, with the files of the installer", network.bridge))
}

/// Whether the facts tell of the file. A path with the name of an interface that was not known
/// before could not be asked for.
fn is_asked(view: &View, network: &Network, file: &File) -> bool {
    let automatic = view.node.is_none_or(|n| n.interface == Interface::Auto);
    let named = network.interface.as_ref().is_some_and(|name| file.path.contains(name));
    !(automatic && named) || view.told.paths.contains_key(&file.path)
}
