//! The plan: stage by stage what the site wants of each host, beside what is there.

use crate::content::sha256;
use crate::facts::{Facts, HostReport};
use crate::metadata::{self, opennebula, series_text, supported};
use crate::plan::{HostPlan, Plan, Planned, Role};
use crate::stages;
use crate::state::{Earlier, judge};
use crate::view::{Inputs, View, files_needed, roles};
use crate::wanted::Wanted;
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::{HostName, Node, Os, Site};

/// What is to be done to every host, in order, and why.
pub fn plan(site: &Site, facts: &Facts, inputs: &Inputs) -> Plan {
    let nodes: BTreeMap<&HostName, &Node> = site.nodes.iter().map(|n| (&n.host, n)).collect();
    let missing = missing_input(site, inputs);
    let of = |(host, roles): (&HostName, BTreeSet<Role>)| {
        let steps = match &missing {
            Some(reason) => Err(reason.clone()),
            None => host_steps(site, facts, inputs, host, &roles, nodes.get(host).copied()),
        };
        HostPlan { host: host.clone(), roles, steps }
    };
    Plan {
        fingerprint: fingerprint(site, facts, inputs),
        hosts: roles(site).into_iter().map(of).collect(),
    }
}

/// SHA-256 of everything that a plan depends on.
pub fn fingerprint(site: &Site, facts: &Facts, inputs: &Inputs) -> String {
    let files: Vec<_> = inputs.files.iter().map(|(p, bytes)| (p, sha256(bytes))).collect();
    let all = (site, facts, files, &inputs.secrets, &inputs.site_text);
    // Values of these types always have a JSON form: their maps have texts or numbers as keys.
    sha256(serde_json::to_vec(&all).unwrap_or_default())
}

fn host_steps(
    site: &Site,
    facts: &Facts,
    inputs: &Inputs,
    host: &HostName,
    roles: &BTreeSet<Role>,
    node: Option<&Node>,
) -> Result<Vec<Planned>, String> {
    let told = match facts.hosts.get(host) {
        Some(HostReport::Known(told)) => told,
        Some(HostReport::Unreachable(why)) => {
            return Err(format!("it was not reached: {}", why.reason));
        }
        None => return Err("it was not asked".to_owned()),
    };
    let system = metadata::find(&told.os)?;
    let series = site.general.opennebula_version;
    if !system.release.series.contains(&series) {
        return Err(format!(
            "OpenNebula {} has no packages for {}; it has some for {}",
            series_text(series),
            system.release.name(),
            supported(Some(series))
        ));
    }
    stated_otherwise(site, host, node, &told.os.id, &told.os.version)?;
    let view = View { site, facts, inputs: Some(inputs), host, roles, told, system, node };
    Ok(judged(&view, stages::all(&view)))
}

fn judged(view: &View, steps: Vec<Wanted>) -> Vec<Planned> {
    let mut earlier = Earlier::default();
    let mut planned = Vec::with_capacity(steps.len());
    for wanted in steps {
        let state = judge(view, &earlier, &wanted);
        earlier.add(&wanted, &state);
        let Wanted { id, stage, step, reason, after, .. } = wanted;
        planned.push(Planned { id, stage, step, reason, state, after });
    }
    planned
}

/// Refuses a host whose system is not the one that the site file states.
pub(crate) fn stated_otherwise(
    site: &Site,
    host: &HostName,
    node: Option<&Node>,
    id: &str,
    version: &str,
) -> Result<(), String> {
    let frontend = (site.frontend.host == *host).then_some(&site.frontend.os);
    let stated = frontend.into_iter().chain(node.map(|n| &n.os));
    for os in stated {
        let Os::Stated(stated) = os else { continue };
        let (name, number) = stated
            .rsplit_once('-')
            .filter(|(_, n)| n.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or((stated, ""));
        if name != id || !version.starts_with(number) {
            return Err(format!(
                "the site file says os = \"{stated}\", the host is {id}-{version}"
            ));
        }
    }
    Ok(())
}

/// A file beside the site file that was not given.
fn missing_input(site: &Site, inputs: &Inputs) -> Option<String> {
    let (seen, secret) = files_needed(site);
    let seen = seen.into_iter().find(|p| !inputs.files.contains_key(p));
    let secret = secret.into_iter().find(|p| !inputs.secrets.contains_key(p));
    if let Some(path) = seen.or(secret) {
        return Some(format!("{} is named by the site file and was not read", path.display()));
    }
    let packages = &site.packages;
    (packages.opennebula_key.is_none() && packages.offline.is_none()).then(|| {
        format!(
            "packages.opennebula_key is not set: save {} to a file, compare its fingerprint with \
             the one that OpenNebula publishes, and name the file",
            opennebula().repository_key
        )
    })
}
