//! Everything that can go wrong between a person and a repository.

use std::fmt;
use std::io;
use std::path::PathBuf;
use stratus_image::ImageError;
use stratus_model::{Exit, FileKind, MissingField, PathError};
use stratus_repository_api::problem::{Problem, ProblemKind};

/// A failed request, transfer or check. Each knows its exit code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text is not the address of a repository.
    #[error("`{address}` is not the address of a repository: {reason}")]
    Address {
        /// What was given, without a password.
        address: String,
        /// Why not.
        reason: &'static str,
    },
    /// The TLS authorities cannot be used.
    #[error("the authorities for TLS cannot be used")]
    Setup(#[source] reqwest::Error),
    /// There are none.
    #[error("there is no certificate in the authorities for TLS")]
    NoAuthority,
    /// Nobody answered, or the connection broke more often than we were ready to try.
    #[error("`{url}` cannot be reached")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The last failure.
        #[source]
        source: reqwest::Error,
    },
    /// Somebody answered, with a certificate that proves nothing here.
    #[error("`{url}` is not trusted: {reason}")]
    Untrusted {
        /// What was asked for.
        url: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server refused or failed.
    #[error("`{url}` answered {}: {problem}", problem.status)]
    Answer {
        /// What was asked for.
        url: String,
        /// What the server said.
        problem: Box<Problem>,
    },
    /// The server answered something that makes no sense here.
    #[error("`{url}` answered something unexpected: {what}")]
    Unexpected {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// Bytes differ from what the manifest promises.
    #[error("`{url}` does not send the image that the manifest describes: {what}")]
    WrongBytes {
        /// Where they came from.
        url: String,
        /// Which bytes.
        what: String,
    },
    /// No appliance fits.
    #[error("the repository has no appliance `{0}`")]
    NoSuchAppliance(String),
    /// A deprecated appliance is to be replaced by itself.
    #[error("`{0}` cannot be used instead of itself")]
    ReplacedByItself(String),
    /// Several appliances fit.
    #[error("`{name}` fits several appliances: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What fits, best first.
        candidates: Vec<String>,
    },
    /// A signed document was not accepted.
    #[error("{0}")]
    NotAccepted(NotAccepted),
    /// The manifest lacks something that is needed here.
    #[error("the manifest cannot be used")]
    Manifest(#[from] MissingField),
    /// The appliance's name makes no place in the tree.
    #[error("the manifest's name makes no path of the repository")]
    Place(#[source] PathError),
    /// The image and the manifest do not belong together, or the image is none.
    #[error("`{}` is not the image that the manifest describes", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What differs.
        source: ImageError,
    },
    /// A file of this machine cannot be read or written.
    #[error("cannot {what} `{}`", path.display())]
    File {
        /// `read`, `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process is downloading to the same name.
    #[error("another download to `{}` is running", .0.display())]
    Locked(PathBuf),
    /// Every place the image could come from failed; what happened at each was reported before.
    #[error("the image could not be downloaded from any of {places} places")]
    Everywhere {
        /// How many places were tried.
        places: usize,
        /// What happened at the last one that matters most.
        source: Box<ClientError>,
    },
    /// A signature could not be made.
    #[error("cannot sign the statement")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A manifest or statement whose signature, signer or use is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAccepted {
    /// What it is: `the manifest of /images/…`.
    pub what: String,
    /// Why not, a sentence each.
    pub reasons: Vec<String>,
    /// 1 where the document itself is wrong, 3 where trust or a rule refuses it.
    pub exit: Exit,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not accepted", self.what)?;
        match self.reasons.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ": {one}"),
            many => many.iter().try_for_each(|reason| write!(f, "\n- {reason}")),
        }
    }
}

