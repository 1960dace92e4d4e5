//! Packages for a host without internet: carried over its own connection, only those that it needs,
//! from where an earlier run was cut off.

use super::Context;
use crate::drive::{Attention, run_well};
use crate::error::{HostError, Trouble};
use crate::host::{Host, Output, Work};
use crate::scripts::Unfit;
use crate::scripts::carry::{Piece, ask, put, settle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use stratus_plan::offline::{CARRY, Mirror, Package, Part, Stored};
use stratus_plan::step::Carry;

/// Bytes that go to a host with one program: what is lost when a connection breaks.
const PIECE: u64 = 4 << 20;

/// A directory of packages whose signature was checked.
#[derive(Clone, Debug)]
pub struct Freight {
    /// The directory.
    pub folder: PathBuf,
    /// What it holds.
    pub mirror: Mirror,
}

/// What a host said that it has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cargo {
    /// Installed packages: name and version.
    installed: BTreeSet<(String, String)>,
    /// Digests of the files that were carried before.
    here: BTreeMap<String, String>,
    /// Lengths of those that were cut off.
    parts: BTreeMap<String, u64>,
}

impl Cargo {
    /// Reads what a host says. An answer without its end is none.
    fn parse(text: &str) -> Result<Self, String> {
        let mut cargo = Self::default();
        let mut section = "";
        for line in text.lines() {
            match line {
                "installed" | "here" | "parts" | "end" => section = line,
                _ => cargo.line(section, line).ok_or_else(|| format!("`{line}`"))?,
            }
        }
        if section == "end" { Ok(cargo) } else { Err("it has no end".to_owned()) }
    }

    fn line(&mut self, section: &str, line: &str) -> Option<()> {
        match section {
            "installed" => {
                let (name, version) = line.split_once('\t')?;
                self.installed.insert((name.to_owned(), version.to_owned()));
            }
            "here" => {
                let (digest, file) = line.split_once("  ./")?;
                self.here.insert(file.to_owned(), digest.to_owned());
            }
            "parts" => {
                let (length, file) = line.split_once("\t./")?;
                let file = file.strip_suffix(".part")?;
                self.parts.insert(file.to_owned(), length.parse().ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

/// What is sent and what stays.
#[derive(Debug, PartialEq, Eq)]
struct Load<'a> {
    /// Files on the way, each from this byte on; the index comes last.
    send: Vec<(&'a Stored, u64)>,
    /// All files that are to be there in the end.
    stay: Vec<&'a str>,
}

/// What a host needs of a part: not what is installed in the same version, nor what is there.
fn load<'a>(part: &'a Part, chosen: &[&'a Package], cargo: &Cargo) -> Load<'a> {
    let installed = |p: &Package| cargo.installed.contains(&(p.name.clone(), p.version.clone()));
    let is_here = |s: &Stored| cargo.here.get(&s.file) == Some(&s.sha256);
    let packages = chosen.iter().filter(|p| is_here(&p.stored) || !installed(p)).map(|p| &p.stored);
    let files: Vec<&Stored> = packages.chain(&part.index).collect();
    let from = |s: &Stored| {
        let begun = cargo.parts.get(&s.file).copied().unwrap_or(0);
        // Only whole pieces are known to be good.
        if begun < s.bytes { begun - begun % PIECE } else { 0 }
    };
    Load {
        send: files.iter().filter(|s| !is_here(s)).map(|s| (*s, from(s))).collect(),
        stay: files.iter().map(|s| s.file.as_str()).collect(),
    }
}

impl Context<'_> {
    /// Brings a host the packages that it needs.
    pub(super) async fn carry(
        &self,
        host: &Arc<dyn Host>,
        id: &str,
        carry: &Carry,
    ) -> Result<Output, HostError> {
        let here = |text: String| Trouble::Here(text).of(host.name());
        let unfit = |e: Unfit| here(format!("{id}: {e}"));
        let freight = self.run.offline.as_ref();
        let freight = freight.ok_or_else(|| here("no directory of packages was read".into()))?;
        let chosen = freight.mirror.choose(&carry.part, &carry.names).map_err(here)?;
        let part = &freight.mirror.parts[&carry.part];
        let (root, deadlines) = (&self.run.root, self.run.deadlines);
        let asked = self.tell_work(host, id, &ask(root, deadlines).map_err(unfit)?).await?;
        let cargo = Cargo::parse(&String::from_utf8_lossy(&asked.stdout)).map_err(|reason| {
            let command = "asking which packages are there".to_owned();
            Trouble::Answer { command, reason }.of(host.name())
        })?;
        let load = load(part, &chosen, &cargo);
        let folder = freight.folder.join(&carry.part);
        let total: u64 = load.send.iter().map(|(s, from)| s.bytes - from).sum();
        let mut done = 0;
        for batch in batches(&load.send) {
            let read = read_all(&folder, &batch).map_err(here)?;
            let pieces: Vec<Piece> = batch.iter().zip(&read).map(piece).collect();
            let bytes: u64 = batch.iter().map(|p| p.length).sum();
            let what =
                format!("carrying packages: {} of {} MiB", done >> 20, total.div_ceil(1 << 20));
            let work = put(&pieces, what, root, deadlines).map_err(unfit)?;
            self.tell_work(host, id, &work).await?;
            done += bytes;
        }
        let seen = (CARRY, carry.digest.as_str());
        let work = settle(&part.index, &load.stay, seen, root, deadlines).map_err(unfit)?;
        let mut output = self.tell_work(host, id, &work).await?;
        let (count, of) = (load.send.len(), load.stay.len());
        let said =
            format!("changed {count} of {of} files carried, {} MiB\n", total.div_ceil(1 << 20));
        output.stdout = said.into_bytes();
        Ok(output)
    }

    async fn tell_work(
        &self,
        host: &Arc<dyn Host>,
        id: &str,
        work: &Work,
    ) -> Result<Output, HostError> {
        let doing = Mutex::new(work.what.clone());
        let heard = |heard| self.heard(host.name(), id, &doing, heard);
        let attention = Attention { heard: &heard, abort: Some(self.abort.subscribe()) };
        run_well(&**host, work, &attention).await
    }
}

/// A part of a file that goes with one program.
#[derive(Clone, Copy, Debug)]
struct Stretch<'a> {
    stored: &'a Stored,
    offset: u64,
    length: u64,
}

/// Files cut into stretches, small ones together.
fn batches<'a>(send: &[(&'a Stored, u64)]) -> Vec<Vec<Stretch<'a>>> {
    let mut batches: Vec<Vec<Stretch>> = Vec::new();
    let mut room = 0;
    for &(stored, from) in send {
        let mut offset = from;
        loop {
            let length = PIECE.min(stored.bytes - offset);
            let stretch = Stretch { stored, offset, length };
            match batches.last_mut() {
                Some(batch) if length <= room => batch.push(stretch),
                _ => {
                    room = PIECE;
                    batches.push(vec![stretch]);
                }
            }
            room -= length;
            offset += length;
            if offset >= stored.bytes {
                break;
            }
        }
    }
    batches
}

