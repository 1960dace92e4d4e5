//! An LDAP directory: search the login's entry, then bind as it (RFC 4513 section 5).
//!
//! Several servers: the one that answered last is asked first, and a dead one leads to the next. A
//! server that answers "wrong password" has answered; only silence and failure of a server lead on.

use crate::person::{Person, Refusal, Scopes, Via};
use crate::settings::LdapSettings;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions, dn_escape,
    ldap_escape,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stratus_model::Subject;
use stratus_x509::subject::slash_from_rfc4514;
use url::Url;

/// Most groups of one person.
const GROUP_LIMIT: i32 = 1000;

/// A directory that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// No server is named.
    #[error("no directory server is named in `urls`")]
    NoServer,
    /// A URL that is no directory's.
    #[error("`{0}` is not an address such as `ldaps://ldap.example.org`")]
    Url(Url),
    /// Passwords would cross the network in the clear.
    #[error("`{0}` is asked without TLS; use `ldaps://` or leave `starttls` on")]
    Plain(Url),
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bundle holds no certificate that can be used.
    #[error("`{0}` holds no certificate of an authority")]
    Ca(PathBuf),
    /// The filter does not ask for the login.
    #[error("`{0}` must hold `{{login}}`")]
    Filter(String),
    /// The filter is none.
    #[error("`{0}` is no filter of RFC 4515, such as `(uid={{login}})`")]
    Syntax(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

#[derive(Debug)]
pub(crate) struct Directory {
    settings: LdapSettings,
    tls: Arc<ClientConfig>,
    bind_password: Option<SecretString>,
    /// The server that answered last.
    good: AtomicUsize,
}

/// What one server said.
enum Answer {
    Person(Box<Person>),
    Refused(Refusal),
}

impl Directory {
    pub(crate) fn new(settings: LdapSettings) -> Result<Self, DirectoryError> {
        if settings.urls.is_empty() {
            return Err(DirectoryError::NoServer);
        }
        if let Some((_, fault)) = value_faults(&settings).into_iter().next() {
            return Err(fault);
        }
        let tls = tls(&settings, read)?;
        let bind_password = settings.bind_password_file.as_ref().map(read).transpose()?;
        let bind_password = bind_password.map(|bytes| {
            SecretString::from(
                String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned(),
            )
        });
        Ok(Self { settings, tls, bind_password, good: AtomicUsize::new(0) })
    }

    /// Compares a password.
    pub(crate) async fn authenticate(
        &self,
        login: &str,
        password: &SecretString,
    ) -> Result<Person, Refusal> {
        // A bind without password is anonymous and succeeds (RFC 4513 section 5.1.2): never send one.
        if password.expose_secret().is_empty() {
            return Err(Refusal::Wrong);
        }
        self.ask(login, Some(password)).await
    }

    /// Looks somebody up whose proof was checked elsewhere.
    pub(crate) async fn person(&self, login: &str) -> Result<Person, Refusal> {
        self.ask(login, None).await
    }

    /// The login that a certificate subject is bound to.
    pub(crate) async fn login_of(&self, subject: &Subject) -> Result<Person, Refusal> {
        let Ok(dn) = stratus_x509::subject::rfc4514_from_slash(subject.as_str()) else {
            return Err(Refusal::Wrong);
        };
        let filter = format!("({}={})", self.settings.subject_attribute, ldap_escape(dn.as_str()));
        self.each_server(&filter, None).await
    }

    async fn ask(&self, login: &str, password: Option<&SecretString>) -> Result<Person, Refusal> {
        let filter = self.settings.user_filter.replace("{login}", &ldap_escape(login));
        self.each_server(&filter, password).await
    }

    /// Asks the servers one after the other until one answers.
    async fn each_server(
        &self,
        filter: &str,
        password: Option<&SecretString>,
    ) -> Result<Person, Refusal> {
        let count = self.settings.urls.len();
        let first = self.good.load(Ordering::Relaxed);
        let mut said = Vec::new();
        for index in (0..count).map(|n| (first + n) % count) {
            let url = &self.settings.urls[index];
            // Twice the time of a step bounds all steps that hang one after the other.
            let limit = self.settings.timeout * 4;
            let answer = match tokio::time::timeout(limit, self.find(url, filter, password)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    said.push(format!("{url}: {error}"));
                    continue;
                }
                Err(_) => {
                    said.push(format!("{url}: no answer within {limit:?}"));
                    continue;
                }
            };
            self.good.store(index, Ordering::Relaxed);
            return match answer {
                Answer::Person(person) => Ok(*person),
                Answer::Refused(refusal) => Err(refusal),
            };
        }
        Err(Refusal::Away { retry_after: Duration::from_secs(10), detail: said.join("; ") })
    }

    async fn find(
        &self,
        url: &Url,
        filter: &str,
        password: Option<&SecretString>,
    ) -> Result<Answer, LdapError> {
        let mut ldap = self.connect(url).await?;
        if let Some(dn) = &self.settings.bind_dn {
            let secret = self.bind_password.as_ref().map_or("", |p| p.expose_secret());
            ldap.with_timeout(self.settings.timeout).simple_bind(dn, secret).await?.success()?;
        }
        let attributes = ["uid", "memberOf", self.settings.subject_attribute.as_str()];
        let found = self.search(&mut ldap, &self.settings.base, filter, &attributes, 2).await?;
        let [entry] = <[SearchEntry; 1]>::try_from(found).unwrap_or_else(|_| [nobody()]);
        if entry.dn.is_empty() {
            return Ok(Answer::Refused(Refusal::Wrong));
        }
        if let Some(password) = password
            && !self.binds(url, &entry.dn, password).await?
        {
            return Ok(Answer::Refused(Refusal::Wrong));
        }
        let groups = self.groups(&mut ldap, &entry).await?;
        // The connection has done its work; whether its end is acknowledged does not matter.
        let _ = ldap.unbind().await;
        Ok(self.judge(&entry, groups, password.is_some()))
    }

    /// Whether the directory accepts the password, on a connection of its own.
    async fn binds(&self, url: &Url, dn: &str, password: &SecretString) -> Result<bool, LdapError> {
        const INVALID_CREDENTIALS: u32 = 49;
        const REFUSED: [u32; 6] = [INVALID_CREDENTIALS, 48, 50, 53, 19, 32];
        let mut ldap = self.connect(url).await?;
        let result = ldap
            .with_timeout(self.settings.timeout)
            .simple_bind(dn, password.expose_secret())
            .await?;
        let _ = ldap.unbind().await;
        match result.rc {
            0 => Ok(true),
            rc if REFUSED.contains(&rc) => Ok(false),
            _ => Err(LdapError::from(result)),
        }
    }

    async fn groups(
        &self,
        ldap: &mut Ldap,
        entry: &SearchEntry,
    ) -> Result<BTreeSet<String>, LdapError> {
        let mut groups: BTreeSet<String> = values(entry, "memberOf").into_iter().collect();
        let login = login_of(entry).unwrap_or_default();
        let filter = self
            .settings
            .group_filter
            .replace("{dn}", &ldap_escape(entry.dn.as_str()))
            .replace("{login}", &ldap_escape(login.as_str()));
        let base = self.settings.group_base.as_ref().unwrap_or(&self.settings.base);
        let found = self.search(ldap, base, &filter, &["cn"], GROUP_LIMIT).await?;
        groups.extend(found.into_iter().map(|group| group.dn));
        Ok(groups)
    }

    /// What follows from an entry and its groups.
    fn judge(&self, entry: &SearchEntry, group_dns: BTreeSet<String>, by_password: bool) -> Answer {
        let within = |group: &str| group_dns.iter().any(|dn| is_group(dn, group));
        let login = login_of(entry).unwrap_or_else(|| entry.dn.clone());
        if let Some(group) = self.settings.group.as_deref().filter(|g| !within(g)) {
            let reason =
                format!("`{login}` is not in the group `{group}`, which may use this site");
            return Answer::Refused(Refusal::NotAllowed { reason });
        }
        let administrator = self.settings.administrators.as_deref().is_some_and(within);
        let subjects = values(entry, &self.settings.subject_attribute)
            .iter()
            .filter_map(|value| match value.strip_prefix('/') {
                Some(_) => Some(Subject::new(value)),
                None => slash_from_rfc4514(value).ok(),
            })
            .collect();
        let groups = group_dns
            .iter()
            .flat_map(|dn| common_name(dn).into_iter().chain([dn.clone()]))
            .collect();
        Answer::Person(Box::new(Person {
            login,
            groups,
            subjects,
            administrator,
            scopes: Scopes::all(),
            via: if by_password { Via::Directory } else { Via::ClientCertificate },
        }))
    }

    async fn search(
        &self,
        ldap: &mut Ldap,
        base: &str,
        filter: &str,
        attributes: &[&str],
        limit: i32,
    ) -> Result<Vec<SearchEntry>, LdapError> {
        const SIZE_LIMIT_EXCEEDED: u32 = 4;
        let options = SearchOptions::new().sizelimit(limit);
        let search = ldap.with_search_options(options).with_timeout(self.settings.timeout);
        let found = search.search(base, Scope::Subtree, filter, attributes.to_vec()).await?;
        if found.1.rc != SIZE_LIMIT_EXCEEDED {
            found.1.clone().success()?;
        }
        // Referrals to other servers are not followed: who they lead to is not configured.
        let entries = found.0.into_iter().filter(|e| !e.is_ref() && !e.is_intermediate());
        Ok(entries.map(SearchEntry::construct).collect())
    }

    async fn connect(&self, url: &Url) -> Result<Ldap, LdapError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.settings.timeout)
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.settings.starttls && url.scheme() == "ldap");
        let (connection, ldap) = LdapConnAsync::from_url_with_settings(settings, url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a directory connection ended");
            }
        });
        Ok(ldap)
    }
}

