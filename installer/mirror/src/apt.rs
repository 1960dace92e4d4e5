//! Packages for Debian and Ubuntu: apt resolves and downloads in a root of its own, with nothing
//! installed, so that what it takes is all that a host could need.

use crate::error::Error;
use crate::files;
use crate::make::{Fetched, Place, Wish};
use crate::programs::{APT_CACHE, APT_CONFIG, APT_GET};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use stratus_plan::offline::{Order, Package, Part, Set, Stored};

/// Where descriptions of repositories say that their keys are.
const KEYS: &str = "/etc/apt/keyrings/";

/// A package as apt means to fetch it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Meant {
    name: String,
    version: String,
    architecture: String,
    /// As apt calls the file.
    archive: String,
}

impl Meant {
    /// A line of `--print-uris`: `'URI' FILE SIZE HASH`.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.strip_prefix('\'')?.split_once("' ")?;
        let archive = rest.split(' ').next()?;
        let (name, rest) = archive.strip_suffix(".deb")?.split_once('_')?;
        let (version, architecture) = rest.rsplit_once('_')?;
        Some(Self {
            name: name.to_owned(),
            version: version.replace("%3a", ":"),
            architecture: architecture.to_owned(),
            archive: archive.to_owned(),
        })
    }

    /// The file in the pool: as archives call it, without the epoch.
    fn file(&self) -> String {
        let version = self.version.split_once(':').map_or(self.version.as_str(), |(_, v)| v);
        format!("pool/{}_{version}_{}.deb", self.name, self.architecture)
    }
}

/// A package's record in the signed index that it came from.
#[derive(Clone, Debug)]
pub(crate) struct Stanza {
    text: String,
    sha256: String,
    bytes: u64,
}

/// Brings the packages of an order into the pool, each compared with the index that lists it.
pub(crate) fn fetch(
    order: &Order,
    archive: &str,
    place: &Place,
    say: &dyn Fn(&str),
) -> Result<(Fetched, Vec<Stanza>), Error> {
    let apt = Apt::set_up(order, archive, place)?;
    say(&format!("{}: reading the package repositories", order.part));
    APT_GET.show(&order.part, apt.command(APT_GET.command()).arg("update"))?;
    let mut all: BTreeMap<Meant, BTreeSet<usize>> = BTreeMap::new();
    let sets: Vec<&BTreeSet<String>> = order.sets.iter().collect();
    for (number, names) in sets.iter().enumerate() {
        for meant in apt.meant(names)? {
            all.entry(meant).or_default().insert(number);
        }
    }
    let stanzas = apt.stanzas(all.keys())?;
    let missing = apt.offer(&all, &stanzas)?;
    let bytes: u64 = missing.iter().filter_map(|m| stanzas.get(m)).map(|s| s.bytes).sum();
    let (count, new) = (all.len(), missing.len());
    say(&format!("{}: {count} packages, {new} to download, {} MiB", order.part, bytes >> 20));
    if new > 0 {
        for names in &sets {
            APT_GET.show(&order.part, apt.install(names).arg("--download-only"))?;
        }
    }
    apt.take(&all, &stanzas)?;
    fs::remove_dir_all(apt.archives()).map_err(Error::file(&apt.archives()))?;
    Ok((fetched(&all, &stanzas, &sets, &missing), stanzas.into_values().collect()))
}

fn fetched(
    all: &BTreeMap<Meant, BTreeSet<usize>>,
    stanzas: &BTreeMap<Meant, Stanza>,
    sets: &[&BTreeSet<String>],
    missing: &BTreeSet<Meant>,
) -> Fetched {
    let package = |(meant, stanza): (&Meant, &Stanza)| Package {
        name: meant.name.clone(),
        version: meant.version.clone(),
        stored: Stored { file: meant.file(), bytes: stanza.bytes, sha256: stanza.sha256.clone() },
    };
    let set = |(number, names): (usize, &&BTreeSet<String>)| {
        let of = |(at, numbers): (usize, &BTreeSet<usize>)| numbers.contains(&number).then_some(at);
        Set { names: (*names).clone(), packages: all.values().enumerate().filter_map(of).collect() }
    };
    let new = |(at, meant): (usize, &Meant)| missing.contains(meant).then_some(at);
    Fetched {
        packages: stanzas.iter().map(package).collect(),
        sets: sets.iter().enumerate().map(set).collect(),
        new: all.keys().enumerate().filter_map(new).collect(),
    }
}

/// apt in a root of its own.
struct Apt<'a> {
    order: &'a Order,
    place: &'a Place,
}

