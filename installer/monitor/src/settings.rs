//! The sections `[monitor]` and `[identity]` of the site file, as used.
//!
//! [`Settings::parse`] is pure: text in, complete settings or a report of every problem out.

use crate::probes::Places;
use jiff::SignedDuration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratus_login::settings::Files;
use stratus_monitor_state::{LEDGER, Severity, usage_report};
use stratus_sections::{Invalid, SECTIONS, Section, SiteText};
use stratus_service::{Log, look_at_tls};
use url::Url;

/// Everything the monitor is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Certificate chain and key to serve with, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where people find it.
    pub url: Option<Url>,
    /// Where oned is.
    pub oned: String,
    /// File with `user:password` for oned.
    pub auth_file: PathBuf,
    /// Time between two looks.
    pub interval: Duration,
    /// Where history is kept.
    pub data: PathBuf,
    /// How long hourly history and events are kept.
    pub retention: Duration,
    /// Name shown on the pages.
    pub title: String,
    /// What is watched beside OpenNebula.
    pub places: Places,
    /// PEM certificates of the authority of these services.
    pub services_ca: Option<PathBuf>,
    /// Open pages that are kept up to date at once.
    pub viewers: usize,
    /// Most connections at once.
    pub connections: usize,
    /// How long a login lasts.
    pub session: SignedDuration,
    /// Where the log goes.
    pub log: Log,
    /// Who hears of what.
    pub alerts: Option<Alerts>,
    /// Who people are.
    pub identity: stratus_identity::Settings,
}

/// Who hears of what needs attention.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// The webhook.
    pub webhook: Option<Webhook>,
    /// The mails.
    pub mail: Option<Mail>,
    /// The least urgent that is told.
    pub severity: Severity,
    /// How long something must last before it is told.
    pub after: Duration,
}

/// An address that gets alerts as JSON.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub url: Url,
    /// File with a token.
    pub token_file: Option<PathBuf>,
}

/// Mails.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: Vec<String>,
    /// From whom.
    pub from: String,
    /// Name or address of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: MailTls,
    /// Login and the file with its password.
    pub login: Option<(String, PathBuf)>,
}

/// How a connection to a mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Not at all: loopback only.
    Nothing,
    /// By the command STARTTLS (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
}

impl Settings {
    /// Reads both sections. `file` names the text in reports, and its folder is where relative
    /// paths start.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        Self::gather(file, text, Files::Unseen)
    }

    /// As [`Self::parse`], and a file that cannot be used is a problem of the key that names it.
    pub fn load(file: &Path, text: &str) -> Result<Self, Invalid> {
        Self::gather(file, text, Files::Looked)
    }

    fn gather(file: &Path, text: &str, files: Files) -> Result<Self, Invalid> {
        let site = SiteText::parse(file, text)?;
        let section = site.section("monitor");
        if !section.is_present() {
            let cure = "add a section [monitor]".to_owned();
            section.complain("", "the file has no section [monitor]", Some(cure));
        }
        // Where it is set up is the installer's.
        section.accept(&["host"]);
        let identity_section = site.section("identity");
        let (identity, inside) = stratus_login::settings::read(&identity_section, files);
        let alerts_section = section.table("alerts");
        let mut settings = Self::read(&section, identity);
        // A list of paths starts where single paths start: in the file's folder.
        let folder = file.parent().unwrap_or(Path::new(""));
        let Places { certificates, disks, .. } = &mut settings.places;
        for path in certificates.iter_mut().chain(disks) {
            *path = folder.join(&path);
        }
        settings.alerts = alerts_section.as_ref().and_then(alerts);
        settings.places.services = services(&site);
        settings.places.usage = Some(usage(&site));
        if files == Files::Looked {
            look(&section, &settings);
        }
        let mut problems = site.only_sections(&SECTIONS);
        problems.extend(section.finish());
        problems.extend(identity_section.finish());
        problems.extend(inside);
        if let Some(part) = alerts_section {
            problems.extend(part.finish());
        }
        site.conclude(problems)?;
        Ok(settings)
    }

    fn read(section: &Section<'_>, identity: stratus_identity::Settings) -> Self {
        let tls = tls(section);
        let path = |key, default: &str| section.path(key).unwrap_or_else(|| PathBuf::from(default));
        let number = |key, default: usize| {
            let given = section.number(key, 1..=1_000_000);
            given.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            listen: listen(section, tls.is_some()),
            tls,
            url: section.parsed("url"),
            oned: section
                .text("endpoint")
                .unwrap_or_else(|| "http://localhost:2633/RPC2".to_owned()),
            auth_file: section
                .path("auth_file")
                .or_else(|| stratus_terminal::credential("one_auth"))
                .unwrap_or_else(|| PathBuf::from("/var/lib/one/.one/one_auth")),
            interval: bounded(section, "interval", Duration::from_secs(30), 1, 86_400),
            data: path("data", "/var/lib/stratus/monitor"),
            retention: bounded(section, "retention", days(400), 3600, 3650 * 86_400),
            title: section.text("title").unwrap_or_else(|| "Site monitor".to_owned()),
            places: Places {
                services: Vec::new(),
                certificates: paths(section, "certificates"),
                disks: paths(section, "disks"),
                vpn: section.path("vpn_report"),
                usage: None,
            },
            services_ca: section.path("services_ca"),
            viewers: number("viewers", 1000),
            connections: number("connections", 4096),
            session: section
                .duration("session")
                .and_then(|d| SignedDuration::try_from(d).ok())
                .unwrap_or(SignedDuration::from_hours(8)),
            log: Log::of(section),
            alerts: None,
            identity,
        }
    }
}

