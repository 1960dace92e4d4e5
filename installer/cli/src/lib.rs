//! The commands that set up a site.