impl<'a> Apt<'a> {
    fn set_up(order: &'a Order, archive: &str, place: &'a Place) -> Result<Self, Error> {
        let apt = Self { order, place };
        let root = &place.root;
        // Repositories of an earlier site are not asked.
        let etc = root.join("etc");
        if etc.is_dir() {
            fs::remove_dir_all(&etc).map_err(Error::file(&etc))?;
        }
        let folders =
            ["apt.conf.d", "preferences.d", "sources.list.d", "keyrings", "trusted.gpg.d"];
        for folder in folders {
            files::make_folder(&etc.join("apt").join(folder))?;
        }
        for folder in
            ["var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"]
        {
            files::make_folder(&root.join(folder))?;
        }
        files::write(&root.join("var/lib/dpkg/status"), b"")?;
        let within = format!("{}{KEYS}", root.display());
        for (path, text) in &order.files {
            let path = root.join(path.trim_start_matches('/'));
            files::write(&path, text.replace(KEYS, &within).as_bytes())?;
        }
        files::write(
            &etc.join("apt/sources.list.d/archive.sources"),
            archive.trim_start().as_bytes(),
        )?;
        files::write(&apt.settings(), apt.configuration()?.as_bytes())?;
        Ok(apt)
    }

    fn settings(&self) -> std::path::PathBuf {
        self.place.root.join("apt.conf")
    }

    fn archives(&self) -> std::path::PathBuf {
        self.place.root.join("var/cache/apt/archives")
    }

    /// How this machine gets to the internet, and nothing else of its own settings.
    fn configuration(&self) -> Result<String, Error> {
        let dumped = APT_CONFIG.output(&self.order.part, APT_CONFIG.command().arg("dump"))?;
        let ways = dumped.lines().filter(|l| {
            ["Acquire::http", "Acquire::https", "Acquire::ftp"].iter().any(|way| l.starts_with(way))
        });
        let mut text: String = ways.map(|line| format!("{line}\n")).collect();
        let root = self.place.root.display();
        let architecture = architecture(&self.order.architecture);
        text.push_str(&format!(
            "Dir \"{root}/\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
             APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Install-Recommends \"false\";\nAPT::Sandbox::User \"\";\n\
             Acquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
             Acquire::AllowInsecureRepositories \"false\";\n"
        ));
        Ok(text)
    }

    fn command(&self, mut command: Command) -> Command {
        command.env("APT_CONFIG", self.settings());
        command
    }

    fn install(&self, names: &BTreeSet<String>) -> Command {
        let mut command = self.command(APT_GET.command());
        command.args(["--yes", "--no-install-recommends", "install"]).args(names);
        command
    }

    /// Everything that a host with nothing would need for these names.
    fn meant(&self, names: &BTreeSet<String>) -> Result<Vec<Meant>, Error> {
        let part = &self.order.part;
        // What apt has already it would not name.
        let none = self.place.root.join("none");
        files::make_folder(&none.join("partial"))?;
        let mut print = self.install(names);
        print.args(["--print-uris", "-qq", "-o"]);
        print.arg(format!("Dir::Cache::archives={}/", none.display()));
        let said = APT_GET.output(part, &mut print)?;
        let parse = |line: &str| {
            Meant::parse(line).ok_or_else(|| Error::unfit(part, format!("apt-get said `{line}`")))
        };
        said.lines().filter(|line| line.starts_with('\'')).map(parse).collect()
    }

    /// The records of packages; `apt-cache` reads them from indexes whose signature was good.
    fn stanzas<'m>(
        &self,
        all: impl Iterator<Item = &'m Meant>,
    ) -> Result<BTreeMap<Meant, Stanza>, Error> {
        let part = &self.order.part;
        let all: Vec<&Meant> = all.collect();
        let mut show = self.command(APT_CACHE.command());
        show.arg("show");
        show.args(all.iter().map(|m| format!("{}={}", m.name, m.version)));
        let said = APT_CACHE.output(part, &mut show)?;
        let mut records: BTreeMap<(&str, &str, &str), Stanza> = BTreeMap::new();
        for text in said.split("\n\n").filter(|text| !text.trim().is_empty()) {
            let of = |name| field(text, name).unwrap_or_default();
            let key = (of("Package"), of("Version"), of("Architecture"));
            let stanza = Stanza {
                text: text.trim_matches('\n').to_owned(),
                sha256: of("SHA256").to_ascii_lowercase(),
                bytes: of("Size").parse().unwrap_or(0),
            };
            records.entry(key).or_insert(stanza);
        }
        let of = |meant: &&Meant| {
            let key = (meant.name.as_str(), meant.version.as_str(), meant.architecture.as_str());
            let found = records.get(&key).filter(|stanza| stanza.sha256.len() == 64);
            let none = || {
                let reason = format!("the index has no SHA-256 of {}", meant.archive);
                Error::unfit(part, reason)
            };
            found.cloned().map(|stanza| ((*meant).clone(), stanza)).ok_or_else(none)
        };
        all.iter().map(of).collect()
    }

    /// Gives apt what is in the pool already and good; what is missing is told.
    fn offer(
        &self,
        all: &BTreeMap<Meant, BTreeSet<usize>>,
        stanzas: &BTreeMap<Meant, Stanza>,
    ) -> Result<BTreeSet<Meant>, Error> {
        let mut missing = BTreeSet::new();
        for meant in all.keys() {
            let pooled = self.place.part.join(meant.file());
            let archived = self.archives().join(&meant.archive);
            // Whole files of a run that was cut off are looked at again too.
            for file in [&archived, &pooled] {
                if file.is_file() && !is(file, &stanzas[meant])? {
                    files::remove(file)?;
                }
            }
            if pooled.is_file() && !archived.is_file() {
                files::link(&pooled, &archived)?;
            } else if !archived.is_file() {
                missing.insert(meant.clone());
            }
        }
        Ok(missing)
    }

    /// Takes what apt has now into the pool.
    fn take(
        &self,
        all: &BTreeMap<Meant, BTreeSet<usize>>,
        stanzas: &BTreeMap<Meant, Stanza>,
    ) -> Result<(), Error> {
        for meant in all.keys() {
            let archived = self.archives().join(&meant.archive);
            if !is(&archived, &stanzas[meant])? {
                files::remove(&archived)?;
                let reason = "it is not what the signed index of its repository lists";
                return Err(Error::untrusted(&archived, reason));
            }
            let pooled = self.place.part.join(meant.file());
            if !pooled.is_file() {
                files::link(&archived, &pooled)?;
            }
        }
        Ok(())
    }
}

