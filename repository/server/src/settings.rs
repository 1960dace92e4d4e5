//! The sections `[repository]` and `[identity]` of the site file, as used.
//!
//! [`Settings::parse`] is pure: text in, complete settings or a report of every problem out.
//! [`Settings::load`] looks at the files too that the settings name.

mod files;

use jiff::SignedDuration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratus_login::settings::{self as identity, Files};
use stratus_manifest::policy::{EndorserRule, PathPattern, Who};
use stratus_model::{ByteCount, Layout, SubjectPattern};
use stratus_sections::{Invalid, SECTIONS, Section, SiteText};
use stratus_service::Log;
use url::Url;

/// Everything the repository is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on, with TLS when there is a certificate.
    pub listen: Vec<SocketAddr>,
    /// Addresses to listen on without TLS; loopback only.
    pub listen_plain: Vec<SocketAddr>,
    /// The certificate chain and key to serve with.
    pub tls: Option<Tls>,
    /// The URL people reach the repository at; taken from the request when absent.
    pub public_url: Option<Url>,
    /// Where everything is kept.
    pub data: PathBuf,
    /// The bucket that holds the appliances instead of the folder `data`.
    pub s3: Option<S3>,
    /// Trust anchors: a PEM bundle or a grid CA directory.
    pub trust: Option<PathBuf>,
    /// Whether signatures of the old algorithms may be trusted.
    pub accept_weak: bool,
    /// Who may endorse what; empty means that every trusted signer may.
    pub endorsers: Vec<EndorserRule>,
    /// How coordinates become a place.
    pub layout: Layout,
    /// Whether people who are not logged in may read.
    pub anonymous_read: bool,
    /// Whether administrators may delete.
    pub delete: bool,
    /// What is too large, too old, too slow.
    pub limits: Limits,
    /// Name shown on the pages.
    pub title: String,
    /// Put in front of names that OpenNebula's marketplace shows, so that they are unmistakable.
    pub marketplace_prefix: String,
    /// Who people are.
    pub identity: stratus_identity::Settings,
    /// Where the log goes.
    pub log: Log,
}

/// The files TLS needs.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// CA whose client certificates count as a login.
    pub client_ca: Option<PathBuf>,
}

/// An S3 bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Name of the bucket.
    pub bucket: String,
    /// Where the service is; Amazon's when absent.
    pub endpoint: Option<Url>,
    /// Region; `us-east-1` when absent.
    pub region: String,
    /// Folder inside the bucket.
    pub prefix: String,
    /// File with two lines: access key id and secret key.
    pub credentials_file: Option<PathBuf>,
}

/// What is too large, too old, too slow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest image file as uploaded.
    pub image: ByteCount,
    /// Largest image when inflated, where no manifest says its size.
    pub content: ByteCount,
    /// Most bytes of unfinished uploads together.
    pub staging: ByteCount,
    /// Unfinished uploads of one person.
    pub uploads_per_person: usize,
    /// An unfinished upload that did not grow for this long is taken away.
    pub staging_age: Duration,
    /// A connection whose body makes no progress for this long is cut.
    pub idle: Duration,
    /// Connections at once.
    pub connections: usize,
    /// How long running transfers may go on at shutdown.
    pub drain: Duration,
    /// How long a login to the pages lasts.
    pub session: SignedDuration,
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
        let section = site.section("repository");
        if !section.is_present() {
            let cure = "add a section [repository] with `listen` and `data`".to_owned();
            section.complain("", "the file has no section [repository]", Some(cure));
        }
        // Where it is set up, and how its clients know it: for the installer.
        section.accept(&["host", "ca"]);
        let identity_section = site.section("identity");
        let (identity, inside) = identity::read(&identity_section, files);
        let settings = Self::read(&section, identity);
        if files == Files::Looked {
            files::look(&section, &settings.settings);
        }
        let mut problems = site.only_sections(&SECTIONS);
        problems.extend(section.finish());
        problems.extend(identity_section.finish());
        problems.extend(inside);
        for part in settings.parts {
            problems.extend(part.finish());
        }
        site.conclude(problems)?;
        Ok(settings.settings)
    }

    fn read<'a>(section: &Section<'a>, identity: stratus_identity::Settings) -> Reading<'a> {
        let tls = tls(section);
        let s3_section = section.table("s3");
        let limits_section = section.table("limits");
        let endorser_sections = section.tables("endorsers");
        let settings = Self {
            listen: listen(section, tls.is_some()),
            listen_plain: plain(section),
            tls,
            public_url: public_url(section),
            data: section
                .path("data")
                .unwrap_or_else(|| PathBuf::from("/var/lib/stratus/repository")),
            s3: s3_section.as_ref().map(s3),
            trust: section.path("trust"),
            accept_weak: section.flag("accept_weak", false),
            endorsers: endorser_sections.iter().filter_map(endorser).collect(),
            layout: layout(section),
            anonymous_read: section.flag("anonymous_read", true),
            delete: section.flag("delete", false),
            limits: limits(limits_section.as_ref()),
            title: section.text("title").unwrap_or_else(|| "Appliance repository".to_owned()),
            marketplace_prefix: section
                .text("marketplace_prefix")
                .unwrap_or_else(|| "Stratus ".to_owned()),
            identity,
            log: Log::of(section),
        };
        let parts = s3_section.into_iter().chain(limits_section).chain(endorser_sections).collect();
        Reading { settings, parts }
    }
}

