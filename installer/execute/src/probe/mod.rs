//! Asks a host everything that a plan needs, with one program and one answer.
//!
//! [`probe_script`] makes the program, [`parse`] reads the answer; both are functions over values.
//! The answer has sections, and ends with one named `end`, so that half an answer is none.

mod links;
mod parts;
mod paths;

use crate::drive::{Attention, run_well};
use crate::error::Trouble;
use crate::host::{Deadlines, Host, Work};
use crate::scripts::quote;
use futures_util::stream::{self, StreamExt};
use parts::Sections;
use std::fmt::Write as _;
use std::sync::Arc;
use stratus_plan::facts::{Facts, HostFacts, HostReport, Questions, Reach};

/// Longest content of a file that is told.
const CONTENT: usize = 64 << 10;
/// Longest answer that is read.
const LONGEST: usize = 64 << 20;

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("section `{section}` of the answer: {reason}")]
pub struct BadAnswer {
    /// The section.
    pub section: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl BadAnswer {
    pub(crate) fn new(section: &'static str, reason: impl Into<String>) -> Self {
        Self { section, reason: reason.into() }
    }
}

/// The questions as work for a host.
pub fn work(questions: &Questions, deadlines: Deadlines) -> Work {
    Work {
        what: "asking what the host is".into(),
        script: probe_script(questions),
        payload: Vec::new(),
        deadlines,
        stdout_limit: LONGEST,
    }
}

/// The program that asks.
pub fn probe_script(questions: &Questions) -> String {
    let mut script = String::from(include_str!("probe.sh"));
    let words = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(|n| quote(n)).collect::<Vec<_>>().join(" ")
    };
    let mut ask = |section: &str, command: &str| {
        let _ = writeln!(script, "section {section}\n{command}");
    };
    if !questions.units.is_empty() {
        let units = words(&questions.units);
        ask(
            "sockets",
            "systemctl list-units --type=socket --state=active --plain --no-legend 2> /dev/null | \
             cut -d ' ' -f 1",
        );
        let what = "-p LoadState -p ActiveState -p UnitFileState -p TriggeredBy";
        ask("units", &format!("systemctl show {what} -- {units} 2> /dev/null"));
    }
    if !questions.users.is_empty() {
        let users = words(&questions.users);
        let each = "id -Gn -- \"$user\" 2> /dev/null || echo";
        ask("users", &format!("getent passwd -- {users}"));
        ask("memberships", &format!("for user in {users}; do {each}; done"));
    }
    if !questions.groups.is_empty() {
        ask("groups", &format!("getent group -- {}", words(&questions.groups)));
    }
    if !questions.packages.is_empty() {
        let names = words(&questions.packages);
        ask("provided", &provided(&names));
        ask("available", &available(&names));
    }
    if !questions.databases.is_empty() {
        ask(
            "databases",
            "for client in mariadb mysql; do\n    if have $client; then echo 'SHOW DATABASES;' | $client -N -B 2> /dev/null; break; fi\ndone",
        );
    }
    script.push_str(&paths::script(questions));
    // The clock last: what lies between its reading and ours is then shortest.
    script.push_str("section clock\ndate +%s%3N\nsection end\n");
    script
}

/// A package may be there by a name that another one provides; rpm says what provides nothing on
/// its standard output, in a line that is none of ours.
fn provided(names: &str) -> String {
    format!(
        "if [ -n \"$rpms\" ]; then for name in {names}; do\n    \
         rpm -q --whatprovides --qf \"ii \\\\t$name\\\\t%{{EVR}}\\\\n\" \"$name\" 2> /dev/null\ndone; fi"
    )
}

fn available(names: &str) -> String {
    format!(
        "if [ -z \"$rpms\" ] && have apt-cache; then apt-cache policy {names} 2> /dev/null\n\
         elif have dnf; then dnf -q --cacheonly repoquery --latest-limit 1 --qf '%{{name}}\\t%{{evr}}\\n' {names} 2> /dev/null\n\
         elif have zypper; then zypper -q -n --no-refresh search -s --match-exact -t package {names} 2> /dev/null\nfi"
    )
}

