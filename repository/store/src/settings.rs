//! Where the store keeps things, and how much it accepts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of this server alone: the index, a lock, and for [`Place::Tree`] everything else.
    pub data: PathBuf,
    /// Where the appliances are.
    pub place: Place,
    /// How much is accepted.
    pub limits: Limits,
}

/// Where appliances are kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the folder `images` of the data folder, as people browse it.
    Tree,
    /// In a bucket that several servers may share.
    Bucket(Box<Bucket>),
}

/// A bucket of a service that speaks S3 with conditional writes (`If-None-Match` on PUT).
#[derive(Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Folder inside the bucket, without slashes at the ends; empty for all of it.
    pub prefix: String,
    /// Where the service is; none for Amazon's own. `http:` is accepted, TLS is better.
    pub endpoint: Option<Url>,
    /// Region of the service.
    pub region: String,
    /// Access key and secret; none to take them from the environment or the machine's role, as
    /// Amazon's own tools do.
    pub credentials: Option<Credentials>,
}

/// What opens a bucket. Prints as stars.
#[derive(Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint.as_ref().map(Url::as_str))
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// How much is accepted, in bytes unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest image file.
    pub image: u64,
    /// Largest image inside, where no manifest came first to say its size: what stops a gzip bomb.
    pub content: u64,
    /// All open uploads together.
    pub staging: u64,
    /// Open uploads of one person, a number.
    pub uploads_per_owner: usize,
    /// An upload that did not grow for this long is taken away.
    pub upload_age: Duration,
}

impl Default for Limits {
    /// Images of 64 GiB holding 1 TiB, 256 GiB of uploads, 16 for each person, kept for a day.
    fn default() -> Self {
        Self {
            image: 64 << 30,
            content: 1 << 40,
            staging: 256 << 30,
            uploads_per_owner: 16,
            upload_age: Duration::from_hours(24),
        }
    }
}