fn nobody() -> SearchEntry {
    SearchEntry { dn: String::new(), attrs: HashMap::new(), bin_attrs: HashMap::new() }
}

/// Attribute names are compared without case (RFC 4512 section 2.5).
fn values(entry: &SearchEntry, name: &str) -> Vec<String> {
    let named = |(attribute, _): &(&String, &Vec<String>)| attribute.eq_ignore_ascii_case(name);
    entry.attrs.iter().filter(named).flat_map(|(_, values)| values.clone()).collect()
}

fn login_of(entry: &SearchEntry) -> Option<String> {
    values(entry, "uid").into_iter().next()
}

/// Whether a group's DN is the group that is meant: by DN, or by its first name.
fn is_group(dn: &str, meant: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(", ", ",");
    if meant.contains('=') {
        return plain(dn) == plain(meant);
    }
    plain(dn).starts_with(&format!("cn={},", plain(&dn_escape(meant))))
}

/// The value of a leading `cn=`.
fn common_name(dn: &str) -> Option<String> {
    let (first, _) = dn.split_once(',')?;
    let (name, value) = first.split_once('=')?;
    name.eq_ignore_ascii_case("cn").then(|| value.to_owned())
}

/// What is wrong with the values themselves, each with the key of the section that it is about.
pub fn value_faults(settings: &LdapSettings) -> Vec<(&'static str, DirectoryError)> {
    let urls = settings.urls.iter().filter_map(|url| check_url(url, settings.starttls).err());
    let mut faults: Vec<_> = urls.map(|fault| ("urls", fault)).collect();
    let (user, group) = (&settings.user_filter, &settings.group_filter);
    if !user.contains("{login}") {
        faults.push(("user_filter", DirectoryError::Filter(user.clone())));
    }
    for (key, filter) in [("user_filter", user), ("group_filter", group)] {
        let filled = filter.replace("{login}", "x").replace("{dn}", "cn=x");
        if ldap3::parse_filter(&filled).is_err() {
            faults.push((key, DirectoryError::Syntax(filter.clone())));
        }
    }
    faults
}