impl ClientError {
    /// The exit code of a command that ends because of this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } | Self::Setup(_) | Self::NoAuthority => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Answer { problem, .. } => problem.kind.exit(),
            Self::Untrusted { .. } | Self::WrongBytes { .. } => Exit::Refused,
            Self::NotAccepted(refusal) => refusal.exit,
            Self::Everywhere { source, .. } => source.exit(),
            Self::Image { source, .. } if source.is_about_the_bytes() => Exit::Refused,
            Self::Unexpected { .. }
            | Self::NoSuchAppliance(_)
            | Self::Ambiguous { .. }
            | Self::ReplacedByItself(_)
            | Self::Manifest(_)
            | Self::Place(_)
            | Self::Image { .. }
            | Self::File { .. }
            | Self::Locked(_)
            | Self::Sign(_) => Exit::Failed,
        }
    }

    /// What the person may do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Answer { url, problem } => answer_hints(url, problem),
            Self::Untrusted { .. } => {
                vec!["name the authority of the server's certificate with `--ca FILE`".to_owned()]
            }
            Self::Unreachable { source, url } if mentions(source, &["invalid HTTP version"]) => {
                vec![format!("the port may want TLS: try `{}`", url.replacen("http:", "https:", 1))]
            }
            Self::NoSuchAppliance(_) => {
                vec!["`stratus-search-image` shows what there is".to_owned()]
            }
            Self::Ambiguous { .. } => vec!["give the whole name, with its version".to_owned()],
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                vec!["what has arrived is kept; free some space and start it again".to_owned()]
            }
            Self::Everywhere { source, .. } => source.hints(),
            _ => Vec::new(),
        }
    }

    /// Whether another place may serve better bytes, or serve at all.
    pub(crate) fn is_about_the_source(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Untrusted { .. }
                | Self::Answer { .. }
                | Self::Unexpected { .. }
                | Self::WrongBytes { .. }
        )
    }

    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

fn answer_hints(url: &str, problem: &Problem) -> Vec<String> {
    let mut hints: Vec<String> = problem.reasons.clone();
    match problem.kind {
        ProblemKind::NoSpace => hints.push(
            "what has arrived is kept for a while; tell the repository's administrator, then start it again"
                .to_owned(),
        ),
        ProblemKind::NotAuthenticated => {
            // What was given and is wrong is not given better by giving it.
            let given = problem.detail.as_deref().is_some_and(|detail| detail.contains("wrong"));
            let hint = if given {
                "look whether name and password belong together, and whether a token has ended"
            } else {
                "use `--user NAME` with the password in `STRATUS_PASSWORD` or `--password-file FILE`, or a token in `STRATUS_TOKEN`"
            };
            hints.push(hint.to_owned());
        }
        ProblemKind::Conflict if !url.ends_with(FileKind::Deprecation.ending()) => hints.push(
            "published appliances never change; publish the new image under a new version".to_owned(),
        ),
        _ => {}
    }
    hints
}

/// Whether any error of a chain has one of these words.
fn mentions(error: &dyn std::error::Error, words: &[&str]) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if words.iter().any(|word| text.contains(word)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_lists_its_reasons() {
        let mut refusal = NotAccepted {
            what: "the manifest".into(),
            reasons: vec!["the signer is not trusted".into()],
            exit: Exit::Refused,
        };
        assert_eq!(refusal.to_string(), "the manifest is not accepted: the signer is not trusted");
        refusal.reasons.push("the image has expired".into());
        assert_eq!(
            refusal.to_string(),
            "the manifest is not accepted\n- the signer is not trusted\n- the image has expired"
        );
        assert_eq!(ClientError::NotAccepted(refusal).exit(), Exit::Refused);
    }

    #[test]
    fn what_the_server_said_decides_the_exit_code() {
        for (kind, exit) in [
            (ProblemKind::NotTrusted, Exit::Refused),
            (ProblemKind::NotAuthenticated, Exit::Denied),
            (ProblemKind::DirectoryAway, Exit::Unreachable),
            (ProblemKind::Conflict, Exit::Failed),
        ] {
            let problem = Box::new(Problem::new(kind));
            assert_eq!(ClientError::Answer { url: "u".into(), problem }.exit(), exit, "{kind}");
        }
    }
}
