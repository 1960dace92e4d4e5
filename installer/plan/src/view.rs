//! What a stage sees of the world: the site, and one host with its facts.

use crate::facts::{Facts, HostFacts, HostReport};
use crate::metadata::System;
use crate::offline::Offline;
use crate::plan::Role;
use crate::stages::service_files;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use stratus_site::{AddressSource, HostName, Node, Share, Site, Vpn};

/// What lies beside the site file where the installer runs: read by the caller, for nothing here
/// reads a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Content of files that the site names and that may be seen: keys of package repositories,
    /// certificates of authorities. [`files_needed`] lists them.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// SHA-256 (hexadecimal) of the secret files that the site names; never their content.
    pub secrets: BTreeMap<PathBuf, String>,
    /// The directory of packages that `packages.offline` names.
    pub offline: Option<Offline>,
    /// The site file as written: hosts of services get their sections of it.
    pub site_text: String,
}

/// The files that a plan needs: those that may be seen, and those that are secret.
pub fn files_needed(site: &Site) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let packages = &site.packages;
    let identity = site.identity.as_ref();
    let seen = [
        packages.opennebula_key.as_ref(),
        packages.stratus_key.as_ref(),
        identity.and_then(|i| i.ca.as_ref()),
    ];
    let secret = identity.and_then(|i| i.password_file.clone());
    let mut seen: BTreeSet<_> = seen.into_iter().flatten().cloned().collect();
    let mut secret: BTreeSet<_> = secret.into_iter().collect();
    let here = role_pairs(site).into_iter().map(|(_, role)| role).collect();
    for file in service_files(site, &here) {
        if file.secret { &mut secret } else { &mut seen }.insert(file.path.clone());
    }
    (seen, secret)
}

/// Hosts with what they are for; the front-end first, then nodes and service hosts in the order
/// of the site file.
pub fn roles(site: &Site) -> Vec<(&HostName, BTreeSet<Role>)> {
    let mut hosts: Vec<(&HostName, BTreeSet<Role>)> = Vec::new();
    let mut index: BTreeMap<&HostName, usize> = BTreeMap::new();
    for (host, role) in role_pairs(site) {
        let at = *index.entry(host).or_insert_with(|| {
            hosts.push((host, BTreeSet::new()));
            hosts.len() - 1
        });
        hosts[at].1.insert(role);
    }
    hosts
}

/// What one host is for.
pub(crate) fn roles_of(site: &Site, host: &HostName) -> BTreeSet<Role> {
    role_pairs(site).into_iter().filter(|(h, _)| *h == host).map(|(_, role)| role).collect()
}

fn role_pairs(site: &Site) -> Vec<(&HostName, Role)> {
    let mut pairs = vec![(&site.frontend.host, Role::Frontend)];
    pairs.extend(site.nodes.iter().map(|n| (&n.host, Role::Node)));
    if let Some(repository) = &site.repository
        && let AddressSource::Install(host) = &repository.source
    {
        pairs.push((host, Role::Repository));
    }
    if let Some(cache) = &site.cache
        && let AddressSource::Install(host) = &cache.source
    {
        pairs.push((host, Role::Cache));
    }
    if let Some(monitor) = &site.monitor {
        pairs.push((&monitor.host, Role::Monitor));
    }
    if let Some(vpn) = &site.vpn {
        let host = vpn.gateway_host.as_ref().unwrap_or(&site.frontend.host);
        pairs.push((host, Role::Gateway));
    }
    pairs
}

/// One host as a stage sees it.
pub(crate) struct View<'a> {
    pub(crate) site: &'a Site,
    pub(crate) facts: &'a Facts,
    /// Nothing while only questions are collected: then paths matter and contents do not.
    pub(crate) inputs: Option<&'a Inputs>,
    pub(crate) host: &'a HostName,
    pub(crate) roles: &'a BTreeSet<Role>,
    pub(crate) told: &'a HostFacts,
    pub(crate) system: System,
    pub(crate) node: Option<&'a Node>,
    /// The firewall's rules of hosts with these roles: the same for all of them, and long.
    pub(crate) rules: &'a str,
}

impl View<'_> {
    pub(crate) fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The text of a file beside the site file.
    pub(crate) fn input(&self, path: &Path) -> String {
        let bytes = self.inputs.and_then(|i| i.files.get(path));
        bytes.map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default()
    }

    /// The directory of packages, as far as it was read.
    pub(crate) fn offline(&self) -> Option<&Offline> {
        self.inputs?.offline.as_ref()
    }

    /// The nodes whose datastores are on the front-end's disk.
    pub(crate) fn nfs_nodes(&self) -> impl Iterator<Item = &Node> {
        let frontend = &self.site.frontend.host;
        self.site.nodes.iter().filter(move |n| n.share == Share::Nfs && n.host != *frontend)
    }

    /// Whether somebody mounts the front-end's datastores.
    pub(crate) fn exports(&self) -> bool {
        let burst = self.site.vpn.iter().flat_map(Vpn::registered).next().is_some();
        self.nfs_nodes().next().is_some() || (burst && crate::burst::mounts(self.site))
    }

    /// Whether this host mounts the front-end's datastores.
    pub(crate) fn mounts(&self) -> bool {
        self.node.is_some_and(|n| n.share == Share::Nfs) && !self.is(Role::Frontend)
    }

    /// The front-end as others reach it: its address, or its name.
    pub(crate) fn frontend_address(&self) -> String {
        let frontend = &self.site.frontend;
        frontend.address.map_or_else(|| frontend.host.to_string(), |a| a.to_string())
    }

    /// The content of a file of a host, as far as the facts have it.
    pub(crate) fn read(&self, host: &HostName, path: &str) -> Option<String> {
        known(self.facts, host)?.paths.get(path)?.content.clone()
    }

    /// The digest of a file of a host.
    pub(crate) fn digest(&self, host: &HostName, path: &str) -> Option<String> {
        known(self.facts, host)?.paths.get(path)?.sha256.clone()
    }
}

/// The facts of a host that answered.
pub(crate) fn known<'a>(facts: &'a Facts, host: &HostName) -> Option<&'a HostFacts> {
    match facts.hosts.get(host)? {
        HostReport::Known(told) => Some(told),
        HostReport::Unreachable(_) => None,
    }
}

/// The address of a host on the LAN: stated, or that of the interface with the default route.
pub(crate) fn address(site: &Site, facts: &Facts, host: &HostName) -> Option<IpAddr> {
    let node = site.nodes.iter().find(|n| n.host == *host);
    let stated = (site.frontend.host == *host).then_some(site.frontend.address).flatten();
    stated.or_else(|| node.and_then(|n| n.address)).or_else(|| {
        let told = known(facts, host)?;
        let (interface, _) = told.default_route.as_ref()?;
        let interface = told.interfaces.iter().find(|i| i.name == *interface)?;
        interface.addresses.iter().find_map(|a| a.split('/').next()?.parse().ok())
    })
}
