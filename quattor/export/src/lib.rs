//! A site as pan templates for Quattor, made from the installer's own plan.
//!
//! ```text
//! site, stated systems -> facts of bare hosts -> stratus_plan::plan -> steps -> pan
//! ```
//!
//! No package, unit or path is named here: whatever the installer would do to a bare host is what
//! its profile asks for, since both are the same list of steps. What pan or Quattor's components
//! cannot say is not left out in silence: it becomes a [`Left`] with its reason ([`Why`]).
//!
//! [`pan`] is the language, `host` the facts of bare hosts; `steps`, `objects` and `sections` say or
//! leave, each by a match without a rest; [`export()`] puts everything into files.

mod export;
mod host;
mod ini;
mod left;
mod objects;
pub mod pan;
mod refusal;
mod sections;
mod settings;
mod steps;
mod templates;

pub use export::{Export, HostExport, Request, TextFile, export};
pub use left::{Left, Reason, Why, reasons, table};
pub use refusal::Refusal;
