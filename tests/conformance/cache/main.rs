//! The rules of HTTP for caches, kept by the real `stratus-cache` in front of an origin that does
//! what each row says. Time passes by the origin's `Date` and `Age`, never by waiting.
//!
//! A row is a sentence that begins with its section. It fails when the rule is not kept.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod message;
mod origin;
mod program;
mod row;

mod collapsing;
mod conditions;
mod failing;
mod forwarding;
mod freshness;
mod invalidation;
mod ranges;
mod status;
mod storing;
mod validation;
mod variants;