/// What is wrong with the files that they name.
pub fn file_faults(settings: &LdapSettings) -> Vec<(&'static str, DirectoryError)> {
    let ca = tls(settings, read).err().map(|fault| ("ca", fault));
    let password = settings.bind_password_file.as_ref().and_then(|path| read(path).err());
    ca.into_iter().chain(password.map(|fault| ("bind_password_file", fault))).collect()
}

fn read(path: &PathBuf) -> Result<Vec<u8>, DirectoryError> {
    std::fs::read(path).map_err(|source| DirectoryError::File { path: path.clone(), source })
}

fn check_url(url: &Url, starttls: bool) -> Result<(), DirectoryError> {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => {
            // A scheme that is not special to URLs leaves addresses as names.
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
        }
        None => return Err(DirectoryError::Url(url.clone())),
    };
    match url.scheme() {
        "ldaps" => Ok(()),
        "ldap" if starttls || loopback => Ok(()),
        "ldap" => Err(DirectoryError::Plain(url.clone())),
        _ => Err(DirectoryError::Url(url.clone())),
    }
}

fn tls(
    settings: &LdapSettings,
    read: impl Fn(&PathBuf) -> Result<Vec<u8>, DirectoryError>,
) -> Result<Arc<ClientConfig>, DirectoryError> {
    const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
    let path = settings.ca.clone().unwrap_or_else(|| PathBuf::from(SYSTEM_BUNDLE));
    let needed = settings.urls.iter().any(|u| u.scheme() == "ldaps") || settings.starttls;
    let mut roots = RootCertStore::empty();
    if needed {
        let pem = read(&path)?;
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        if roots.is_empty() {
            return Err(DirectoryError::Ca(path));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(DirectoryError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_never_cross_a_network_in_the_clear() {
        let check = |url: &str, starttls| check_url(&url.parse().unwrap(), starttls).is_ok();
        assert!(check("ldaps://ldap.example.org", false));
        assert!(check("ldap://ldap.example.org", true));
        assert!(check("ldap://127.0.0.1:3890", false));
        assert!(!check("ldap://ldap.example.org", false));
        assert!(!check("http://ldap.example.org", true));
    }

    #[test]
    fn a_group_is_meant_by_its_dn_or_its_name() {
        let dn = "cn=image-makers,ou=groups,dc=example,dc=org";
        assert!(is_group(dn, "image-makers"));
        assert!(is_group(dn, "CN=Image-Makers, ou=groups, dc=example, dc=org"));
        assert!(!is_group(dn, "image"));
        assert!(!is_group(dn, "cn=image-makers"));
    }
}
