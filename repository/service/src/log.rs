//! Where log lines go.

use anyhow::{Context, Result};
use stratus_sections::Section;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Lines for people on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
    /// The journal of systemd, with fields.
    Journal,
}

impl Log {
    /// The key `log` of a section.
    pub fn of(section: &Section<'_>) -> Self {
        match section.text("log").as_deref() {
            None | Some("text") => Self::Text,
            Some("json") => Self::Json,
            Some("journal") => Self::Journal,
            Some(_) => {
                section.complain("log", "`log` must be \"text\", \"json\" or \"journal\"", None);
                Self::Text
            }
        }
    }

    /// Starts logging; `STRATUS_LOG` filters by level and module, `info` when unset.
    ///
    /// # Errors
    /// The journal was asked for and is not there, the filter cannot be read, or logging was started
    /// before.
    pub fn start(self) -> Result<()> {
        self.begin().context("logging could not be started")
    }

    fn begin(self) -> Result<()> {
        let filter = std::env::var("STRATUS_LOG").unwrap_or_else(|_| "info".to_owned());
        let registry = tracing_subscriber::registry().with(EnvFilter::try_new(filter)?);
        let plain = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
        match self {
            Self::Text => registry.with(plain).try_init()?,
            Self::Json => registry.with(plain.json()).try_init()?,
            Self::Journal => registry.with(tracing_journald::layer()?).try_init()?,
        }
        Ok(())
    }
}
