//! Undoing: the journal backwards. Nothing that holds people's data is taken away; what stays is
//! listed with the reason.

use crate::record::{Before, Record};
use crate::step::{Access, Action, File, Network, OurShare, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::HostName;

/// What an uninstall does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uninstall {
    /// Steps back, in order, by host; a host that was changed last comes first.
    pub hosts: Vec<(HostName, Vec<Undo>)>,
    /// What stays.
    pub stays: Vec<Stay>,
}

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The host.
    pub host: HostName,
    /// What.
    pub what: String,
    /// Why, in one sentence.
    pub why: String,
}

/// One step back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "undo")]
pub enum Undo {
    /// Packages that the installer added go; their data stays.
    RemovePackages {
        /// Their names.
        names: BTreeSet<String>,
    },
    /// A file that the installer made goes.
    RemoveFile {
        /// Path.
        path: String,
    },
    /// A directory that the installer made goes if nothing is in it.
    RemoveEmptyDirectory {
        /// Path.
        path: String,
    },
    /// A file is again what it was.
    RestoreFile {
        /// Path.
        path: String,
        /// Where its content is kept.
        kept: String,
        /// Who owned it.
        access: Access,
    },
    /// Our lines are taken out of a file; what others wrote since stays.
    TakeOut {
        /// Path.
        path: String,
        /// Which lines.
        share: OurShare,
    },
    /// A unit is again enabled and running, or not.
    Unit {
        /// Its name.
        name: String,
        /// Whether it starts with the host.
        enabled: bool,
        /// Whether it runs.
        running: bool,
    },
    /// The network is configured as it was, with the same switch back as on the way there.
    Network {
        /// What was put there.
        network: Box<Network>,
        /// Where the former files are kept.
        kept: BTreeMap<String, Option<String>>,
    },
    /// systemd, exports or kernel settings are read again.
    Again {
        /// What.
        action: Action,
    },
}

/// What undoes everything in a journal, given in the order in which it was done.
pub fn uninstall(records: &[Record]) -> Uninstall {
    let mut answer = Uninstall::default();
    let mut index: BTreeMap<&HostName, usize> = BTreeMap::new();
    for record in first_of_each(records).into_iter().rev() {
        match back(record) {
            Ok(undo) => {
                let at = *index.entry(&record.host).or_insert_with(|| {
                    answer.hosts.push((record.host.clone(), Vec::new()));
                    answer.hosts.len() - 1
                });
                answer.hosts[at].1.push(undo);
            }
            Err((what, why)) => {
                answer.stays.push(Stay { host: record.host.clone(), what, why: why.to_owned() });
            }
        }
    }
    for (_, undo) in &mut answer.hosts {
        *undo = read_again_last(std::mem::take(undo));
    }
    answer
}

/// Files are read again once they are back: before the packages with their readers go, and lists
/// of packages after everything.
fn read_again_last(undo: Vec<Undo>) -> Vec<Undo> {
    let (again, mut rest): (Vec<Undo>, Vec<Undo>) =
        undo.into_iter().partition(|u| matches!(u, Undo::Again { .. }));
    let refresh = Undo::Again { action: Action::RefreshPackages };
    let (last, mut before): (Vec<Undo>, Vec<Undo>) = again.into_iter().partition(|u| *u == refresh);
    before.dedup();
    let packages = rest.iter().position(|u| matches!(u, Undo::RemovePackages { .. }));
    let at = packages.unwrap_or(rest.len());
    rest.splice(at..at, before);
    rest.extend(last.into_iter().take(1));
    rest
}

/// A thing that was changed several times goes back to what it was before the first. Packages are
/// added bit by bit, so each of their records counts.
fn first_of_each(records: &[Record]) -> Vec<&Record> {
    let mut met = BTreeSet::new();
    let mut kept = Vec::new();
    for record in records {
        let is_first = met.insert((&record.host, &record.id));
        if is_first || matches!(record.before, Before::Packages { .. }) {
            kept.push(record);
        }
    }
    kept
}

