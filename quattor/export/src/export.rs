//! Everything put together: which files there are, and what is in which.

use crate::host::{Bare, bare, report};
use crate::left::Left;
use crate::objects;
use crate::pan::{Block, Line, Value};
use crate::refusal::Refusal;
use crate::sections;
use crate::steps::{self, Said};
use crate::templates::{self, HostText, RoleText};
use ipnet::Ipv4Net;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use stratus_opennebula::converge::Wanted;
use stratus_plan::metadata::PackageManager;
use stratus_plan::plan::{HostPlan, Role};
use stratus_plan::{Inputs, roles};
use stratus_site::{HostName, Interface, InterfaceName, Site};

/// What is exported, and what the site file leaves open.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The site.
    pub site: &'a Site,
    /// The files that it names.
    pub inputs: &'a Inputs,
    /// What it wants of OpenNebula.
    pub objects: &'a Wanted,
    /// The system of hosts whose `os` is "auto", as the site file would state it.
    pub os: Option<&'a str>,
    /// The LAN of the hosts, where no network of the site is in it.
    pub lan: Option<Ipv4Net>,
    /// Its router.
    pub gateway: Option<Ipv4Addr>,
    /// The interface below the bridge of hosts whose `interface` is "auto".
    pub interface: Option<&'a InterfaceName>,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Path below the folder of the export, with `/`.
    pub path: String,
    /// Content.
    pub content: String,
}

/// What was said of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostExport {
    /// The host.
    pub host: HostName,
    /// Its system, `debian-13`.
    pub os: String,
    /// What its profile does not say, or says in other words.
    pub left: Vec<Left>,
}

/// A whole export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The templates, in the order of their paths.
    pub files: Vec<TextFile>,
    /// The hosts, the front-end first.
    pub hosts: Vec<HostExport>,
}

/// A host on its way.
struct Translated {
    host: HostName,
    os: String,
    backend: &'static str,
    role: String,
    blocks: BTreeSet<Block>,
    left: BTreeSet<Left>,
}

/// The templates of a site, or everything that stands in the way.
pub fn export(request: &Request) -> Result<Export, Vec<Refusal>> {
    let site = stated(request);
    let request = &Request { site: &site, ..*request };
    let hosts = bare_hosts(request)?;
    let facts = report(hosts.iter().map(|(host, bare)| (*host, bare)));
    let plan = stratus_plan::plan(request.site, &facts, request.inputs);
    let mut refusals = Vec::new();
    let mut translated = Vec::new();
    for (host, (_, bare)) in plan.hosts.iter().zip(&hosts) {
        match one(request, host, bare) {
            Ok(host) => translated.push(host),
            Err(more) => refusals.extend(more),
        }
    }
    if !refusals.is_empty() {
        refusals.sort();
        refusals.dedup();
        return Err(refusals);
    }
    Ok(written(request, translated))
}

/// The site with the interface of the option where the file leaves it to be found out: the planner
/// would take the one with the default route, which nobody told here.
fn stated(request: &Request) -> Site {
    let mut site = request.site.clone();
    if let Some(name) = request.interface {
        for node in site.nodes.iter_mut().filter(|node| node.interface == Interface::Auto) {
            node.interface = Interface::Named(name.clone());
        }
    }
    site
}

/// The hosts of the plan, in its order.
fn bare_hosts<'a>(request: &Request<'a>) -> Result<Vec<(&'a HostName, Bare)>, Vec<Refusal>> {
    let (mut hosts, mut refusals) = (Vec::new(), Vec::new());
    if request.site.packages.offline.is_some() {
        let reason = "the installer carries these packages to each host; Quattor takes them from a \
                      repository: name one with packages.opennebula and packages.stratus";
        refusals.push(Refusal::new("packages.offline", reason));
    }
    for (host, _) in roles(request.site) {
        match bare(request, host) {
            Ok(bare) if bare.system.family.package_manager == PackageManager::Zypper => {
                let reason = format!(
                    "ncm-spma installs with apt or dnf; {host} has zypper, and has to be installed \
                     with `stratus-install`"
                );
                refusals.push(Refusal::new("os", reason));
            }
            Ok(bare) => hosts.push((host, bare)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(hosts) } else { Err(refusals) }
}

fn one(request: &Request, host: &HostPlan, bare: &Bare) -> Result<Translated, Vec<Refusal>> {
    let name = &host.host;
    let refuse = |key: String, reason: String| vec![Refusal::new(key, reason)];
    let planned = host.steps.as_ref().map_err(|e| refuse(name.to_string(), e.clone()))?;
    let Said { mut blocks, mut left } = steps::translate(bare, planned)
        .map_err(|(id, error)| refuse(format!("{name}, {id}"), error.to_string()))?;
    if host.roles.contains(&Role::Frontend) {
        let objects = objects::translate(request.objects)?;
        blocks.extend(objects.blocks);
        left.extend(objects.left);
    }
    left.extend(sections::left(request.site, host));
    let os = bare.system.release.name();
    let roles: Vec<&str> = host.roles.iter().map(|r| word(*r)).collect();
    let apt = bare.system.family.package_manager == PackageManager::Apt;
    Ok(Translated {
        host: name.clone(),
        backend: if apt { "apt" } else { "yumdnf" },
        role: format!("{}-{os}", roles.join("-")),
        os,
        blocks: blocks.into_iter().collect(),
        left: left.into_iter().collect(),
    })
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Frontend => "frontend",
        Role::Node => "node",
        Role::Repository => "repository",
        Role::Cache => "cache",
        Role::Monitor => "monitor",
        Role::Gateway => "gateway",
    }
}

/// What all hosts of a role have in common is in one template, the rest in the host's own.
fn written(request: &Request, hosts: Vec<Translated>) -> Export {
    let mut common: BTreeMap<String, RoleText> = BTreeMap::new();
    for host in &hosts {
        let text = common.entry(host.role.clone()).or_insert_with(|| RoleText {
            backend: host.backend,
            blocks: host.blocks.iter().filter(|b| !is_own(b)).cloned().collect(),
        });
        text.blocks.retain(|block| host.blocks.contains(block));
    }
    let mut files = vec![templates::schema(), templates::site(request.site)];
    files.extend(common.iter().map(|(role, text)| templates::role(role, text)));
    for host in &hosts {
        let shared = common.get(&host.role).map(|text| &text.blocks);
        let mut own: Vec<Block> = host
            .blocks
            .iter()
            .filter(|block| shared.is_none_or(|s| !s.contains(*block)))
            .cloned()
            .collect();
        own.extend(name(&host.host));
        let text = HostText { role: &host.role, backend: host.backend, blocks: own };
        files.push(templates::host(&host.host, &text));
        files.push(templates::profile(&host.host));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let of =
        |h: Translated| HostExport { host: h.host, os: h.os, left: h.left.into_iter().collect() };
    Export { files, hosts: hosts.into_iter().map(of).collect() }
}

/// Whether something is a host's own even where it is its role's only one: its addresses.
fn is_own(block: &Block) -> bool {
    block.path.starts_with("/system/") || block.reason.starts_with("nodes.bridge")
}

/// The name of a host, unless its own base says it.
fn name(host: &HostName) -> Option<Block> {
    let (short, domain) = host.as_str().split_once('.')?;
    let lines = vec![
        Line::default("domainname", Value::text(domain)),
        Line::default("hostname", Value::text(short)),
    ];
    let reason = "the name, unless your own base has said it".to_owned();
    Some(Block { path: "/system/network".to_owned(), lines, reason })
}
