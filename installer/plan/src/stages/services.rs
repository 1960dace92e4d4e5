//! Stratus' own services: repository, cache, monitor. Each host gets the sections of the site file
//! that its services read, and no other.

use crate::plan::Role;
use crate::step::Step;
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};

pub(crate) const SETTINGS: &str = "/etc/stratus/stratus.toml";

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
    }
    let settings = if sections.is_empty() { None } else { settings(view, &sections) };
    let inputs: &[&str] = if settings.is_some() { &[SETTINGS] } else { &[] };
    steps.extend(settings);
    for (_, name, _, section) in &here {
        let reason = format!("{section}: the service runs on this host");
        let unit = Wanted::runs(&format!("{name}.service"), inputs, reason);
        steps.push(unit.needs(packages_id(name)));
    }
    steps
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
