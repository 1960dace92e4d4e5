//! Lists of machines: who may see what, filtered, sorted, in pages.

use crate::fold::State;
use crate::records::Machine;
use crate::states::Group;
use serde::Serialize;

/// Machines on a page.
pub const PAGE: usize = 50;
/// Longest search, in characters.
const SEARCH: usize = 200;

/// Whose eyes look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody who sees all.
    Administrator,
    /// Somebody who sees their own.
    Own(String),
}

impl Viewer {
    /// Whether they may see a machine.
    pub fn may_see(&self, machine: &Machine) -> bool {
        match self {
            Self::Administrator => true,
            Self::Own(login) => machine.user == *login,
        }
    }

    /// Whether they see all.
    pub fn sees_all(&self) -> bool {
        *self == Self::Administrator
    }
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// By name.
    Name,
    /// By owner, then newest first.
    User,
    /// By host, then newest first.
    Host,
    /// Largest share of memory first.
    Memory,
    /// Busiest first.
    Cpu,
}

impl Order {
    /// All, with their words and what they say.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Newest, "newest", "newest first"),
        (Self::Oldest, "oldest", "oldest first"),
        (Self::Name, "name", "name"),
        (Self::User, "user", "owner"),
        (Self::Host, "host", "host"),
        (Self::Memory, "memory", "most memory"),
        (Self::Cpu, "cpu", "busiest"),
    ];

    /// Its word in addresses.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(order, ..)| *order == self).map_or("newest", |(_, word, _)| word)
    }
}

/// What machines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Part of a name, an address, an image, a host or an owner; or an identifier.
    pub search: String,
    /// In this group.
    pub group: Option<Group>,
    /// Of this owner.
    pub user: String,
    /// On this host.
    pub host: Option<i32>,
    /// In this order.
    pub order: Order,
    /// Which page, from 1.
    pub page: usize,
}

/// Words of a query that mean nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}={value}` means nothing here; it is one of: {known}")]
pub struct QueryError {
    name: &'static str,
    value: String,
    known: String,
}

impl Query {
    /// Reads the pairs of an address; unknown names are passed over.
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let mut query = Self { page: 1, ..Self::default() };
        for (name, value) in pairs {
            match name {
                "q" => query.search = value.trim().chars().take(SEARCH).collect(),
                "state" | "sort" if value.is_empty() => {}
                "state" => query.group = Some(group(value)?),
                "user" => query.user = value.chars().take(SEARCH).collect(),
                "host" => query.host = value.parse().ok(),
                "sort" => query.order = order(value)?,
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        Ok(query)
    }

    /// The machines wanted that the viewer may see, a page of them.
    pub fn run<'a>(&self, state: &'a State, viewer: &Viewer) -> Page<'a> {
        let needle = self.search.to_lowercase();
        let wanted = |m: &&Machine| viewer.may_see(m) && self.fits(m, &needle);
        let mut found: Vec<&Machine> = state.machines.iter().filter(wanted).collect();
        self.sort(&mut found);
        let total = found.len();
        let pages = total.div_ceil(PAGE).max(1);
        let page = self.page.min(pages);
        let machines = found.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
        Page { machines, total, page, pages }
    }

    fn fits(&self, machine: &Machine, needle: &str) -> bool {
        self.group.is_none_or(|group| Group::of(machine) == group)
            && (self.user.is_empty() || machine.user == self.user)
            && self.host.is_none_or(|host| machine.place.as_ref().is_some_and(|p| p.host == host))
            && (needle.is_empty() || found_in(machine, needle))
    }

    fn sort(&self, found: &mut [&Machine]) {
        let newest = |m: &&Machine| std::cmp::Reverse(m.id);
        let busy = |m: &Machine| m.load.map_or(0.0, |load| load.cpu_percent);
        match self.order {
            Order::Newest => found.sort_by_key(newest),
            Order::Oldest => found.sort_by_key(|m| m.id),
            Order::Name => found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id))),
            Order::User => found.sort_by(|a, b| (&a.user, b.id).cmp(&(&b.user, a.id))),
            Order::Host => found.sort_by(|a, b| (host_of(a), b.id).cmp(&(host_of(b), a.id))),
            Order::Memory => found.sort_by_key(|m| (std::cmp::Reverse(m.memory_mib), newest(m))),
            Order::Cpu => {
                found.sort_by(|a, b| busy(b).total_cmp(&busy(a)).then(b.id.cmp(&a.id)));
            }
        }
    }
}

fn host_of(machine: &Machine) -> &str {
    machine.place.as_ref().map(|place| place.name.as_str()).unwrap_or_default()
}

fn found_in(machine: &Machine, needle: &str) -> bool {
    let has = |text: &str| {
        // Most texts are plain, and comparing them needs no copy.
        if text.is_ascii() && needle.is_ascii() {
            let (text, needle) = (text.as_bytes(), needle.as_bytes());
            text.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
        } else {
            text.to_lowercase().contains(needle)
        }
    };
    has(&machine.name)
        || machine.id.to_string() == needle
        || has(&machine.user)
        || machine.nics.iter().any(|nic| nic.address.starts_with(needle))
        || machine.place.as_ref().is_some_and(|place| has(&place.name))
        || machine.images.iter().any(|image| has(image))
}

fn group(value: &str) -> Result<Group, QueryError> {
    Group::from_word(value).ok_or_else(|| QueryError {
        name: "state",
        value: value.chars().take(40).collect(),
        known: Group::SHOWN.map(Group::word).join(", "),
    })
}

fn order(value: &str) -> Result<Order, QueryError> {
    let known = Order::ALL.iter().find(|(_, word, _)| *word == value);
    known.map(|(order, ..)| *order).ok_or_else(|| QueryError {
        name: "sort",
        value: value.chars().take(40).collect(),
        known: Order::ALL.map(|(_, word, _)| word).join(", "),
    })
}

/// A page of machines.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The machines on it.
    pub machines: Vec<&'a Machine>,
    /// How many there are on all pages.
    pub total: usize,
    /// Which page it is, from 1.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
}
