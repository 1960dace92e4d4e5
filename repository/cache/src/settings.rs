//! The section `[cache]` of the site file, as used.
//!
//! [`Settings::parse`] is pure: text in, complete settings or a report of every problem out.
//! [`Settings::load`] looks at the files too that the settings name.

use crate::upstream::{UpstreamSetupError, authorities};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use jiff::civil::Time;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratus_cache_policy::Options;
use stratus_model::ByteCount;
use stratus_repository_api::search::SearchQuery;
use stratus_sections::{Invalid, SECTIONS, Section, SiteText};
use stratus_service::{Log, look_at_tls};
use url::Url;
use zeroize::Zeroizing;

/// Everything the cache is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on, with TLS when there is a certificate.
    pub listen: Vec<SocketAddr>,
    /// Certificate chain and key to serve with, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where everything is kept.
    pub directory: PathBuf,
    /// How much room there is.
    pub room: Room,
    /// The servers whose answers are kept; longest prefix first.
    pub upstreams: Vec<Upstream>,
    /// What is fetched before anybody asks.
    pub prefetch: Vec<Prefetch>,
    /// Rules of freshness that a site may choose.
    pub options: Options,
    /// Whether health, metrics and the page below `/-/cache/` are served.
    pub status: bool,
    /// Most connections at once.
    pub connections: usize,
    /// How long a silent connection stays.
    pub idle: Duration,
    /// How long running transfers may take when the service stops.
    pub drain: Duration,
    /// How often everything stored is compared with its checksums; zero: never.
    pub scrub_every: Duration,
    /// Where the log goes.
    pub log: Log,
}

/// Something that is fetched each day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// The time of day, here.
    pub at: Time,
    /// What.
    pub wanted: Wanted,
}

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These paths.
    Paths(Vec<String>),
    /// The images that a search finds: the query of the repository's search API.
    Search {
        /// The prefix of the upstream.
        prefix: String,
        /// `type=base&sort=-published&limit=5`.
        query: String,
    },
}

/// How much of a disk may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all objects.
    pub size: u64,
    /// Bytes of the file system that stay free.
    pub free: u64,
}

/// A server whose answers are kept.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Paths that it serves begin so.
    pub prefix: String,
    /// The host that it serves; all when absent.
    pub host: Option<String>,
    /// Where it is.
    pub url: Url,
    /// PEM certificates of the authorities for TLS; those of the system when absent.
    pub ca: Option<PathBuf>,
    /// Login there.
    pub user: Option<String>,
    /// File with the password, or with a token where there is no `user`.
    pub password_file: Option<PathBuf>,
    /// Whether what the upstream gives to this login alone is stored for everybody.
    pub store_private: bool,
    /// How long a connection may take.
    pub connect_time: Duration,
    /// How long the head of an answer may take.
    pub head_time: Duration,
    /// How long the next byte may take.
    pub stall_time: Duration,
    /// Share of an object that has to be there, in percent, before the rest is fetched unasked.
    pub complete_from: u8,
    /// Whether manifests of the upstream tell what images must be.
    pub manifests: bool,
}

