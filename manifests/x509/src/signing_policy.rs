//! `signing_policy` files of grid CA directories: which subjects a certificate authority may certify
//! (Globus EACL: `access_id_CA`, `pos_rights`, `cond_subjects`).
//!
//! What is not understood gives no right. Only subjects under `pos_rights ... CA:sign` of an
//! `access_id_CA` count.

use stratus_model::{Subject, SubjectPattern};

/// The rules of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SigningPolicy(Vec<(String, Vec<SubjectPattern>)>);

impl SigningPolicy {
    /// Reads a file; lines that are not known are passed over, as the tools do.
    pub(crate) fn parse(text: &str) -> Self {
        let mut rules: Vec<(String, Vec<SubjectPattern>)> = Vec::new();
        let (mut about_authority, mut may_sign) = (false, false);
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
            let (keyword, value) = entry(line);
            match keyword {
                "access_id_CA" => {
                    (about_authority, may_sign) = (true, false);
                    rules.push((todays_names(unquoted(value)), Vec::new()));
                }
                "pos_rights" => may_sign |= unquoted(value) == "CA:sign",
                "neg_rights" => may_sign = false,
                "cond_subjects" if about_authority && may_sign => {
                    if let Some((_, patterns)) = rules.last_mut() {
                        let list = if value.starts_with('"') { value } else { unquoted(value) };
                        let names = subjects(list).into_iter();
                        patterns.extend(names.map(|n| SubjectPattern::new(todays_names(&n))));
                    }
                }
                other if other.starts_with("access_id_") => about_authority = false,
                _ => {}
            }
        }
        Self(rules)
    }

    /// The rule of an authority that may certify nobody.
    pub(crate) fn closed(authority: &str) -> Self {
        Self(vec![(authority.to_owned(), Vec::new())])
    }

    /// Whether it has a rule about this authority.
    pub(crate) fn speaks_of(&self, authority: &str) -> bool {
        self.0.iter().any(|(name, _)| name == authority)
    }

    /// Whether the authority may certify the subject; names without escapes.
    pub(crate) fn allows(&self, authority: &str, subject: &str) -> bool {
        let subject = Subject::new(subject);
        self.0
            .iter()
            .filter(|(name, _)| name == authority)
            .flat_map(|(_, p)| p)
            .any(|p| p.matches(&subject))
    }
}

/// The keyword of a line, and what follows the name of its defining authority (`X509`, `globus`).
fn entry(line: &str) -> (&str, &str) {
    let word = |text: &'_ str| text.find(char::is_whitespace).unwrap_or(text.len());
    let (keyword, rest) = line.split_at(word(line));
    let rest = rest.trim_start();
    (keyword, rest[word(rest)..].trim())
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    for quote in ['\'', '"'] {
        if let Some(inner) = value.strip_prefix(quote) {
            return inner.split_once(quote).map_or(value, |(inner, _)| inner);
        }
    }
    value
}

/// A name with the attributes that openssl names otherwise today: Globus takes the old names as well.
fn todays_names(name: &str) -> String {
    let part = |part: &str| match part.split_once('=') {
        Some((key, value)) => {
            let is = |old: &[&str]| old.iter().any(|o| key.eq_ignore_ascii_case(o));
            let key = match key {
                _ if is(&["Email", "E", "emailAddress"]) => "emailAddress",
                _ if is(&["USERID", "UID"]) => "UID",
                key => key,
            };
            format!("{key}={value}")
        }
        None => part.to_owned(),
    };
    name.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Subjects in double quotes, or one without.
fn subjects(list: &str) -> Vec<String> {
    if list.contains('"') {
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    } else {
        list.split_whitespace().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_limits_what_an_authority_may_certify() {
        let policy = SigningPolicy::parse(
            "# comment\naccess_id_CA   X509   '/C=XX/O=Grid/CN=CA'\npos_rights globus CA:sign\ncond_subjects globus '\"/C=XX/O=Grid/*\" \"/O=Other/CN=a b\"'\n",
        );
        let ca = "/C=XX/O=Grid/CN=CA";
        assert!(policy.speaks_of(ca) && !policy.speaks_of("/C=XX"));
        assert!(policy.allows(ca, "/C=XX/O=Grid/CN=alice"));
        assert!(policy.allows(ca, "/O=Other/CN=a b"));
        assert!(!policy.allows(ca, "/C=XX/O=Else/CN=alice"));
    }
}
