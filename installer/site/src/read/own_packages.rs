//! Packages of Stratus itself: where a host needs some, the file says where they come from.

use crate::sections::{AddressSource, Site};
use stratus_sections::{Problems, SiteText};

/// What is set up from a package of ours: the section that asks for it, and the package.
fn needed(site: &Site) -> Vec<(&'static str, &'static str)> {
    let installed = |source: &AddressSource| matches!(source, AddressSource::Install(_));
    let repository = site.repository.as_ref().is_some_and(|r| installed(&r.source));
    let cache = site.cache.as_ref().is_some_and(|c| installed(&c.source));
    let all = [
        (site.vpn.is_some(), "vpn", "stratus-installer"),
        (repository, "repository", "stratus-repository"),
        (cache, "cache", "stratus-cache"),
        (site.monitor.is_some(), "monitor", "stratus-monitor"),
    ];
    all.into_iter().filter(|(is, ..)| *is).map(|(_, section, package)| (section, package)).collect()
}

/// One problem for all of them, at the first section that needs one.
pub(super) fn check(site: &Site, text: &SiteText, problems: &mut Problems) {
    let packages = &site.packages;
    let needed = needed(site);
    // Packages that are carried to the hosts are all in one directory.
    if needed.is_empty() || packages.offline.is_some() {
        return;
    }
    let names: Vec<String> = needed.iter().map(|(_, package)| format!("`{package}`")).collect();
    let names = names.join(", ");
    if packages.stratus.is_none() {
        let first = needed.iter().map(|(section, _)| text.section(section));
        let Some(first) = first.min_by_key(|section| section.span().start) else { return };
        let message =
            format!("hosts need {names}, and nothing says where packages of Stratus come from");
        let cure = "name the folder that `cargo xtask release` made, on a web server of yours, in [packages]: `stratus = \"https://…\"`, and the key that signs it: `stratus_key = \"stratus.asc\"`";
        problems.add(first.span(), message, Some(cure.to_owned()));
    } else if packages.stratus_key.is_none() {
        let section = text.section("packages");
        let message =
            format!("hosts need {names}, and nothing says which key signs packages of Stratus");
        let cure = "save the key beside this file, compare its fingerprint, and name it: `stratus_key = \"stratus.asc\"`";
        problems.add(section.value_span("stratus"), message, Some(cure.to_owned()));
    }
}
