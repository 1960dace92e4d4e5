//! Tasks that only look.

use super::plan::{away, tell_away};
use crate::choices::Choices;
use crate::fleet::Fleet;
use crate::gather;
use crate::site_file::{Loaded, checked, load, site};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use stratus_execute::bundle::{Part, write};
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Deadlines, Work};
use stratus_execute::redact::Redactor;
use stratus_plan::facts::{Facts, HostReport};
use stratus_plan::{Finding, Severity};
use stratus_site::Site;
use stratus_terminal::{AtomicFile, Exit, note, print_json, print_line};

/// Reads the site file and reports every problem.
pub fn check(choices: &Choices) -> Result<Exit> {
    let site = checked(choices)?;
    let name = &site.general.name;
    note(&format!(
        "the site `{name}` is good: 1 front-end, {} nodes, {} networks",
        site.nodes.len(),
        site.networks.len()
    ));
    Ok(Exit::Done)
}

/// Asks the hosts and writes down what they say. Exit code 5 when one was not reached.
pub async fn facts(choices: &Choices, output: Option<&Path>) -> Result<Exit> {
    let (site, _) = site(choices)?;
    let fleet = Fleet::of(&site, choices)?;
    let facts = gather::ask(&site, &fleet).await;
    match output {
        None => print_json(&facts)?,
        Some(file) => AtomicFile::write(file, &serde_json::to_vec_pretty(&facts)?)
            .with_context(|| format!("cannot write `{}`", file.display()))?,
    }
    let silent = away(&facts, fleet.hosts.keys());
    tell_away(&silent);
    Ok(if silent.is_empty() { Exit::Done } else { Exit::Unreachable })
}

/// Looks at the hosts for what would stand in the way. Exit code 1 when something must be mended,
/// 5 when that is only that hosts were not reached.
pub async fn preflight(choices: &Choices) -> Result<Exit> {
    let loaded = load(choices)?;
    let fleet = Fleet::of(&loaded.site, choices)?;
    let mut facts = gather::facts(&loaded.site, &fleet, choices).await?;
    if choices.facts.is_none() {
        gather::around(&loaded.site, &fleet, &mut facts).await;
    }
    let findings = findings(&loaded, &facts, choices);
    if choices.json {
        print_json(&findings)?;
    } else {
        print_line(&shown(&findings))?;
    }
    let bad = || findings.iter().filter(|f| f.severity == Severity::Refuse).map(|f| &f.host);
    let is_away = |host| match facts.hosts.get(host) {
        Some(HostReport::Unreachable(silent)) => silent.away,
        Some(HostReport::Known(_)) => false,
        None => true,
    };
    Ok(match bad().next() {
        None => Exit::Done,
        Some(_) if bad().all(is_away) => Exit::Unreachable,
        Some(_) => Exit::Failed,
    })
}

/// What stands in the way on the hosts that are meant.
pub(super) fn findings(loaded: &Loaded, facts: &Facts, choices: &Choices) -> Vec<Finding> {
    let mut findings = stratus_plan::preflight(&loaded.site, facts);
    findings.extend(stratus_plan::offline::findings(&loaded.site, facts, &loaded.inputs));
    findings.retain(|f| choices.means(&f.host));
    findings
}

/// Findings for people, the ones that must be mended first.
pub(super) fn shown(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing stands in the way".to_owned();
    }
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| (f.severity, f.host.clone()));
    let line = |f: &&Finding| {
        let word = match f.severity {
            Severity::Refuse => "must be mended",
            Severity::Warn => "note",
        };
        format!("{}: {word}: {}\n  cure: {}", f.host, f.text, f.cure)
    };
    sorted.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Facts, plan, journals and versions in one file, without secrets.
pub async fn bundle(choices: &Choices, output: &Path) -> Result<Exit> {
    let loaded = load(choices)?;
    let fleet = Fleet::of(&loaded.site, choices)?;
    let facts = gather::facts(&loaded.site, &fleet, choices).await?;
    let plan = stratus_plan::plan(&loaded.site, &facts, &loaded.inputs);
    let part = |name: &str, text: String| Part { name: name.to_owned(), text };
    let parts = [
        part("version", format!("stratus-install {}\n", env!("CARGO_PKG_VERSION"))),
        part("facts.json", serde_json::to_string_pretty(&facts)?),
        part("plan.json", serde_json::to_string_pretty(&plan)?),
        part("plan.txt", stratus_plan::render::full(&plan)),
        part("journal.jsonl", journals(&loaded.site, &fleet).await),
    ];
    let mut file = AtomicFile::create_private(output)
        .with_context(|| format!("cannot write `{}`", output.display()))?;
    let when = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    write(&mut file, &parts, &Redactor::of(&plan), when)?;
    file.commit()?;
    note(&format!("wrote `{}`; it holds no secret", output.display()));
    Ok(Exit::Done)
}

/// The journals of the last runs, or why there are none.
async fn journals(site: &Site, fleet: &Fleet) -> String {
    let script = "cd /var/lib/stratus/installer/journal 2> /dev/null || exit 0\n\
                  ls -1 | sort | tail -n 20 | while read -r name; do cat -- \"$name\"; done";
    let frontend = fleet.frontend(site);
    match run_well(&*frontend, &journal_work(script), &Attention::none()).await {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("not read: {error}\n"),
    }
}

pub(super) fn journal_work(script: &str) -> Work {
    Work {
        what: "reading the journal".to_owned(),
        script: script.to_owned(),
        payload: Vec::new(),
        deadlines: Deadlines::silent_for(Duration::from_secs(30)),
        stdout_limit: 64 << 20,
    }
}
