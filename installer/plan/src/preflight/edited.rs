//! Files of ours that somebody else changed.
//!
//! Whatever the installer writes is loaded in the same run, and what was loaded is noted on the
//! host. A file that is not what was noted was changed since.

use super::Finding;
use crate::content::{inputs_digest, seen_name};
use crate::facts::{Facts, HostFacts};
use crate::metadata;
use crate::plan::Role;
use crate::stages;
use crate::step::{Step, Unit};
use crate::view::View;
use std::collections::BTreeSet;
use stratus_site::{HostName, Site};

const CURE: &str = "`stratus-install plan` shows what would be put back; what is to stay belongs into the site file";

pub(super) fn findings(
    site: &Site,
    host: &HostName,
    roles: &BTreeSet<Role>,
    told: &HostFacts,
) -> Vec<Finding> {
    let Ok(system) = metadata::find(&told.os) else { return Vec::new() };
    let node = site.nodes.iter().find(|n| n.host == *host);
    // Only paths are looked at here, so nothing of other hosts or files is needed.
    let facts = Facts::default();
    let view =
        View { site, facts: &facts, inputs: None, host, roles, told, system, node, rules: "" };
    let edited: BTreeSet<String> =
        stages::all(&view).iter().filter_map(|wanted| edited(told, &wanted.step)).collect();
    let of = |files: String| {
        let text = format!(
            "{files} changed since the installer loaded it: by hand, or by an apply that was cut off"
        );
        Finding::warn(host, text, CURE)
    };
    edited.into_iter().map(of).collect()
}

/// The files of a step that are not what was noted.
fn edited(told: &HostFacts, step: &Step) -> Option<String> {
    let seen = told.seen.get(&seen_name(step)?)?;
    let digest = |path: &str| told.paths.get(path)?.sha256.clone();
    match step {
        Step::Unit(Unit { inputs, .. }) | Step::Action { inputs, .. } => {
            let texts: Vec<&str> = inputs.iter().map(String::as_str).collect();
            (inputs_digest(inputs, digest) != *seen).then(|| texts.join(" or "))
        }
        Step::Network(network) => {
            let is = |path: &&str| told.edited_network.contains_key(*path);
            let paths = network.files.iter().map(|f| f.path.as_str());
            let edited: Vec<&str> = paths.filter(is).collect();
            (!edited.is_empty()).then(|| edited.join(" and "))
        }
        Step::File(file) => {
            let (_, result) = seen.split_once(':')?;
            (digest(&file.path)? != result).then(|| file.path.clone())
        }
        _ => None,
    }
}
