//! How people are known, as plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// How people are known. With neither a directory nor a password file nobody is.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A password file.
    pub password_file: Option<PathBuf>,
    /// What the password file does not say about people.
    pub people: BTreeMap<String, PersonSettings>,
    /// An LDAP directory; it is asked, and not the password file, where both are set.
    pub ldap: Option<LdapSettings>,
    /// Whether a login publishes only what a certificate bound to it endorsed. Unset: with a
    /// directory always; with a password file for those logins that have a subject.
    pub bind_subjects: Option<bool>,
}

/// A person of the password file.
#[derive(Clone, Debug, Default)]
pub struct PersonSettings {
    /// Groups.
    pub groups: Vec<String>,
    /// Certificate subjects, in slash form.
    pub subjects: Vec<String>,
    /// Whether they administer the site.
    pub administrator: bool,
}

/// An LDAP directory.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// Servers in order of preference, `ldaps://` or `ldap://`.
    pub urls: Vec<Url>,
    /// Whether `ldap://` is secured by StartTLS (RFC 4511 section 4.14). Without it only loopback is
    /// accepted.
    pub starttls: bool,
    /// PEM bundle of the authorities that certify the servers; the system's when absent.
    pub ca: Option<PathBuf>,
    /// Who searches; anonymous when absent.
    pub bind_dn: Option<String>,
    /// File with that one's password.
    pub bind_password_file: Option<PathBuf>,
    /// Where people are.
    pub base: String,
    /// How a login is found; `{login}` stands for it, escaped.
    pub user_filter: String,
    /// Group that every login must be in: its DN, or its name.
    pub group: Option<String>,
    /// Group whose members administer the site.
    pub administrators: Option<String>,
    /// Where groups are; `base` when absent.
    pub group_base: Option<String>,
    /// How a person's groups are found; `{dn}` and `{login}` stand for theirs, escaped. The attribute
    /// `memberOf` counts as well.
    pub group_filter: String,
    /// Attribute with a person's certificate subjects.
    pub subject_attribute: String,
    /// For each step with each server.
    pub timeout: Duration,
    /// How long a right password is remembered.
    pub cache: Duration,
}

impl LdapSettings {
    /// A directory at these servers, with defaults for the rest.
    pub fn new(urls: Vec<Url>, base: impl Into<String>) -> Self {
        Self {
            urls,
            starttls: true,
            ca: None,
            bind_dn: None,
            bind_password_file: None,
            base: base.into(),
            user_filter: "(uid={login})".to_owned(),
            group: None,
            administrators: None,
            group_base: None,
            group_filter: "(|(member={dn})(uniqueMember={dn})(memberUid={login}))".to_owned(),
            subject_attribute: "seeAlso".to_owned(),
            timeout: Duration::from_secs(5),
            cache: Duration::from_mins(1),
        }
    }
}
