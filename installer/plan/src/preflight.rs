//! What stands in the way, found before anything is changed.

mod across;
mod around;
mod edited;
mod host;

use crate::facts::{Facts, HostReport};
use crate::view::roles;
use serde::{Deserialize, Serialize};
use stratus_site::{HostName, Site};

/// Something that stands in the way, or might.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The host.
    pub host: HostName,
    /// Whether an apply is refused.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub text: String,
    /// How to mend it.
    pub cure: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The host is not touched before it is mended.
    Refuse,
    /// Worth knowing; the administrator decides.
    Warn,
}

impl Finding {
    pub(crate) fn refuse(
        host: &HostName,
        text: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let severity = Severity::Refuse;
        Self { host: host.clone(), severity, text: text.into(), cure: cure.into() }
    }

    pub(crate) fn warn(host: &HostName, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, ..Self::refuse(host, text, cure) }
    }
}

/// Everything that stands in the way, by host in the order of the site.
pub fn preflight(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (host, roles) in roles(site) {
        match facts.hosts.get(host) {
            Some(HostReport::Known(told)) => {
                findings.extend(host::findings(&host::About::new(site, host, &roles, told)));
                findings.extend(edited::findings(site, host, &roles, told));
                findings.extend(around::repositories(site, host, &roles, told));
            }
            Some(HostReport::Unreachable(why)) => {
                let cure = "see that `ssh` reaches it with the settings of [ssh]".to_owned();
                let cure = why.cure.clone().unwrap_or(cure);
                findings.push(Finding::refuse(host, format!("not reached: {}", why.reason), cure));
            }
            None => findings.push(Finding::refuse(host, "not asked", "run preflight again")),
        }
    }
    findings.extend(across::findings(site, facts));
    findings.extend(around::neighbours(site, facts));
    findings
}
