//! The commands that set up a site.

pub mod config;
