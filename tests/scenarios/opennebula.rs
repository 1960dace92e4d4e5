//! The client of OpenNebula against oned, or against its stand-in; and the stand-in against
//! recordings of a real oned.
//!
//! With `STRATUS_TEST_ONED=http://host:2633/RPC2` and `STRATUS_TEST_ONE_AUTH=user:password` the
//! tests of the client and of the monitor run against that oned: they make objects whose names begin
//! with `stratus-test-`, and remove them.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

#[path = "opennebula/client.rs"]
mod client;
#[path = "opennebula/monitor.rs"]
mod monitor;
#[path = "opennebula/program.rs"]
mod program;
#[path = "opennebula/recordings.rs"]
mod recordings;
#[path = "opennebula/setup.rs"]
mod setup;
#[path = "opennebula/shapes.rs"]
mod shapes;
#[path = "opennebula/switch.rs"]
mod switch;