/// What is around a host, as work for it.
pub fn reach_work(reach: &Reach, deadlines: Deadlines) -> Work {
    let words = |texts: Vec<String>| texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(" ");
    let repositories = words(reach.repositories.iter().cloned().collect());
    let addresses = words(reach.addresses.iter().map(ToString::to_string).collect());
    let proxy = reach.proxy.as_ref().map(|proxy| {
        let proxy = quote(proxy);
        format!("export http_proxy={proxy} https_proxy={proxy}\n")
    });
    let script = include_str!("reach.sh")
        .replace("#REPOSITORIES#", &repositories)
        .replace("#ADDRESSES#", &addresses);
    Work {
        what: "asking what is around the host".into(),
        script: proxy.unwrap_or_default() + &script,
        payload: Vec::new(),
        deadlines,
        stdout_limit: 1 << 20,
    }
}

/// Adds the answer to what is known of the host.
pub fn parse_reach(answer: &[u8], facts: &mut HostFacts) -> Result<(), BadAnswer> {
    let sections = Sections::of(answer)?;
    for line in sections.text("unreached").lines() {
        if let Some((url, why)) = line.split_once('\t') {
            facts.unreached.insert(url.to_owned(), why.to_owned());
        }
    }
    for line in sections.text("neighbours").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let behind = |word: &str| words.iter().skip_while(|w| **w != word).nth(1);
        let address = words.first().and_then(|address| address.parse().ok());
        let mac = behind("lladdr").and_then(|mac| mac.parse().ok());
        if let (Some(address), Some(mac)) = (address, mac) {
            facts.neighbours.insert(address, mac);
        }
    }
    Ok(())
}

/// Reads the answer. `heard_at_ms` is our own clock when it ended, milliseconds since 1970.
pub fn parse(
    answer: &[u8],
    questions: &Questions,
    heard_at_ms: i64,
) -> Result<HostFacts, BadAnswer> {
    if answer.len() > LONGEST {
        return Err(BadAnswer::new("end", "it is too long"));
    }
    let sections = Sections::of(answer)?;
    let mut facts = HostFacts::default();
    parts::basic(&sections, &mut facts)?;
    parts::features(&sections, &mut facts);
    links::read(&sections, &mut facts)?;
    parts::packages(&sections, &mut facts);
    parts::lists(&sections, questions, &mut facts)?;
    facts.paths = paths::read(&sections, questions)?;
    let clock = sections.line("clock")?;
    let clock: i64 = clock.parse().map_err(|_| BadAnswer::new("clock", "it is no number"))?;
    facts.clock_offset_ms = clock.saturating_sub(heard_at_ms);
    Ok(facts)
}

/// Asks all hosts, so many at once. `now_ms` is our own clock, milliseconds since 1970.
pub async fn all(
    hosts: &[Arc<dyn Host>],
    questions: &Questions,
    parallel: usize,
    deadlines: Deadlines,
    now_ms: fn() -> i64,
) -> Facts {
    let work = work(questions, deadlines);
    let ask = |host: &Arc<dyn Host>| {
        let (host, work) = (host.clone(), work.clone());
        async move {
            let answer = run_well(&*host, &work, &Attention::none()).await;
            let parsed = answer.and_then(|output| {
                parse(&output.stdout, questions, now_ms()).map_err(|bad| {
                    let (command, reason) = (work.what.clone(), bad.to_string());
                    Trouble::Answer { command, reason }.of(host.name())
                })
            });
            let report = match parsed {
                Ok(facts) => HostReport::Known(Box::new(facts)),
                Err(error) => HostReport::Unreachable(error.into()),
            };
            (host.name().clone(), report)
        }
    };
    let asks: Vec<_> = hosts.iter().map(ask).collect();
    Facts { hosts: stream::iter(asks).buffer_unordered(parallel.max(1)).collect().await }
}
