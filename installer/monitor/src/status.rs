//! The first screen: what needs attention, what is free, what runs. As a value for the page and for
//! JSON, and as text for `stratus-monitor status`.

use crate::diary::Diary;
use crate::figures::{cores, counted, kib, lasts, moment, percent};
use crate::service::{StartError, collector};
use crate::settings::Settings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use stratus_monitor_state::capacity::Capacity;
use stratus_monitor_state::{
    Cause, Concern, Group, Health, Machine, Severity, State, Viewer, fold, why,
};

/// Machines in trouble that somebody's own first screen names.
const OWN: usize = 20;
/// Events on the first screen.
const EVENTS: usize = 10;

/// The first screen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// When the last look was, seconds since 1970.
    pub at: i64,
    /// When OpenNebula was last read well; 0 for never.
    pub read_at: i64,
    /// All in one sentence.
    pub sentence: String,
    /// What is wrong with reading itself; empty where nothing is.
    pub banner: String,
    /// What needs attention, most urgent first.
    pub concerns: Vec<Shown>,
    /// Of each cluster.
    pub capacity: Vec<Room>,
    /// How many machines are in each state.
    pub states: Vec<Count>,
    /// How many hosts are in each condition.
    pub hosts: Vec<Count>,
    /// The site's own services.
    pub services: Vec<ServiceLine>,
    /// Certificates, the next to end first.
    pub certificates: Vec<EndLine>,
    /// What happened last.
    pub events: Vec<EventLine>,
}

/// A concern, or a machine in trouble, as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What it is about; the name for silencing it.
    pub cause: String,
    /// `bad` or `warn`.
    pub severity: String,
    /// What and where.
    pub what: String,
    /// What to do.
    pub cure: String,
    /// Since when, seconds since 1970.
    pub since: i64,
    /// How long ago that is.
    pub lasts: String,
    /// How many objects it troubles.
    pub count: usize,
    /// Where there is more.
    pub link: String,
}

/// The capacity of a cluster as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Name of the cluster.
    pub cluster: String,
    /// Hosts that take machines.
    pub hosts: usize,
    /// Hosts that take none.
    pub closed: usize,
    /// Processors given, of how many.
    pub cpu: String,
    /// In percent.
    pub cpu_percent: u32,
    /// Memory given, of how much.
    pub memory: String,
    /// In percent.
    pub memory_percent: u32,
    /// How many more small, medium and large machines fit.
    pub fits: [i64; 3],
}

/// A number of things with a word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The word.
    pub word: String,
    /// How many.
    pub count: usize,
}

/// A service as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// What it is.
    pub name: String,
    /// Whether it answers.
    pub answers: bool,
    /// A sentence about it.
    pub about: String,
}

/// Something that ends one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndLine {
    /// Where it is.
    pub place: String,
    /// Days until then.
    pub days: i64,
    /// The day.
    pub day: String,
}

/// An event as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// When, seconds since 1970.
    pub at: i64,
    /// When, for people.
    pub moment: String,
    /// What kind of thing.
    pub kind: String,
    /// What.
    pub what: String,
    /// Where there is more.
    pub link: String,
}

impl Overview {
    pub(crate) fn of(state: &State, diary: &Diary, viewer: &Viewer) -> Self {
        let mut overview = Self::without_events(state, viewer);
        let (events, _) = diary.newest(viewer, None, 0, EVENTS);
        overview.events = events.iter().map(EventLine::of).collect();
        overview
    }

    fn without_events(state: &State, viewer: &Viewer) -> Self {
        let all = viewer.sees_all();
        let concerns = if all { concerns(state) } else { own_trouble(state, viewer) };
        let states = states(state, viewer);
        Self {
            at: state.at,
            read_at: state.read_at,
            sentence: sentence(state, &concerns, &states),
            banner: banner(state),
            capacity: if all { state.capacity.iter().map(room).collect() } else { Vec::new() },
            hosts: if all { hosts(state) } else { Vec::new() },
            services: if all { services(state) } else { Vec::new() },
            certificates: if all { certificates(state) } else { Vec::new() },
            events: Vec::new(),
            concerns,
            states,
        }
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.sentence);
        if !self.banner.is_empty() {
            out += &format!("\n! {}\n", self.banner);
        }
        for concern in &self.concerns {
            let mark = if concern.severity == "bad" { "BAD " } else { "WARN" };
            out += &format!(
                "\n{mark} {}\n     {}\n     for {}\n",
                plain(&concern.what),
                plain(&concern.cure),
                concern.lasts
            );
        }
        let counts = |counts: &[Count]| {
            let shown = counts.iter().filter(|c| c.count > 0);
            let words: Vec<String> = shown.map(|c| format!("{} {}", c.word, c.count)).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        };
        out +=
            &format!("\nMachines  {}\nHosts     {}\n", counts(&self.states), counts(&self.hosts));
        for room in &self.capacity {
            let [s, m, l] = room.fits;
            out += &format!(
                "\nCluster {}: {} given, {} given; room for {s} S, {m} M or {l} L\n",
                plain(&room.cluster),
                room.cpu,
                room.memory
            );
        }
        for service in &self.services {
            out += &format!("{}: {}\n", service.name, plain(&service.about));
        }
        for end in &self.certificates {
            out += &format!("Certificate {} ends in {} days\n", plain(&end.place), end.days);
        }
        if !self.events.is_empty() {
            out += "\nLast\n";
        }
        for event in &self.events {
            out += &format!("  {}  {}\n", event.moment, plain(&event.what));
        }
        out
    }
}

