//! What can go wrong, with the method, the endpoint and what to do.

use std::fmt;
use std::time::Duration;

use crate::attributes::Unwritable;
use crate::object::ObjectError;
use crate::xmlrpc::Malformed;

/// oned's error codes. A taken name or a malformed template is `Internal` from some objects and
/// `Allocation` from others, so a decision needs more than the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 0x100: unknown user or wrong password.
    Authentication,
    /// 0x200: not allowed.
    Authorization,
    /// 0x400: no such object.
    Missing,
    /// 0x800: not possible in this state.
    Action,
    /// 0x1000: a wrong argument.
    Argument,
    /// 0x2000: internal, or a wrong template.
    Internal,
    /// 0x4000: an object could not be made.
    Allocation,
    /// 0x8000: the object is locked.
    Locked,
    /// 0x10000: replication between servers.
    Replication,
    /// Another number.
    Other(i64),
}

impl From<i64> for ErrorCode {
    fn from(code: i64) -> Self {
        match code {
            0x100 => Self::Authentication,
            0x200 => Self::Authorization,
            0x400 => Self::Missing,
            0x800 => Self::Action,
            0x1000 => Self::Argument,
            0x2000 => Self::Internal,
            0x4000 => Self::Allocation,
            0x8000 => Self::Locked,
            0x1_0000 => Self::Replication,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authentication => f.write_str("authentication"),
            Self::Authorization => f.write_str("authorization"),
            Self::Missing => f.write_str("no such object"),
            Self::Action => f.write_str("not possible now"),
            Self::Argument => f.write_str("wrong argument"),
            Self::Internal => f.write_str("internal or template"),
            Self::Allocation => f.write_str("allocation"),
            Self::Locked => f.write_str("locked"),
            Self::Replication => f.write_str("replication"),
            Self::Other(code) => write!(f, "code {code:#x}"),
        }
    }
}

/// How a transport fails.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection.
    #[error("no connection")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Another HTTP status than 200.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The answer is too long.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The connection ended inside the answer.
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An error of a call to oned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// oned refused.
    #[error("{method} at {endpoint}: {message} ({code})")]
    Refused {
        /// Where oned is.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// The kind of error.
        code: ErrorCode,
        /// The object that oned names, if any.
        object: Option<i64>,
        /// oned's text.
        message: String,
    },
    /// oned did not understand the call: it is another version than we speak.
    #[error("{method} at {endpoint}: oned did not take the call: {message} (fault {code})")]
    Fault {
        /// Where oned is.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// The code of the fault.
        code: i64,
        /// oned's text.
        message: String,
    },
    /// The call did not come through.
    #[error("{method} at {endpoint} failed")]
    Transport {
        /// Where oned should be.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// What happened.
        #[source]
        source: TransportError,
    },
    /// The answer is not XML-RPC.
    #[error("{method} at {endpoint}: the answer is not XML-RPC")]
    Malformed {
        /// Where the answer came from.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        #[source]
        source: Malformed,
    },
    /// The answer is XML-RPC, but not an answer of oned to this method.
    #[error("{method} at {endpoint}: the answer has the wrong form: {expected} was expected")]
    Unexpected {
        /// Where the answer came from.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// An object of the answer cannot be read.
    #[error("{method} at {endpoint}: the object in the answer cannot be read")]
    Object {
        /// Where the answer came from.
        endpoint: String,
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        #[source]
        source: ObjectError,
    },
    /// A template cannot be sent.
    #[error("{method}: the template cannot be sent")]
    Template {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        #[source]
        source: Unwritable,
    },
    /// No object of this name.
    #[error("{endpoint} has no {kind} `{name}`")]
    NoSuchName {
        /// Where oned is.
        endpoint: String,
        /// What kind of object.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// An object did not become what was waited for.
    #[error("{object} at {endpoint} is {state}, not {wanted}, after {waited:?}{detail}")]
    NotReady {
        /// Where oned is.
        endpoint: Box<str>,
        /// The object: `network 3 (public)`.
        object: Box<str>,
        /// Its last state.
        state: Box<str>,
        /// The state that was waited for.
        wanted: &'static str,
        /// How long.
        waited: Duration,
        /// oned's own explanation, with `: ` before it, or empty.
        detail: Box<str>,
    },
    /// The settings for a connection are wrong.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// Whether oned says that the object does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code: ErrorCode::Missing, .. } | Self::NoSuchName { .. })
    }

    /// Whether another try may go well without any change.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                source: TransportError::Unreachable(_)
                    | TransportError::TimedOut(_)
                    | TransportError::Broken(_),
                ..
            }
        )
    }

    /// Whether the answer was longer than the bound; a smaller part of it may be asked for.
    pub fn is_too_long(&self) -> bool {
        matches!(self, Self::Transport { source: TransportError::TooLong(_), .. })
    }

    /// What the operator can do about it, if that is clear.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code: ErrorCode::Authentication, .. } => Some(
                "compare the user and password with /var/lib/one/.one/one_auth on the front-end",
            ),
            Self::Refused { code: ErrorCode::Authorization, .. } => {
                Some("use oneadmin's credentials, or give this user the right with `oneacl`")
            }
            Self::Refused { code: ErrorCode::Locked, .. } => {
                Some("unlock the object (`one... unlock`), or wait until its operation has ended")
            }
            Self::Transport { source: TransportError::Unreachable(_), .. } => {
                Some("check `systemctl status opennebula` on the front-end, and the port")
            }
            Self::Transport { source: TransportError::TimedOut(_), .. } => {
                Some("look at /var/log/one/oned.log on the front-end: oned is busy or stuck")
            }
            Self::Transport { source: TransportError::TooLong(_), .. } => {
                Some("ask for the pool in pages")
            }
            Self::Transport { source: TransportError::Status(_), .. } | Self::Malformed { .. } => {
                Some("check that the endpoint is oned's, with the path /RPC2")
            }
            Self::Fault { .. } => Some("check the version of OpenNebula: 6.10 and 7.4 are known"),
            Self::Template { .. }
            | Self::Refused { .. }
            | Self::Transport { .. }
            | Self::Unexpected { .. }
            | Self::Object { .. }
            | Self::NoSuchName { .. }
            | Self::NotReady { .. }
            | Self::Settings(_) => None,
        }
    }
}
