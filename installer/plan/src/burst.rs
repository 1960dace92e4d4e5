//! A burst node as a node of OpenNebula: the shell program that makes it one.
//!
//! A burst node is no host of a plan: it is made from any image of any system, at any time, by whoever
//! runs the other cloud, and the installer never logs in on it. So what the stages want of a node is
//! carried by its bundle, as a program for all systems that the metadata knows. `node.sh` does it;
//! what it does it with is put before it.

use crate::metadata::{Family, Release, families, opennebula, series_text};
use crate::stages::{self, mount_units};
use crate::wanted::filled;
use std::fmt::Write as _;
use std::sync::LazyLock;
use stratus_site::{Share, Site};
use url::Url;

const PROGRAM: &str = include_str!("burst/node.sh");
static PUBLIC_KEY: LazyLock<String> =
    LazyLock::new(|| format!("{}/id_ed25519.pub", opennebula().files.ssh));
/// Ends each text within the program.
const END: &str = "END-OF-TEXT";

/// What the program brings from the front-end.
#[derive(Clone, Copy, Debug)]
pub struct FromFrontend<'a> {
    /// The public key that oneadmin logs in with, one line.
    pub public_key: &'a str,
    /// The key that signs OpenNebula's packages, ASCII armour; none where the site file names none.
    pub signing_key: Option<&'a str>,
}

/// Where the front-end has the key that it logs in with.
pub fn public_key_file() -> &'static str {
    &PUBLIC_KEY
}

/// Where a front-end, whatever its system, has the key that signs OpenNebula's packages.
pub fn signing_key_files() -> Vec<String> {
    families().iter().map(key_file).collect()
}

/// The file with oneadmin's name and password.
pub fn auth_file() -> &'static str {
    &opennebula().files.auth
}

/// The program. It ends with 3 on a system for which there are no packages.
pub fn node_program(site: &Site, from: FromFrontend<'_>) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Made by stratus-vpn. Makes this machine a node of OpenNebula; may run again and again.\nset -eu\n",
    );
    text += &of_site(site, from);
    text += &of_release(site);
    text += &of_family(site);
    text += &texts(site, from);
    text + PROGRAM
}

/// Nodes mount the datastores where all of them do: the datastores' driver is then the one for that.
pub(crate) fn mounts(site: &Site) -> bool {
    !site.nodes.is_empty() && site.nodes.iter().all(|node| node.share == Share::Nfs)
}

fn of_site(site: &Site, from: FromFrontend<'_>) -> String {
    let common = opennebula();
    let address = site.frontend.address.map(|address| address.to_string()).unwrap_or_default();
    let (mount, automount) = stages::MOUNT_UNITS;
    assignments(&[
        ("site", &site.general.name),
        ("series", series_text(site.general.opennebula_version)),
        // Packages that are carried to hosts are not carried here: the image has to know where they
        // are.
        ("base", if site.packages.offline.is_some() { "" } else { base(site) }),
        ("frontend", site.frontend.host.as_str()),
        ("frontend_address", &address),
        ("user", &common.user.name),
        ("group", &common.user.group),
        ("ssh", &common.files.ssh),
        ("datastores", &common.files.datastores),
        ("authorized", from.public_key.trim()),
        ("share", if mounts(site) { "nfs" } else { "ssh" }),
        ("mount_name", mount),
        ("automount_name", automount),
    ])
}

/// OpenNebula's package repository.
fn base(site: &Site) -> &str {
    let own = site.packages.opennebula.as_ref();
    own.map_or(opennebula().repository.as_str(), Url::as_str).trim_end_matches('/')
}

/// Releases that OpenNebula has packages for in the site's series.
fn releases(site: &Site) -> impl Iterator<Item = (&'static Family, &'static Release)> {
    let series = site.general.opennebula_version;
    let of = |family: &'static Family| family.release.iter().map(move |release| (family, release));
    families().iter().flat_map(of).filter(move |(_, release)| release.series.contains(&series))
}