/// Text of others on a terminal: without what steers it or turns its direction.
fn plain(text: &str) -> String {
    let steers = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|c| !steers(c)).collect()
}

impl EventLine {
    pub(crate) fn of(event: &stratus_monitor_state::Event) -> Self {
        let kind = serde_json::to_value(event.kind).unwrap_or_default();
        Self {
            at: event.at,
            moment: moment(event.at),
            kind: kind.as_str().unwrap_or_default().to_owned(),
            what: event.what.clone(),
            link: event.link.clone(),
        }
    }
}

fn sentence(state: &State, concerns: &[Shown], states: &[Count]) -> String {
    if state.read_at == 0 {
        return "Nothing has been read from OpenNebula yet.".to_owned();
    }
    let urgent = concerns.len();
    let trouble = match urgent {
        0 => "Nothing needs you".to_owned(),
        1 => "1 thing needs you".to_owned(),
        many => format!("{many} things need you"),
    };
    let count = |group: Group| {
        states.iter().find(|c| c.word == group.word()).map_or(0, |count| count.count)
    };
    let runs = counted(count(Group::Runs), "machine runs", "machines run");
    let waits = match count(Group::Waits) {
        0 => String::new(),
        some => format!(", {} wait{}", some, if some == 1 { "s" } else { "" }),
    };
    format!("{trouble}; {runs}{waits}.")
}

pub(crate) fn banner(state: &State) -> String {
    match &state.health {
        Health::Starting => "The first look at OpenNebula is going on.".to_owned(),
        Health::Well => String::new(),
        Health::Away { fault, .. } if state.read_at == 0 => {
            format!("OpenNebula could not be read yet: {fault}.")
        }
        Health::Away { fault, .. } => format!(
            "This is how it was at {} UTC, {} ago: OpenNebula cannot be read ({fault}).",
            moment(state.read_at),
            lasts(state.at - state.read_at)
        ),
    }
}

fn concerns(state: &State) -> Vec<Shown> {
    let shown = |c: &stratus_monitor_state::Concern| Shown {
        cause: c.cause.0.clone(),
        severity: severity(c.severity).to_owned(),
        what: c.what.clone(),
        cure: c.cure.clone(),
        since: c.since,
        lasts: lasts(state.at - c.since),
        count: c.count,
        link: c.link.clone(),
    };
    state.concerns.iter().map(shown).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Bad => "bad",
        Severity::Warn => "warn",
    }
}

/// For people who see their own machines: those of them that do not run as they should.
fn own_trouble(state: &State, viewer: &Viewer) -> Vec<Shown> {
    let hosts = state.hosts_by_id();
    let urgent = |m: &&Machine| {
        viewer.may_see(m) && matches!(Group::of(m), Group::Failed | Group::Unknown | Group::Waits)
    };
    let mut found: Vec<&Machine> = state.machines.iter().filter(urgent).collect();
    found.sort_by_key(|m| Group::of(m));
    let shown = |m: &Machine| {
        let bad = Group::of(m) != Group::Waits;
        let name: String = m.name.chars().take(60).collect();
        let since = state.since_of(m);
        Shown {
            cause: format!("machine {}", m.id),
            severity: if bad { "bad" } else { "warn" }.to_owned(),
            what: format!("{name} ({}): {}", m.id, why(m, &hosts).unwrap_or_default()),
            cure: if bad { "Ask your administrator, or delete it and start it again." } else { "" }
                .to_owned(),
            since,
            lasts: lasts(state.at - since),
            count: 1,
            link: format!("/vms/{}", m.id),
        }
    };
    found.into_iter().take(OWN).map(shown).collect()
}

fn states(state: &State, viewer: &Viewer) -> Vec<Count> {
    let mut counts = BTreeMap::new();
    for machine in state.machines.iter().filter(|m| viewer.may_see(m)) {
        *counts.entry(Group::of(machine)).or_insert(0) += 1;
    }
    let count = |group: Group| Count {
        word: group.word().to_owned(),
        count: counts.get(&group).copied().unwrap_or(0),
    };
    Group::SHOWN.map(count).to_vec()
}

