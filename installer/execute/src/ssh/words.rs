//! What ssh and sudo say, as kinds of trouble; and known host keys as a person compares them.

use crate::error::Trouble;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use std::error::Error;

/// An error with its causes, ssh's own words among them.
pub(super) fn whole(error: &openssh::Error) -> String {
    let mut text = String::new();
    let mut source: Option<&dyn Error> = error.source();
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        text.push('\n');
        source = cause.source();
    }
    if text.trim().is_empty() { error.to_string() } else { text }
}

/// Why a connection was not made.
pub(super) fn trouble(text: &str, jump_host: Option<&str>) -> Trouble {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return changed(&lines);
    }
    if text.contains("host key is known for") || text.contains("Host key verification failed") {
        return Trouble::KeyUnknown;
    }
    let refused = |l: &&&str| {
        l.contains("Permission denied (") || l.contains("Too many authentication failures")
    };
    if let Some(line) = lines.iter().find(refused) {
        return Trouble::Authentication((*line).to_owned());
    }
    if let Some(jump) = jump_host.filter(|_| text.contains("UNKNOWN port 65535")) {
        return Trouble::Unreachable(format!(
            "the jump host {jump} did not let us through; try `ssh {jump}`"
        ));
    }
    let last = lines.last().map_or("ssh gave no reason", |l| *l);
    Trouble::Unreachable(last.to_owned())
}

fn changed(lines: &[&str]) -> Trouble {
    let place = lines.iter().find_map(|l| {
        let (_, place) = l.strip_prefix("Offending ")?.split_once(" in ")?;
        let (file, line) = place.rsplit_once(':')?;
        Some((file.into(), line.parse().ok()))
    });
    let (file, line) = place.unwrap_or(("known_hosts".into(), None));
    Trouble::KeyChanged { file, line }
}

/// Whether sudo did what it should: said `root` at last.
pub(super) fn sudo(said: &str, user: &str) -> Result<(), Trouble> {
    if said.lines().last() == Some("root") {
        return Ok(());
    }
    if said.contains("password is required") || said.contains("terminal is required") {
        return Err(Trouble::SudoAsks { user: user.to_owned() });
    }
    let last = said.lines().last().unwrap_or("sudo failed and said nothing");
    Err(Trouble::NotRoot(format!("it is {user}, and sudo does not help: {last}")))
}

/// A host key that was learned, to be compared by eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedKey {
    /// The host as ssh names it.
    pub host: String,
    /// `ssh-ed25519`, …
    pub kind: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
}

/// The keys that a known_hosts file has now and had not before.
pub fn learned_keys(before: &str, now: &str) -> Vec<LearnedKey> {
    let old: std::collections::BTreeSet<&str> = before.lines().collect();
    let key = |line: &str| {
        let mut words = line.split_whitespace();
        let (host, kind, key) = (words.next()?, words.next()?, words.next()?);
        let digest = Sha256::digest(STANDARD.decode(key).ok()?);
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(digest));
        Some(LearnedKey { host: host.to_owned(), kind: kind.to_owned(), fingerprint })
    };
    now.lines().filter(|l| !old.contains(l)).filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_names_the_file_and_the_line() {
        let text = "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@\n\
            Offending ED25519 key in /home/ann/.ssh/known_hosts:7\r\nHost key verification failed.";
        let expected =
            Trouble::KeyChanged { file: "/home/ann/.ssh/known_hosts".into(), line: Some(7) };
        assert_eq!(trouble(text, None), expected);
    }

    #[test]
    fn what_ssh_says_has_a_kind() {
        let unknown = "No ED25519 host key is known for n1 and you have requested strict checking.\nHost key verification failed.";
        assert_eq!(trouble(unknown, None), Trouble::KeyUnknown);
        let refused = "ann@n1: Permission denied (publickey).";
        assert_eq!(trouble(refused, None), Trouble::Authentication(refused.into()));
        let dead = "connect to host n1 port 22: Connection refused";
        assert_eq!(trouble(dead, None), Trouble::Unreachable(dead.into()));
        assert!(matches!(trouble("", None), Trouble::Unreachable(_)));
        let jump = "Connection closed by UNKNOWN port 65535";
        assert!(trouble(jump, Some("gate")).to_string().contains("the jump host gate"));
    }

    #[test]
    fn a_sudo_that_asks_is_told_from_one_that_is_not_there() {
        assert_eq!(sudo("root\n", "ann"), Ok(()));
        let asks = sudo("sudo: a password is required\n", "ann");
        assert_eq!(asks, Err(Trouble::SudoAsks { user: "ann".into() }));
        assert!(matches!(sudo("sh: 1: sudo: not found\n", "ann"), Err(Trouble::NotRoot(_))));
    }
}
