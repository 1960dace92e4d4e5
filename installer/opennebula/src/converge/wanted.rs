//! What a site wants.

use std::net::Ipv4Addr;

use secrecy::SecretString;

use crate::attributes::{Attribute, Attributes};
use crate::converge::{Kind, MARK};

/// All that a site wants of OpenNebula.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The site's name: the text of our mark.
    pub site: String,
    /// Clusters.
    pub clusters: Vec<WantedCluster>,
    /// Hosts.
    pub hosts: Vec<WantedHost>,
    /// Datastores.
    pub datastores: Vec<WantedDatastore>,
    /// Networks.
    pub networks: Vec<WantedNetwork>,
    /// Users.
    pub users: Vec<WantedUser>,
    /// Groups.
    pub groups: Vec<WantedGroup>,
    /// Marketplaces.
    pub marketplaces: Vec<WantedMarketplace>,
    /// Images.
    pub images: Vec<WantedImage>,
    /// Templates of machines.
    pub templates: Vec<WantedTemplate>,
    /// What to do with what we made and the site no longer wants.
    pub removal: Removal,
}

/// What happens to objects that are ours and not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// They stay.
    #[default]
    Keep,
    /// These go; others stay.
    Named(Vec<(Kind, String)>),
    /// All go.
    Unwanted,
}

/// Whether an object is in service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// As it is.
    #[default]
    AsIs,
    /// In service.
    On,
    /// Out of service.
    Off,
}

/// A cluster.
#[derive(Clone, Debug, Default)]
pub struct WantedCluster {
    /// Name.
    pub name: String,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// A host.
#[derive(Clone, Debug)]
pub struct WantedHost {
    /// Name: what oned calls by ssh.
    pub name: String,
    /// Driver that monitors it.
    pub im_mad: String,
    /// Driver that runs machines on it.
    pub vm_mad: String,
    /// Name of its cluster; `None` leaves it where it is.
    pub cluster: Option<String>,
    /// Whether machines may come.
    pub switch: Switch,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// A datastore: `DS_MAD`, `TM_MAD` and `TYPE` are attributes.
#[derive(Clone, Debug, Default)]
pub struct WantedDatastore {
    /// Name.
    pub name: String,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// A network: `VN_MAD`, `BRIDGE` and the like are attributes.
#[derive(Clone, Debug, Default)]
pub struct WantedNetwork {
    /// Name.
    pub name: String,
    /// Attributes of its template, without ranges.
    pub attributes: Attributes,
    /// Its address ranges. A fixed network has one of size 1 for each address.
    pub ranges: Vec<WantedRange>,
}

/// A range of IPv4 addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRange {
    /// First address.
    pub ip: Ipv4Addr,
    /// First hardware address; `None` lets OpenNebula make one of the address.
    pub mac: Option<String>,
    /// How many addresses, from 1 on.
    pub size: u32,
}

impl WantedRange {
    /// The last address; the highest there is if the range goes beyond.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ip).saturating_add(self.size.saturating_sub(1)))
    }

    /// The template that makes it, with our mark.
    pub fn template(&self, site: &str) -> Attributes {
        let mut members = vec![
            ("TYPE".to_owned(), "IP4".to_owned()),
            ("IP".to_owned(), self.ip.to_string()),
            ("SIZE".to_owned(), self.size.to_string()),
        ];
        members.extend(self.mac.iter().map(|mac| ("MAC".to_owned(), mac.clone())));
        members.push((MARK.to_owned(), site.to_owned()));
        let mut template = Attributes::new();
        template.push("AR", Attribute::Vector(members));
        template
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct WantedUser {
    /// Name.
    pub name: String,
    /// How the password is checked.
    pub authentication: Authentication,
    /// Names of groups to be in. Other groups stay.
    pub groups: Vec<String>,
    /// Whether the user may log in.
    pub switch: Switch,
    /// Attributes of the user's template.
    pub attributes: Attributes,
}

/// How a user's password is checked.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// By the directory; the text is the distinguished name.
    Ldap(String),
    /// By oned.
    Core(SecretString),
    /// By oned, with this password for a new user; an old one keeps its own.
    CoreAtFirst(SecretString),
}

/// A group.
#[derive(Clone, Debug, Default)]
pub struct WantedGroup {
    /// Name.
    pub name: String,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// A marketplace: `MARKET_MAD` and `ENDPOINT` are attributes.
#[derive(Clone, Debug, Default)]
pub struct WantedMarketplace {
    /// Name.
    pub name: String,
    /// Whether oned reads it.
    pub switch: Switch,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// An image.
#[derive(Clone, Debug, Default)]
pub struct WantedImage {
    /// Name.
    pub name: String,
    /// Name of the datastore for a new image.
    pub datastore: String,
    /// What oned uses once, to make it: `PATH`, `TYPE`, `SIZE`, ...
    pub source: Attributes,
    /// Attributes of its template.
    pub attributes: Attributes,
}

/// A template of machines.
#[derive(Clone, Debug, Default)]
pub struct WantedTemplate {
    /// Name.
    pub name: String,
    /// Its content. Networks and images are best named by name.
    pub attributes: Attributes,
}