type Back = Result<Undo, (String, &'static str)>;

fn back(record: &Record) -> Back {
    match (&record.step, &record.before) {
        (Step::Packages { .. }, Before::Packages { added }) if !added.is_empty() => {
            Ok(Undo::RemovePackages { names: added.clone() })
        }
        (Step::Packages { names }, _) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err((format!("packages {}", names.join(", ")), "they were there before"))
        }
        (Step::File(file), before) => file_back(file, before),
        (Step::Secret { path, .. }, _) => {
            Err((path.clone(), "the data that it opens stays, and would be lost without it"))
        }
        (Step::SecretFile { path, .. }, _) => Ok(Undo::RemoveFile { path: path.clone() }),
        (Step::Directory { path, .. }, Before::Absent) => {
            Ok(Undo::RemoveEmptyDirectory { path: path.clone() })
        }
        (Step::Directory { path, .. }, _) => Err((path.clone(), "it was there before")),
        (Step::User(user), _) => {
            Err((format!("user {}", user.name), "its files stay, and would belong to nobody"))
        }
        (Step::Group { name, .. }, _) => {
            Err((format!("group {name}"), "its files stay, and would belong to nobody"))
        }
        (Step::SshKey { path, .. }, _) => {
            Err((path.clone(), "a key may have been given to others since; it opens nothing here"))
        }
        (Step::Database { name, .. }, _) => {
            Err((format!("database {name}"), "it holds the state of OpenNebula: drop it by hand"))
        }
        (Step::Unit(unit), before) => Ok(unit_back(&unit.name, before)),
        (Step::Action { action, .. }, _) => action_back(*action),
        (Step::Network(network), Before::Files { kept }) => {
            Ok(Undo::Network { network: Box::new(network.clone()), kept: kept.clone() })
        }
        (Step::Network(network), _) => {
            Err((format!("bridge {}", network.bridge), "what was there before is not recorded"))
        }
    }
}

fn file_back(file: &File, before: &Before) -> Back {
    let path = file.path.clone();
    match (&file.share, before) {
        (_, Before::Absent) => Ok(Undo::RemoveFile { path }),
        (OurShare::Block { .. }, Before::File { .. }) => {
            Ok(Undo::TakeOut { path, share: file.share.clone() })
        }
        (_, Before::File { kept, access }) => {
            Ok(Undo::RestoreFile { path, kept: kept.clone(), access: access.clone() })
        }
        _ => Err((path, "what was there before is not recorded")),
    }
}

fn unit_back(name: &str, before: &Before) -> Undo {
    let (enabled, running) = match before {
        Before::Unit(unit) => (unit.enabled == "enabled", unit.active == "active"),
        _ => (false, false),
    };
    Undo::Unit { name: name.to_owned(), enabled, running }
}

fn action_back(action: Action) -> Back {
    let stays = |what: &str, why| Err((what.to_owned(), why));
    match action {
        Action::ReloadUnits
        | Action::ExportShares
        | Action::LoadSysctl
        | Action::RefreshPackages
        | Action::RestoreLabels => Ok(Undo::Again { action }),
        Action::RemoveLibvirtNetwork => {
            stays("libvirt's own network, off", "`virsh net-start default` brings it back")
        }
        Action::LoadFirewall => stays("rules of the firewall", "its unit takes them away"),
        Action::SyncRemotes => {
            stays("/var/tmp/one on the nodes", "machines that still run there are watched by it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::{block, running, whole};

    fn record(step: Step, before: Before) -> Record {
        let id = crate::wanted::Wanted::new(step.clone(), "").id;
        Record { host: "a.example.org".parse().unwrap(), id, step, before }
    }

    fn kept(path: &str) -> Before {
        Before::File { kept: path.into(), access: Access::root(0o644) }
    }

    #[test]
    fn the_journal_is_undone_backwards_and_data_stays() {
        let database = Step::Database { name: "opennebula".into(), password_file: "/p".into() };
        let packages = Step::Packages { names: ["nfs-common".to_owned()].into() };
        let added = Before::Packages { added: ["nfs-common".to_owned()].into() };
        let unit = crate::facts::UnitFacts { enabled: "enabled".into(), active: "active".into() };
        let answer = uninstall(&[
            record(packages, added),
            record(Step::File(whole("/ours", 0o644, "")), Before::Absent),
            record(Step::File(whole("/theirs", 0o644, "1")), kept("/kept/1")),
            record(Step::File(block("/hosts", "x", "")), kept("/kept/2")),
            record(
                Step::Action { action: Action::ReloadUnits, inputs: BTreeSet::new() },
                Before::Kept,
            ),
            record(database, Before::Absent),
            record(Step::Unit(running("firewalld.service", &[])), Before::Unit(unit)),
            record(Step::File(whole("/theirs", 0o644, "2")), kept("/kept/3")),
        ]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    }
}
