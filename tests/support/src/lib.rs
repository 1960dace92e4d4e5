//! Starts the real parts that the tests use: servers, directories, browsers.
