//! What a window adds up to.

use serde::Serialize;

use crate::record::{MachineKey, Owner, Sizes};

/// What rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One row for each user.
    User,
    /// One for each group.
    Group,
    /// One for each machine.
    Machine,
}

/// What was used. Nothing is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Seconds that machines ran.
    pub wall_seconds: i64,
    /// The same times the thousandths of cores that each was given.
    pub cpu_core_milliseconds: i128,
    /// The same times MiB of memory.
    pub memory_mib_seconds: i128,
    /// The same times MiB of disk.
    pub disk_mib_seconds: i128,
}

impl Totals {
    /// Adds a time that a machine of these sizes ran.
    pub fn add(&mut self, seconds: i64, sizes: &Sizes) {
        self.wall_seconds += seconds;
        let times = |size: i64| i128::from(seconds) * i128::from(size);
        self.cpu_core_milliseconds += times(sizes.cpu_milli);
        self.memory_mib_seconds += times(sizes.memory_mib);
        self.disk_mib_seconds += times(sizes.disk_mib);
    }

    /// Adds another sum.
    pub fn add_all(&mut self, other: &Self) {
        self.wall_seconds += other.wall_seconds;
        self.cpu_core_milliseconds += other.cpu_core_milliseconds;
        self.memory_mib_seconds += other.memory_mib_seconds;
        self.disk_mib_seconds += other.disk_mib_seconds;
    }
}

/// One row of a report. Names are the latest in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The machine, in a report by machine.
    pub machine: Option<(MachineKey, String)>,
    /// Whose: the user is meant in a report by user, the group in one by group.
    pub owner: Owner,
    /// How many machines ran.
    pub machines: u64,
    /// What was used.
    pub totals: Totals,
}