fn of_release(site: &Site) -> String {
    let names: Vec<String> = releases(site).map(|(_, release)| release.name()).collect();
    let mut text = assignments(&[("releases", &names.join(", "))]);
    text += "of_release() {\nfamily='' path='' extra_file='' first='' by_hand=''\ncase $1 in\n";
    for (family, release) in releases(site) {
        let name = release.name();
        let mut values =
            vec![("family", manager(family).to_owned()), ("path", release.path.clone())];
        values.push(("first", release.first.join(" ")));
        values.extend(release.by_hand.iter().map(|text| ("by_hand", text.clone())));
        values.extend(extra(family, release).map(|(file, _)| ("extra_file", file)));
        let _ = writeln!(text, "{name} | {name}.*) {};;", words(&values));
    }
    text + "esac\n}\n"
}

fn of_family(site: &Site) -> String {
    let mut text = String::from("of_family() {\ncase $family in\n");
    for family in families() {
        let files = &family.files;
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut packages =
            [&family.packages.kvm, &family.packages.bridge].map(|names| names.join(" "));
        if mounts(site) {
            packages[1] = format!("{} {}", packages[1], family.packages.nfs_client.join(" "));
        }
        let values = [
            ("manager", manager(family).to_owned()),
            ("packages", packages.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")),
            ("units", family.units.libvirt.join(" ")),
            ("groups", family.users.qemu_groups.join(" ")),
            ("key_file", key_file(family)),
            ("repository_file", filled(&family.repository.file, &[("name", "opennebula")])),
            ("qemu", files.qemu.clone()),
            ("apparmor_file", of(&files.apparmor)),
            ("apparmor_line", of(&family.lines.apparmor)),
            ("selinux_file", of(&files.selinux)),
            ("selinux_line", of(&family.lines.selinux)),
        ];
        let _ = writeln!(text, "{}) {};;", manager(family), words(&values));
    }
    text + "esac\n}\n"
}

/// Functions that print whole files.
fn texts(site: &Site, from: FromFrontend<'_>) -> String {
    let series = series_text(site.general.opennebula_version);
    let mut text = function("signing_key", from.signing_key.unwrap_or_default());
    text += "repository() {\ncase $family in\n";
    for family in families() {
        let (key, url) = (key_file(family), format!("{}/{series}/@PATH@", base(site)));
        let values = [("name", "opennebula"), ("url", &*url), ("key", &*key)];
        let content = filled(&family.repository.content, &values);
        let _ = writeln!(text, "{}) {};;", manager(family), printed(&content));
    }
    text += "esac\n}\nextra_repository() {\ncase $release in\n";
    for (family, release) in releases(site) {
        if let Some((_, content)) = extra(family, release) {
            let name = release.name();
            let _ = writeln!(text, "{name} | {name}.*) {};;", printed(&content));
        }
    }
    text += "esac\n}\n";
    let frontend = &site.frontend;
    let from = frontend.address.map_or_else(|| frontend.host.to_string(), |a| a.to_string());
    let (mount, automount) = mount_units(&from);
    text + &function("mount_unit", &mount) + &function("automount_unit", &automount)
}

/// Families are told apart by what installs their packages.
fn manager(family: &Family) -> &'static str {
    use crate::metadata::PackageManager::{Apt, Dnf, Zypper};
    match family.package_manager {
        Apt => "apt",
        Dnf => "dnf",
        Zypper => "zypper",
    }
}

fn key_file(family: &Family) -> String {
    filled(&family.repository.key, &[("name", "opennebula")])
}

/// The distribution's own repository that OpenNebula's packages take from: its file and description.
fn extra(family: &Family, release: &Release) -> Option<(String, String)> {
    let (extra, form) = (release.extra.as_ref()?, family.repository.extra.as_ref()?);
    let values = [("name", &*extra.name), ("url", &extra.url), ("key", &extra.key)];
    Some((filled(&family.repository.file, &values), filled(form, &values)))
}

fn assignments(values: &[(&str, &str)]) -> String {
    values.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect()
}

fn words(values: &[(&str, String)]) -> String {
    values.iter().map(|(name, value)| format!("{name}={} ", quoted(value))).collect()
}

/// A word of the shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn function(name: &str, content: &str) -> String {
    format!("{name}() {{\n{}\n}}\n", printed(content))
}

/// A command that prints a text.
fn printed(content: &str) -> String {
    let newline = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
    format!("cat <<'{END}'\n{content}{newline}{END}\n")
}

#[cfg(test)]
#[path = "burst/tests.rs"]
mod tests;
