//! Facts: asked of all hosts at once, or read from a file.

use crate::choices::Choices;
use crate::fleet::Fleet;
use anyhow::Result;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Deadlines, Host};
use stratus_execute::probe;
use stratus_plan::facts::{Facts, HostFacts, HostReport, Reach, Unreachable};
use stratus_plan::{questions, reach};
use stratus_site::{HostName, Site};
use stratus_terminal::{Failure, note};

/// An answer about what is around a host may take longer than a step of a small site may be silent.
const PATIENCE: Duration = Duration::from_mins(1);

/// The facts that the choices ask for.
pub(crate) async fn facts(site: &Site, fleet: &Fleet, choices: &Choices) -> Result<Facts> {
    match &choices.facts {
        Some(file) => read(file),
        None => Ok(ask(site, fleet).await),
    }
}

/// Facts from a file.
pub(crate) fn read(file: &Path) -> Result<Facts> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::usage(format!("cannot use the facts in `{}`", file.display()))
            .because(error)
            .hint("`stratus-install facts --output FILE` writes such a file")
    };
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.into()))?;
    Ok(serde_json::from_str(&text).map_err(|e| wrong(e.into()))?)
}

/// Asks every host of the fleet, so many at once as the site file says.
pub(crate) async fn ask(site: &Site, fleet: &Fleet) -> Facts {
    let parallel = usize::from(site.ssh.parallel).max(1);
    let answers = stream::iter(&fleet.hosts)
        .map(|(name, host)| async move { (name.clone(), report(site, name, &**host).await) })
        .buffer_unordered(parallel);
    let hosts = answers.collect::<BTreeMap<_, _>>().await;
    fleet.tell_learned_keys();
    Facts { hosts }
}

/// Asks what is around each host that answered. What cannot be found out stands in nobody's way.
pub(crate) async fn around(site: &Site, fleet: &Fleet, facts: &mut Facts) {
    let ask = |(name, host): (HostName, Arc<dyn Host>)| {
        let reach = reach(site, facts, &name);
        async move {
            if reach == Reach::default() {
                return None;
            }
            let deadlines = Deadlines::silent_for(site.ssh.step_timeout.max(PATIENCE));
            let work = probe::reach_work(&reach, deadlines);
            let output = run_well(&*host, &work, &Attention::none()).await.ok()?;
            Some((name, output.stdout))
        }
    };
    let asks: Vec<_> = fleet.hosts.iter().map(|(n, h)| ask((n.clone(), h.clone()))).collect();
    let parallel = usize::from(site.ssh.parallel).max(1);
    let answers: Vec<_> = stream::iter(asks).buffer_unordered(parallel).collect().await;
    for (name, answer) in answers.into_iter().flatten() {
        if let Some(HostReport::Known(told)) = facts.hosts.get_mut(&name)
            && let Err(error) = probe::parse_reach(&answer, told)
        {
            note(&format!("{name}: what is around it is not known: {error}"));
        }
    }
}

async fn report(site: &Site, name: &HostName, host: &dyn Host) -> HostReport {
    match one(site, name, host).await {
        Ok(facts) => HostReport::Known(Box::new(facts)),
        Err(silent) => HostReport::Unreachable(silent),
    }
}

async fn one(site: &Site, name: &HostName, host: &dyn Host) -> Result<HostFacts, Unreachable> {
    let questions = questions(site, name);
    let deadlines = Deadlines::silent_for(site.ssh.step_timeout.max(Duration::from_secs(1)));
    let work = probe::work(&questions, deadlines);
    let output = run_well(host, &work, &Attention::none()).await.map_err(Unreachable::from)?;
    host.renew().await;
    let now = Timestamp::now().as_millisecond();
    probe::parse(&output.stdout, &questions, now).map_err(|e| Unreachable {
        reason: format!("its answer cannot be read: {e}"),
        cure: None,
        away: false,
    })
}
