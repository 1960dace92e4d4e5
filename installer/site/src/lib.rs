//! The site file: every section, typed, with defaults and documentation.
