//! What each user used, month by month: what accounting leaves for the monitor with each feed.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Most months of a report.
const MONTHS: usize = 1200;

/// The report. Its figures are the ledger's own; nothing is rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The last feed, seconds since 1970: what runs counts until then.
    pub fed_at: i64,
    /// The months, `2026-11`, oldest first, without a gap.
    pub months: Vec<String>,
    /// Who used something, by name.
    pub users: Vec<UserUsage>,
}

/// What one user used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserUsage {
    /// Login, as OpenNebula has it.
    pub user: String,
    /// One for each month of the report.
    pub used: Vec<Used>,
}

/// What was used in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Machines that ran.
    pub machines: u64,
    /// Seconds that they ran.
    pub wall_seconds: u64,
    /// The same times the thousandths of cores that each was given.
    pub cpu_core_milliseconds: u64,
    /// The same times MiB of memory.
    pub memory_mib_seconds: u64,
    /// The same times MiB of disk.
    pub disk_mib_seconds: u64,
}

/// Where the ledger is unless `ledger` in `[accounting]` says otherwise.
pub const LEDGER: &str = "/var/lib/stratus/accounting/ledger.db";

/// Where accounting leaves the report and the monitor finds it: `usage_report` in `[accounting]`, or
/// beside the ledger.
pub fn usage_report(named: Option<PathBuf>, ledger: &Path) -> PathBuf {
    named.unwrap_or_else(|| ledger.with_file_name("usage.json"))
}

impl Usage {
    /// Why a report that was read is none; `None` where it is one.
    pub fn fault(&self) -> Option<&'static str> {
        if self.months.len() > MONTHS {
            return Some("it has more months than a century");
        }
        if self.users.iter().any(|user| user.used.len() != self.months.len()) {
            return Some("somebody has other months than the report");
        }
        None
    }

    /// What a user used in each month; `None` of one who used nothing in any.
    pub fn of(&self, user: &str) -> Option<&[Used]> {
        self.users.iter().find(|known| known.user == user).map(|known| known.used.as_slice())
    }

    /// What all used in each month.
    pub fn all(&self) -> Vec<Used> {
        let mut all = vec![Used::default(); self.months.len()];
        for user in &self.users {
            for (sum, used) in all.iter_mut().zip(&user.used) {
                sum.add(used);
            }
        }
        all
    }
}

impl Used {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        let parts = [
            (&mut self.machines, other.machines),
            (&mut self.wall_seconds, other.wall_seconds),
            (&mut self.cpu_core_milliseconds, other.cpu_core_milliseconds),
            (&mut self.memory_mib_seconds, other.memory_mib_seconds),
            (&mut self.disk_mib_seconds, other.disk_mib_seconds),
        ];
        for (sum, more) in parts {
            *sum = sum.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(machines: u64) -> Used {
        Used { machines, wall_seconds: u64::MAX, ..Used::default() }
    }

    #[test]
    fn sums_are_of_each_month_and_end_at_what_a_number_holds() {
        let user = |user: &str, used| UserUsage { user: user.to_owned(), used };
        let mut usage = Usage {
            fed_at: 1,
            months: vec!["2026-10".to_owned(), "2026-11".to_owned()],
            users: vec![user("a", vec![used(1), used(2)]), user("b", vec![used(4), used(8)])],
        };
        assert_eq!(usage.all(), [used(5), used(10)]);
        assert_eq!(usage.of("b").unwrap()[1].machines, 8);
        assert_eq!((usage.of("c"), usage.fault()), (None, None));
        usage.users[0].used.pop();
        assert!(usage.fault().is_some());
    }
}
