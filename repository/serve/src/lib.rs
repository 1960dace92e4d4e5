//! Connections: accept, TLS with reload, time limits, draining, and file bodies that cost little.
