//! Whether the site keeps what it promises.

use crate::choices::Choices;
use crate::daemon::client;
use crate::eyes::Eyes;
use crate::fleet::Fleet;
use crate::gather;
use crate::junit::{Report, junit};
use crate::site_file::site;
use anyhow::{Context, Result};
use async_trait::async_trait;
use serde::Serialize;
use stratus_execute::verify::{self, Daemon, Verdict};
use stratus_plan::facts::{Facts, HostReport};
use stratus_plan::promise::Promise;
use stratus_plan::promises;
use stratus_site::{HostName, NetworkName, Site};
use stratus_terminal::{AtomicFile, Exit, Failure, print_json, print_line};

/// A promise and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Name that stays the same from run to run.
    pub id: String,
    /// The host that looked.
    pub host: String,
    /// What is promised.
    pub promise: String,
    /// `kept`, `not kept`, or `not seen` where it could not be looked at.
    pub word: &'static str,
    /// Why it is not kept or was not seen.
    pub reason: String,
    /// What to do then.
    pub cure: String,
}

/// Which promises are meant, by their names; `*` stands for anything.
#[derive(Clone, Debug, Default)]
pub struct Pick {
    /// These; all where there are none.
    pub names: Vec<String>,
    /// And not these.
    pub without: Vec<String>,
}

/// Looks at what the site promises, each from where it matters. Exit code 1 when something is not
/// kept or could not be looked at.
pub async fn verify(choices: &Choices, pick: &Pick, report: &Report) -> Result<Exit> {
    let (site, fleet, promises, facts) = promised(choices, pick).await?;
    let mut outcomes = look(&site, &fleet, &promises).await;
    for outcome in &mut outcomes {
        of_silent(outcome, &facts);
    }
    if let Some(file) = &report.junit {
        AtomicFile::write(file, junit(&site.general.name, &outcomes).as_bytes())
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if choices.json {
        print_json(&outcomes)?;
    } else {
        print_line(&shown(&outcomes))?;
    }
    let kept = outcomes.iter().all(|o| o.word == "kept");
    Ok(if kept { Exit::Done } else { Exit::Failed })
}

/// The names and sentences of the promises; nothing is looked at.
pub async fn list(choices: &Choices, pick: &Pick) -> Result<Exit> {
    let (_, _, promises, _) = promised(choices, pick).await?;
    if choices.json {
        print_json(&promises)?;
        return Ok(Exit::Done);
    }
    let width = promises.iter().map(|p| p.id.len()).max().unwrap_or(0);
    for promise in &promises {
        print_line(&format!("{:<width$}  {}", promise.id, promise.text))?;
    }
    Ok(Exit::Done)
}

/// The promises of the hosts that are meant, with these names.
async fn promised(choices: &Choices, pick: &Pick) -> Result<(Site, Fleet, Vec<Promise>, Facts)> {
    let (site, _) = site(choices)?;
    let fleet = Fleet::of(&site, choices)?;
    let facts = gather::facts(&site, &fleet, choices).await?;
    let mut promises = promises(&site, &facts);
    // What is left out may belong to a host that is not meant.
    exist(&promises, &pick.without)?;
    promises.retain(|p| choices.means(&p.from));
    exist(&promises, &pick.names)?;
    let is_of = |p: &Promise, names: &[String]| names.iter().any(|name| is_named(&p.id, name));
    promises.retain(|p| pick.names.is_empty() || is_of(p, &pick.names));
    promises.retain(|p| !is_of(p, &pick.without));
    // Nothing looked at is not the same as everything kept.
    if promises.is_empty() {
        let failure = Failure::usage("no test is left of those that are meant");
        return Err(failure.hint("`--list` shows the tests of this site").into());
    }
    Ok((site, fleet, promises, facts))
}

/// Whether each name is of some promise.
fn exist(promises: &[Promise], names: &[String]) -> Result<()> {
    for name in names {
        if !promises.iter().any(|p| is_named(&p.id, name)) {
            let failure = Failure::usage(format!("there is no test `{name}`"));
            return Err(failure.hint("`--list` shows the tests of this site").into());
        }
    }
    Ok(())
}

/// Whether a name fits a pattern, in which `*` stands for anything.
fn is_named(id: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return id == pattern };
    id.strip_prefix(start).is_some_and(|id| {
        let mut ends = id.char_indices().map(|(at, _)| at).chain([id.len()]);
        ends.any(|at| is_named(&id[at..], rest))
    })
}

