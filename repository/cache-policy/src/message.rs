//! Heads of messages, borrowed from whoever received them.

use http::{HeaderMap, Method, StatusCode};

/// The head of a client's request, all fields as they came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The fields.
    pub headers: &'a HeaderMap,
}

/// The head of a response from upstream, all fields as they came.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status code.
    pub status: StatusCode,
    /// The fields.
    pub headers: &'a HeaderMap,
}
