//! The objects in OpenNebula: what the site wants of them, beside what oned has.

use super::session::Session;
use crate::choices::Choices;
use crate::daemon::client;
use crate::fleet::Fleet;
use crate::wanted;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Host, Work};
use stratus_execute::journal::Ended;
use stratus_opennebula::Client;
use stratus_opennebula::converge::{Change, Convergence, Wanted, apply, converge, read_pools};
use stratus_plan::content::sha256;
use stratus_plan::facts::{Facts, HostFacts, HostReport};
use stratus_site::Site;
use stratus_terminal::note;

/// How long oned may take for what it does after it answered.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is to be done to OpenNebula's objects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub(super) enum ObjectPlan {
    /// oned was asked.
    Known {
        /// What is to be done, in order, one sentence each.
        changes: Vec<String>,
        /// What is not done, with the reason.
        refusals: Vec<String>,
        /// At how many objects nothing is to do.
        settled: usize,
    },
    /// oned does not run yet, or was not asked.
    Later {
        /// Why.
        reason: String,
        /// What the site wants, one line each.
        wanted: Vec<String>,
    },
}

impl ObjectPlan {
    /// Whether nothing is to do.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Known { changes, refusals, .. } if changes.is_empty() && refusals.is_empty())
    }

    /// Whether oned said that something is to do.
    pub(super) fn has_changes(&self) -> bool {
        matches!(self, Self::Known { .. }) && !self.is_settled()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("OpenNebula's objects\n");
        match self {
            Self::Known { changes, refusals, settled } => {
                for change in changes {
                    let _ = writeln!(text, "  + {change}");
                }
                for refusal in refusals {
                    let _ = writeln!(text, "  ! {refusal}");
                }
                let _ = writeln!(text, "  {settled} are as they should be\n");
            }
            Self::Later { reason, wanted } => {
                let _ = writeln!(text, "  {reason}; then these are made:");
                for line in wanted {
                    let _ = writeln!(text, "  + {line}");
                }
                text.push('\n');
            }
        }
        text
    }
}

/// What is to be done, as far as it can be known.
pub(super) async fn plan(
    site: &Site,
    fleet: &Fleet,
    facts: &Facts,
    choices: &Choices,
) -> ObjectPlan {
    let wanted = wanted(site);
    if choices.facts.is_some() {
        return later("OpenNebula is asked when hosts are", &wanted);
    }
    let Some(HostReport::Known(frontend)) = facts.hosts.get(&site.frontend.host) else {
        return later("OpenNebula is asked when its host is reached", &wanted);
    };
    if !runs(frontend) {
        return later("OpenNebula's daemon does not run yet", &wanted);
    }
    match converged(site, fleet, &wanted).await {
        Ok((_, convergence)) => known(&convergence),
        Err(error) => later(&format!("OpenNebula's daemon did not answer ({error:#})"), &wanted),
    }
}

/// Makes every change, each between two records. Gives what could not be done, one sentence each.
pub(super) async fn carry_out(
    session: &Session,
    site: &Site,
    fleet: &Fleet,
    wanted: &Wanted,
) -> Result<Vec<String>> {
    let (client, convergence) = converged(site, fleet, wanted).await?;
    let mut bad: Vec<String> = convergence
        .refusals
        .iter()
        .map(|r| format!("{} {}: {}", r.kind.word(), r.name, r.reason))
        .collect();
    for change in &convergence.changes {
        let sentence = change.to_string();
        session.began(&sentence, "the site file wants it of OpenNebula").await?;
        let result = match apply(&client, &wanted.site, change, PATIENCE).await {
            Ok(()) => {
                note(&format!("OpenNebula: {sentence}"));
                Ended::Changed(vec![sentence.clone()])
            }
            Err(error) => {
                bad.push(format!("{sentence}: {error}"));
                Ended::Failed(error.to_string())
            }
        };
        session.ended(&sentence, result).await?;
    }
    Ok(bad)
}

/// What the objects were last made after; `drift` compares with it.
pub(super) fn wanted_digest(wanted: &Wanted) -> String {
    sha256(format!("{wanted:?}"))
}

/// Notes on the front-end what the objects were made after.
pub(super) async fn note_wanted(
    session: &Session,
    frontend: &dyn Host,
    wanted: &Wanted,
) -> Result<()> {
    let digest = wanted_digest(wanted);
    let work = Work {
        what: "noting what OpenNebula's objects were made after".to_owned(),
        script: format!(
            "set -eu\ncd /var/lib/stratus/installer/after\n\
             printf '%s\\n' {digest} > opennebula.new~\nsync opennebula.new~\n\
             mv -f opennebula.new~ opennebula\n"
        ),
        payload: Vec::new(),
        deadlines: session.run.deadlines,
        stdout_limit: 1 << 10,
    };
    run_well(frontend, &work, &Attention::none()).await?;
    Ok(())
}

pub(super) async fn converged(
    site: &Site,
    fleet: &Fleet,
    wanted: &Wanted,
) -> Result<(Client, Convergence)> {
    let client = client(site, fleet).await?;
    let pools = read_pools(&client).await?;
    let convergence = converge(wanted, &pools);
    Ok((client, convergence))
}

fn runs(frontend: &HostFacts) -> bool {
    frontend.units.get("opennebula.service").is_some_and(|u| u.active == "active")
}

fn known(convergence: &Convergence) -> ObjectPlan {
    let refusal = |r: &stratus_opennebula::converge::Refusal| {
        format!("{} {}: {}", r.kind.word(), r.name, r.reason)
    };
    ObjectPlan::Known {
        changes: convergence.changes.iter().map(Change::to_string).collect(),
        refusals: convergence.refusals.iter().map(refusal).collect(),
        settled: convergence.settled.len(),
    }
}

fn later(reason: &str, wanted: &Wanted) -> ObjectPlan {
    let clusters = wanted.clusters.iter().map(|c| format!("cluster {}", c.name));
    let hosts = wanted.hosts.iter().map(|h| format!("host {}", h.name));
    let networks = wanted.networks.iter().map(|n| {
        let addresses: u64 = n.ranges.iter().map(|r| u64::from(r.size)).sum();
        format!("network {} with {addresses} addresses", n.name)
    });
    let datastores = wanted.datastores.iter().map(|d| format!("datastore {}", d.name));
    let markets = wanted.marketplaces.iter().map(|m| format!("marketplace {}", m.name));
    ObjectPlan::Later {
        reason: reason.to_owned(),
        wanted: clusters.chain(hosts).chain(datastores).chain(networks).chain(markets).collect(),
    }
}
