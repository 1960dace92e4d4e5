//! Where log lines go.

use crate::settings::Log;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging; `STRATUS_LOG` filters by level and module, `info` when unset.
///
/// # Errors
/// The journal was asked for and is not there, or logging was started before.
pub fn start(log: Log, filter: Option<&str>) -> Result<(), std::io::Error> {
    let filter = EnvFilter::try_new(filter.unwrap_or("info")).map_err(std::io::Error::other)?;
    let registry = tracing_subscriber::registry().with(filter);
    let begun = match log {
        Log::Text => registry
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false))
            .try_init(),
        Log::Json => registry
            .with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
        Log::Journal => registry.with(tracing_journald::layer()?).try_init(),
    };
    begun.map_err(std::io::Error::other)
}
