//! The nouns: one stay of a machine on a host, as oned's history has it.

/// A machine for ever: OpenNebula counts from 0 again after a new installation, so the time of
/// making belongs to the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineKey {
    /// OpenNebula's identifier.
    pub id: i64,
    /// When it was made, seconds since 1970.
    pub born: i64,
}

/// Whose machine it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's identifier.
    pub user_id: i64,
    /// The user's name.
    pub user: String,
    /// The group's identifier.
    pub group_id: i64,
    /// The group's name.
    pub group: String,
}

/// What a machine was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Thousandths of a core: CPU of the template.
    pub cpu_milli: i64,
    /// Virtual processors: VCPU of the template.
    pub vcpu: i64,
    /// Memory, MiB.
    pub memory_mib: i64,
    /// All disks, MiB.
    pub disk_mib: i64,
    /// Network interfaces.
    pub nics: i64,
    /// Addresses among them that the world can reach.
    pub public_ips: i64,
}

/// The times of a record, seconds since 1970; 0 where oned has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// STIME: the stay began.
    pub start: i64,
    /// ETIME: the stay ended.
    pub end: i64,
    /// PSTIME: the files came.
    pub prolog_start: i64,
    /// PETIME: the files were there.
    pub prolog_end: i64,
    /// RSTIME: it ran.
    pub running_start: i64,
    /// RETIME: it no longer ran.
    pub running_end: i64,
    /// ESTIME: the files went.
    pub epilog_start: i64,
    /// EETIME: the files were gone.
    pub epilog_end: i64,
}

/// One record of a machine's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The machine.
    pub machine: MachineKey,
    /// Number of the record, from 0.
    pub sequence: i64,
    /// The machine's name.
    pub name: String,
    /// Whose it was.
    pub owner: Owner,
    /// The host's name.
    pub host: String,
    /// Name of the image of its first disk; empty where it has none.
    pub image: String,
    /// What it was given.
    pub sizes: Sizes,
    /// When.
    pub times: Times,
    /// ACTION: oned's number of what ended it, 0 for nothing.
    pub action: i64,
    /// Whether the machine was off when oned wrote the sizes down.
    pub off: bool,
}

/// What the last record of a machine says about its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It runs, or is on its way to.
    Running,
    /// Suspended: it keeps its host.
    Suspended,
    /// Stopped, undeployed or off.
    Stopped,
    /// It is gone for good, since this second.
    Gone(i64),
}

impl Record {
    /// Whether it has begun to run and nothing says that it ended.
    pub fn is_open(&self) -> bool {
        self.times.running_start > 0 && self.times.running_end == 0 && self.times.end == 0
    }

    /// What it says about the machine, if it is the last one.
    pub fn ending(&self) -> Ending {
        let over = self.times.running_end > 0 || self.times.end > 0;
        match self.action {
            // delete, terminate, terminate-hard
            13 | 27 | 28 if self.times.end > 0 => {
                Ending::Gone(self.times.end.max(self.times.epilog_end))
            }
            10 if over => Ending::Suspended,
            // undeploy(-hard), stop, poweroff(-hard), off as the monitor saw it, poweroff migrate
            5 | 6 | 9 | 19 | 20 | 44 | 48 | 49 if over => Ending::Stopped,
            _ => Ending::Running,
        }
    }
}
