//! `[identity]`, as far as the installer needs it: the directory.

use super::Reading;
use crate::keys;
use crate::sections::Identity;
use stratus_sections::{Section, SiteText};
use url::Url;

pub(super) fn identity(text: &SiteText, reading: &mut Reading) -> Option<Identity> {
    let s = text.section("identity");
    s.accept(&keys::of_services("identity"));
    let identity = s.table("ldap").map(|table| {
        let identity = directory(&table);
        reading.close(table);
        identity
    });
    reading.close(s);
    identity
}

fn directory(s: &Section<'_>) -> Identity {
    s.accept(&keys::of_services("identity.ldap"));
    let urls: Vec<Url> = s.parsed_list("urls");
    if urls.is_empty() && !s.has("urls") {
        let cure = "write urls = [\"ldaps://ldap.example.org\"]".to_owned();
        s.complain("urls", "[identity.ldap] needs `urls`", Some(cure));
    }
    for url in &urls {
        if !matches!(url.scheme(), "ldap" | "ldaps") || url.host_str().is_none_or(str::is_empty) {
            let cure = "write it as \"ldaps://ldap.example.org\"".to_owned();
            s.complain("urls", format!("`{url}` is no address of a directory"), Some(cure));
        }
    }
    let base = s.required_text("base");
    if s.has("base") && !base.contains('=') {
        let cure = Some("write it as \"ou=people,dc=example,dc=org\"".to_owned());
        s.complain("base", format!("`{base}` is no name in a directory"), cure);
    }
    let bind_dn = s.text("bind_dn");
    let password_file = s.path("bind_password_file");
    if bind_dn.is_some() != password_file.is_some() {
        let cure = Some("write both, or neither for an anonymous search".to_owned());
        s.complain("bind_dn", "`bind_dn` and `bind_password_file` belong together", cure);
    }
    let filter = |key| {
        let text = s.text(key)?;
        if !(text.starts_with('(') && text.ends_with(')')) {
            let cure = Some("write it in brackets, as \"(uid={login})\"".to_owned());
            s.complain(key, format!("`{text}` is no LDAP filter"), cure);
        }
        Some(text)
    };
    let user_filter = filter("user_filter");
    if let Some(text) = user_filter.as_ref().filter(|text| !text.contains("{login}")) {
        let cure = "write `{login}` where the login stands, as \"(uid={login})\"".to_owned();
        s.complain("user_filter", format!("`{text}` finds nobody by the login"), Some(cure));
    }
    Identity {
        urls,
        base,
        bind_dn,
        password_file,
        user_filter: user_filter.unwrap_or_else(|| "(uid={login})".to_owned()),
        group_filter: filter("group_filter"),
        admin_group: s.text("administrators"),
        ca: s.path("ca"),
    }
}
