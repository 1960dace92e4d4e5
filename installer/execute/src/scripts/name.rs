//! Words that go into scripts: what may, and how.

use super::Unfit;
use sha2::{Digest, Sha256};
use stratus_plan::step::{OurShare, Step};

/// A word for the shell: whatever it holds, it stays one word.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// An absolute path without surprises.
pub(super) fn absolute(path: &str) -> Result<&str, Unfit> {
    let odd = |part: &str| part == ".." || part == ".";
    if path.starts_with('/')
        && path.len() < 4096
        && !path.contains(['\n', '\0', '\u{1}'])
        && !path.split('/').any(odd)
    {
        return Ok(path);
    }
    Err(Unfit {
        value: path.to_owned(),
        reason: "is not an absolute path without `..` and line breaks",
    })
}

/// The name of a package, user, group, unit or interface.
pub(super) fn named(name: &str) -> Result<&str, Unfit> {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | ':' | '@' | '~' | '-');
    if !name.is_empty()
        && name.len() < 250
        && !name.starts_with(['-', '.'])
        && name.chars().all(good)
    {
        return Ok(name);
    }
    Err(Unfit { value: name.to_owned(), reason: "is not a name: letters, digits and `._+:@~-`" })
}

/// The name of a record: one file name for any text, and another one for another text.
pub(crate) fn key(kind: &str, text: &str) -> String {
    let mut key = format!("{kind}:");
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'@' | b'+' => {
                key.push(char::from(byte));
            }
            _ => key.push_str(&format!("%{byte:02X}")),
        }
    }
    // File names end at 255 bytes, and `.pub` or a temporary ending may follow.
    if key.len() > 200 { format!("{kind}:={}", hex::encode(Sha256::digest(text))) } else { key }
}

/// Where a host records how things were before this step, below `/var/lib/stratus/installer`.
/// Nothing is recorded for what is done again and again.
pub fn before_image(step: &Step) -> Option<String> {
    let name = match step {
        Step::Packages { .. } => return Some("packages-added".into()),
        Step::Carry(_) => return Some("carried".into()),
        Step::Action { .. } => return None,
        Step::Group { name, .. } => format!("group:{name}"),
        Step::User(user) => format!("user:{}", user.name),
        Step::Directory { path, .. }
        | Step::Secret { path, .. }
        | Step::SecretFile { path, .. }
        | Step::SshKey { path, .. } => key("path", path),
        Step::File(file) => match &file.share {
            OurShare::Block { name, .. } => key("block", &format!("{}#{name}", file.path)),
            OurShare::Whole | OurShare::OnedKeys => key("path", &file.path),
        },
        Step::Unit(unit) => format!("unit:{}", unit.name),
        Step::Database { name, .. } => format!("database:{name}"),
        Step::Network(network) => key("path", &network.files.first()?.path),
    };
    Some(format!("before/{name}"))
}

/// The name below which a host notes how a step left things ([`stratus_plan::facts::HostFacts::after`]).
pub fn after_image(step: &Step) -> Option<String> {
    before_image(step)?.strip_prefix("before/").map(str::to_owned)
}

/// What a host notes of an account or a directory as a step leaves it: a digest of the words that
/// the step's program gets. None for steps that note something else.
pub fn left_as(step: &Step) -> Option<String> {
    let words = match step {
        Step::Group { name, gid } => {
            vec![name.clone(), gid.map(|g| g.to_string()).unwrap_or_default()]
        }
        Step::User(user) => {
            let uid = user.uid.map_or_else(|| "-".to_owned(), |u| u.to_string());
            let mut words = vec![user.name.clone(), uid, user.group.clone()];
            words.extend([user.home.clone(), user.shell.clone()]);
            words.extend(user.groups.iter().cloned());
            words
        }
        Step::Directory { access, .. } => {
            vec![format!("{:o}", access.mode & 0o7777), access.owner.clone(), access.group.clone()]
        }
        _ => return None,
    };
    let lines: String = words.iter().map(|word| format!("{word}\n")).collect();
    Some(hex::encode(Sha256::digest(lines)))
}
