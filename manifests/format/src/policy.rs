//! The site's own rules: who may endorse what, and which endorsers, images and checksums are never
//! or only acceptable.
//!
//! Two parts, both pure:
//!
//! - *Rules* say who may endorse below which path. Where there are rules, one must match.
//! - *Filters* are the white and black lists of old, with the old meaning made exact: an empty list
//!   is off; all filters that are on must pass; a black list that cannot be compared with what the
//!   manifest says refuses, because leaving a field out must not be a way around it.

mod file;
mod glob;

pub use file::{PolicyError, PolicyFile};
pub use glob::{PathPattern, PathPatternError};

use stratus_model::{
    Algorithm, AppliancePath, Digest, Identifier, Manifest, PolicyState, Subject, SubjectPattern,
};

/// Who is meant by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody whose certificate subject fits.
    Subject(SubjectPattern),
    /// The members of a group of the directory.
    Group(String),
}

/// One rule: these people may endorse below this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorserRule {
    /// Where in the tree.
    pub path: PathPattern,
    /// Who.
    pub who: Who,
}

/// A white and a black list of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<T> {
    /// Only these; empty means off.
    pub white: Vec<T>,
    /// None of these; empty means off.
    pub black: Vec<T>,
}

impl<T> Default for Filter<T> {
    fn default() -> Self {
        Self { white: Vec::new(), black: Vec::new() }
    }
}

impl<T> Filter<T> {
    fn is_off(&self) -> bool {
        self.white.is_empty() && self.black.is_empty()
    }
}

/// A site's rules about manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Who may endorse where; empty means everybody everywhere.
    pub endorsers: Vec<EndorserRule>,
    /// Lists of endorsers.
    pub subjects: Filter<SubjectPattern>,
    /// Lists of images.
    pub images: Filter<Identifier>,
    /// Lists of digests, of the image or of the file as served.
    pub checksums: Filter<Digest>,
    /// Whether signatures with algorithms that prove nothing any more (SHA-1) may count.
    pub accept_weak: bool,
}

/// What a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Where the appliance lives or would live; unknown where the manifest names none.
    pub path: Option<&'a AppliancePath>,
    /// Who signed.
    pub endorser: &'a Subject,
    /// The groups of the directory that the endorser is known to be in.
    pub groups: &'a [String],
    /// What was signed.
    pub manifest: &'a Manifest,
}

/// The answer, with a sentence for each thing that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allowed, refused, or nothing to ask.
    pub state: PolicyState,
    /// Why it is refused; empty otherwise.
    pub reasons: Vec<String>,
}

impl Policy {
    /// Decides about one manifest. Pure: the same case gets the same answer.
    pub fn decide(&self, case: &Case<'_>) -> Decision {
        let mut reasons = Vec::new();
        reasons.extend(self.rules(case));
        reasons.extend(self.about_subjects(case));
        reasons.extend(self.about_images(case));
        reasons.extend(self.about_checksums(case));
        let state = match (reasons.is_empty(), self.has_rules()) {
            (false, _) => PolicyState::Refused,
            (true, true) => PolicyState::Allowed,
            (true, false) => PolicyState::Unchecked,
        };
        Decision { state, reasons }
    }

    /// Whether there is anything to ask.
    fn has_rules(&self) -> bool {
        !(self.endorsers.is_empty()
            && self.subjects.is_off()
            && self.images.is_off()
            && self.checksums.is_off())
    }

    fn rules(&self, case: &Case<'_>) -> Option<String> {
        if self.endorsers.is_empty() {
            return None;
        }
        let Some(path) = case.path else {
            return Some(
                "the manifest names no appliance, so no rule about paths allows it".into(),
            );
        };
        let fits = |who: &Who| match who {
            Who::Subject(pattern) => pattern.matches(case.endorser),
            Who::Group(group) => case.groups.contains(group),
        };
        if self.endorsers.iter().any(|rule| rule.path.matches(path.as_str()) && fits(&rule.who)) {
            return None;
        }
        Some(format!("no rule allows `{}` to endorse `{path}`", case.endorser))
    }

    fn about_subjects(&self, case: &Case<'_>) -> Option<String> {
        let listed = |list: &[SubjectPattern]| list.iter().any(|p| p.matches(case.endorser));
        if listed(&self.subjects.black) {
            return Some(format!("the endorser `{}` is on the black list", case.endorser));
        }
        (!self.subjects.white.is_empty() && !listed(&self.subjects.white))
            .then(|| format!("the endorser `{}` is not on the white list", case.endorser))
    }

    fn about_images(&self, case: &Case<'_>) -> Option<String> {
        if self.images.is_off() {
            return None;
        }
        let Some(identifier) = identifier(case.manifest) else {
            return Some("the manifest gives no identifier and no SHA-1, so it cannot be compared with the lists of images".into());
        };
        if self.images.black.contains(&identifier) {
            return Some(format!("the image {identifier} is on the black list"));
        }
        (!self.images.white.is_empty() && !self.images.white.contains(&identifier))
            .then(|| format!("the image {identifier} is not on the white list"))
    }

    fn about_checksums(&self, case: &Case<'_>) -> Option<String> {
        let given = digests(case.manifest);
        if let Some(listed) = self.checksums.black.iter().find(|d| given.contains(d)) {
            return Some(format!("the checksum {listed} is on the black list"));
        }
        let comparable = |d: &Digest| given.iter().any(|g| g.algorithm() == d.algorithm());
        if let Some(listed) = self.checksums.black.iter().find(|d| !comparable(d)) {
            let algorithm = listed.algorithm().name();
            return Some(format!(
                "the manifest gives no {algorithm}, so it cannot be compared with the black list of checksums"
            ));
        }
        (!self.checksums.white.is_empty()
            && !self.checksums.white.iter().any(|d| given.contains(d)))
        .then(|| "none of the manifest's checksums is on the white list".to_owned())
    }
}

/// The identifier that the manifest gives, or that its SHA-1 spells.
fn identifier(manifest: &Manifest) -> Option<Identifier> {
    let spelled = || manifest.checksum(Algorithm::Sha1).and_then(Identifier::from_digest);
    manifest.identifier.or_else(spelled)
}

/// Every digest that the manifest gives, of the image and of the file as served.
fn digests(manifest: &Manifest) -> Vec<Digest> {
    let served = manifest.compressed.iter().flat_map(|c| c.checksums.iter());
    let spelled = identifier(manifest).map(|i| i.sha1());
    manifest.checksums.iter().chain(served).cloned().chain(spelled).collect()
}

#[cfg(test)]
mod tests;
