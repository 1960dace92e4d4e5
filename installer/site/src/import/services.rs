//! People, and the appliance repository.

use super::work::Work;
use stratus_model::Layout;
use toml_edit::Array;
use url::Url;

/// The project's own servers ended with it.
const ENDED: &str = "stratuslab.eu";

pub(super) fn identity(work: &mut Work) {
    // Until 2012 the text `False` counted as true; what was written is what was meant.
    let wanted = work.switch("app_repo_use_ldap");
    let written = wanted.unwrap_or(true) && directory(work);
    if wanted.is_some() {
        let what = if written { "identity.ldap" } else { "identity" };
        work.became("app_repo_use_ldap", what);
    }
    if written {
        work.leave("app_repo_httpd_passwd_file", "people are in a directory");
        return;
    }
    let passwords = work.value("app_repo_httpd_passwd_file");
    if let Some(file) = passwords {
        work.put(&["identity", "password_file"], file);
        let why = "only bcrypt and argon2id hashes are taken";
        work.became_but("app_repo_httpd_passwd_file", "identity.password_file", why);
    } else if !registration(work) {
        work.leave("app_repo_use_ldap", "no directory is named");
    }
}

/// `ldap://host:port/base?attribute`, as Apache took it.
fn directory(work: &mut Work) -> bool {
    let key = "app_repo_ldap_url";
    let Some(text) = work.value(key) else { return false };
    let url: Url = match text.trim_matches(['"', '\'']).parse() {
        Ok(url) => url,
        Err(_) => {
            work.leave(key, "it is no address of a directory");
            return false;
        }
    };
    let Some(host) = url.host_str().filter(|h| !h.is_empty() && !h.ends_with(ENDED)) else {
        work.leave(key, "that directory ended");
        return false;
    };
    let base = url.path().trim_start_matches('/').replace("%20", " ");
    if base.is_empty() || !matches!(url.scheme(), "ldap" | "ldaps") {
        work.leave(key, "it does not say where the search starts");
        return false;
    }
    let tls = url.scheme() == "ldaps" || matches!(url.port(), Some(636 | 10636));
    let scheme = if tls { "ldaps" } else { "ldap" };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let urls: Array = [format!("{scheme}://{host}{port}")].into_iter().collect();
    work.put(&["identity", "ldap", "urls"], urls);
    work.put(&["identity", "ldap", "base"], base);
    let attribute = url.query().and_then(|q| q.split('?').next()).unwrap_or("uid");
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if attribute != "uid" && !attribute.is_empty() && attribute.chars().all(plain) {
        work.put(&["identity", "ldap", "user_filter"], format!("({attribute}={{login}})"));
    }
    work.became(key, "identity.ldap");
    bind(work, "app_repo_ldap_bind", "app_repo_ldap_passwd");
    if let Some(file) = work.value("app_repo_ldap_cert") {
        work.put(&["identity", "ldap", "ca"], file);
        work.became("app_repo_ldap_cert", "identity.ldap.ca");
    }
    true
}

/// The registration service knew its directory by other keys.
fn registration(work: &mut Work) -> bool {
    let host = work.value("registration_ldap_host");
    let manager = work.value("registration_ldap_manager_dn");
    let (Some(host), Some(manager)) = (host, manager) else { return false };
    let scheme = work.value("registration_ldap_scheme").unwrap_or_else(|| "ldap".to_owned());
    let port = work.value("registration_ldap_port");
    let end = port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
    let base = manager.split_once(',').map_or(manager.as_str(), |(_, base)| base);
    let urls: Array = [format!("{scheme}://{host}{end}")].into_iter().collect();
    work.put(&["identity", "ldap", "urls"], urls);
    work.put(&["identity", "ldap", "base"], base);
    for key in ["registration_ldap_host", "registration_ldap_scheme", "registration_ldap_port"] {
        work.became(key, "identity.ldap.urls");
    }
    bind(work, "registration_ldap_manager_dn", "registration_ldap_manager_password");
    let why = "the base is what the manager's name lies in; look at it";
    work.became_but("registration_ldap_manager_dn", "identity.ldap.base", why);
    true
}

/// A name and its password belong together.
fn bind(work: &mut Work, name_key: &str, password_key: &str) {
    let Some(name) = work.value(name_key) else { return };
    let Some(file) = work.secret(password_key, "identity.ldap.bind_password_file, ") else {
        work.leave(name_key, "its password is not in the file");
        return;
    };
    work.put(&["identity", "ldap", "bind_dn"], name);
    work.put(&["identity", "ldap", "bind_password_file"], file);
    work.became(name_key, "identity.ldap.bind_dn");
}

pub(super) fn repository(work: &mut Work) {
    work.copy("app_repo_url", "repository", "url", |text| {
        let url: Url = text.parse().map_err(|_| "it is no address".to_owned())?;
        match url.host_str() {
            Some(host) if host.ends_with(ENDED) => Err("that repository ended".to_owned()),
            Some(_) if matches!(url.scheme(), "http" | "https") && url.username().is_empty() => {
                let text = url.to_string();
                let base = text.trim_end_matches('/');
                Ok(base.strip_suffix("/images").unwrap_or(base).to_owned())
            }
            _ => Err("it is no http address".to_owned()),
        }
    });
    let same = |default: &str| {
        let default = default.to_owned();
        move |text: &str| match text.trim_matches('/') {
            text if text == default => Err("it is the same without it".to_owned()),
            text => Ok(text.to_owned()),
        }
    };
    let folder = work.value("app_repo_structure");
    let name = work.value("app_repo_filename");
    let name = name.map(|n| n.strip_suffix(".img.#compression#").unwrap_or(&n).to_owned());
    let layout = Layout::new(
        folder.as_deref().unwrap_or(Layout::FOLDER).trim_matches('/'),
        name.as_deref().unwrap_or(Layout::NAME),
    );
    if layout.is_err() {
        for key in ["app_repo_structure", "app_repo_filename"] {
            work.leave(key, "it is no template that the repository takes");
        }
        return;
    }
    work.copy("app_repo_structure", "repository", "folder", same(Layout::FOLDER));
    let same_name = same(Layout::NAME);
    work.copy("app_repo_filename", "repository", "name", |text| {
        same_name(text.strip_suffix(".img.#compression#").unwrap_or(text))
    });
}