fn bounded(
    section: &Section<'_>,
    key: &'static str,
    default: Duration,
    least: u64,
    most: u64,
) -> Duration {
    let given = section.duration(key).unwrap_or(default);
    if !(least..=most).contains(&given.as_secs()) {
        section.complain(key, format!("`{key}` must be from {least} s to {most} s"), None);
    }
    given
}

fn paths(section: &Section<'_>, key: &'static str) -> Vec<PathBuf> {
    section.texts(key).into_iter().map(PathBuf::from).collect()
}

/// Notes what is wrong with the files that the section names.
fn look(section: &Section<'_>, settings: &Settings) {
    // OpenNebula may come to the host after the monitor; then its own file is not there yet.
    let opened = std::fs::File::open(&settings.auth_file);
    if let Err(error) = opened.map_err(|e| e.to_string())
        && section.has("auth_file")
    {
        let message =
            format!("`auth_file`: cannot read `{}`: {error}", settings.auth_file.display());
        let cure = "name a file with `user:password` for OpenNebula".to_owned();
        section.complain("auth_file", message, Some(cure));
    }
    if let Some((certificate, key)) = &settings.tls {
        look_at_tls(section, certificate, key, None);
    }
}

fn tls(section: &Section<'_>) -> Option<(PathBuf, PathBuf)> {
    match (section.path("tls_certificate"), section.path("tls_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (certificate, _) => {
            let given = if certificate.is_some() { "tls_certificate" } else { "tls_key" };
            section.complain(given, "`tls_certificate` and `tls_key` belong together", None);
            None
        }
    }
}

/// Without TLS a password would cross the network in the clear, so only loopback is allowed.
fn listen(section: &Section<'_>, tls: bool) -> Vec<SocketAddr> {
    let port = section.number("port", 1..=65_535).and_then(|p| u16::try_from(p).ok());
    let mut addresses: Vec<SocketAddr> = section.parsed_list("listen");
    if addresses.is_empty() {
        addresses.push(SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(8444))));
    }
    for address in addresses.iter().filter(|a| !tls && !a.ip().is_loopback()) {
        let cure =
            "give `tls_certificate` and `tls_key`, or listen on 127.0.0.1 or [::1]".to_owned();
        section.complain("listen", format!("`{address}` would be served without TLS"), Some(cure));
    }
    addresses
}

/// Where the repository and the cache are, as their own sections say.
fn services(site: &SiteText) -> Vec<(&'static str, Url)> {
    let known = [("repository", "https", 8443), ("cache", "http", 8480)];
    known
        .into_iter()
        .filter_map(|(name, scheme, port)| {
            let section = site.section(name);
            let url = section.parsed("url").or_else(|| section.parsed("public_url"));
            let host = section.text("host");
            let listen: Vec<SocketAddr> = section.parsed_list("listen");
            // What is wrong there is told by the service itself.
            drop(section);
            let port = listen.first().map_or(port, SocketAddr::port);
            let made = || Url::parse(&format!("{scheme}://{}:{port}/", host?)).ok();
            Some((name, url.or_else(made)?))
        })
        .collect()
}

/// Where accounting leaves what each user used, as its own section says.
fn usage(site: &SiteText) -> PathBuf {
    let section = site.section("accounting");
    // What is wrong there is told by accounting itself, too.
    let (report, ledger) = (section.path("usage_report"), section.path("ledger"));
    usage_report(report, ledger.as_deref().unwrap_or(Path::new(LEDGER)))
}

