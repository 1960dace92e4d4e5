//! Carries a plan to hosts and looks whether its promises hold.
//!
//! A [`host::Host`] takes programs as text and runs them as root: the machine itself
//! ([`local::Local`]) or one behind ssh ([`ssh::Ssh`]). [`probe`] asks a host what it is,
//! [`scripts`] makes a program of each step, [`run`] carries a plan out with all hosts at once,
//! [`keeper`] holds the site's lock and its [`journal`], [`verify`] looks at promises. Everything
//! that decides is a function over values; only the hosts touch the world.

pub mod bundle;
pub mod drive;
pub mod error;
pub mod host;
pub mod journal;
pub mod keeper;
pub mod local;
pub mod probe;
pub mod redact;
pub mod run;
pub mod scripts;
pub mod ssh;
pub mod verify;
