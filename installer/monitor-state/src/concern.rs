//! What needs attention: one concern for each cause, however many objects it troubles; and where
//! there are many causes of one kind, one concern for them all, so that the list stays one that
//! people read.

mod hosts;
mod machines;
mod site;

pub(crate) use hosts::host_condition;

use crate::fold::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// How urgent a concern is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Bad,
    /// Something will not work soon, or not well.
    Warn,
}

/// What a concern is about; equal causes are one concern over time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cause(pub String);

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// What it is about, the same as long as it lasts.
    pub cause: Cause,
    /// How urgent it is.
    pub severity: Severity,
    /// What and where, a sentence.
    pub what: String,
    /// What to do about it, a sentence.
    pub cure: String,
    /// Since when it is known.
    pub since: i64,
    /// How many objects it troubles.
    pub count: usize,
    /// Where the monitor shows more.
    pub link: String,
}

/// More causes of one kind than these are one.
const MANY: usize = 12;
/// Longest sentence, in characters: oned passes on whatever a driver printed.
pub(crate) const SENTENCE: usize = 500;

/// A kind of cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Its name, which is the cause of all of the kind together.
    name: &'static str,
    /// What is said of many, behind their number.
    many: &'static str,
    /// Where all of them are listed.
    link: &'static str,
}

/// Everything that needs attention now, most urgent first. `before` gives the beginnings.
pub(crate) fn concerns(state: &State, before: &[Concern], now: i64) -> Vec<Concern> {
    let mut found = Found { now, read_at: state.read_at, all: BTreeMap::new() };
    site::collector(state, &mut found);
    let lost = hosts::hosts(state, &mut found);
    machines::machines(state, &lost, &mut found);
    site::storage(state, &mut found);
    site::networks(state, &mut found);
    site::services(state, &mut found);
    site::vpn(state, &mut found);
    site::usage(state, &mut found);
    let mut all = found.folded();
    for concern in &mut all {
        if let Some(known) = before.iter().find(|known| known.cause == concern.cause) {
            concern.since = concern.since.min(known.since);
        }
    }
    all.sort_by(by_urgency);
    all
}

fn by_urgency(a: &Concern, b: &Concern) -> std::cmp::Ordering {
    (a.severity, a.since, &a.cause).cmp(&(b.severity, b.since, &b.cause))
}

struct Found {
    now: i64,
    /// When what is judged was read: while oned is away, nothing else grows old.
    read_at: i64,
    all: BTreeMap<(Kind, Cause), Concern>,
}

impl Found {
    fn add(
        &mut self,
        kind: Kind,
        cause: impl Into<String>,
        severity: Severity,
        what: String,
        cure: &str,
        link: impl Into<String>,
    ) -> &mut Concern {
        let (cause, now) = (Cause(cause.into()), self.now);
        let concern = Concern {
            cause: cause.clone(),
            severity,
            what: cut(&what, SENTENCE),
            cure: cure.to_owned(),
            since: now,
            count: 1,
            link: link.into(),
        };
        self.all.entry((kind, cause)).or_insert(concern)
    }

    /// All of it, with many causes of one kind as one.
    fn folded(self) -> Vec<Concern> {
        let mut kinds: BTreeMap<Kind, Vec<Concern>> = BTreeMap::new();
        for ((kind, _), concern) in self.all {
            kinds.entry(kind).or_default().push(concern);
        }
        let mut folded = Vec::new();
        for (kind, mut concerns) in kinds {
            if concerns.len() <= MANY {
                folded.append(&mut concerns);
                continue;
            }
            concerns.sort_by(by_urgency);
            let count = concerns.iter().map(|c| c.count).sum();
            let since = concerns.iter().map(|c| c.since).min();
            folded.extend(concerns.into_iter().next().map(|first| Concern {
                cause: Cause(format!("many {}", kind.name)),
                what: format!("{count} {}. One of them: {}", kind.many, first.what),
                since: since.unwrap_or(first.since),
                count,
                link: kind.link.to_owned(),
                ..first
            }));
        }
        folded
    }
}

/// A text of a bounded length.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut kept: String = text.chars().take(most).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// A name of a bounded length.
fn short(name: &str) -> String {
    cut(name, 40)
}

/// Nearly full, and how much, in percent.
fn full(total: u64, free: u64) -> Option<(Severity, u64)> {
    if total == 0 {
        return None;
    }
    let used = u128::from(total.saturating_sub(free)) * 100 / u128::from(total);
    match u64::try_from(used).unwrap_or(100) {
        percent @ 97.. => Some((Severity::Bad, percent)),
        percent @ 90.. => Some((Severity::Warn, percent)),
        _ => None,
    }
}
