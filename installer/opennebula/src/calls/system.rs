//! oned itself.

use std::fmt;

use crate::attributes::Attributes;
use crate::client::Client;
use crate::error::Error;
use crate::object::ObjectError;

/// A version of OpenNebula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 7 in 7.4.0.
    pub major: u32,
    /// 4 in 7.4.0. Odd numbers are of releases before a release.
    pub minor: u32,
    /// 0 in 7.4.0.
    pub patch: u32,
}

impl Version {
    /// The oldest version that we speak with.
    pub const OLDEST: Self = Self { major: 6, minor: 10, patch: 0 };

    /// Reads `7.4.0`; more numbers may follow, as in `6.10.0.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|part| part.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Client {
    /// oned's version. It also tells whether oned runs and takes the session.
    pub async fn version(&self) -> Result<Version, Error> {
        let method = "one.system.version";
        let text = self.call_for_text(method, vec![]).await?;
        Version::parse(&text).ok_or_else(|| Error::Unexpected {
            endpoint: self.endpoint().to_owned(),
            method,
            expected: "a version such as 7.4.0",
        })
    }

    /// oned's configuration; for oneadmin's group only. It holds the database's password.
    pub async fn configuration(&self) -> Result<Attributes, Error> {
        let method = "one.system.config";
        let text = self.call_for_text(method, vec![]).await?;
        Attributes::from_xml(&text).map_err(|source: ObjectError| Error::Object {
            endpoint: self.endpoint().to_owned(),
            method,
            source,
        })
    }
}
