//! Steps as programs: each step is one POSIX shell script with a payload, made without looking at
//! anything.
//!
//! What all of them keep: a second run changes nothing; killed at any point and run again, the
//! result is the same; how something was before is recorded once below
//! `/var/lib/stratus/installer/before/`, readable by root alone; a file is written beside its place,
//! synced and renamed; no secret is on a command line. The shell parts are the `.sh` files beside
//! this one.

pub(crate) mod carry;
mod name;
mod network;
mod program;
mod undo;

use crate::host::{Deadlines, Work};
use name::{absolute, key, named};
use network::add_network;
use program::Program;
use secrecy::{ExposeSecret, SecretSlice};
use std::collections::BTreeMap;
use stratus_plan::content::{network_digest, quoted, recipe, seen_name, sha256};
use stratus_plan::step::{Access, File, OurShare, Piece, Step, Unit, User};
use stratus_site::HostName;

pub(crate) use name::quote;
pub use name::{after_image, before_image, left_as};
pub use undo::{Back, undo};

const CARRY: &str = include_str!("carry.sh");
const FILES: &str = include_str!("files.sh");
const ONED: &str = include_str!("oned.awk");
const PACKAGES: &str = include_str!("packages.sh");
const ACCOUNTS: &str = include_str!("accounts.sh");
const UNITS: &str = include_str!("units.sh");
const DATABASE: &str = include_str!("database.sh");
const NETWORK: &str = include_str!("network.sh");
const UNDO: &str = include_str!("undo.sh");

/// A step ready to be carried out.
#[derive(Clone, Debug)]
pub struct Job {
    /// The step itself.
    pub work: Work,
    /// What has to be run over a new connection within 60 s, or everything returns.
    pub confirm: Option<Work>,
}

/// A step that cannot be carried out on any host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` {reason}")]
pub struct Unfit {
    /// The value that does not fit.
    pub value: String,
    /// Why.
    pub reason: &'static str,
}

/// What steps take over, read when they are carried out.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Contents of files of hosts, by host and path.
    pub files: BTreeMap<(HostName, String), String>,
    /// Content of the secret file of whoever runs the installer.
    pub source: Option<SecretSlice<u8>>,
    /// Whether packages come from what was carried to the host, and from nowhere else.
    pub offline: bool,
}

/// The files of other hosts that a step has to know.
pub fn needs(step: &Step) -> Vec<(HostName, String)> {
    let files: Vec<&File> = match step {
        Step::File(file) => vec![file],
        Step::Network(network) => network.files.iter().collect(),
        _ => Vec::new(),
    };
    let from = |piece: &Piece| match piece {
        Piece::From { host, path } | Piece::Quoted { host, path, .. } => {
            Some((host.clone(), path.clone()))
        }
        Piece::Text(_) => None,
    };
    files.iter().flat_map(|f| f.content.iter().filter_map(from)).collect()
}

/// The program of a step. `root` is empty but in tests, where every path lies below it.
pub fn job(step: &Step, known: &Known, root: &str, deadlines: Deadlines) -> Result<Job, Unfit> {
    let mut program = Program::new(root)?;
    let what = add(&mut program, step, known)?;
    let confirm = match step {
        Step::Network(network) => {
            let name = seen_name(step).unwrap_or_default();
            named(&name)?;
            let mut program = Program::new(root)?;
            program.uses(NETWORK).call("confirm_network", &[&name, &network_digest(network)]);
            Some(program.work("confirming the new network".into(), deadlines))
        }
        _ => None,
    };
    Ok(Job { work: program.work(what, deadlines), confirm })
}

fn add(program: &mut Program, step: &Step, known: &Known) -> Result<String, Unfit> {
    match step {
        Step::Packages { names } => {
            let names = names.iter().map(|n| named(n)).collect::<Result<Vec<_>, _>>()?;
            only_carried(program, known);
            program.uses(PACKAGES).call("packages", &names);
            Ok(format!("installing {}", names.join(" ")))
        }
        Step::Carry(carry) => Err(Unfit {
            value: carry.part.clone(),
            reason: "is carried in pieces, not by one program",
        }),
        Step::Group { name, gid } => {
            let gid = gid.map(|g| g.to_string()).unwrap_or_default();
            program.uses(ACCOUNTS).call("make_group", &[named(name)?, &gid]);
            Ok(format!("making the group {name}"))
        }
        Step::User(user) => add_user(program, user),
        Step::Directory { path, access } => {
            let (mode, at) = (octal(access), program.at(path)?);
            let (owner, group) = owners(access)?;
            program.uses(FILES).call("directory", &[&at, &mode, owner, group, &key("path", path)]);
            Ok(format!("making {path}"))
        }
        Step::File(file) => add_file(program, file, known),
        Step::Secret { path, access, prefix } => {
            let (mode, at) = (octal(access), program.at(path)?);
            let (owner, group) = owners(access)?;
            program
                .uses(FILES)
                .call("secret", &[&at, &mode, owner, group, &key("path", path), prefix]);
            Ok(format!("making the secret in {path}"))
        }
        Step::SecretFile { path, access, .. } => {
            let missing = || Unfit { value: path.clone(), reason: "has no content to get" };
            let content = known.source.as_ref().ok_or_else(missing)?;
            let (mode, at) = (octal(access), program.at(path)?);
            let (owner, group) = owners(access)?;
            let (length, digest) = program.carry(content.expose_secret());
            let words = [at.as_str(), &mode, owner, group, &key("path", path), &length, &digest];
            program.uses(FILES).call("whole", &words);
            Ok(format!("writing {path}"))
        }
        Step::SshKey { user, path } => {
            let at = program.at(path)?;
            program.uses(FILES).call("ssh_key", &[named(user)?, &at, &key("path", path)]);
            Ok(format!("making the key pair of {user}"))
        }
        Step::Unit(unit) => add_unit(program, unit),
        Step::Action { action, inputs } => {
            let mut words = vec![action.name(), action.makes().unwrap_or("-")];
            for input in inputs {
                words.push(absolute(input)?);
            }
            only_carried(program, known);
            program.uses(PACKAGES).uses(UNITS).call("action", &words);
            Ok(action.name().replace('-', " "))
        }
        Step::Database { name, password_file } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                let reason = "is not a database: letters, digits and `_`";
                return Err(Unfit { value: name.clone(), reason });
            }
            let file = program.at(password_file)?;
            program.uses(DATABASE).call("database", &[name, &file]);
            Ok(format!("making the database {name}"))
        }
        Step::Network(network) => add_network(program, network, known),
    }
}