fn alerts(section: &Section<'_>) -> Option<Alerts> {
    let token_file = section.path("webhook_token_file");
    let webhook = section.parsed("webhook").map(|url| Webhook { url, token_file });
    let mail = mail(section);
    let severity = match section.text("severity").as_deref() {
        None | Some("bad") => Severity::Bad,
        Some("warn") => Severity::Warn,
        Some(_) => {
            section.complain("severity", "`severity` must be \"bad\" or \"warn\"", None);
            Severity::Bad
        }
    };
    let after = section.duration("after").unwrap_or(Duration::from_mins(2));
    if webhook.is_none() && mail.is_none() {
        let cure = "give `webhook` or `mail_to`".to_owned();
        section.complain("webhook", "[monitor.alerts] tells nobody", Some(cure));
        return None;
    }
    Some(Alerts { webhook, mail, severity, after })
}

fn mail(section: &Section<'_>) -> Option<Mail> {
    let to = section.texts("mail_to");
    let server = section.text("smtp").unwrap_or_else(|| "127.0.0.1:25".to_owned());
    let from = section.text("mail_from");
    let login = (section.text("smtp_user"), section.path("smtp_password_file"));
    let given_tls = section.text("smtp_tls");
    if to.is_empty() {
        return None;
    }
    let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = parts else {
        section.complain("smtp", "`smtp` is not of the form \"host:port\"", None);
        return None;
    };
    let loopback = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    let tls = match given_tls.as_deref() {
        Some("tls") => MailTls::Tls,
        Some("none") | None if loopback => MailTls::Nothing,
        Some("starttls") | None => MailTls::StartTls,
        Some("none") => {
            let what = "mail to another host would go in the clear";
            section.complain("smtp_tls", what, Some("use \"starttls\" or \"tls\"".to_owned()));
            MailTls::StartTls
        }
        Some(_) => {
            let what = "`smtp_tls` must be \"starttls\", \"tls\" or \"none\"";
            section.complain("smtp_tls", what, None);
            MailTls::StartTls
        }
    };
    let login = match login {
        (Some(user), Some(file)) => Some((user, file)),
        (None, None) => None,
        _ => {
            let what = "`smtp_user` and `smtp_password_file` belong together";
            section.complain("smtp_user", what, None);
            None
        }
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let from = from.unwrap_or_else(|| {
        let domain = if loopback { "localhost" } else { &host };
        format!("stratus-monitor@{domain}")
    });
    Some(Mail { to, from, host, port, tls, login })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("site.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn little_is_needed() {
        let settings = parse("[monitor]\n").unwrap();
        assert_eq!(settings.listen[0].to_string(), "127.0.0.1:8444");
        assert!(settings.alerts.is_none());
    }

    #[test]
    fn usage_is_where_accounting_leaves_it() {
        for (section, file) in [
            ("", "/var/lib/stratus/accounting/usage.json"),
            ("[accounting]\nledger = \"/srv/a/ledger.db\"\n", "/srv/a/usage.json"),
            ("[accounting]\nusage_report = \"/run/usage.json\"\n", "/run/usage.json"),
        ] {
            let settings = parse(&format!("[monitor]\n{section}")).unwrap();
            assert_eq!(settings.places.usage.as_deref(), Some(Path::new(file)));
        }
    }

    #[test]
    fn all_problems_come_at_once() {
        let text = "[monitor]\nlisten = \"0.0.0.0:1\"\ninterval = \"0 s\"\nlogg = \"x\"\n\
                    [monitor.alerts]\nseverity = \"loud\"\n";
        let told = parse(text).unwrap_err();
        for part in ["without TLS", "interval", "logg", "severity", "tells nobody"] {
            assert!(told.contains(part), "`{part}` is not in {told}");
        }
    }

    #[test]
    fn mail_to_elsewhere_is_secured() {
        let text =
            "[monitor]\n[monitor.alerts]\nmail_to = [\"a@b.example\"]\nsmtp = \"m.example:587\"\n";
        let mail = parse(text).unwrap().alerts.unwrap().mail.unwrap();
        assert_eq!(
            (mail.tls, mail.port, mail.host.as_str()),
            (MailTls::StartTls, 587, "m.example")
        );
        let told = parse(&format!("{text}smtp_tls = \"none\"\n")).unwrap_err();
        assert!(told.contains("in the clear"), "{told}");
    }

    #[test]
    fn the_sites_services_are_known_by_their_own_sections() {
        let text = "[monitor]\n[repository]\nurl = \"https://i.example\"\n[cache]\nhost = \"c\"\n";
        let found: Vec<String> = parse(text)
            .unwrap()
            .places
            .services
            .into_iter()
            .map(|(n, u)| format!("{n} {u}"))
            .collect();
        assert_eq!(found, ["repository https://i.example/", "cache http://c:8480/"]);
    }
}
