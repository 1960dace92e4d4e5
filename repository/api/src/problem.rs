//! Error bodies: `application/problem+json` (RFC 9457).
//!
//! A [`ProblemKind`] is the stable part: clients decide by its `type`, people read `detail` and
//! `reasons`. Nothing internal goes into a problem; causes that a stranger must not see stay in the
//! log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use stratus_model::Exit;

/// Media type of the body.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident, $name:literal, $status:literal, $title:literal;)+) => {
        /// Everything that can go wrong, as clients see it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ProblemKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The last part of the `type`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The HTTP status it is sent with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// One short sentence, the same every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The request cannot be understood: a header or a body is malformed.
    BadRequest, "bad-request", 400, "The request cannot be understood";
    /// The path cannot be decoded safely, or is outside of the tree.
    BadPath, "bad-path", 400, "The path is not one of the tree";
    /// A query parameter is unknown, repeated or has a wrong value.
    BadQuery, "bad-query", 400, "The query cannot be understood";
    /// Nobody is logged in, or the password is wrong.
    NotAuthenticated, "not-authenticated", 401, "A login is needed";
    /// The login is right, and may not do this.
    NotAllowed, "not-allowed", 403, "This login may not do that";
    /// The manifest's signer is not trusted, expired, revoked, or not allowed at this place.
    NotTrusted, "not-trusted", 403, "The signature is not accepted here";
    /// Nothing is there.
    NotFound, "not-found", 404, "There is nothing at this place";
    /// The method is not one of this resource.
    MethodNotAllowed, "method-not-allowed", 405, "This cannot be done with that";
    /// No representation fits the `Accept` header.
    NotAcceptable, "not-acceptable", 406, "None of the accepted media types is served";
    /// The client was too slow.
    Timeout, "timeout", 408, "The request took too long";
    /// Something else is published under this name, or somebody else is uploading it.
    Conflict, "conflict", 409, "The name is taken";
    /// The part does not follow what has arrived; `offset` says where to go on.
    ResumeAt, "resume-at", 409, "The upload goes on at another byte";
    /// The upload was begun too long ago, and its bytes are gone.
    UploadExpired, "upload-expired", 410, "The upload has expired";
    /// The length of the body must be known first.
    LengthRequired, "length-required", 411, "The length must be given";
    /// An `If-…` header is not met, or the tus version is not spoken.
    PreconditionFailed, "precondition-failed", 412, "A precondition is not met";
    /// The body is longer than allowed, or inflates to more than it may.
    TooLarge, "too-large", 413, "This is too large";
    /// The body is of another media type than the resource takes.
    UnsupportedMediaType, "unsupported-media-type", 415, "This media type is not accepted";
    /// No byte of the ranges exists.
    RangeNotSatisfiable, "range-not-satisfiable", 416, "The range lies outside of the file";
    /// The manifest is not well formed, breaks a rule of its format, or its signature is wrong;
    /// `reasons` lists everything found.
    BadManifest, "bad-manifest", 422, "The manifest is not valid";
    /// The image has another digest or size than its manifest says.
    DigestMismatch, "digest-mismatch", 422, "The image is not the one the manifest describes";
    /// The body is not a gzip file of a single disk image.
    NotAnImage, "not-an-image", 422, "This is not a gzip file of one disk image";
    /// Too many wrong passwords from this address or for this name.
    TooManyAttempts, "too-many-attempts", 429, "Too many attempts";
    /// The checksum that came with this tus part does not match its bytes.
    ChecksumMismatch, "checksum-mismatch", 460, "The part was damaged on its way";
    /// A published file no longer has the bytes it was published with.
    Damaged, "damaged", 500, "The file is damaged";
    /// Anything else; the log knows more.
    Internal, "internal", 500, "Something went wrong";
    /// The server has too much to do or is stopping.
    Busy, "busy", 503, "The server is busy";
    /// The directory that knows the logins does not answer.
    DirectoryAway, "directory-away", 503, "The login directory does not answer";
    /// The disk is full.
    NoSpace, "no-space", 507, "There is no space left";
}

/// What every `type` begins with.
pub const TYPE_PREFIX: &str = "urn:stratus:problem:";

impl ProblemKind {
    /// The `type`: `urn:stratus:problem:not-found`.
    pub fn urn(self) -> String {
        format!("{TYPE_PREFIX}{}", self.name())
    }

