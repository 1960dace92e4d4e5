//! One TOML file in sections, read by several programs, each its own part.
//!
//! A program opens the [`SiteText`], asks for its [`Section`], and takes typed values from it by
//! key. Whatever is wrong is noted with its place and the reading goes on with a default, so that
//! one run reports every problem: unknown and repeated keys, values of the wrong type, values that
//! mean nothing. Only [`Section::finish`] and [`Problems::into_result`] decide.
//!
//! Nothing here reads a file: the text comes in as an argument, and so does the folder that
//! relative paths start from.

mod elements;
pub mod near;
mod problems;
mod section;
mod site_text;
#[cfg(test)]
mod tests;

pub use elements::{Element, Switch};
pub use problems::{Invalid, Problem, Problems};
pub use section::Section;
pub use site_text::{SiteText, Written};

/// The sections that a site file may have: every program that reads one knows the names of all, so
/// that a slip in a name is told by the first that sees it.
pub const SECTIONS: [&str; 12] = [
    "site",
    "frontend",
    "nodes",
    "ssh",
    "networks",
    "vpn",
    "identity",
    "repository",
    "cache",
    "monitor",
    "accounting",
    "packages",
];
