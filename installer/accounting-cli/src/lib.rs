//! What `stratus-accounting` does: asks oned, feeds the ledger, shows and publishes what it has.
//!
//! Only the file under `src/bin` knows arguments and exit codes; times come in as arguments.

mod feed;
mod publish;
mod queue;
mod settings;
mod show;
mod time;
mod usage;

pub use feed::{FeedError, feed};
pub use publish::{PublishError, Published, Target, publish};
pub use queue::Queue;
pub use settings::Settings;
pub use show::{Format, Query, gaps_json, gaps_text, report};
pub use time::{Moment, month_start, shown};
pub use usage::{usage, write_usage};
