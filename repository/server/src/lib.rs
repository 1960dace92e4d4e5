//! The appliance repository: an HTTP service over the store.
