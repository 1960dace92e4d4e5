//! From the text to the [`Site`]: every section in turn, then what must hold between them.
//!
//! The reading goes on after a problem, so that one report has them all. A value that could not be
//! read is absent below; its problem is noted, and so the absence is never mistaken for a choice.

mod claims;
mod hosts;
mod ldap;
mod networks;
mod own_packages;
mod refuse;
mod service_files;
mod services;
mod subnet;
mod vpn;

pub(crate) use refuse::{is_placeholder, is_well_known};

use crate::sections::{Packages, ServiceFile, Site, Ssh, Sudo};
use crate::values::{Domain, HostName, WrongValue};
use claims::Claims;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use stratus_sections::{Invalid, Problems, SECTIONS, Section, SiteText};

/// What the sections find out for each other.
struct Reading {
    problems: Problems,
    claims: Claims,
    domain: Option<Domain>,
}

impl Site {
    /// Reads the whole file. `file` is the name that the report shows, and relative paths in values
    /// start from its folder.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        let (site, _) = Self::parse_and_list(file, text)?;
        Ok(site)
    }

    /// As [`Site::parse`], for whoever sets the site up: it also has to say where packages of Stratus
    /// come from, if a host needs some. Who reads a part of the file on such a host has them.
    pub fn parse_to_install(file: &Path, text: &str) -> Result<Self, Invalid> {
        let (site, _) = read(file, text, own_packages::check)?;
        Ok(site)
    }

    /// As [`Site::parse`], with every key that the reading asked for, as `networks.*.base`.
    pub fn parse_and_list(file: &Path, text: &str) -> Result<(Self, BTreeSet<String>), Invalid> {
        read(file, text, |_, _, _| {})
    }
}

/// Reads the whole file; `also` sees what is wrong with the site besides.
fn read(
    file: &Path,
    text: &str,
    also: fn(&Site, &SiteText, &mut Problems),
) -> Result<(Site, BTreeSet<String>), Invalid> {
    let written = SiteText::parse(file, text)?.with_examples(crate::keys::example);
    let mut reading =
        Reading { problems: Problems::default(), claims: Claims::default(), domain: None };
    let site = reading.site(&written, service_files::named(file, text));
    let Reading { mut problems, claims, .. } = reading;
    claims.check(text, &mut problems);
    if let Some(site) = &site {
        also(site, &written, &mut problems);
    }
    refuse::placeholders_and_secrets(&written, &mut problems);
    problems.extend(written.only_sections(&SECTIONS));
    written.conclude(problems)?;
    let site = site.expect("a value that is absent has noted its problem");
    Ok((site, written.asked()))
}

impl Reading {
    fn site(&mut self, text: &SiteText, service_files: Vec<ServiceFile>) -> Option<Site> {
        let general = hosts::general(text, self);
        let frontend = hosts::frontend(text, self);
        let (nodes, bridge) = hosts::nodes(text, self, frontend.as_ref());
        let ssh = self.ssh(text);
        let vpn_section = text.section("vpn");
        let range = vpn::range(&vpn_section);
        let networks = networks::all(text, self, bridge.as_ref(), range.as_ref());
        let hosts = frontend.iter().map(|f| &f.host).chain(nodes.iter().map(|n| &n.host));
        let hosts: Vec<&HostName> = hosts.collect();
        let vpn = vpn::read(vpn_section, range, self, &networks, &hosts);
        let identity = ldap::identity(text, self);
        let host = frontend.as_ref().map(|f| f.host.clone());
        let repository = services::repository(text, self, host.as_ref());
        let cache = services::cache(text, self, host.as_ref());
        let monitor = services::monitor(text, self, frontend.as_ref());
        let accounting = services::accounting(text, self, general.as_ref());
        let packages = self.packages(text);
        Some(Site {
            general: general?,
            frontend: frontend?,
            nodes,
            ssh,
            networks,
            vpn,
            identity,
            repository,
            cache,
            monitor,
            accounting,
            packages,
            service_files,
        })
    }

