//! A policy as it is written in a settings file.
//!
//! ```toml
//! accept_weak = false
//!
//! [[endorsers]]
//! path = "base/**"
//! subject = "/O=Example/CN=*"      # or group = "image-makers"
//!
//! [filters]
//! black_endorsers = ["/O=Example/CN=left us"]
//! white_images = ["MMZu9WvwKIro-rtBQfDk4PsKO7_"]
//! black_checksums = ["sha256:…"]
//! ```

use super::{EndorserRule, Filter, PathPattern, PathPatternError, Policy, Who};
use serde::Deserialize;
use stratus_model::{Algorithm, Digest, DigestError, Identifier, IdentifierError, SubjectPattern};

/// The policy as written; [`PolicyFile::check`] makes it usable.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Who may endorse where.
    #[serde(default)]
    pub endorsers: Vec<RuleAsWritten>,
    /// White and black lists.
    #[serde(default)]
    pub filters: FiltersAsWritten,
    /// Whether weak signatures may count.
    #[serde(default)]
    pub accept_weak: bool,
}

/// A rule as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleAsWritten {
    /// A pattern of paths.
    pub path: String,
    /// A pattern of certificate subjects.
    pub subject: Option<String>,
    /// A group of the directory.
    pub group: Option<String>,
}

/// The lists as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FiltersAsWritten {
    /// Only these subjects.
    pub white_endorsers: Vec<String>,
    /// None of these subjects.
    pub black_endorsers: Vec<String>,
    /// Only these identifiers.
    pub white_images: Vec<String>,
    /// None of these identifiers.
    pub black_images: Vec<String>,
    /// Only these digests.
    pub white_checksums: Vec<String>,
    /// None of these digests.
    pub black_checksums: Vec<String>,
}

/// A policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A rule's path is no pattern.
    #[error("endorsers: the rule's path is not usable")]
    Path(#[from] PathPatternError),
    /// A rule names nobody, or names people in two ways.
    #[error("endorsers: the rule for `{0}` needs either `subject` or `group`")]
    Who(String),
    /// A listed image is no identifier.
    #[error("filters: `{text}` is not usable")]
    Image {
        /// As written.
        text: String,
        /// Why not.
        source: IdentifierError,
    },
    /// A listed checksum is no digest.
    #[error("filters: `{text}` is not usable; write the algorithm and the digits, as `sha256:…`")]
    Checksum {
        /// As written.
        text: String,
        /// Why not; none where there is no algorithm.
        source: Option<DigestError>,
    },
}

impl PolicyFile {
    /// Reads a policy file, or the rules of `[repository]` in a site's settings, where they stand
    /// among much else.
    ///
    /// # Errors
    ///
    /// The place and the reason, where the text is no TOML or has a key that no policy has.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        let written: toml::Table = toml::from_str(text)?;
        match written.get("repository").and_then(toml::Value::as_table) {
            Some(section) => {
                let rules = section.iter().filter(|(key, _)| *key == "endorsers");
                rules.map(|(k, v)| (k.clone(), v.clone())).collect::<toml::Table>().try_into()
            }
            // From the text, so that an error has its place.
            None => toml::from_str(text),
        }
    }

    /// Reads every value; the first that is not usable is the error.
    pub fn check(&self) -> Result<Policy, PolicyError> {
        let lists = &self.filters;
        Ok(Policy {
            endorsers: self.endorsers.iter().map(rule).collect::<Result<_, _>>()?,
            subjects: Filter {
                white: lists.white_endorsers.iter().map(SubjectPattern::new).collect(),
                black: lists.black_endorsers.iter().map(SubjectPattern::new).collect(),
            },
            images: Filter {
                white: all(&lists.white_images, image)?,
                black: all(&lists.black_images, image)?,
            },
            checksums: Filter {
                white: all(&lists.white_checksums, checksum)?,
                black: all(&lists.black_checksums, checksum)?,
            },
            accept_weak: self.accept_weak,
        })
    }
}

fn all<T>(
    list: &[String],
    read: fn(&str) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    list.iter().map(|text| read(text)).collect()
}

fn rule(written: &RuleAsWritten) -> Result<EndorserRule, PolicyError> {
    let path = PathPattern::new(&written.path)?;
    let who = match (&written.subject, &written.group) {
        (Some(subject), None) => Who::Subject(SubjectPattern::new(subject)),
        (None, Some(group)) => Who::Group(group.clone()),
        _ => return Err(PolicyError::Who(written.path.clone())),
    };
    Ok(EndorserRule { path, who })
}

fn image(text: &str) -> Result<Identifier, PolicyError> {
    text.parse().map_err(|source| PolicyError::Image { text: text.to_owned(), source })
}

fn checksum(text: &str) -> Result<Digest, PolicyError> {
    let wrong = |source| PolicyError::Checksum { text: text.to_owned(), source };
    let (algorithm, hex) = text.split_once(':').ok_or_else(|| wrong(None))?;
    let algorithm = Algorithm::parse(algorithm).map_err(|e| wrong(Some(e)))?;
    Digest::from_hex(algorithm, hex).map_err(|e| wrong(Some(e)))
}
