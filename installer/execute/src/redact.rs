//! Takes secrets out of text: those that are known, and what looks like one.

use std::collections::BTreeSet;
use stratus_plan::plan::Plan;
use stratus_plan::step::{File, Piece, Step};

const STARS: &str = "*****";

/// Keys whose value is nobody's business.
const KEYS: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "identified by",
    "passphrase",
    "bindpw",
];

/// What must not be shown.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: BTreeSet<String>,
}

impl Redactor {
    /// Knows the secret texts of a plan, and the secret files here that it names.
    pub fn of(plan: &Plan) -> Self {
        let mut all = Self::default();
        for planned in plan.hosts.iter().flat_map(|h| h.steps.iter().flatten()) {
            match &planned.step {
                Step::File(file) => all.add_file(file),
                // One that cannot be read fails its own step, with a better word.
                Step::SecretFile { source, .. } => {
                    let text = std::fs::read_to_string(source).unwrap_or_default();
                    all.add(&text);
                    text.lines().for_each(|line| all.add(line));
                }
                Step::Network(network) => network.files.iter().for_each(|f| all.add_file(f)),
                _ => {}
            }
        }
        all
    }

    fn add_file(&mut self, file: &File) {
        for piece in file.content.iter().filter(|_| file.secret) {
            if let Piece::Text(text) = piece {
                self.add(text);
                text.lines().for_each(|line| self.add(line));
            }
        }
    }

    /// Knows one more. Very short ones are left out: they would star half of every text.
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() >= 6 {
            self.secrets.insert(secret.to_owned());
            // `oneadmin:secret` and `key = secret` hold one too.
            for part in [secret.rsplit_once(':'), secret.rsplit_once('=')].into_iter().flatten() {
                let value = part.1.trim().trim_matches('"');
                if value.len() >= 6 {
                    self.secrets.insert(value.to_owned());
                }
            }
        }
    }

    /// The text without secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        // Longest first: one secret may be a part of another.
        let mut secrets: Vec<&String> = self.secrets.iter().collect();
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        for secret in secrets {
            if clean.contains(secret.as_str()) {
                clean = clean.replace(secret.as_str(), STARS);
            }
        }
        let mut inside_key = false;
        let lines = clean.split_inclusive('\n').filter_map(|line| {
            if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----") {
                inside_key = true;
                return Some(format!("{STARS} a private key {STARS}\n"));
            }
            if inside_key {
                inside_key = !line.contains("-----END ");
                return None;
            }
            Some(clean_line(line))
        });
        lines.collect()
    }
}

fn clean_line(line: &str) -> String {
    let mut line = without_login(line);
    let lower = line.to_ascii_lowercase();
    let key = KEYS.iter().filter_map(|k| lower.find(k).map(|at| at + k.len())).min();
    if let Some(end) = key {
        // The value: what follows `=`, `:` or a quote, up to the end of the line.
        let rest = &line[end..];
        let offset = rest.find(|c: char| !matches!(c, ' ' | '\t' | '=' | ':' | '"' | '\'' | '>'));
        let marked = offset.filter(|o| rest[..*o].contains(['=', ':', '"', '\'']));
        if let Some(offset) = marked {
            let newline = if line.ends_with('\n') { "\n" } else { "" };
            line.truncate(end + offset);
            line.push_str(STARS);
            line.push_str(newline);
        }
    }
    line
}

/// `scheme://user:password@host` without the password.
fn without_login(line: &str) -> String {
    let mut clean = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(after.len());
        let login = after[..end].rfind('@').and_then(|a| Some((after[..a].find(':')?, a)));
        rest = match login {
            Some((colon, a)) => {
                clean.push_str(&after[..=colon]);
                clean.push_str(STARS);
                &after[a..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_canary_survives() {
        let mut redactor = Redactor::default();
        redactor.add("oneadmin:canary-one");
        for text in [
            "login oneadmin:canary-one failed",
            "it was canary-one",
            "db password = \"canary-two\"",
            "PASSWORD: canary-three and more",
            "CREATE USER x IDENTIFIED BY 'canary-four'",
            "GET https://ann:canary-five@mirror.example.org/x",
            "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-six\n-----END OPENSSH PRIVATE KEY-----\n",
            "Authorization: Basic canary-seven",
            "export STRATUS_TOKEN=canary-eight",
        ] {
            let clean = redactor.clean(text);
            assert!(!clean.contains("canary"), "{clean}");
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        let text = "E: Unable to locate package qemu-kvm\nsee https://example.org/a:b@c\npassword_file is absent\n";
        assert_eq!(Redactor::default().clean(text), text);
    }
}