fn only_carried(program: &mut Program, known: &Known) {
    if known.offline {
        program.uses(PACKAGES).call("only_carried", &[]);
    }
}

fn add_user(program: &mut Program, user: &User) -> Result<String, Unfit> {
    let uid = user.uid.map_or_else(|| "-".to_owned(), |u| u.to_string());
    let mut words = vec![
        named(&user.name)?,
        &uid,
        named(&user.group)?,
        absolute(&user.home)?,
        absolute(&user.shell)?,
    ];
    for group in &user.groups {
        words.push(named(group)?);
    }
    program.uses(ACCOUNTS).call("make_user", &words);
    Ok(format!("making the user {}", user.name))
}

fn add_file(program: &mut Program, file: &File, known: &Known) -> Result<String, Unfit> {
    let content = content(file, known)?;
    let (mode, at, key) = (octal(&file.access), program.at(&file.path)?, key_of(file));
    let (owner, group) = owners(&file.access)?;
    let (length, digest) = program.carry(content.as_bytes());
    let mut words = vec![at.as_str(), &mode, owner, group, &key, &length, &digest];
    match &file.share {
        OurShare::Whole => program.uses(FILES).call("whole", &words),
        OurShare::Block { name, comment } => {
            let marks = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '\'');
            for mark in [name, comment] {
                if mark.is_empty() || !mark.chars().all(marks) {
                    let reason = "does not mark a block: visible ASCII without backslash";
                    return Err(Unfit { value: mark.clone(), reason });
                }
            }
            words.extend(["block", comment, name]);
            program.uses(FILES).call("part", &words);
        }
        OurShare::OnedKeys => {
            words.push("oned_keys");
            let awk = format!("oned_keys() {{\n    awk '{ONED}' \"$S/work/part\" \"$old\"\n}}\n");
            program.uses(FILES).uses(&awk).call("part", &words);
        }
    }
    if let Some(name) = seen_name(&Step::File(file.clone())) {
        let digest = |host: &HostName, path: &str| {
            known.files.get(&(host.clone(), path.to_owned())).map(sha256)
        };
        if let Some(recipe) = recipe(file, digest) {
            program.call("seen_file", &[named(&name)?, &recipe, &at]);
        }
    }
    Ok(format!("writing {}", file.path))
}

fn key_of(file: &File) -> String {
    match &file.share {
        OurShare::Block { name, .. } => key("block", &format!("{}#{name}", file.path)),
        OurShare::Whole | OurShare::OnedKeys => key("path", &file.path),
    }
}

fn content(file: &File, known: &Known) -> Result<String, Unfit> {
    let mut text = String::new();
    for piece in &file.content {
        match piece {
            Piece::Text(t) => text.push_str(t),
            Piece::From { host, path } => text.push_str(found(known, host, path)?),
            Piece::Quoted { host, path, quoting } => {
                text.push_str(&quoted(found(known, host, path)?, *quoting));
            }
        }
    }
    if file.share == OurShare::OnedKeys && text.trim().is_empty() {
        return Err(Unfit { value: file.path.clone(), reason: "would get no keys" });
    }
    if file.share != OurShare::Whole && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn found<'a>(known: &'a Known, host: &HostName, path: &str) -> Result<&'a str, Unfit> {
    known.files.get(&(host.clone(), path.to_owned())).map(|text| text.trim_end()).ok_or_else(|| {
        let value = format!("{path} of {host}");
        Unfit { value, reason: "was not read before it was needed" }
    })
}

fn add_unit(program: &mut Program, unit: &Unit) -> Result<String, Unfit> {
    let word = |yes: bool, a: &'static str, b: &'static str| if yes { a } else { b };
    let mut words = vec![
        named(&unit.name)?,
        word(unit.enabled, "enabled", "disabled"),
        word(unit.running, "running", "stopped"),
        word(unit.reload, "reload", "restart"),
    ];
    for input in &unit.inputs {
        words.push(absolute(input)?);
    }
    program.uses(UNITS).call("unit", &words);
    Ok(format!("the unit {}", unit.name))
}

fn octal(access: &Access) -> String {
    format!("{:o}", access.mode & 0o7777)
}

fn owners(access: &Access) -> Result<(&str, &str), Unfit> {
    Ok((named(&access.owner)?, named(&access.group)?))
}