/// Looks at promises.
pub(crate) async fn look(site: &Site, fleet: &Fleet, promises: &[Promise]) -> Vec<Outcome> {
    let daemon: Box<dyn Daemon> = match client(site, fleet).await {
        Ok(client) => Box::new(Eyes::new(client, site, fleet)),
        Err(error) => Box::new(Away(format!("{error:#}"))),
    };
    let parallel = usize::from(site.ssh.parallel).max(1);
    let results = verify::verify(promises, &fleet.hosts, &*daemon, parallel).await;
    results.into_iter().map(outcome).collect()
}

fn outcome(result: verify::Result) -> Outcome {
    let (word, reason) = match result.verdict {
        Verdict::Met => ("kept", String::new()),
        Verdict::NotMet(why) => ("not kept", why),
        Verdict::Unknown(why) => ("not seen", why),
    };
    let Promise { id, from, text, cure, .. } = result.promise;
    Outcome { id, host: from.to_string(), promise: text, word, reason, cure }
}

/// Where a host is not reached, that is the trouble: what to do about the promise itself is for a
/// host that says something.
fn of_silent(outcome: &mut Outcome, facts: &Facts) {
    let of = facts.hosts.iter().find(|(host, _)| host.as_str() == outcome.host);
    let Some((host, HostReport::Unreachable(silent))) = of else { return };
    if outcome.word != "kept" {
        outcome.word = "not seen";
        outcome.reason = format!("{host} was not reached: {}", silent.reason);
        let cure = silent.cure.clone();
        outcome.cure = cure.unwrap_or_else(|| "see that `ssh` reaches it".to_owned());
    }
}

fn shown(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for o in outcomes {
        text.push_str(&format!("{:<8}  {}: {}\n", o.word, o.host, o.promise));
        if o.word != "kept" {
            let reason = o.reason.replace('\n', "\n          ");
            text.push_str(&format!("          {reason}\n          cure: {}\n", o.cure));
        }
    }
    let kept = outcomes.iter().filter(|o| o.word == "kept").count();
    text.push_str(&format!("\n{kept} of {} promises are kept", outcomes.len()));
    text
}

/// A daemon that cannot be asked; the reason stands at every promise that needs it.
struct Away(String);

#[async_trait]
impl Daemon for Away {
    async fn series(&self, _: &str) -> Verdict {
        Verdict::NotMet(self.0.clone())
    }

    async fn host_monitored(&self, _: &HostName) -> Verdict {
        Verdict::Unknown(self.0.clone())
    }

    async fn network_ready(&self, _: &NetworkName, _: u32) -> Verdict {
        Verdict::Unknown(self.0.clone())
    }

    async fn machine_boots(&self, _: &HostName, _: &NetworkName) -> Verdict {
        Verdict::Unknown(self.0.clone())
    }

    async fn finish(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_plan::facts::Unreachable;

    #[test]
    fn what_was_not_seen_for_want_of_a_host_is_cured_by_reaching_it() {
        let silent =
            Unreachable { reason: "no route".into(), cure: Some("plug it in".into()), away: true };
        let report = HostReport::Unreachable(silent);
        let facts = Facts { hosts: [("front".parse().unwrap(), report)].into() };
        let of = |host: &str, word| {
            let (id, promise) = ("one:port".to_owned(), "oned listens".to_owned());
            let cure = "look at /var/log/one/oned.log".to_owned();
            let reason = String::new();
            let mut o = Outcome { id, host: host.to_owned(), promise, word, reason, cure };
            of_silent(&mut o, &facts);
            (o.word, o.cure)
        };
        assert_eq!(of("front", "not kept"), ("not seen", "plug it in".to_owned()));
        assert_eq!(of("other", "not kept").0, "not kept");
        assert!(of("front", "kept").1.contains("oned.log"));
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, fits) in [
            ("share:node01", true),
            ("share:*", true),
            ("*:node01", true),
            ("*", true),
            ("s*e:*1*", true),
            ("share", false),
            ("share:node0?", false),
            ("*:node02", false),
            ("hare:*", false),
        ] {
            assert_eq!(is_named("share:node01", pattern), fits, "{pattern}");
        }
    }
}
