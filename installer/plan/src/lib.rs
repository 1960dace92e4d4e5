//! What has to be done to which host, and why: a pure function of the site and the facts.
//!
//! [`facts`] is what was found on the hosts, [`step`] is what can be done to one, [`plan`] is the
//! answer. Whoever carries a plan out has nothing left to decide, and nothing here touches a host.

pub mod facts;
pub mod plan;
pub mod promise;
pub mod step;
