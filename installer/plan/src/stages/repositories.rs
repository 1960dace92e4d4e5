//! Package repositories, their keys, the proxy.

use crate::metadata::{System, opennebula, series_text};
use crate::offline::{INDEX, PLACE, part};
use crate::plan::Role;
use crate::step::{Action, Carry, Step};
use crate::view::View;
use crate::wanted::{Wanted, block, filled, whole};
use std::path::Path;
use url::Url;

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let mut steps: Vec<Wanted> = proxy(view).into_iter().collect();
    steps.extend(extra(view));
    if view.site.packages.offline.is_some() {
        steps.extend(offline(view));
    } else {
        steps.extend(opennebula_packages(view));
        steps.extend(stratus_packages(view));
    }
    let files: Vec<&str> = steps.iter().filter_map(path).collect();
    let refresh = Wanted::action(
        Action::RefreshPackages,
        &files,
        "what the repositories hold is known once their lists were read",
    );
    steps.push(refresh);
    steps
}

fn path(wanted: &Wanted) -> Option<&str> {
    match &wanted.step {
        Step::File(file) => Some(&file.path),
        Step::Carry(_) => Some(INDEX),
        _ => None,
    }
}

fn proxy(view: &View) -> Option<Wanted> {
    let proxy = view.site.packages.proxy.as_ref()?;
    let form = &view.system.family.proxy;
    let content = filled(&form.content, &[("proxy", proxy.as_str().trim_end_matches('/'))]);
    let file = match &form.block {
        Some(name) => block(&form.file, name, content),
        None => whole(&form.file, 0o644, content),
    };
    Some(Wanted::new(Step::File(file), "packages.proxy: packages come through a proxy"))
}

/// Where the distribution's own repository of [`extra`] is described.
pub(super) fn extra_file(system: System) -> Option<String> {
    let extra = system.release.extra.as_ref()?;
    let values = [("name", &*extra.name), ("url", &extra.url), ("key", &extra.key)];
    Some(filled(&system.family.repository.file, &values))
}

/// The distribution's own repositories that OpenNebula's packages take from.
fn extra(view: &View) -> Vec<Wanted> {
    let mut steps = Vec::new();
    let release = view.system.release;
    let form = &view.system.family.repository;
    if view.site.packages.offline.is_some() {
        return steps;
    }
    if let (Some(extra), Some(template)) = (&release.extra, &form.extra) {
        let values = [("name", &*extra.name), ("url", &extra.url), ("key", &extra.key)];
        let file = whole(&filled(&form.file, &values), 0o644, filled(template, &values));
        steps.push(Wanted::new(
            Step::File(file),
            format!("OpenNebula's packages need some of the repository `{}`", extra.name),
        ));
    }
    if !release.first.is_empty() {
        steps.push(Wanted::packages(
            "first",
            &release.first,
            "OpenNebula's packages need some of the repository that this package brings",
        ));
    }
    steps
}

fn opennebula_packages(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) && !view.is(Role::Node) {
        return Vec::new();
    }
    let packages = &view.site.packages;
    let base = packages.opennebula.as_ref().map_or(opennebula().repository.as_str(), Url::as_str);
    let series = series_text(view.site.general.opennebula_version);
    let url = format!("{}/{series}/{}", base.trim_end_matches('/'), view.system.release.path);
    let mut steps = signed(view, "opennebula", &url, packages.opennebula_key.as_deref());
    steps.extend(pin(view, base));
    steps
}

fn stratus_packages(view: &View) -> Vec<Wanted> {
    let serves = [Role::Repository, Role::Cache, Role::Monitor, Role::Gateway];
    let serves = serves.into_iter().any(|role| view.is(role));
    let packages = &view.site.packages;
    match &packages.stratus {
        Some(base) if serves => {
            let base = base.as_str().trim_end_matches('/');
            let url = format!("{base}/{}", view.system.release.path);
            signed(view, "stratus", &url, packages.stratus_key.as_deref())
        }
        _ => Vec::new(),
    }
}

/// A repository and the key that signs it.
fn signed(view: &View, name: &str, url: &str, key: Option<&Path>) -> Vec<Wanted> {
    let form = &view.system.family.repository;
    let key_path = filled(&form.key, &[("name", name)]);
    let values = [("name", name), ("url", url), ("key", &key_path)];
    let description = whole(&filled(&form.file, &values), 0o644, filled(&form.content, &values));
    let mut steps = Vec::new();
    if let Some(key) = key {
        let file = whole(&key_path, 0o644, view.input(key));
        steps.push(Wanted::new(
            Step::File(file),
            format!("packages of {name} are accepted with a signature by this key only"),
        ));
    }
    let reason = format!("packages of {name} come from {url}");
    steps.push(Wanted::new(Step::File(description), reason));
    steps
}

/// Packages that must come from OpenNebula's repository although the distribution has them too.
fn pin(view: &View, base: &str) -> Option<Wanted> {
    let form = &view.system.family.repository;
    let (pin, file) = (form.pin.as_ref()?, form.pin_file.as_ref()?);
    let names = view.system.release.pin.join(" ");
    if names.is_empty() {
        return None;
    }
    let url = Url::parse(base).ok();
    let origin = url.as_ref().and_then(Url::host_str).unwrap_or("\"\"");
    let content = filled(pin, &[("packages", &names), ("origin", origin)]);
    let file = whole(&filled(file, &[("name", "opennebula")]), 0o644, content);
    Some(Wanted::new(
        Step::File(file),
        format!("{names} of the distribution does not fit OpenNebula's programs"),
    ))
}

/// Packages that the host gets from where the installer runs.
fn offline(view: &View) -> Vec<Wanted> {
    let form = &view.system.family.repository;
    let name = "offline";
    let key_path = filled(&form.key, &[("name", name)]);
    let values = [("name", name), ("directory", PLACE), ("key", &key_path)];
    let key = view.offline().map(|o| o.key.clone()).unwrap_or_default();
    let key = whole(&key_path, 0o644, key);
    let file = whole(&filled(&form.file, &values), 0o644, filled(&form.offline, &values));
    let reason = format!("packages.offline: packages come from {PLACE} on the host");
    vec![
        Wanted::new(Step::File(key), "this key signs the directory of packages"),
        Wanted::new(
            Step::Carry(carry(view)),
            "packages.offline: the host gets its packages from where the installer runs",
        ),
        Wanted::new(Step::File(file), reason),
    ]
}

fn carry(view: &View) -> Carry {
    let part = part(view.system.release, &view.told.architecture);
    let names = super::package_names(view);
    let digest = view.offline().map(|o| o.mirror.digest(&part, &names)).unwrap_or_default();
    Carry { part, names, digest }
}
