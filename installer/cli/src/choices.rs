//! What the administrator said on the command line.

use std::path::PathBuf;
use stratus_site::HostName;

/// Options that all tasks share.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The site file.
    pub config: PathBuf,
    /// Whether data is printed as JSON.
    pub json: bool,
    /// Whether plans are shown with every line.
    pub verbose: bool,
    /// Only these hosts; all where it is empty.
    pub limit: Vec<HostName>,
    /// A file with facts, instead of asking the hosts.
    pub facts: Option<PathBuf>,
    /// A directory of packages that hosts get theirs from, instead of the internet.
    pub offline: Option<PathBuf>,
    /// Whether unknown host keys are written down and believed.
    pub learn_host_keys: bool,
    /// Whether changes were agreed to beforehand.
    pub confirmation: Confirmation,
}

impl Choices {
    /// Whether a host is meant.
    pub fn means(&self, host: &HostName) -> bool {
        self.limit.is_empty() || self.limit.contains(host)
    }
}

/// Whether changes were agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The administrator is asked; without a terminal the answer is no.
    Ask,
    /// Yes.
    Given,
}
