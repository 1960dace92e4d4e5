//! The answer: for each host what is to be done, in order, and why; and why something is not.

use crate::step::Step;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use stratus_site::HostName;

/// Everything that is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// SHA-256 of the site and of all steps with their states, hexadecimal. A plan is carried out
    /// only if planning again, with facts of now, gives the same one.
    pub fingerprint: String,
    /// The hosts, the front-end first.
    pub hosts: Vec<HostPlan>,
}

/// What is to be done to one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// The host.
    pub host: HostName,
    /// What it is for.
    pub roles: BTreeSet<Role>,
    /// The steps in order, or why there are none; as data either `steps` or `error`.
    #[serde(flatten, with = "steps_or_error")]
    pub steps: Result<Vec<Planned>, String>,
}

/// A host's data has the list `steps`, or the text `error` in its place.
mod steps_or_error {
    use super::Planned;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Told {
        Steps(Vec<Planned>),
        Error(String),
    }

    pub(super) fn serialize<S: Serializer>(
        steps: &Result<Vec<Planned>, String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match steps {
            Ok(steps) => to.serialize_newtype_variant("HostPlan", 0, "steps", steps),
            Err(error) => to.serialize_newtype_variant("HostPlan", 1, "error", error),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Result<Vec<Planned>, String>, D::Error> {
        Ok(match Told::deserialize(from)? {
            Told::Steps(steps) => Ok(steps),
            Told::Error(error) => Err(error),
        })
    }
}

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs OpenNebula's daemon.
    Frontend,
    /// Runs virtual machines.
    Node,
    /// Keeps appliances.
    Repository,
    /// Keeps copies of appliances.
    Cache,
    /// Shows the site.
    Monitor,
    /// Ends the tunnels of burst nodes.
    Gateway,
}

/// The stages in their order: what a site administrator would say is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Package repositories and their keys.
    Repositories,
    /// Packages.
    Packages,
    /// Users, groups and keys.
    Accounts,
    /// The share: exports and mounts.
    Share,
    /// Hypervisor and libvirt.
    Hypervisor,
    /// Bridges.
    Network,
    /// OpenNebula's database.
    Database,
    /// OpenNebula's configuration, the directory of people.
    OpenNebula,
    /// Name service, DHCP, address translation.
    Dhcp,
    /// What may come in.
    Firewall,
    /// Appliance repository, cache, monitor.
    Services,
    /// The server of burst nodes.
    Overlay,
    /// Everything runs.
    Start,
}

/// A step with its place and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Name that stays the same from run to run: `file:/etc/exports.d/stratus.exports`.
    pub id: String,
    /// The stage.
    pub stage: Stage,
    /// What.
    pub step: Step,
    /// Why the site wants it, in one sentence.
    pub reason: String,
    /// How it is now.
    pub state: State,
    /// Steps of other hosts that come first: host and name.
    pub after: Vec<(HostName, String)>,
}

/// How something is now, beside how it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be; the text says why nothing is to do.
    Done(String),
    /// Different: what changes, one line each; for a file a unified diff. No secret in it.
    Change(Vec<String>),
    /// Not to be known before an earlier step was carried out; the text says which.
    Later(String),
}

impl Plan {
    /// Whether anything is to do.
    pub fn is_empty(&self) -> bool {
        self.changes() == 0
    }

    /// How many steps are not done.
    pub fn changes(&self) -> usize {
        let todo = |p: &&Planned| !matches!(p.state, State::Done(_));
        self.hosts.iter().flat_map(|h| h.steps.iter().flatten()).filter(todo).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_steps_or_an_error_and_can_be_read_again() {
        let host = "n1".parse().unwrap();
        let mut plan = HostPlan { host, roles: [Role::Node].into(), steps: Ok(Vec::new()) };
        let planned = r#"{"host":"n1","roles":["node"],"steps":[]}"#;
        let refused = r#"{"host":"n1","roles":["node"],"error":"not reached"}"#;
        for text in [planned, refused] {
            assert_eq!(serde_json::to_string(&plan).unwrap(), text);
            assert_eq!(serde_json::from_str::<HostPlan>(text).unwrap(), plan);
            plan.steps = Err("not reached".to_owned());
        }
    }
}
