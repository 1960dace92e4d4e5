//! What the administrator said on the command line.

use std::path::PathBuf;
use stratus_site::{HostName, WrongValue, expand_hosts};

/// Options that all tasks share.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The site file.
    pub config: PathBuf,
    /// Whether data is printed as JSON.
    pub json: bool,
    /// Whether plans are shown with every line.
    pub verbose: bool,
    /// Only these hosts, by their whole names or by their short ones; all where it is empty.
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
        self.limit.is_empty() || self.limit.iter().any(|name| is_called(host, name))
    }
}

/// Whether a host has this name: its own, or the first part of it.
pub(crate) fn is_called(host: &HostName, name: &HostName) -> bool {
    host == name || host.short() == name.as_str()
}

/// Hosts as an administrator lists them: `node1`, `node[01-04].example.org`, commas between.
///
/// # Errors
/// A part is no name and no range; the message says why.
pub fn hosts(text: &str) -> Result<Vec<HostName>, String> {
    let mut hosts = Vec::new();
    for part in parts(text) {
        for name in expand_hosts(part.trim()).map_err(|wrong| wrong.to_string())? {
            hosts.push(name.parse().map_err(|wrong: WrongValue| wrong.to_string())?);
        }
    }
    Ok(hosts)
}

/// The parts between commas, but for commas in brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut inside = false;
    let split = |c: char| {
        inside = c == '[' || inside && c != ']';
        c == ',' && !inside
    };
    text.split(split).collect()
}

/// Whether changes were agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The administrator is asked; without a terminal the answer is no.
    Ask,
    /// Yes.
    Given,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_listed_by_names_ranges_and_commas() {
        let names = |text: &str| {
            hosts(text).map(|hosts| hosts.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(names("a").unwrap(), ["a"]);
        let all = names("n[1,3-4].x, front").unwrap();
        assert_eq!(all, ["n1.x", "n3.x", "n4.x", "front"]);
        for wrong in ["", "a,,b", "n[2-1]", "n[1", "a b"] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }
}
