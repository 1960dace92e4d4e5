//! Every key of the site file in one place: what it is called, takes, means, and is without you.
//!
//! The reference page and `stratus-config` show this table; tests compare it with what the
//! programs really ask for.

mod hosts;
mod networks;
mod services;

use std::fmt;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its section; `*` stands for a name that you choose.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where it is absent.
    pub absent: Absent,
    /// What it means, a sentence without its full stop.
    pub meaning: &'static str,
    /// A value as it would be written.
    pub example: &'static str,
    /// Who reads it.
    pub reader: Reader,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text in quotes.
    Text,
    /// A file: beside the site file, unless its path is absolute.
    File,
    /// The same, for a file that nobody else may read.
    SecretFile,
    /// A list of texts; a single text will do.
    Texts,
    /// A whole number.
    Number,
    /// A list of whole numbers.
    Numbers,
    /// A whole number or a text.
    NumberOrText,
    /// true or false.
    Flag,
    /// A size such as `"200 GiB"`.
    Size,
    /// A duration such as `"10 min"`.
    Duration,
    /// true, false, or a table.
    FlagOrTable,
    /// A list of texts and tables.
    List,
    /// Tables.
    Tables,
}

/// What holds where a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The section cannot do without it.
    Required,
    /// Nothing.
    Nothing,
    /// This value, as it would be written.
    Value(&'static str),
    /// What these words say.
    Means(&'static str),
}

/// Who reads a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The installer.
    Installer,
    /// A service; the installer leaves it alone.
    Service,
    /// Both.
    Both,
}

/// The sections, in the order of the reference, each with what it is about.
pub const SECTIONS: [(&str, &str); 25] = [
    ("site", "The site as a whole."),
    (
        "frontend",
        "The host of OpenNebula's daemon. It may be one of the nodes too, on small sites.",
    ),
    ("nodes", "The hosts that run virtual machines."),
    ("nodes.override.*", "What is different on one node, or on a range such as `\"node[01-04]\"`."),
    ("ssh", "How the installer reaches hosts, beyond your own ssh configuration."),
    (
        "networks.*",
        "A virtual network. With `leases` it is fixed: each address is stated. With `base`, or \
         `network` and `size`, it is ranged: the addresses follow each other.",
    ),
    ("networks.*.leases", "One address of a fixed network."),
    ("networks.*.dhcp", "More about the DHCP service, where `dhcp = true` is not enough."),
    ("networks.*.nat", "More about address translation, where `nat = true` is not enough."),
    ("vpn", "The overlay that burst nodes, machines in other clouds, join the site through."),
    ("vpn.nodes", "One burst node."),
    ("identity", "Who people are."),
    ("identity.ldap", "The directory that people are in."),
    ("identity.people.*", "More about the person with this login."),
    (
        "repository",
        "The appliance repository: one that exists already, known by `url` alone, or one that \
         the installer sets up on `host`.",
    ),
    ("repository.s3", "A bucket that holds the appliances instead of the folder `data`."),
    ("repository.limits", "What is too large, too old, too slow for the repository."),
    (
        "repository.endorsers",
        "A rule: who may endorse what. Without rules every trusted signer may.",
    ),
    (
        "cache",
        "The caching proxy near the nodes: one that exists already, known by `url` alone, or one \
         that the installer sets up on `host`.",
    ),
    ("cache.upstreams", "A server whose answers the cache keeps."),
    ("cache.prefetch", "What the cache fetches each day before anybody asks."),
    ("monitor", "The web application that shows the site."),
    ("monitor.alerts", "Who hears of what needs attention, one message for each cause."),
    ("accounting", "Who this site is to others."),
    ("packages", "Where packages come from."),
];

/// Every key, section by section.
pub fn all() -> impl Iterator<Item = &'static Key> {
    hosts::KEYS.iter().chain(&networks::KEYS).chain(&services::KEYS)
}

/// How the value of a key is written, by its path such as `networks.*.base`.
pub fn example(path: &str) -> Option<&'static str> {
    all().find(|key| key.path() == path).map(|key| key.example)
}

/// The keys of a section that services read and the installer leaves alone.
pub(crate) fn of_services(section: &str) -> Vec<&'static str> {
    let theirs = |key: &&Key| key.section == section && key.reader == Reader::Service;
    all().filter(theirs).map(|key| key.name).collect()
}

impl Key {
    /// The key that a path such as `["networks", "private", "base"]` leads to.
    pub fn find(path: &[&str]) -> Option<&'static Self> {
        all().find(|key| key.fits(path))
    }

    /// Section and name together, as `networks.*.base`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    fn fits(&self, path: &[&str]) -> bool {
        let own = self.section.split('.').chain([self.name]);
        // The number of a table in a list is no part of the pattern.
        let number = |p: &&&str| !p.bytes().all(|b| b.is_ascii_digit());
        let given: Vec<&str> = path.iter().filter(number).copied().collect();
        own.clone().count() == given.len() && own.zip(given).all(|(o, g)| o == "*" || o == g)
    }
}

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    absent: Absent,
    meaning: &'static str,
    example: &'static str,
) -> Key {
    Key { section, name, kind, absent, meaning, example, reader: Reader::Installer }
}

/// As [`key`], for what only a service reads.
const fn theirs(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    absent: Absent,
    meaning: &'static str,
    example: &'static str,
) -> Key {
    Key { reader: Reader::Service, ..key(section, name, kind, absent, meaning, example) }
}

/// As [`key`], for what a service reads too.
const fn both(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    absent: Absent,
    meaning: &'static str,
    example: &'static str,
) -> Key {
    Key { reader: Reader::Both, ..key(section, name, kind, absent, meaning, example) }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::File => "file",
            Self::SecretFile => "secret file",
            Self::Number => "number",
            Self::Numbers => "list of numbers",
            Self::NumberOrText => "number or text",
            Self::Flag => "true or false",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::FlagOrTable => "true, false or a table",
            Self::List => "list of texts or tables",
            Self::Tables => "tables",
        })
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::Nothing => "none",
            Self::Value(text) | Self::Means(text) => text,
        })
    }
}
