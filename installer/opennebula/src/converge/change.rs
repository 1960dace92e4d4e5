//! What is to do, and why.

use std::fmt;

use crate::attributes::{Attribute, Attributes};
use crate::converge::{Authentication, Switch, WantedRange};
use crate::ids::RangeId;

/// The kinds of objects, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Clusters.
    Cluster,
    /// Hosts.
    Host,
    /// Datastores.
    Datastore,
    /// Virtual networks.
    Network,
    /// Users.
    User,
    /// Groups.
    Group,
    /// Marketplaces.
    Marketplace,
    /// Images.
    Image,
    /// Templates of machines.
    Template,
}

impl Kind {
    /// All, in the order in which they are made.
    pub const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Host,
        Self::Datastore,
        Self::Network,
        Self::User,
        Self::Group,
        Self::Marketplace,
        Self::Image,
        Self::Template,
    ];

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::Datastore => "datastore",
            Self::Network => "network",
            Self::User => "user",
            Self::Group => "group",
            Self::Marketplace => "marketplace",
            Self::Image => "image",
            Self::Template => "template",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a new object needs besides its name and attributes.
#[derive(Clone, Debug)]
pub enum New {
    /// Cluster, datastore, network, group, marketplace or template.
    Plain,
    /// A host.
    Host {
        /// Driver that monitors it.
        im_mad: String,
        /// Driver that runs machines on it.
        vm_mad: String,
        /// Name of its cluster.
        cluster: Option<String>,
    },
    /// A user.
    User(Authentication),
    /// An image.
    Image {
        /// Name of its datastore.
        datastore: String,
        /// What oned uses once.
        source: Attributes,
    },
}

/// An attribute that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its values now.
    pub before: Vec<Attribute>,
    /// Its values as they should be.
    pub after: Vec<Attribute>,
}

/// One change. Objects are named by name, since what is made before has no number yet.
#[derive(Clone, Debug)]
pub enum Change {
    /// Make an object.
    Create {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its attributes, our mark among them.
        attributes: Attributes,
        /// What this kind needs besides.
        new: New,
    },
    /// Change attributes.
    Update {
        /// Kind of the object.
        kind: Kind,
        /// Its number.
        id: i32,
        /// Its name.
        name: String,
        /// The attributes that differ.
        differences: Vec<Difference>,
    },
    /// Add an address range.
    AddRange {
        /// Name of the network.
        network: String,
        /// The range.
        range: WantedRange,
    },
    /// Remove an address range of ours that has no address in use.
    RemoveRange {
        /// Number of the network.
        network_id: i32,
        /// Name of the network.
        network: String,
        /// Number of the range.
        range: RangeId,
        /// First address and size, for people.
        shown: String,
    },
    /// Give an address range of ours another size; addresses in use stay with whoever has them.
    ResizeRange {
        /// Number of the network.
        network_id: i32,
        /// Name of the network.
        network: String,
        /// First address and size, for people.
        shown: String,
        /// The new size.
        size: u32,
        /// The template that does it, with the number of the range.
        template: Attributes,
    },
    /// Move a host into a cluster.
    Move {
        /// Name of the host.
        host: String,
        /// Name of the cluster it is in.
        from: String,
        /// Name of the cluster it should be in.
        to: String,
    },
    /// Change how a user's password is checked.
    Authenticate {
        /// Number of the user.
        id: i32,
        /// Name of the user.
        user: String,
        /// How it should be.
        authentication: Authentication,
    },
    /// Put a user into a group.
    Join {
        /// Name of the user.
        user: String,
        /// Name of the group.
        group: String,
    },
    /// Put a host, user or marketplace into service.
    Enable {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Take a host, user or marketplace out of service.
    Disable {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Delete an object that we made.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its number.
        id: i32,
        /// Its name.
        name: String,
    },
}

/// Something wanted that is not done, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kind of the object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is not done, why, and what the operator can do.
    pub reason: String,
}

/// An object at which nothing is to do, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Kind of the object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Why nothing is to do.
    pub reason: String,
}

/// The plan.
#[derive(Clone, Debug, Default)]
pub struct Convergence {
    /// What to do, in order.
    pub changes: Vec<Change>,
    /// What is not done.
    pub refusals: Vec<Refusal>,
    /// Where nothing is to do.
    pub settled: Vec<Settled>,
}

impl Convergence {
    pub(crate) fn refuse(&mut self, kind: Kind, name: &str, reason: String) {
        self.refusals.push(Refusal { kind, name: name.to_owned(), reason });
    }

    pub(crate) fn settle(&mut self, kind: Kind, name: &str, reason: &str) {
        self.settled.push(Settled { kind, name: name.to_owned(), reason: reason.to_owned() });
    }

    pub(crate) fn switch(&mut self, kind: Kind, name: &str, wanted: Switch, on: bool) {
        let name = name.to_owned();
        match (wanted, on) {
            (Switch::On, false) => self.changes.push(Change::Enable { kind, name }),
            (Switch::Off, true) => self.changes.push(Change::Disable { kind, name }),
            (Switch::AsIs, _) | (Switch::On, true) | (Switch::Off, false) => {}
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { kind, name, .. } => write!(f, "make {kind} `{name}`: there is none"),
            Self::Update { kind, name, differences, .. } => {
                write!(f, "update {kind} `{name}`:")?;
                differences.iter().try_for_each(|difference| write!(f, " {difference};"))
            }
            Self::AddRange { network, range } => {
                let (ip, size) = (range.ip, range.size);
                write!(f, "add {size} addresses from {ip} to network `{network}`")
            }
            Self::RemoveRange { network, shown, .. } => {
                write!(f, "remove {shown} from network `{network}`: ours, no longer wanted, unused")
            }
            Self::ResizeRange { network, shown, size, .. } => {
                write!(f, "make {shown} of network `{network}` {size} addresses")
            }
            Self::Move { host, from, to } => {
                write!(f, "move host `{host}` from cluster `{from}` to cluster `{to}`")
            }
            Self::Authenticate { user, authentication, .. } => match authentication {
                Authentication::Ldap(name) => {
                    write!(f, "let the directory check user `{user}` as `{name}`")
                }
                Authentication::Core(_) | Authentication::CoreAtFirst(_) => {
                    write!(f, "set the password of user `{user}`")
                }
            },
            Self::Join { user, group } => write!(f, "put user `{user}` into group `{group}`"),
            Self::Enable { kind, name } => write!(f, "enable {kind} `{name}`"),
            Self::Disable { kind, name } => write!(f, "disable {kind} `{name}`"),
            Self::Delete { kind, id, name } => {
                write!(f, "delete {kind} {id} `{name}`: ours, no longer wanted")
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.name, shown(&self.before), shown(&self.after))
    }
}

fn shown(values: &[Attribute]) -> String {
    let one = |value: &Attribute| match value {
        Attribute::Text(text) => format!("{text:?}"),
        Attribute::Vector(members) => {
            let members: Vec<_> = members.iter().map(|(n, text)| format!("{n}={text:?}")).collect();
            format!("[{}]", members.join(", "))
        }
    };
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}