fn hosts(state: &State) -> Vec<Count> {
    const WORDS: [&str; 8] =
        ["error", "silent", "on", "starts", "drains", "drained", "offline", "unknown"];
    let mut counts = BTreeMap::<&str, usize>::new();
    for host in state.hosts.iter() {
        *counts.entry(state.host_condition(host)).or_default() += 1;
    }
    let shown = WORDS.iter().filter(|word| **word == "on" || counts.contains_key(*word));
    shown
        .map(|word| Count {
            word: (*word).to_owned(),
            count: counts.get(word).copied().unwrap_or(0),
        })
        .collect()
}

fn room(capacity: &Capacity) -> Room {
    Room {
        cluster: capacity.cluster.clone(),
        hosts: capacity.hosts,
        closed: capacity.closed,
        cpu: format!("{} of {} cores", cores(capacity.cpu_given), cores(capacity.cpu)),
        cpu_percent: percent(capacity.cpu_given, capacity.cpu),
        memory: format!("{} of {}", kib(capacity.memory_given_kib), kib(capacity.memory_kib)),
        memory_percent: percent(capacity.memory_given_kib, capacity.memory_kib),
        fits: capacity.fits,
    }
}

fn services(state: &State) -> Vec<ServiceLine> {
    let line = |s: &stratus_monitor_state::Service| ServiceLine {
        name: s.name.clone(),
        answers: s.fault.is_none(),
        about: s.fault.clone().map_or_else(|| about(s), |f| format!("does not answer: {f}")),
    };
    state.services.iter().map(line).collect()
}

/// What a service's figures say that matters most.
fn about(service: &stratus_monitor_state::Service) -> String {
    let figure = |name: &str| {
        service.figures.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
    };
    let sum = |kinds: &[&str]| {
        let name = |kind: &&str| figure(&format!("stratus_cache_requests_total:{kind}"));
        kinds.iter().filter_map(name).sum::<f64>()
    };
    if service.name == "cache" {
        let hits = sum(&["hit", "collapsed", "revalidated", "stale"]);
        let all = hits + sum(&["miss"]);
        return if all > 0.0 {
            format!("answers; {:.0} % of requests were served from it", hits * 100.0 / all)
        } else {
            "answers; nothing was asked for yet".to_owned()
        };
    }
    match figure("stratus_repository_appliances") {
        Some(count) => format!("answers; {count:.0} appliances"),
        None => "answers".to_owned(),
    }
}

fn certificates(state: &State) -> Vec<EndLine> {
    let read = state.certificates.iter().filter(|c| c.fault.is_none());
    let mut ends: Vec<EndLine> = read
        .map(|c| EndLine {
            place: c.place.clone(),
            days: (c.ends - state.at).div_euclid(86_400),
            day: moment(c.ends).chars().take(10).collect(),
        })
        .collect();
    ends.sort_by_key(|end| end.days);
    ends
}

/// What is known at the start: since when what needed attention did, as the monitor left it. A file
/// that cannot be read makes every beginning a new one.
pub(crate) fn begin(file: &Path) -> State {
    let kept = std::fs::read(file).ok();
    let kept = kept.and_then(|text| serde_json::from_slice::<Overview>(&text).ok());
    let concern = |shown: Shown| Concern {
        cause: Cause(shown.cause),
        severity: if shown.severity == "bad" { Severity::Bad } else { Severity::Warn },
        what: shown.what,
        cure: shown.cure,
        since: shown.since,
        count: shown.count,
        link: shown.link,
    };
    State::beginning(kept.into_iter().flat_map(|kept| kept.concerns).map(concern).collect())
}

/// The first screen for a terminal: as the running monitor left it a moment ago, or else by a look
/// of our own.
///
/// # Errors
/// Neither is possible.
pub async fn status(settings: &Settings) -> Result<Overview, StartError> {
    let now = Timestamp::now().as_second();
    let file = settings.data.join("status.json");
    let fresh = i64::try_from(settings.interval.as_secs()).unwrap_or(i64::MAX).saturating_mul(3);
    let kept = std::fs::read(&file).ok();
    let kept = kept.and_then(|text| serde_json::from_slice::<Overview>(&text).ok());
    if let Some(kept) = kept.filter(|kept| (0..=fresh).contains(&(now - kept.at))) {
        return Ok(kept);
    }
    let mut collector = collector(settings)?;
    let seen = collector.look(&State::default(), now).await;
    Ok(Overview::without_events(&fold(&State::default(), seen), &Viewer::Administrator))
}
