//! The commands that make, sign and check manifests.