impl Upstream {
    /// The `Authorization` that requests carry.
    pub(crate) fn login(&self) -> Result<Option<HeaderValue>, UpstreamSetupError> {
        let Some(path) = &self.password_file else { return Ok(None) };
        let bad = |reason: String| UpstreamSetupError::Password { path: path.clone(), reason };
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?);
        let secret = text.trim_end_matches(['\r', '\n']);
        let value = Zeroizing::new(match &self.user {
            Some(user) => {
                let pair = Zeroizing::new(format!("{user}:{secret}"));
                format!("Basic {}", STANDARD.encode(pair.as_bytes()))
            }
            None => format!("Bearer {secret}"),
        });
        let mut header = HeaderValue::try_from(value.as_str())
            .map_err(|_| bad("it has characters that no header can have".into()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

impl Settings {
    /// Reads the section. `file` names the text in reports, and its folder is where relative paths
    /// start.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        Self::gather(file, text, false)
    }

    /// As [`Self::parse`], and a file that cannot be used is a problem of the key that names it.
    pub fn load(file: &Path, text: &str) -> Result<Self, Invalid> {
        Self::gather(file, text, true)
    }

    fn gather(file: &Path, text: &str, files: bool) -> Result<Self, Invalid> {
        let site = SiteText::parse(file, text)?;
        let section = site.section("cache");
        if !section.is_present() {
            let cure = "add a section [cache] with `listen`, `directory` and `size`".to_owned();
            section.complain("", "the file has no section [cache]", Some(cure));
        }
        let tables = section.tables("upstreams");
        if section.is_present() && tables.is_empty() {
            let cure = "add [[cache.upstreams]] with `prefix` and `url`".to_owned();
            section.complain("upstreams", "there is nothing to cache", Some(cure));
        }
        let read = |table| {
            upstream(table).inspect(|one| {
                if files {
                    look(table, one);
                }
            })
        };
        let mut upstreams: Vec<Upstream> = tables.iter().filter_map(read).collect();
        upstreams.sort_by_key(|u| (u.host.is_none(), std::cmp::Reverse(u.prefix.len())));
        let rules = section.tables("prefetch");
        let prefetch = rules.iter().filter_map(prefetch).collect();
        // Where clients find the cache; it is theirs to read.
        let _: Option<Url> = section.parsed("url");
        // Where it is set up: for the installer.
        section.accept(&["host"]);
        let settings = Self { prefetch, ..Self::read(&section, upstreams) };
        if let Some((chain, key)) = settings.tls.as_ref().filter(|_| files) {
            look_at_tls(&section, chain, key, None);
        }
        let mut problems = site.only_sections(&SECTIONS);
        problems.extend(section.finish());
        for table in tables.into_iter().chain(rules) {
            problems.extend(table.finish());
        }
        site.conclude(problems)?;
        Ok(settings)
    }

    fn read(section: &Section<'_>, upstreams: Vec<Upstream>) -> Self {
        let duration = |key, default| section.duration(key).unwrap_or(default);
        let normal = Options::default();
        let mut listen: Vec<SocketAddr> = section.parsed_list("listen");
        if listen.is_empty() {
            listen.push(SocketAddr::from(([127, 0, 0, 1], 8480)));
        }
        let connections = section.number("connections", 1..=1_000_000);
        Self {
            listen,
            tls: tls(section),
            directory: section
                .path("directory")
                .unwrap_or_else(|| PathBuf::from("/var/cache/stratus")),
            room: Room {
                size: section.size("size").unwrap_or(ByteCount(100 << 30)).0,
                free: section.size("free").unwrap_or(ByteCount(1 << 30)).0,
            },
            upstreams,
            prefetch: Vec::new(),
            options: Options {
                stale_if_error: duration("stale_if_error", normal.stale_if_error),
                negative_lifetime: section.duration("negative").or(Some(Duration::from_secs(10))),
                honour_reload: section.flag("honour_reload", true),
                ..normal
            },
            status: section.flag("status", true),
            connections: connections.and_then(|n| usize::try_from(n).ok()).unwrap_or(8192),
            idle: duration("idle", Duration::from_mins(1)),
            drain: duration("drain", Duration::from_secs(30)),
            scrub_every: duration("scrub_every", Duration::from_hours(24 * 7)),
            log: Log::of(section),
        }
    }
}

fn tls(section: &Section<'_>) -> Option<(PathBuf, PathBuf)> {
    match (section.path("tls_certificate"), section.path("tls_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            let message = "`tls_certificate` is given without `tls_key`";
            section.complain("tls_certificate", message, None);
            None
        }
        (None, Some(_)) => {
            section.complain("tls_key", "`tls_key` is given without `tls_certificate`", None);
            None
        }
    }
}

fn prefetch(section: &Section<'_>) -> Option<Prefetch> {
    let at = section.parsed("at").unwrap_or_else(|| Time::constant(2, 0, 0, 0));
    let prefix = section.text("prefix").unwrap_or_else(|| "/".to_owned());
    let paths = section.texts("paths");
    let wanted = match (section.text("search"), paths.is_empty()) {
        (None, false) => Wanted::Paths(paths),
        (Some(query), true) => {
            if let Err(error) = SearchQuery::parse(&query) {
                section.complain("search", error.to_string(), None);
            }
            Wanted::Search { prefix, query }
        }
        _ => {
            section.complain("search", "a rule has either `search` or `paths`", None);
            return None;
        }
    };
    Some(Prefetch { at, wanted })
}

/// Notes what is wrong with the files that an upstream names.
fn look(section: &Section<'_>, upstream: &Upstream) {
    if let Some(error) = upstream.ca.as_deref().and_then(|path| authorities(path).err()) {
        section.complain_because("ca", &error, None);
    }
    if let Err(error) = upstream.login() {
        section.complain_because("password_file", &error, None);
    }
}

fn upstream(section: &Section<'_>) -> Option<Upstream> {
    let prefix = section.text("prefix").unwrap_or_else(|| "/".to_owned());
    if !prefix.starts_with('/') {
        section.complain("prefix", "`prefix` must begin with `/`", None);
    }
    let url: Option<Url> = section.parsed("url");
    if url.is_none() {
        section.required_text("url");
    }
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if url.as_ref().is_some_and(|url| !is_web(url)) {
        section.complain("url", "`url` must be an http or https address", None);
    }
    if url.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
        let cure = "put the name into `user` and the password into the file `password_file`";
        let message = "`url` must not have a login in it";
        section.complain_of_secret("url", message, Some(cure.to_owned()));
    }
    let user = section.text("user");
    let password_file = section.path("password_file");
    if user.is_some() && password_file.is_none() {
        section.complain("user", "`user` is given without `password_file`", None);
    }
    let duration = |key, seconds| section.duration(key).unwrap_or(Duration::from_secs(seconds));
    let complete_from = section.number("complete_from", 0..=100);
    let (host, ca) = (section.text("host"), section.path("ca"));
    let (store_private, manifests) =
        (section.flag("store_private", false), section.flag("manifests", true));
    let times = [("connect_time", 10), ("head_time", 30), ("stall_time", 30)];
    let [connect_time, head_time, stall_time] = times.map(|(key, normal)| duration(key, normal));
    Some(Upstream {
        prefix,
        host,
        // Only now: a key that nobody asked for counts as unknown.
        url: url?,
        ca,
        user,
        password_file,
        store_private,
        connect_time,
        head_time,
        stall_time,
        complete_from: complete_from.and_then(|n| u8::try_from(n).ok()).unwrap_or(10),
        manifests,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[cache]
listen = "127.0.0.1:8480"
url = "http://cache.example.org:8480"
directory = "/var/cache/stratus"
size = "200 GiB"
[[cache.upstreams]]
prefix = "/"
url = "https://localhost:8443"
ca = "ca.pem"
[[cache.upstreams]]
prefix = "/other"
url = "https://other.example.org"
[[cache.prefetch]]
search = "type=base&sort=-published&limit=5"
at = "02:30"
"#;

    #[test]
    fn the_example_is_read() {
        let settings = Settings::parse(Path::new("/etc/site.toml"), GOOD).unwrap();
        assert_eq!(settings.room.size, 200 << 30);
        assert_eq!(settings.prefetch[0].at, Time::constant(2, 30, 0, 0));
        assert_eq!(settings.upstreams[0].prefix, "/other", "the longest prefix comes first");
        assert_eq!(settings.upstreams[1].ca.as_deref(), Some(Path::new("/etc/ca.pem")));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = "[cache]\nsize = \"many\"\nlisten = \"here\"\nunknown = 1\n\
            [[cache.upstreams]]\nprefix = \"images\"\nurl = \"ftp://x\"\nuser = \"u\"\n";
        let report = Settings::parse(Path::new("site.toml"), text).unwrap_err().to_string();
        for told in ["size", "listen", "unknown", "prefix", "url"] {
            assert!(report.contains(told), "{told}: {report}");
        }
    }

    #[test]
    fn a_wrong_address_makes_no_other_key_unknown() {
        for url in ["url = \"ftp://x\"\n", "url = \"x\"\n", ""] {
            let text =
                format!("[cache]\n[[cache.upstreams]]\n{url}ca = \"c\"\nhead_time = \"1 s\"\n");
            let report = Settings::parse(Path::new("site.toml"), &text).unwrap_err();
            assert_eq!(report.problems().len(), 1, "{report}");
            assert!(report.problems()[0].message.contains("`url`"), "{report}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_told_at_once_with_their_keys() {
        let text = "[cashe]\n[cache]\ntls_certificate = \"no.crt\"\ntls_key = \"no.key\"\n\
            [[cache.upstreams]]\nurl = \"https://x\"\nca = \"noca.pem\"\npassword_file = \"nopw\"\n";
        let report = Settings::load(Path::new("/nonexistent/site.toml"), text).unwrap_err();
        let places: Vec<_> = report.problems().iter().map(|p| report.place(p)).collect();
        assert_eq!(places, [(1, 2), (3, 19), (4, 11), (7, 6), (8, 17)], "{report}");
        for told in
            ["did you mean `cache`?", "/nonexistent/noca.pem", "/nonexistent/nopw", "no.key"]
        {
            assert!(report.to_string().contains(told), "{told}: {report}");
        }
    }

    #[test]
    fn a_login_belongs_into_its_own_keys() {
        for login in ["ann:hidden@", "ann@", ":hidden@"] {
            let url = format!("url = \"https://{login}h/\"");
            let text = format!("[cache]\n[[cache.upstreams]]\nprefix = \"/\"\n{url}\n");
            let report = Settings::parse(Path::new("site.toml"), &text).unwrap_err().to_string();
            for told in ["site.toml:4:", "`url`", "login", "`user`", "`password_file`"] {
                assert!(report.contains(told), "{told}: {report}");
            }
            assert!(!report.contains("hidden"), "{report}");
        }
    }
}