/// Settings, with the tables inside `[repository]` whose problems are still to be collected.
struct Reading<'a> {
    settings: Settings,
    parts: Vec<Section<'a>>,
}

/// `url` is what the installer and the clients read too; `public_url` is its older name.
fn public_url(section: &Section<'_>) -> Option<Url> {
    let (url, older): (Option<Url>, Option<Url>) =
        (section.parsed("url"), section.parsed("public_url"));
    if url.is_some() && older.is_some() && url != older {
        let cure = Some("take `public_url` out".to_owned());
        section.complain("public_url", "`url` and `public_url` are one thing", cure);
    }
    for (key, given) in [("url", &url), ("public_url", &older)] {
        web_address(section, key, given.as_ref());
    }
    url.or(older)
}

fn web_address(section: &Section<'_>, key: &str, given: Option<&Url>) {
    let wrong = |url: &&Url| !matches!(url.scheme(), "http" | "https") || !url.has_host();
    if let Some(url) = given.filter(wrong) {
        let cure = Some(format!("write {key} = \"https://images.example.org\""));
        section.complain(key, format!("`{url}` is no http or https address"), cure);
    }
}

fn tls(section: &Section<'_>) -> Option<Tls> {
    let certificate = section.path("tls_certificate");
    let key = section.path("tls_key");
    let client_ca = section.path("tls_client_ca");
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key, client_ca }),
        (None, None) => None,
        (Some(_), None) => {
            section.complain(
                "tls_certificate",
                "`tls_certificate` is given without `tls_key`",
                None,
            );
            None
        }
        (None, Some(_)) => {
            section.complain("tls_key", "`tls_key` is given without `tls_certificate`", None);
            None
        }
    }
}

/// Without TLS a password would cross the network in the clear, so only loopback is allowed.
fn listen(section: &Section<'_>, tls: bool) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = section.parsed_list("listen");
    if addresses.is_empty() {
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 8443)));
    }
    if !tls {
        refuse_public(section, "listen", &addresses);
    }
    addresses
}

fn plain(section: &Section<'_>) -> Vec<SocketAddr> {
    let addresses: Vec<SocketAddr> = section.parsed_list("listen_plain");
    refuse_public(section, "listen_plain", &addresses);
    addresses
}

fn refuse_public(section: &Section<'_>, key: &'static str, addresses: &[SocketAddr]) {
    for address in addresses.iter().filter(|a| !a.ip().is_loopback()) {
        let cure =
            "give `tls_certificate` and `tls_key`, or listen on 127.0.0.1 or [::1]".to_owned();
        section.complain(key, format!("`{address}` would be served without TLS"), Some(cure));
    }
}

fn s3(section: &Section<'_>) -> S3 {
    let endpoint = section.parsed("endpoint");
    web_address(section, "endpoint", endpoint.as_ref());
    S3 {
        bucket: section.required_text("bucket"),
        endpoint,
        region: section.text("region").unwrap_or_else(|| "us-east-1".to_owned()),
        prefix: section.text("prefix").unwrap_or_default(),
        credentials_file: section.path("credentials_file"),
    }
}

fn endorser(section: &Section<'_>) -> Option<EndorserRule> {
    let path = section.required_text("path");
    let who = match (section.text("subject"), section.text("group")) {
        (Some(subject), None) => Who::Subject(SubjectPattern::new(subject)),
        (None, Some(group)) => Who::Group(group),
        _ => {
            section.complain("subject", "a rule names either `subject` or `group`", None);
            return None;
        }
    };
    let pattern = PathPattern::new(&path);
    match pattern {
        Ok(path) => Some(EndorserRule { path, who }),
        Err(error) => {
            section.complain("path", error.to_string(), None);
            None
        }
    }
}

fn layout(section: &Section<'_>) -> Layout {
    let folder = section.text("folder").unwrap_or_else(|| Layout::FOLDER.to_owned());
    let name = section.text("name").unwrap_or_else(|| Layout::NAME.to_owned());
    Layout::new(&folder, &name).unwrap_or_else(|error| {
        section.complain("folder", error.to_string(), None);
        Layout::default()
    })
}

fn limits(section: Option<&Section<'_>>) -> Limits {
    let size = |key, default| section.and_then(|s| s.size(key)).unwrap_or(ByteCount(default));
    let duration = |key, default| {
        section.and_then(|s| s.duration(key)).unwrap_or(Duration::from_secs(default))
    };
    let number = |key, default: usize| {
        let given = section.and_then(|s| s.number(key, 1..=1_000_000));
        given.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    };
    Limits {
        image: size("image", 256 << 30),
        content: size("content", 1 << 40),
        staging: size("staging", 1 << 40),
        uploads_per_person: number("uploads_per_person", 64),
        staging_age: duration("staging_age", 7 * 86_400),
        idle: duration("idle", 60),
        connections: number("connections", 4096),
        drain: duration("drain", 30),
        session: SignedDuration::try_from(duration("session", 8 * 3600))
            .unwrap_or(SignedDuration::from_hours(8)),
    }
}
