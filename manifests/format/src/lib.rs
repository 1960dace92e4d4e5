//! Manifests as XML: reading, writing, endorsing, validating, policy.