fn is(file: &Path, stanza: &Stanza) -> Result<bool, Error> {
    let (sha256, bytes) = files::measured(file)?;
    Ok(sha256 == stanza.sha256 && bytes == stanza.bytes)
}

fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// As dpkg calls what `uname -m` tells.
fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The files of a flat repository's index.
const INDEX: [&str; 4] = ["Packages", "Release", "Release.gpg", "InRelease"];

/// Writes and signs the index, unless it is as it was.
pub(crate) fn index(
    order: &Order,
    stanzas: &[Stanza],
    place: &Place,
    known: Option<&Part>,
    wish: &Wish,
) -> Result<Vec<Stored>, Error> {
    let part = &place.part;
    let packages: String = stanzas.iter().map(moved).collect();
    let path = part.join("Packages");
    if let Some(known) = known
        && files::read_if_there(&path)?.as_deref() == Some(packages.as_str())
    {
        return Ok(known.index.clone());
    }
    files::write(&path, packages.as_bytes())?;
    let (sha256, bytes) = files::measured(&path)?;
    let date = wish.now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S UTC");
    let release = format!(
        "Origin: Stratus\nLabel: {}\nSuite: stratus\nCodename: stratus\nDate: {date}\n\
         Architectures: {}\nSHA256:\n {sha256} {bytes} Packages\n",
        order.part,
        architecture(&order.architecture)
    );
    let file = part.join("Release");
    files::write(&file, release.as_bytes())?;
    wish.signer.sign("--detach-sign", &file, &part.join("Release.gpg"))?;
    wish.signer.sign("--clearsign", &file, &part.join("InRelease"))?;
    INDEX.iter().map(|name| files::stored(part, name)).collect()
}

/// A record with the place of its file here.
fn moved(stanza: &Stanza) -> String {
    let of = |name| field(&stanza.text, name).unwrap_or_default().to_owned();
    let meant = Meant {
        name: of("Package"),
        version: of("Version"),
        architecture: of("Architecture"),
        archive: String::new(),
    };
    let line = |line: &str| {
        if line.starts_with("Filename:") {
            format!("Filename: {}\n", meant.file())
        } else {
            format!("{line}\n")
        }
    };
    stanza.text.lines().map(line).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_means_to_fetch_is_read() {
        let line = "'http://deb.debian.org/debian/pool/main/q/qemu/qemu-utils_7.2%2bdfsg-7_amd64.deb' qemu-utils_1%3a7.2+dfsg-7_amd64.deb 123 SHA256:ab";
        let meant = Meant::parse(line).unwrap();
        assert_eq!(meant.version, "1:7.2+dfsg-7");
        assert_eq!(meant.file(), "pool/qemu-utils_7.2+dfsg-7_amd64.deb");
        assert_eq!(Meant::parse("Reading package lists..."), None);
    }

    #[test]
    fn a_record_keeps_all_but_the_place_of_its_file() {
        let text = "Package: a\nVersion: 1:2\nArchitecture: all\nFilename: pool/main/a/a_2_all.deb\nSHA256: x";
        let stanza = Stanza { text: text.into(), sha256: "x".into(), bytes: 1 };
        let moved = moved(&stanza);
        assert_eq!(
            moved,
            "Package: a\nVersion: 1:2\nArchitecture: all\nFilename: pool/a_2_all.deb\nSHA256: x\n\n"
        );
    }
}