    /// Takes over what a section noted.
    fn close(&mut self, section: Section<'_>) {
        self.problems.extend(section.finish());
    }

    /// A host name; one without a dot gets the site's domain.
    fn complete(&self, text: &str) -> Result<HostName, WrongValue> {
        let host: HostName = text.parse()?;
        match &self.domain {
            Some(domain) if !host.as_str().contains('.') && host.as_str() != "localhost" => {
                format!("{host}.{domain}").parse()
            }
            _ => Ok(host),
        }
    }

    fn host(&self, section: &Section<'_>, key: &'static str) -> Option<HostName> {
        let text = section.text(key)?;
        self.complete(&text).map_err(|e| section.complain(key, e.to_string(), None)).ok()
    }

    fn ssh(&mut self, text: &SiteText) -> Ssh {
        let s = text.section("ssh");
        let sudo = [("auto", Sudo::Auto), ("always", Sudo::Always), ("never", Sudo::Never)];
        let ssh = Ssh {
            user: s.text("user"),
            port: port(&s, "port"),
            key: s.path("key"),
            jump_host: s.text("jump_host"),
            sudo: one_of(&s, "sudo", &sudo).unwrap_or(Sudo::Auto),
            parallel: number(&s, "parallel", 1..=1000).unwrap_or(20),
            connect_timeout: within(&s, "connect_timeout", 10, 1..=600),
            step_timeout: within(&s, "step_timeout", 1800, 10..=86_400),
        };
        self.close(s);
        ssh
    }

    fn packages(&mut self, text: &SiteText) -> Packages {
        let s = text.section("packages");
        let packages = Packages {
            opennebula: services::http(&s, "opennebula"),
            opennebula_key: s.path("opennebula_key"),
            stratus: services::http(&s, "stratus"),
            stratus_key: s.path("stratus_key"),
            proxy: services::http(&s, "proxy"),
            offline: s.path("offline"),
            offline_key: s.path("offline_key"),
        };
        self.close(s);
        packages
    }
}

/// One of a few words.
fn one_of<T: Clone>(section: &Section<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let text = section.text(key)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    if found.is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let cure = format!("write one of {}", known.join(", "));
        section.complain(key, format!("`{key}` cannot be `{text}`"), Some(cure));
    }
    found
}

/// A whole number of a smaller type.
fn number<T: TryFrom<i64>>(
    section: &Section<'_>,
    key: &'static str,
    allowed: RangeInclusive<i64>,
) -> Option<T> {
    section.number(key, allowed).and_then(|n| T::try_from(n).ok())
}

fn port(section: &Section<'_>, key: &'static str) -> Option<u16> {
    number(section, key, 1..=65_535)
}

/// A duration that makes sense; all in seconds.
fn within(
    section: &Section<'_>,
    key: &'static str,
    default: u64,
    allowed: RangeInclusive<u64>,
) -> Duration {
    let given = section.duration(key).unwrap_or(Duration::from_secs(default));
    let (least, most) =
        (Duration::from_secs(*allowed.start()), Duration::from_secs(*allowed.end()));
    if given < least || given > most {
        let message = format!("`{key}` makes no sense: {}", spoken(given));
        let cure = format!("take something from {} to {}", spoken(least), spoken(most));
        section.complain(key, message, Some(cure));
    }
    given
}

fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        86_400 => "1 day".to_owned(),
        s if s % 86_400 == 0 => format!("{} days", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// An address that a host can have.
fn host_address(section: &Section<'_>, key: &'static str) -> Option<IpAddr> {
    let address: IpAddr = section.parsed(key)?;
    let group = address.is_multicast() || address.is_unspecified();
    if group || address.is_loopback() || address == IpAddr::from([255, 255, 255, 255]) {
        let cure = "write the address that other hosts reach it at".to_owned();
        section.complain(key, format!("`{address}` is no address of a host on a LAN"), Some(cure));
        return None;
    }
    Some(address)
}
