//! The files that sections of services name.

use crate::keys::{Key, Kind, Reader};
use crate::sections::ServiceFile;
use std::path::{Component, Path};
use toml_edit::{DocumentMut, Item, Value};

/// Each file once for each section, in the order of the text; none where the text is no TOML, which
/// is told elsewhere.
pub(super) fn named(site_file: &Path, text: &str) -> Vec<ServiceFile> {
    let Ok(document) = text.parse::<DocumentMut>() else { return Vec::new() };
    let folder = site_file.parent().unwrap_or(Path::new(""));
    let mut files: Vec<ServiceFile> = Vec::new();
    walk(document.as_item(), &mut Vec::new(), &mut |keys, name| {
        let Some(secret) = is_secret(keys, name) else { return };
        let file = ServiceFile {
            section: keys[0].to_owned(),
            name: name.to_owned(),
            path: folder.join(name),
            secret,
        };
        if !files.contains(&file) {
            files.push(file);
        }
    });
    files
}

/// Whether what a key names is secret; nothing where it names no file that goes to hosts.
fn is_secret(keys: &[&str], name: &str) -> Option<bool> {
    let key = Key::find(keys).filter(|key| key.reader != Reader::Installer)?;
    let path = Path::new(name);
    let within = path.components().all(|part| matches!(part, Component::Normal(_)));
    // Trust anchors may be a folder, as grids have it: that one is the host's own.
    let folder = key.name == "trust" && path.extension().is_none();
    match key.kind {
        Kind::File if within && !folder => Some(false),
        Kind::SecretFile if within => Some(true),
        _ => None,
    }
}

fn walk<'a>(item: &'a Item, keys: &mut Vec<&'a str>, see: &mut impl FnMut(&[&str], &str)) {
    if let Some(table) = item.as_table_like() {
        for (key, item) in table.iter() {
            keys.push(key);
            walk(item, keys, see);
            keys.pop();
        }
    } else if let Some(tables) = item.as_array_of_tables() {
        for (key, item) in tables.iter().flatten() {
            keys.push(key);
            walk(item, keys, see);
            keys.pop();
        }
    } else if let Some(text) = item.as_value().and_then(Value::as_str) {
        see(keys, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_the_site_file_go_with_their_sections() {
        let text = "[identity.ldap]\nca = \"ca.pem\"\nbind_password_file = \"s/ldap\"\n\
            [repository]\nca = \"clients.pem\"\ntls_key = \"/etc/key.pem\"\ntrust = \"grid\"\n\
            tls_certificate = \"../out.pem\"\n\
            [[cache.upstreams]]\nca = \"ca.pem\"\n[[cache.upstreams]]\nca = \"ca.pem\"\n";
        let found = named(Path::new("/site/site.toml"), text);
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.section.as_str(), f.name.as_str(), f.path.to_str().unwrap(), f.secret))
            .collect();
        assert_eq!(
            found,
            [
                ("identity", "ca.pem", "/site/ca.pem", false),
                ("identity", "s/ldap", "/site/s/ldap", true),
                ("cache", "ca.pem", "/site/ca.pem", false),
            ]
        );
    }
}