fn piece<'a>((stretch, bytes): (&Stretch<'a>, &'a Vec<u8>)) -> Piece<'a> {
    let Stretch { stored, offset, length } = *stretch;
    let ends = (offset + length == stored.bytes).then_some(stored.sha256.as_str());
    Piece { file: &stored.file, offset, bytes, ends }
}

fn read_all(folder: &Path, batch: &[Stretch]) -> Result<Vec<Vec<u8>>, String> {
    batch.iter().map(|stretch| read(folder, stretch)).collect()
}

fn read(folder: &Path, stretch: &Stretch) -> Result<Vec<u8>, String> {
    let file = folder.join(&stretch.stored.file);
    let read = || {
        let mut from = std::fs::File::open(&file)?;
        from.seek(SeekFrom::Start(stretch.offset))?;
        let mut bytes = Vec::new();
        from.take(stretch.length).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
    if bytes.len() as u64 == stretch.length {
        return Ok(bytes);
    }
    Err(format!("{} became shorter while it was read", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(file: &str, bytes: u64) -> Stored {
        Stored { file: file.into(), bytes, sha256: format!("digest of {file}") }
    }

    fn package(name: &str, version: &str, bytes: u64) -> Package {
        let stored = stored(&format!("pool/{name}.deb"), bytes);
        Package { name: name.into(), version: version.into(), stored }
    }

    #[test]
    fn a_host_gets_what_it_lacks_from_where_it_was_cut_off() {
        let packages = vec![
            package("a", "1", 10),
            package("b", "2", 3 * PIECE),
            package("c", "1", 5),
            package("d", "1", 5),
        ];
        let part = Part { index: vec![stored("InRelease", 7)], packages, sets: vec![] };
        let said = "installed\na\t1\nc\t0\nhere\ndigest of pool/d.deb  ./pool/d.deb\nparts\n9000000\t./pool/b.deb.part\nend\n";
        let cargo = Cargo::parse(said).unwrap();
        let chosen: Vec<&Package> = part.packages.iter().collect();
        let load = load(&part, &chosen, &cargo);
        let send: Vec<_> = load.send.iter().map(|(s, from)| (s.file.as_str(), *from)).collect();
        assert_eq!(send, [("pool/b.deb", 2 * PIECE), ("pool/c.deb", 0), ("InRelease", 0)]);
        assert_eq!(load.stay, ["pool/b.deb", "pool/c.deb", "pool/d.deb", "InRelease"]);
    }

    #[test]
    fn an_answer_that_was_cut_off_is_none() {
        assert!(Cargo::parse("installed\na\t1\nhere\n").is_err());
        assert!(Cargo::parse("installed\nnonsense\nhere\nparts\nend\n").is_err());
    }

    #[test]
    fn small_files_go_together_and_large_ones_in_pieces() {
        let files =
            [stored("a", 1), stored("b", 2), stored("c", 2 * PIECE + 1), stored("empty", 0)];
        let send: Vec<(&Stored, u64)> = files.iter().map(|s| (s, 0)).collect();
        let batches: Vec<Vec<_>> = batches(&send)
            .iter()
            .map(|b| b.iter().map(|s| (s.stored.file.as_str(), s.offset, s.length)).collect())
            .collect();
        assert_eq!(
            batches,
            [
                vec![("a", 0, 1), ("b", 0, 2)],
                vec![("c", 0, PIECE)],
                vec![("c", PIECE, PIECE)],
                vec![("c", 2 * PIECE, 1), ("empty", 0, 0)]
            ]
        );
    }
}
