//! The rules, row by row. Each test names the section that it checks; `oracle` compares with another
//! implementation, `hostile` feeds what nobody should send.

#![expect(clippy::unwrap_used, reason = "helpers of the tests below")]

mod authorization;
mod client_conditions;
mod client_directives;
mod freshness;
mod head;
mod hostile;
mod invalidation;
mod not_modified;
mod oracle;
mod sending;
mod sidecar;
mod stale;
mod storing;
mod support;
mod targeted;
mod variants;
