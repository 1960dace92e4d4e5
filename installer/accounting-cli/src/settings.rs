//! The sections `[monitor]` and `[accounting]` of the site file, as accounting uses them.

use std::path::{Path, PathBuf};

use stratus_accounting::apel::Publisher;
use stratus_monitor_state::{LEDGER, usage_report};
use stratus_sections::{Invalid, Section, SiteText};
use stratus_site::keys;

/// What accounting is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where oned answers.
    pub endpoint: String,
    /// File with `user:password`.
    pub auth_file: PathBuf,
    /// The ledger.
    pub ledger: PathBuf,
    /// What each user used, for the monitor.
    pub usage_report: PathBuf,
    /// Who the site is to others.
    pub publisher: Publisher,
}

impl Settings {
    /// Reads the sections. `file` names the text in reports, and its folder is where relative
    /// paths start.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        let site = SiteText::parse(file, text)?.with_examples(keys::example);
        let (general, monitor) = (site.section("site"), site.section("monitor"));
        let accounting = site.section("accounting");
        let path = |section: &Section<'_>, key, default: &str| {
            section.path(key).unwrap_or_else(|| PathBuf::from(default))
        };
        let endpoint = monitor.text("endpoint");
        let ledger = path(&accounting, "ledger", LEDGER);
        let settings = Self {
            endpoint: endpoint.unwrap_or_else(|| "http://localhost:2633/RPC2".to_owned()),
            auth_file: monitor
                .path("auth_file")
                .or_else(|| stratus_terminal::credential("one_auth"))
                .unwrap_or_else(|| PathBuf::from("/var/lib/one/.one/one_auth")),
            usage_report: usage_report(accounting.path("usage_report"), &ledger),
            ledger,
            publisher: publisher(&accounting, &general),
        };
        let mut problems = stratus_sections::Problems::default();
        for (section, name) in [(general, "site"), (monitor, "monitor"), (accounting, "accounting")]
        {
            // What else belongs there is read by others.
            let known: Vec<&str> =
                keys::all().filter(|key| key.section == name).map(|key| key.name).collect();
            section.accept(&known);
            problems.extend(section.finish());
        }
        site.conclude(problems)?;
        Ok(settings)
    }
}

fn publisher(accounting: &Section<'_>, general: &Section<'_>) -> Publisher {
    let site_name = accounting.text("site_name").or_else(|| general.text("name"));
    if site_name.is_none() {
        let cure = "write down the name that the site has for others".to_owned();
        accounting.complain("site_name", "nothing says what the site is called", Some(cure));
    }
    let benchmark = match (accounting.text("benchmark_type"), accounting.text("benchmark")) {
        (Some(kind), Some(value)) => {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let (whole, part) = value.split_once('.').unwrap_or((&value, "0"));
            if !digits(whole) || !digits(part) {
                accounting.complain("benchmark", "`benchmark` must be a number such as 14.5", None);
            }
            Some((kind, value))
        }
        (None, None) => None,
        (Some(_), None) => {
            let message = "`benchmark_type` is given without `benchmark`";
            accounting.complain("benchmark_type", message, None);
            None
        }
        (None, Some(_)) => {
            let message = "`benchmark` is given without `benchmark_type`";
            accounting.complain("benchmark", message, None);
            None
        }
    };
    Publisher {
        site_name: site_name.unwrap_or_default(),
        compute_service: accounting.text("compute_service"),
        global_user_name: accounting.text("global_user_name"),
        fqan: accounting.text("fqan"),
        benchmark,
        cloud_type: format!("Stratus {}", env!("CARGO_PKG_VERSION")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_a_site_has_what_accounting_needs() {
        let example = include_str!("../../../installer/site/examples/site.toml");
        let settings = Settings::parse(Path::new("/etc/stratus/site.toml"), example).unwrap();
        assert!(!settings.publisher.site_name.is_empty());
        assert_eq!(settings.ledger, Path::new("/var/lib/stratus/accounting/ledger.db"));
        assert_eq!(settings.usage_report, Path::new("/var/lib/stratus/accounting/usage.json"));
    }

    #[test]
    fn problems_have_their_place() {
        let text = "[site]\nname = \"a\"\n[accounting]\nledgr = \"x\"\nbenchmark = \"fast\"\n";
        let report = Settings::parse(Path::new("site.toml"), text).unwrap_err().to_string();
        assert!(report.contains("site.toml:4"), "{report}");
        assert!(report.contains("benchmark_type"), "{report}");
    }
}
