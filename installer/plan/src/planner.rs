//! The plan: stage by stage what the site wants of each host, beside what is there.

use crate::bridging;
use crate::content::sha256;
use crate::facts::{Facts, HostReport};
use crate::metadata::{self, opennebula, series_text, supported};
use crate::plan::{HostPlan, Plan, Planned, Role};
use crate::stages;
use crate::state::{Earlier, judge};
use crate::step::Step;
use crate::view::{Inputs, View, files_needed, roles};
use crate::wanted::Wanted;
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::{HostName, Node, Os, Site};

/// What is to be done to every host, in order, and why.
pub fn plan(site: &Site, facts: &Facts, inputs: &Inputs) -> Plan {
    let nodes: BTreeMap<&HostName, &Node> = site.nodes.iter().map(|n| (&n.host, n)).collect();
    let missing = missing_input(site, inputs);
    let mut rules: BTreeMap<BTreeSet<Role>, String> = BTreeMap::new();
    let of = |(host, roles): (&HostName, BTreeSet<Role>)| {
        let of_roles = || bridging::firewall(site, facts, &roles);
        let rules = rules.entry(roles.clone()).or_insert_with(of_roles);
        let about = About { site, facts, inputs, roles: &roles, rules };
        let steps = match &missing {
            Some(reason) => Err(reason.clone()),
            None => host_steps(&about, host, nodes.get(host).copied()),
        };
        HostPlan { host: host.clone(), roles, steps }
    };
    let hosts: Vec<HostPlan> = roles(site).into_iter().map(of).collect();
    Plan { fingerprint: fingerprint(site, &hosts), hosts }
}

/// What the plan says, as one number. Facts that change by themselves, such as free space, are not
/// in it: a plan made again is the same one unless something moved that matters.
fn fingerprint(site: &Site, hosts: &[HostPlan]) -> String {
    // Values of these types always have a JSON form: their maps have texts as keys.
    sha256(serde_json::to_vec(&(site, hosts)).unwrap_or_default())
}

/// What hosts with the same roles have in common.
struct About<'a> {
    site: &'a Site,
    facts: &'a Facts,
    inputs: &'a Inputs,
    roles: &'a BTreeSet<Role>,
    rules: &'a str,
}

fn host_steps(about: &About, host: &HostName, node: Option<&Node>) -> Result<Vec<Planned>, String> {
    let About { site, facts, inputs, roles, rules } = *about;
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
    let view = View { site, facts, inputs: Some(inputs), host, roles, told, system, node, rules };
    let wanted = stages::all(&view);
    for Wanted { step, .. } in &wanted {
        if let (Step::Carry(carry), Some(offline)) = (step, &inputs.offline) {
            offline.mirror.choose(&carry.part, &carry.names)?;
        }
    }
    Ok(judged(&view, wanted))
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
pub(crate) fn missing_input(site: &Site, inputs: &Inputs) -> Option<String> {
    let (seen, secret) = files_needed(site);
    let seen = seen.into_iter().find(|p| !inputs.files.contains_key(p));
    let secret = secret.into_iter().find(|p| !inputs.secrets.contains_key(p));
    if let Some(path) = seen.or(secret) {
        return Some(format!("{} is named by the site file and was not read", path.display()));
    }
    let packages = &site.packages;
    if let (Some(directory), None) = (&packages.offline, &inputs.offline) {
        return Some(format!("the packages in {} were not read", directory.display()));
    }
    (packages.opennebula_key.is_none() && packages.offline.is_none()).then(|| {
        format!(
            "packages.opennebula_key is not set: save {} to a file, compare its fingerprint with \
             the one that OpenNebula publishes, and name the file",
            opennebula().repository_key
        )
    })
}
