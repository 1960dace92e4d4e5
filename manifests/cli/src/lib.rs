//! The commands that make, sign and check manifests.
//!
//! Each command is a file of `src/bin`, named like the command, with a short main; what several
//! share is here.
//!
//! | command | does |
//! |---|---|
//! | `stratus-generate-cert` | makes a test certificate and its key |
//! | `stratus-build-manifest` | describes an image |
//! | `stratus-sign-manifest` | endorses and signs |
//! | `stratus-validate-manifest` | says whether a manifest, and an image, may be relied on |
//! | `stratus-manifest` | prints one element |

pub mod credential;
pub mod document;
pub mod elements;
pub mod site;
