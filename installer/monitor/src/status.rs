//! The first screen: what needs attention, what is free, what runs. As a value for the page and for
//! JSON, and as text for `stratus-monitor status`.

mod kept;
mod shown;
mod text;

pub use kept::status;
pub(crate) use kept::{begin, keep};
pub(crate) use shown::banner;

use crate::diary::Diary;
use crate::figures::moment;
use serde::{Deserialize, Serialize};
use stratus_monitor_state::{State, Viewer};

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
        let concerns = if all { shown::concerns(state) } else { shown::own_trouble(state, viewer) };
        let states = shown::states(state, viewer);
        Self {
            at: state.at,
            read_at: state.read_at,
            sentence: shown::sentence(state, &concerns, &states),
            banner: banner(state),
            capacity: if all { shown::capacity(state) } else { Vec::new() },
            hosts: if all { shown::hosts(state) } else { Vec::new() },
            services: if all { shown::services(state) } else { Vec::new() },
            certificates: if all { shown::certificates(state) } else { Vec::new() },
            events: Vec::new(),
            concerns,
            states,
        }
    }
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
