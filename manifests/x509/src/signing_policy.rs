//! `signing_policy` files of grid CA directories: which subjects a certificate authority may certify
//! (Globus EACL: `access_id_CA`, `pos_rights`, `cond_subjects`).

use stratus_model::{Subject, SubjectPattern};

/// The rules of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SigningPolicy(Vec<(String, Vec<SubjectPattern>)>);

impl SigningPolicy {
    /// Reads a file; what is not known is passed over, as the tools do.
    pub(crate) fn parse(text: &str) -> Self {
        let mut rules: Vec<(String, Vec<SubjectPattern>)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
            if let Some(rest) = line.strip_prefix("access_id_CA") {
                if let Some(name) = quoted(rest) {
                    rules.push((name.to_owned(), Vec::new()));
                }
            } else if let Some(rest) = line.strip_prefix("cond_subjects")
                && let (Some(list), Some((_, patterns))) = (quoted(rest), rules.last_mut())
            {
                patterns.extend(subjects(list).into_iter().map(SubjectPattern::new));
            }
        }
        Self(rules)
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

/// What stands between the first pair of `'`.
fn quoted(text: &str) -> Option<&str> {
    text.split('\'').nth(1)
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
