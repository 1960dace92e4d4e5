//! Making a directory: each part by its package manager, then the lists and the signature.

use crate::error::Error;
use crate::signing::Signer;
use crate::{apt, directory, dnf, files};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use stratus_plan::metadata::PackageManager;
use stratus_plan::offline::{FORMAT, Mirror, Order, Package, Part, Set};

/// What shall be made.
pub struct Wish<'a> {
    /// The directory.
    pub folder: &'a Path,
    /// What it has to hold.
    pub orders: &'a [Order],
    /// Where the packages of a release come from (`debian-12`), instead of its own archives: a
    /// description as its package manager has it.
    pub sources: BTreeMap<String, String>,
    /// Who signs.
    pub signer: &'a Signer,
    /// Now.
    pub now: Timestamp,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its parts.
    pub parts: Vec<MadePart>,
}

/// What is in a part now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadePart {
    /// Its name.
    pub name: String,
    /// Packages in it.
    pub packages: usize,
    /// Those that were downloaded by this run.
    pub new: usize,
    /// Their bytes.
    pub new_bytes: u64,
}

/// Where a part is made.
pub(crate) struct Place {
    /// The part.
    pub(crate) part: PathBuf,
    /// A root of its own for the package manager.
    pub(crate) root: PathBuf,
}

impl Place {
    pub(crate) fn pool(&self) -> PathBuf {
        self.part.join("pool")
    }
}

/// Packages that are in the pool now, and how they were asked for.
pub(crate) struct Fetched {
    pub(crate) packages: Vec<Package>,
    pub(crate) sets: Vec<Set>,
    /// Places of those that were downloaded now.
    pub(crate) new: BTreeSet<usize>,
}

/// Makes a directory, or brings it up to date: what is there and good is not downloaded again.
/// `say` is told what goes on.
pub fn make(wish: &Wish, say: &dyn Fn(&str)) -> Result<Made, Error> {
    let _alone = files::alone(wish.folder, say)?;
    // What is whole and unchanged keeps its signature, so that hosts see no difference.
    let before = directory::open(wish.folder, wish.signer.public()).ok().map(|o| o.mirror);
    let mut mirror = Mirror { format: FORMAT, parts: BTreeMap::new() };
    let mut made = Made { parts: Vec::new() };
    for order in wish.orders {
        let known = before.as_ref().and_then(|m| m.parts.get(&order.part));
        let (part, summary) = make_part(wish, order, known, say)?;
        mirror.parts.insert(order.part.clone(), part);
        made.parts.push(summary);
    }
    finish(wish, &mirror)?;
    Ok(made)
}

fn make_part(
    wish: &Wish,
    order: &Order,
    known: Option<&Part>,
    say: &dyn Fn(&str),
) -> Result<(Part, MadePart), Error> {
    let part = wish.folder.join(&order.part);
    let root = wish.folder.join(".work").join(&order.part);
    // Package managers have opinions about relative paths.
    let root = std::path::absolute(&root).map_err(Error::file(&root))?;
    let place = Place { part, root };
    files::make_folder(&place.pool())?;
    let archive = wish.sources.get(&order.release).or(order.archive.as_ref());
    let archive = archive.ok_or_else(|| {
        let reason = format!(
            "where its packages come from is not known; name it with --sources {}=FILE",
            order.release
        );
        Error::unfit(&order.part, reason)
    })?;
    let (fetched, index) = match order.manager {
        PackageManager::Apt => {
            let (fetched, stanzas) = apt::fetch(order, archive, &place, say)?;
            prune(&place, &fetched)?;
            (fetched, apt::index(order, &stanzas, &place, known, wish)?)
        }
        PackageManager::Dnf => {
            let fetched = dnf::fetch(order, archive, &place, say)?;
            prune(&place, &fetched)?;
            let index = dnf::index(order, &place, known, &fetched, wish)?;
            (fetched, index)
        }
        PackageManager::Zypper => {
            let reason = "packages for zypper cannot be gathered; use `packages.opennebula` and `packages.proxy` there";
            return Err(Error::unfit(&order.part, reason));
        }
    };
    let Fetched { packages, sets, new } = fetched;
    let summary = MadePart {
        name: order.part.clone(),
        packages: packages.len(),
        new: new.len(),
        new_bytes: new.iter().filter_map(|at| packages.get(*at)).map(|p| p.stored.bytes).sum(),
    };
    Ok((Part { index, packages, sets }, summary))
}

/// Takes what nobody needs any more out of the pool.
fn prune(place: &Place, fetched: &Fetched) -> Result<(), Error> {
    let keep: BTreeSet<&str> =
        fetched.packages.iter().filter_map(|p| p.stored.file.strip_prefix("pool/")).collect();
    for name in files::names(&place.pool())? {
        if !keep.contains(name.as_str()) {
            files::remove(&place.pool().join(name))?;
        }
    }
    Ok(())
}

/// Writes the lists and signs them, unless they are as they were.
fn finish(wish: &Wish, mirror: &Mirror) -> Result<(), Error> {
    let folder = wish.folder;
    let list = serde_json::to_string_pretty(mirror)
        .map_err(|e| Error::unfit(directory::LIST, e.to_string()))?;
    files::write(&folder.join(directory::LIST), format!("{list}\n").as_bytes())?;
    files::write(&folder.join(directory::KEY), wish.signer.public().as_bytes())?;
    let mut sums = String::new();
    for file in [directory::KEY, directory::LIST] {
        sums.push_str(&format!("{}  {file}\n", files::measured(&folder.join(file))?.0));
    }
    for (name, part) in &mirror.parts {
        for stored in part.index.iter().chain(part.packages.iter().map(|p| &p.stored)) {
            sums.push_str(&format!("{}  {name}/{}\n", stored.sha256, stored.file));
        }
    }
    let path = folder.join(directory::SUMS);
    let signature = folder.join(directory::SIGNATURE);
    let same = files::read_if_there(&path)?.as_deref() == Some(sums.as_str())
        && directory::open(folder, wish.signer.public()).is_ok();
    if same {
        return Ok(());
    }
    files::remove(&signature)?;
    files::write(&path, sums.as_bytes())?;
    wish.signer.sign("--detach-sign", &path, &signature)?;
    // What was made is looked at as whoever uses it will.
    directory::open(folder, wish.signer.public()).map(drop)
}
