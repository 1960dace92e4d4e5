//! The services, as the installer sees them: where they are. What else they are told is theirs.

use super::{Reading, port, within};
use crate::keys;
use crate::sections::{Accounting, AddressSource, Cache, Frontend, General, Monitor, Repository};
use crate::values::HostName;
use std::net::SocketAddr;
use stratus_sections::{Section, SiteText};
use url::Url;

pub(super) fn repository(
    text: &SiteText,
    reading: &mut Reading,
    frontend: Option<&HostName>,
) -> Option<Repository> {
    let s = text.section("repository");
    let theirs = keys::of_services("repository");
    s.accept(&theirs);
    let given = http(&s, "url");
    let older = http(&s, "public_url");
    if let (Some(new), Some(old)) = (&given, &older)
        && new != old
    {
        let cure = Some("take `public_url` out".to_owned());
        s.complain("public_url", "`url` and `public_url` are one thing", cure);
    }
    let served = Served { scheme: "https", port: 8443, serving: theirs };
    let found = served.find(&s, given.or(older), reading, frontend);
    let ca = s.path("ca");
    let repository = found.map(|(source, url)| Repository { source, url, ca });
    let present = s.is_present();
    reading.close(s);
    repository.filter(|_| present)
}

pub(super) fn cache(
    text: &SiteText,
    reading: &mut Reading,
    frontend: Option<&HostName>,
) -> Option<Cache> {
    let s = text.section("cache");
    let theirs = keys::of_services("cache");
    s.accept(&theirs);
    let given = http(&s, "url");
    let served = Served { scheme: "http", port: 8480, serving: theirs };
    let found = served.find(&s, given, reading, frontend);
    let cache = found.map(|(source, url)| Cache { source, url });
    let present = s.is_present();
    reading.close(s);
    cache.filter(|_| present)
}

pub(super) fn monitor(
    text: &SiteText,
    reading: &mut Reading,
    frontend: Option<&Frontend>,
) -> Option<Monitor> {
    let s = text.section("monitor");
    s.accept(&keys::of_services("monitor"));
    let host = reading.host(&s, "host").or_else(|| frontend.map(|f| f.host.clone()));
    let listen: Vec<SocketAddr> = s.parsed_list("listen");
    let port = port(&s, "port").unwrap_or(8444);
    let port = listen.first().map_or(port, SocketAddr::port);
    let interval = within(&s, "interval", 30, 1..=86_400);
    let retention = within(&s, "retention", 400 * 86_400, 3600..=3650 * 86_400);
    if retention < interval {
        let cure = Some("keep history for days, not seconds".to_owned());
        s.complain("retention", "history would end before the next look", cure);
    }
    if let (Some(host), Some(frontend)) = (&host, frontend)
        && *host == frontend.host
        && port == frontend.port
    {
        let cure = Some("choose another port for one of them".to_owned());
        s.complain("port", format!("port {port} of `{host}` is XML-RPC's already"), cure);
    }
    let vpn_report = report(&s);
    let present = s.is_present();
    reading.close(s);
    host.filter(|_| present).map(|host| Monitor { host, port, vpn_report })
}

/// A path that can stand in a unit of systemd.
fn report(s: &Section<'_>) -> Option<String> {
    let path = s.text("vpn_report")?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"%$\"'\\".contains(c);
    if path.is_empty() || !path.chars().all(plain) {
        let cure = Some("take a path such as \"/run/stratus/vpn.json\"".to_owned());
        s.complain("vpn_report", "`vpn_report` must be a path without blanks and quotes", cure);
        return None;
    }
    Some(path)
}

pub(super) fn accounting(
    text: &SiteText,
    reading: &mut Reading,
    general: Option<&General>,
) -> Option<Accounting> {
    let s = text.section("accounting");
    s.accept(&keys::of_services("accounting"));
    let name = s.text("site_name").or_else(|| general.map(|g| g.name.clone()));
    let present = s.is_present();
    reading.close(s);
    name.filter(|_| present).map(|site_name| Accounting { site_name })
}

/// An http or https address.
pub(super) fn http(s: &Section<'_>, key: &'static str) -> Option<Url> {
    let url: Url = s.parsed(key)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        s.complain(key, format!("`{key}` must be an http or https address"), None);
        return None;
    }
    Some(url)
}

/// How a service is served where nothing else is said.
struct Served {
    scheme: &'static str,
    port: u16,
    /// Keys that only a service to be set up needs.
    serving: Vec<&'static str>,
}

impl Served {
    /// With `url` alone it exists; with `host`, or with any key of a running service, it is to be
    /// set up.
    fn find(
        &self,
        s: &Section<'_>,
        url: Option<Url>,
        reading: &Reading,
        frontend: Option<&HostName>,
    ) -> Option<(AddressSource, Url)> {
        let host = reading.host(s, "host");
        let listen: Vec<SocketAddr> = s.parsed_list("listen");
        let serves = s.has("host") || s.has("listen") || self.serving.iter().any(|k| s.has(k));
        if let (false, Some(url)) = (serves, &url) {
            return Some((AddressSource::Existing(url.clone()), url.clone()));
        }
        let host = host.or_else(|| frontend.cloned())?;
        let port = listen.first().map_or(self.port, SocketAddr::port);
        let made = || Url::parse(&format!("{}://{host}:{port}/", self.scheme)).ok();
        let url = url.or_else(made)?;
        Some((AddressSource::Install(host), url))
    }
}
