//! Exit codes, the same in every command.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Refused by a trust or policy check.
    Refused = 3,
    /// Not authenticated or not allowed.
    Denied = 4,
    /// Not reachable; trying again may help.
    Unreachable = 5,
    /// `plan` or `check` found changes to make.
    Changes = 10,
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
