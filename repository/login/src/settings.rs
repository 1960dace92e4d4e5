//! The section `[identity]`.

use std::path::PathBuf;
use std::time::Duration;
use stratus_identity::{
    LdapSettings, PasswordFileError, PersonSettings, Settings, file_faults, value_faults,
};
use stratus_sections::{Problems, Section};
use url::Url;

/// Whether the files that a section names are looked at too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Only the text counts.
    Unseen,
    /// What is wrong with a file is a problem of the key that names it.
    Looked,
}

/// Reads the section; what its inner tables noted comes beside.
pub fn read(section: &Section<'_>, files: Files) -> (Settings, Problems) {
    let mut problems = Problems::default();
    let password_file = section.path("password_file");
    let looked = files == Files::Looked;
    if let Some(error) = password_file.as_deref().filter(|_| looked).and_then(PasswordFileError::of)
    {
        section.complain_because("password_file", &error, None);
    }
    let ldap = section.table("ldap").map(|table| {
        let ldap = directory(&table);
        let of_files = if looked { file_faults(&ldap) } else { Vec::new() };
        for (key, error) in value_faults(&ldap).into_iter().chain(of_files) {
            table.complain_because(key, &error, None);
        }
        problems.extend(table.finish());
        ldap
    });
    if password_file.is_some() && ldap.is_some() {
        let cure = "take one of the two out".to_owned();
        section.complain(
            "password_file",
            "people are known by a password file or by LDAP, not by both",
            Some(cure),
        );
    }
    let mut people = std::collections::BTreeMap::new();
    for (login, table) in section.named_tables("people") {
        let person = PersonSettings {
            groups: table.texts("groups"),
            subjects: table.texts("subjects"),
            administrator: table.flag("administrator", false),
        };
        problems.extend(table.finish());
        people.insert(login, person);
    }
    let bind_subjects = section.optional_flag("bind_subjects");
    (Settings { password_file, people, ldap, bind_subjects }, problems)
}

fn directory(table: &Section<'_>) -> LdapSettings {
    let urls: Vec<Url> = table.parsed_list("urls");
    if urls.is_empty() {
        let cure = "write urls = [\"ldaps://ldap.example.org\"]".to_owned();
        table.complain("urls", "[identity.ldap] needs `urls`", Some(cure));
    }
    let defaults = LdapSettings::new(urls, table.required_text("base"));
    let bind_password_file: Option<PathBuf> = table.path("bind_password_file");
    let bind_dn = table.text("bind_dn");
    if bind_dn.is_some() != bind_password_file.is_some() {
        table.complain("bind_dn", "`bind_dn` and `bind_password_file` belong together", None);
    }
    let seconds = |key, default: Duration| table.duration(key).unwrap_or(default);
    LdapSettings {
        starttls: table.flag("starttls", defaults.starttls),
        ca: table.path("ca"),
        bind_dn,
        bind_password_file,
        user_filter: table.text("user_filter").unwrap_or_else(|| defaults.user_filter.clone()),
        group: table.text("group"),
        administrators: table.text("administrators"),
        group_base: table.text("group_base"),
        group_filter: table.text("group_filter").unwrap_or_else(|| defaults.group_filter.clone()),
        subject_attribute: table
            .text("subject_attribute")
            .unwrap_or_else(|| defaults.subject_attribute.clone()),
        timeout: seconds("timeout", defaults.timeout),
        cache: seconds("cache", defaults.cache),
        ..defaults
    }
}
