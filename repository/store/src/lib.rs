//! Where appliances live: stage, verify, publish, find, scrub; on a disk or in a bucket.
//!
//! ```text
//! image    ── begin ─> Staged ── append* ──> finish ──┐   size, digests and chunks equal,
//!                      bytes to the place and through ├─> published: the manifest is the
//!                      the inspector, side by side    │   commit record, put last and whole
//! manifest ── stage_manifest ─────────────────────────┘
//!                                                         lookup · find · search · list
//!                                                         open_image · manifest_bytes
//! ```
//!
//! What holds, whatever is cut off and whenever:
//!
//! - An appliance whose publication was acknowledged is whole. An image without its manifest is
//!   invisible.
//! - Published bytes never change. Of two people who publish the same place, exactly one wins, and
//!   manifest and image are of the same upload.
//! - The tree is the truth: memory and index are made from it again at any time.
//!
//! What manifests mean (XML, signatures, trust) and who may do what are for the caller, who hands in
//! a [`ManifestReader`] and names of owners.

mod backend;
mod catalog;
mod compare;
mod error;
pub mod fault;
mod finder;
mod image_source;
mod index;
mod keyed;
mod look;
mod reader;
mod recent;
mod record;
mod repeat;
mod settings;
mod staged;
mod store;
mod upload;

pub use catalog::{Entry, Listing};
pub use error::StoreError;
pub use finder::Page;
pub use image_source::{ImageSource, RemoteImage};
pub use reader::{Deprecation, ManifestReader};
pub use record::{Check, CheckState, Facts, FileFacts, FormFacts, ImageFacts, Labels, Record};
pub use repeat::Repeat;
pub use settings::{Bucket, Credentials, Limits, Place, Settings};
pub use staged::{Finished, Staged};
pub use store::{DeprecationOutcome, Outcome, Refreshed, ScrubReport, Store};
pub use upload::{Upload, UploadId, UploadIdError};
