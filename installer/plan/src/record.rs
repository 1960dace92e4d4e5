//! What the journal keeps of each change: enough to undo it.

use crate::facts::UnitFacts;
use crate::step::{Access, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::HostName;

/// A step that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The host.
    pub host: HostName,
    /// The step's name in the plan.
    pub id: String,
    /// The step.
    pub step: Step,
    /// What was there before.
    pub before: Before,
}

/// What was there before a change. Contents stay on the host, so that the journal holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "before")]
pub enum Before {
    /// Nothing: the step made it.
    Absent,
    /// A file; its content is kept on the host.
    File {
        /// Where.
        kept: String,
        /// Who owned it.
        access: Access,
    },
    /// Files of a network's configuration: path, and where the content is kept; a path that did
    /// not exist has nowhere.
    Files {
        /// By path.
        kept: BTreeMap<String, Option<String>>,
    },
    /// A unit in this state.
    Unit(UnitFacts),
    /// Packages, of which these were not there.
    Packages {
        /// What was added, with what came along.
        added: BTreeSet<String>,
    },
    /// Something that the step changed in a way that is not taken back.
    Kept,
}
