//! Hosts that are not as they should be.