    /// The kind with this `type`.
    pub fn from_urn(urn: &str) -> Option<Self> {
        let name = urn.strip_prefix(TYPE_PREFIX)?;
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind that a bare status most likely means, for answers of somebody else (a proxy).
    pub fn from_status(status: u16) -> Self {
        match status {
            401 | 407 => Self::NotAuthenticated,
            403 => Self::NotAllowed,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::UploadExpired,
            422 => Self::BadManifest,
            502..=504 => Self::Busy,
            other => Self::ALL
                .iter()
                .copied()
                .find(|kind| kind.status() == other)
                .unwrap_or(if other < 500 { Self::BadRequest } else { Self::Internal }),
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Busy | Self::DirectoryAway | Self::TooManyAttempts | Self::Timeout)
    }

    /// The exit code of a command that ends because of this.
    pub const fn exit(self) -> Exit {
        match self {
            Self::NotTrusted => Exit::Refused,
            Self::NotAuthenticated | Self::NotAllowed | Self::TooManyAttempts => Exit::Denied,
            Self::Busy | Self::DirectoryAway | Self::Timeout => Exit::Unreachable,
            _ => Exit::Failed,
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ProblemKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.urn())
    }
}

/// An error body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// The kind in one short sentence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path or request it happened at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Byte at which an upload goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Seconds after which it may be tried again; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Everything that was found wrong, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The request's number in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem that says only its kind.
    pub fn new(kind: ProblemKind) -> Self {
        Self {
            kind,
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: None,
            instance: None,
            offset: None,
            retry_after: None,
            reasons: Vec::new(),
            request_id: None,
        }
    }

    /// Adds what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Adds where it happened.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Adds the byte at which an upload goes on.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Adds after how many seconds to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds what was found wrong.
    #[must_use]
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = String>) -> Self {
        self.reasons.extend(reasons);
        self
    }

    /// Sends it with another status than its kind's; the body says the same status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The body.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can always be written")
    }

    /// Reads a body that came with `status`.
    ///
    /// The status on the wire counts, not the one inside. A body that is no problem (a proxy's HTML)
    /// gives the kind that the status means.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let mut problem = serde_json::from_slice::<Self>(body).unwrap_or_else(|_| {
            let kind = ProblemKind::from_status(status);
            Self { title: kind.title().to_owned(), ..Self::new(kind) }
        });
        if problem.status != status {
            problem.status = status;
        }
        problem
    }
}

impl fmt::Display for Problem {
    /// The detail, or the title where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(&self.title))
    }
}

impl std::error::Error for Problem {}

impl<'de> Deserialize<'de> for Problem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// RFC 9457 section 3.1: every member is optional, unknown ones are ignored.
        #[derive(Deserialize)]
        struct Wire {
            #[serde(rename = "type")]
            kind: Option<String>,
            title: Option<String>,
            status: Option<u16>,
            detail: Option<String>,
            instance: Option<String>,
            offset: Option<u64>,
            retry_after: Option<u64>,
            #[serde(default)]
            reasons: Vec<String>,
            request_id: Option<String>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let status = wire.status.unwrap_or(500);
        let kind = wire
            .kind
            .as_deref()
            .and_then(ProblemKind::from_urn)
            .unwrap_or_else(|| ProblemKind::from_status(status));
        Ok(Self {
            kind,
            title: wire.title.unwrap_or_else(|| kind.title().to_owned()),
            status,
            detail: wire.detail,
            instance: wire.instance,
            offset: wire.offset,
            retry_after: wire.retry_after,
            reasons: wire.reasons,
            request_id: wire.request_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_its_own_stable_type() {
        let names: HashSet<&str> = ProblemKind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_urn(&kind.urn()), Some(*kind));
            assert!((400..600).contains(&kind.status()), "{kind}");
            assert!(kind.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{kind}");
        }
    }

    #[test]
    fn the_types_and_statuses_that_clients_rely_on() {
        let table: Vec<String> = ProblemKind::ALL
            .iter()
            .map(|k| format!("{} {} exit {}", k.status(), k.name(), k.exit().code()))
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_problem_reads_what_it_wrote() {
        let problem = Problem::new(ProblemKind::ResumeAt)
            .detail("the part overlaps what has arrived")
            .instance("/images/base/x.img.gz")
            .offset(4_194_304)
            .reasons(["one".to_owned()]);
        let json = problem.to_json();
        assert_eq!(Problem::read(409, json.as_bytes()), problem);
        assert_eq!(
            json,
            r#"{"type":"urn:stratus:problem:resume-at","title":"The upload goes on at another byte","status":409,"detail":"the part overlaps what has arrived","instance":"/images/base/x.img.gz","offset":4194304,"reasons":["one"]}"#
        );
    }

    #[test]
    fn somebody_elses_error_page_still_means_something() {
        for (status, body, kind) in [
            (502, "<html>Bad Gateway</html>", ProblemKind::Busy),
            (401, "", ProblemKind::NotAuthenticated),
            (418, "{}", ProblemKind::BadRequest),
            (599, "\u{0}", ProblemKind::Internal),
            (404, r#"{"type":"about:blank","status":404}"#, ProblemKind::NotFound),
            (
                403,
                r#"{"type":"urn:stratus:problem:not-trusted","future":{"a":1}}"#,
                ProblemKind::NotTrusted,
            ),
        ] {
            let problem = Problem::read(status, body.as_bytes());
            assert_eq!(problem.status, status);
            if body.contains("status") || body.contains("urn") || !body.starts_with('{') {
                assert_eq!(problem.kind, kind, "{status} {body}");
            }
        }
    }
}
