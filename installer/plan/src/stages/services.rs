//! Stratus' own services: repository, cache, monitor. Each host gets the sections of the site file
//! that its services read, and no other.

use crate::plan::Role;
use crate::step::{Access, File, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::{ServiceFile, Site};

/// Where the services look for their settings, and for the files that are named there.
pub(super) const FOLDER: &str = "/etc/stratus";
pub(crate) const SETTINGS: &str = "/etc/stratus/stratus.toml";

/// All services' users are in it: their packages see to that.
const GROUP: &str = "stratus";

/// What is noted each hour, with the monitor's package; it starts a program that reads its files
/// each time.
pub(crate) const USAGE: &str = "stratus-accounting.timer";

/// Role, package and unit, sections of the site file, reason.
const SERVICES: [(Role, &str, &[&str], &str); 3] = [
    (Role::Repository, "stratus-repository", &["repository", "identity"], "[repository]"),
    (Role::Cache, "stratus-cache", &["cache"], "[cache]"),
    (Role::Monitor, "stratus-monitor", &["monitor", "identity", "accounting"], "[monitor]"),
];

/// What `stratus-vpn` reads.
const GATEWAY: [&str; 4] = ["frontend", "nodes", "networks", "vpn"];

/// Tells our file from the site file itself.
const HEAD: &str = "# Made by stratus-install from the site file; changes here are lost.\n";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let here: Vec<_> = SERVICES.iter().filter(|(role, ..)| view.is(*role)).collect();
    let mut steps = Vec::new();
    for (_, name, _, section) in &here {
        let reason = format!("{section}: the site names this host");
        steps.push(Wanted::packages(name, &[(*name).to_owned()], reason));
    }
    let mut sections: Vec<&str> = here.iter().flat_map(|(_, _, s, _)| s.iter().copied()).collect();
    if view.is(Role::Gateway) {
        sections.extend(GATEWAY);
        if !super::overlay::register_units(view.site).is_empty() {
            // Bundles of nodes that become hosts say where packages come from.
            sections.push("packages");
        }
    }
    let settings = if sections.is_empty() { None } else { settings(view, &sections) };
    let mut inputs: Vec<String> = settings.iter().map(|_| SETTINGS.to_owned()).collect();
    steps.extend(settings);
    if let Some((_, first, ..)) = here.first() {
        for wanted in placed(view) {
            if let Step::File(File { path, .. }) | Step::SecretFile { path, .. } = &wanted.step {
                inputs.push(path.clone());
            }
            steps.push(wanted.needs(packages_id(first)));
        }
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    for (_, name, _, section) in &here {
        let reason = format!("{section}: the service runs on this host");
        let unit = Wanted::runs(&format!("{name}.service"), &inputs, reason);
        steps.push(unit.needs(packages_id(name)));
    }
    if view.is(Role::Monitor) {
        let reason = "[monitor]: the ledger has usage from when it was first fed";
        steps.push(Wanted::runs(USAGE, &[], reason).needs(packages_id("stratus-monitor")));
    }
    steps
}

/// The files that services of these roles read.
pub(crate) fn files<'a>(
    site: &'a Site,
    roles: &BTreeSet<Role>,
) -> impl Iterator<Item = &'a ServiceFile> {
    let here = SERVICES.iter().filter(|(role, ..)| roles.contains(role));
    let sections: BTreeSet<&str> = here.flat_map(|(_, _, s, _)| s.iter().copied()).collect();
    site.service_files.iter().filter(move |file| sections.contains(file.section.as_str()))
}

/// What puts the files of the host's services beside the settings, as they lie beside the site file.
fn placed(view: &View) -> Vec<Wanted> {
    let mut named: BTreeMap<&str, &ServiceFile> = BTreeMap::new();
    for file in files(view.site, view.roles) {
        let known = named.entry(&file.name).or_insert(file);
        // What one section calls secret is secret.
        if file.secret {
            *known = file;
        }
    }
    let folders: BTreeSet<&str> = named
        .keys()
        .flat_map(|name| name.match_indices('/').map(|(end, _)| &name[..end]))
        .collect();
    let made = folders.into_iter().map(|folder| {
        let path = format!("{FOLDER}/{folder}");
        let step = Step::Directory { path, access: Access::root(0o755) };
        Wanted::new(step, "files that services read are in it")
    });
    let copied = named.values().map(|file| {
        let path = format!("{FOLDER}/{}", file.name);
        let step = if file.secret {
            let access = Access { group: GROUP.into(), ..Access::root(0o640) };
            Step::SecretFile { path, access, source: file.path.clone() }
        } else {
            Step::File(whole(&path, 0o644, view.input(&file.path)))
        };
        Wanted::new(step, format!("[{}] names it", file.section))
    });
    made.chain(copied).collect()
}

/// The settings file, unless the host has the site file itself there: that one is the
/// administrator's, and holds the sections already.
fn settings(view: &View, sections: &[&str]) -> Option<Wanted> {
    let current = view.read(view.host, SETTINGS).unwrap_or_default();
    if view.inputs.is_some() && is_site_file(&current) {
        return None;
    }
    let text = view.inputs.map(|i| cut(&i.site_text, sections)).unwrap_or_default();
    let file = whole(SETTINGS, 0o644, text);
    let reason = "the sections of the site file that services of this host read";
    Some(Wanted::new(Step::File(file), reason))
}

fn is_site_file(text: &str) -> bool {
    !text.starts_with(HEAD) && text.parse::<toml::Table>().is_ok_and(|t| t.contains_key("frontend"))
}

/// `[site]` and the named sections of a site file.
fn cut(text: &str, sections: &[&str]) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else { return String::new() };
    table.retain(|key, _| key == "site" || sections.contains(&key));
    format!("{HEAD}{}", toml::to_string(&table).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_its_sections_and_no_other() {
        let text = "[site]\nname = \"a\"\n[frontend]\nhost = \"f\"\n[cache]\nsize = 3\n[vpn]\n";
        let cache = "[cache]\nsize = 3\n\n[site]\nname = \"a\"\n";
        assert_eq!(cut(text, &["cache"]), format!("{HEAD}{cache}"));
        assert!(is_site_file(text));
        // The gateway's part has a front-end too.
        assert!(!is_site_file(&cut(text, &GATEWAY)));
    }
}
