//! What has no place in any section: values that somebody meant to replace, and secrets.

use std::ops::Range;
use stratus_sections::{Problems, SiteText, Written};

/// Words that stand for a value still to be chosen.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "change_me",
    "change-me",
    "change me",
    "todo",
    "fixme",
    "tbd",
    "xxx",
    "replaceme",
    // The gateway that the historical reference file shipped.
    "3.13.3.7",
];

/// Names and secrets out of examples.
const WELL_KNOWN: [&str; 8] =
    ["foo", "bar", "secret", "password", "example", "oneadmin:oneadmin", "pass", "letmein"];

/// Whether the value stands for one still to be chosen.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    let crossed_out = value.contains(".x")
        && value.split('.').all(|p| p == "x" || p.bytes().all(|b| b.is_ascii_digit()));
    let bracketed = value.starts_with('<') && value.ends_with('>') && value.len() > 2;
    crossed_out || bracketed || PLACEHOLDERS.contains(&value.as_str())
}

/// Whether a secret is one that everybody knows.
pub(crate) fn is_well_known(secret: &str) -> bool {
    let secret = secret.trim().to_ascii_lowercase();
    secret == "oneadmin"
        || secret == "root"
        || WELL_KNOWN.contains(&secret.as_str())
        || is_placeholder(&secret)
}

/// Notes placeholders and secrets anywhere in the file, instead of whatever else was said of them.
pub(super) fn placeholders_and_secrets(text: &SiteText, problems: &mut Problems) {
    let mut found: Vec<(Range<usize>, String, String)> = Vec::new();
    text.walk(&mut |written| {
        let Some(value) = written.text else { return };
        if is_secret(written.key) {
            text.hide(written.span.clone());
            found.push((
                written.key_span.clone(),
                format!("the site file is no place for a secret: `{}`", written.key),
                format!(
                    "write it to a file that only root may read, and name that in `{}_file`",
                    written.key
                ),
            ));
        } else if let Some((message, cure)) = hidden_secret(written, value) {
            text.hide(written.span.clone());
            found.push((written.span.clone(), message, cure));
        } else if is_placeholder(value) || (is_secret_file(written.key) && is_well_known(value)) {
            found.push((
                written.span.clone(),
                format!("`{value}` stands for a value still to be chosen"),
                format!("write the real value of `{}`, or take the line out", written.key),
            ));
        }
    });
    let parts: Vec<Range<usize>> = found.iter().map(|(span, ..)| span.clone()).collect();
    problems.forget_within(&parts);
    for (span, message, cure) in found {
        problems.add(span, message, Some(cure));
    }
}

/// Keys that would hold a secret itself.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "secret", "token"]
        .iter()
        .any(|word| key == *word || key.ends_with(&format!("_{word}")))
}

fn is_secret_file(key: &str) -> bool {
    key.strip_suffix("_file").is_some_and(|key| is_secret(key) || key == "credentials")
}

/// Secrets in values of other keys. The message does not repeat them.
fn hidden_secret(written: &Written<'_>, value: &str) -> Option<(String, String)> {
    if value.contains("-----BEGIN") && value.contains("PRIVATE KEY") {
        let message = format!("`{}` holds a private key", written.key);
        return Some((message, "write the key to a file of its own and name the file".to_owned()));
    }
    let login = value.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let (login, _) = login?.rsplit_once('@')?;
    login.contains(':').then(|| {
        let message = format!("the address in `{}` holds a password", written.key);
        (message, "take the login out of the address; secrets have files of their own".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for text in ["x.x.x.x", "172.17.16.x", "changeme", "CHANGEME", "<your host>", "3.13.3.7"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["", "x", "x.org", "1.2.3.4", "example.org", "max.x", "<", "10.0.0.0/24"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
