//! Packages for the RHEL family: dnf resolves and downloads in a root of its own, with nothing
//! installed; each package's signature is checked with the keys that its repositories name.

use crate::error::Error;
use crate::files;
use crate::make::{Fetched, Place, Wish};
use crate::programs::{CREATEREPO, DNF, RPM, RPMKEYS};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use stratus_plan::offline::{Order, Package, Part, Set, Stored};

/// Where descriptions of repositories say that their keys are.
const KEYS: &str = "/etc/pki/rpm-gpg/";

/// Brings the packages of an order into the pool.
pub(crate) fn fetch(
    order: &Order,
    archive: &str,
    place: &Place,
    say: &dyn Fn(&str),
) -> Result<Fetched, Error> {
    let dnf = Dnf::set_up(order, archive, place)?;
    let before = digests(&place.pool())?;
    let mut all: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let sets: Vec<&BTreeSet<String>> = order.sets.iter().collect();
    for (number, names) in sets.iter().enumerate() {
        say(&format!("{}: resolving {} packages", order.part, names.len()));
        // What dnf learned of the repositories the last time may be two days old.
        let said = DNF.output(&order.part, dnf.download(names).args(["--refresh", "--url"]))?;
        for file in said.lines().filter_map(file_of) {
            all.entry(file.to_owned()).or_default().insert(number);
        }
        // dnf compares what is there with the digest of the index, and fetches what differs.
        DNF.show(&order.part, dnf.download(names).arg("--destdir").arg(place.pool()))?;
    }
    dnf.check(all.keys())?;
    let packages: Vec<Package> =
        all.keys().map(|file| dnf.package(file)).collect::<Result<_, _>>()?;
    let set = |(number, names): (usize, &&BTreeSet<String>)| {
        let of = |(at, numbers): (usize, &BTreeSet<usize>)| numbers.contains(&number).then_some(at);
        Set { names: (*names).clone(), packages: all.values().enumerate().filter_map(of).collect() }
    };
    let is_new =
        |package: &Package| before.get(&package.stored.file) != Some(&package.stored.sha256);
    let new = |(at, package): (usize, &Package)| is_new(package).then_some(at);
    Ok(Fetched {
        new: packages.iter().enumerate().filter_map(new).collect(),
        sets: sets.iter().enumerate().map(set).collect(),
        packages,
    })
}

/// What is in the pool: the SHA-256 of each file.
fn digests(pool: &Path) -> Result<BTreeMap<String, String>, Error> {
    let digest = |name: &String| Ok((format!("pool/{name}"), files::measured(&pool.join(name))?.0));
    files::names(pool)?.iter().map(digest).collect()
}

/// The file that an address ends with.
fn file_of(line: &str) -> Option<&str> {
    let (_, file) = line.trim().rsplit_once('/')?;
    let plain = !file.starts_with(['.', '-']) && !file.contains(char::is_whitespace);
    (plain && Path::new(file).extension()? == "rpm").then_some(file)
}

/// dnf in a root of its own.
struct Dnf<'a> {
    order: &'a Order,
    place: &'a Place,
}

impl<'a> Dnf<'a> {
    fn set_up(order: &'a Order, archive: &str, place: &'a Place) -> Result<Self, Error> {
        let dnf = Self { order, place };
        let root = &place.root;
        let etc = root.join("etc");
        if etc.is_dir() {
            fs::remove_dir_all(&etc).map_err(Error::file(&etc))?;
        }
        let within = format!("{}{KEYS}", root.display());
        let mut settings = String::from("[main]\ngpgcheck=1\ninstall_weak_deps=False\n");
        for (path, text) in &order.files {
            let text = text.replace(KEYS, &within);
            match path.as_str() {
                "/etc/dnf/dnf.conf" => settings.push_str(&text),
                _ => files::write(&root.join(path.trim_start_matches('/')), text.as_bytes())?,
            }
        }
        files::write(&dnf.repositories().join("archive.repo"), archive.trim_start().as_bytes())?;
        files::write(&root.join("dnf.conf"), settings.as_bytes())?;
        // dnf would make it below the root that it installs to, and not find it there.
        files::make_folder(&root.join("log"))?;
        Ok(dnf)
    }

    fn repositories(&self) -> PathBuf {
        self.place.root.join("etc/yum.repos.d")
    }

