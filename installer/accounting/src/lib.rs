//! Who used how much: OpenNebula's history records as usage, kept in a ledger that only grows.
//!
//! # The way of a record
//!
//! 1. [`read_records`] reads oned's answer as a stream, one [`Record`] at a time: one stay of a
//!    machine on a host, with what the machine was then.
//! 2. [`Ledger::feed`] takes records, any number of times, in any order. What it knows already adds
//!    nothing; what differs is a restatement: a new entry beside the old one, which stays.
//! 3. [`Ledger::report`] adds up a window, [`Ledger::machines`] gives whole machines for
//!    publication ([`apel`]), [`Ledger::gaps`] says what is doubtful.
//!
//! # What counts
//!
//! - A machine uses what it was given while it runs: from RSTIME to RETIME of a record, with the
//!   sizes of that record. Waiting, prolog, epilog, and time suspended, stopped, undeployed or off
//!   count nothing, as OpenNebula has no record of a size for them.
//! - A record without RETIME ended at its ETIME; without that, where the next record of the machine
//!   began; and the last one has not ended: it counts until the last feed that saw it, never
//!   further.
//! - Where records of one machine overlap, each second belongs to the record with the highest
//!   sequence, so no second counts twice.
//! - A record that ends before it starts (a clock was set) counts nothing. One whose times are in
//!   the future counts as oned wrote it. [`Ledger::gaps`] shows both.
//! - Windows are half open, in seconds since 1970, UTC: two windows that meet share no second.
//!
//! Pure but for [`ledger`]: time is an argument everywhere.

pub mod apel;
mod doubt;
pub mod ledger;
mod month;
mod read;
mod record;
mod report;
mod usage;

pub use doubt::{Doubt, doubts};
pub use ledger::{Ledger, LedgerError, give_to_its_folder};
pub use month::Month;
pub use read::{ReadError, read_records};
pub use record::{Ending, MachineKey, Owner, Record, Sizes, Times};
pub use report::{By, Row, Totals};
pub use usage::{Span, Window, WindowError, interval, spans};
