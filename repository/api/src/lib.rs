//! The repository over HTTP as values: routes, ranges, error bodies, search, marketplace.
