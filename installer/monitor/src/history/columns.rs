//! Who has which column of the rings.
//!
//! A file of lines `identifier column begins last`, written beside and renamed. A column whose owner
//! was not seen for longer than its series lasts goes to somebody else, who sees nothing older than
//! `begins`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A column is kept so long after its owner was seen last.
const KEEP: i64 = 31 * 86_400;
/// How often the file is written without a change of columns.
const EVERY: i64 = 3600;

#[derive(Clone, Copy, Debug)]
struct Owner {
    column: usize,
    begins: i64,
    last: i64,
}

/// Who has which column, and since when, for those who read.
pub(super) type Seats = BTreeMap<i32, (usize, i64)>;

/// Who has which column.
#[derive(Debug)]
pub(super) struct Columns {
    file: PathBuf,
    owners: BTreeMap<i32, Owner>,
    next: usize,
    free: BTreeSet<usize>,
    changed: bool,
    /// Whether somebody came or went since those who read were told.
    moved: bool,
    saved: i64,
}

impl Columns {
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut columns = Self {
            file: file.to_owned(),
            owners: BTreeMap::new(),
            next: 0,
            free: BTreeSet::new(),
            changed: false,
            moved: false,
            saved: 0,
        };
        // A line that cannot be read loses the history of one series, not of all.
        for (id, owner) in text.lines().filter_map(line) {
            columns.owners.insert(id, owner);
        }
        let taken: BTreeSet<usize> = columns.owners.values().map(|o| o.column).collect();
        columns.next = taken.last().map_or(0, |last| last + 1);
        columns.free = (0..columns.next).filter(|c| !taken.contains(c)).collect();
        Ok(columns)
    }

    /// Who has which column now.
    pub(super) fn seats(&self) -> Seats {
        self.owners.iter().map(|(id, owner)| (*id, (owner.column, owner.begins))).collect()
    }

    /// Whether that is other than when this was asked before.
    pub(super) fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The column of somebody who is seen now.
    pub(super) fn of(&mut self, id: i32, at: i64) -> usize {
        if let Some(owner) = self.owners.get_mut(&id) {
            owner.last = owner.last.max(at);
            return owner.column;
        }
        let column = self.free.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        // The figures of the step that is going on may be its last owner's.
        self.owners.insert(id, Owner { column, begins: at, last: at });
        (self.changed, self.moved) = (true, true);
        column
    }

    /// Writes the file if something changed, and lets go of what nobody has any more.
    pub(super) fn save(&mut self, at: i64) -> io::Result<()> {
        if !self.changed && (at - self.saved).abs() < EVERY {
            return Ok(());
        }
        let gone: Vec<i32> = self
            .owners
            .iter()
            .filter(|(_, owner)| at - owner.last > KEEP)
            .map(|(id, _)| *id)
            .collect();
        self.moved |= !gone.is_empty();
        for id in gone {
            self.free.extend(self.owners.remove(&id).map(|owner| owner.column));
        }
        let lines: String = self
            .owners
            .iter()
            .map(|(id, o)| format!("{id} {} {} {}\n", o.column, o.begins, o.last))
            .collect();
        let beside = self.file.with_extension("columns.new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.file)?;
        (self.changed, self.saved) = (false, at);
        Ok(())
    }
}

/// More columns than any site has series; a line beyond is damaged.
const MOST: usize = 1 << 22;

fn line(line: &str) -> Option<(i32, Owner)> {
    let mut words = line.split(' ');
    let id = words.next()?.parse().ok()?;
    let column = words.next()?.parse().ok().filter(|column| *column < MOST)?;
    let (begins, last) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((id, Owner { column, begins, last }))
}