    fn download(&self, names: &BTreeSet<String>) -> Command {
        let root = &self.place.root;
        let (_, version) = self.order.release.rsplit_once('-').unwrap_or_default();
        let option = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
        let mut dnf = DNF.command();
        dnf.args(["--assumeyes", "--quiet"])
            .arg(option("config", root.join("dnf.conf")))
            .arg(option("installroot", root.join("installed")))
            .arg(option("setopt=reposdir", self.repositories()))
            .arg(option("setopt=cachedir", root.join("cache")))
            .arg(option("setopt=logdir", root.join("log")))
            .arg(format!("--releasever={version}"))
            .arg(format!("--forcearch={}", self.order.architecture))
            .args(["download", "--resolve", "--alldeps"])
            .args(names);
        dnf
    }

    /// Compares signatures with the keys that the repositories name.
    fn check<'f>(&self, all: impl Iterator<Item = &'f String>) -> Result<(), Error> {
        let part = &self.order.part;
        let base = self.place.root.join("keys");
        let keys = || {
            let mut keys = RPMKEYS.command();
            keys.arg("--dbpath").arg(&base);
            keys
        };
        for name in files::names(&self.repositories())? {
            let path = self.repositories().join(name);
            let text = files::read_if_there(&path)?.unwrap_or_default();
            for key in self.keys_of(&text) {
                RPMKEYS.output(part, keys().arg("--import").arg(key))?;
            }
        }
        for file in all {
            let path = self.place.pool().join(file);
            let said =
                RPMKEYS.output(part, keys().arg("--checksig").arg(&path)).unwrap_or_default();
            if !said.contains("signatures OK") {
                files::remove(&path)?;
                let reason = "it has no good signature by a key of its repositories";
                return Err(Error::untrusted(&path, reason));
            }
        }
        Ok(())
    }

    /// The keys that a description of repositories names, as files or addresses.
    fn keys_of(&self, text: &str) -> Vec<String> {
        let lines =
            text.lines().filter_map(|line| line.strip_prefix("gpgkey")?.trim().strip_prefix('='));
        let keys =
            lines.flat_map(|keys| keys.split([' ', '\t', ',']).filter(|key| !key.is_empty()));
        let (_, version) = self.order.release.rsplit_once('-').unwrap_or_default();
        let known = |key: &str| {
            let key = key.replace("$releasever", version);
            key.replace("$basearch", &self.order.architecture)
        };
        keys.map(|key| known(key.trim_start_matches("file://"))).collect()
    }

    fn package(&self, file: &str) -> Result<Package, Error> {
        let path = self.place.pool().join(file);
        let mut query = RPM.command();
        query.args(["-qp", "--nosignature", "--qf", "%{NAME}\\t%{EVR}"]).arg(&path);
        let said = RPM.output(&self.order.part, &mut query)?;
        let (name, version) = said
            .split_once('\t')
            .ok_or_else(|| Error::untrusted(&path, "rpm does not say which package it is"))?;
        Ok(Package {
            name: name.to_owned(),
            version: version.to_owned(),
            stored: files::stored(&self.place.part, &format!("pool/{file}"))?,
        })
    }
}

/// Writes and signs the index, unless the packages are those that it was made of.
pub(crate) fn index(
    order: &Order,
    place: &Place,
    known: Option<&Part>,
    fetched: &Fetched,
    wish: &Wish,
) -> Result<Vec<Stored>, Error> {
    if let Some(known) = known.filter(|known| known.packages == fetched.packages) {
        return Ok(known.index.clone());
    }
    let part = &place.part;
    let folder = part.join("repodata");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(Error::file(&folder))?;
    }
    let mut create = CREATEREPO.command();
    CREATEREPO.output(&order.part, create.args(["--quiet", "--no-database"]).arg(part))?;
    let list = folder.join("repomd.xml");
    wish.signer.sign("--detach-sign", &list, &folder.join("repomd.xml.asc"))?;
    let mut names = files::names(&folder)?;
    names.sort();
    names.iter().map(|name| files::stored(part, &format!("repodata/{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_packages_are_told_from_other_lines() {
        assert_eq!(file_of("http://web.lab/x/a-1.noarch.rpm"), Some("a-1.noarch.rpm"));
        assert_eq!(file_of("Last metadata expiration check: 0:00:01 ago"), None);
        assert_eq!(file_of("http://web.lab/.rpm"), None);
    }
}
