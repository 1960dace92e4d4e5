//! The first screen as the running monitor leaves it on the disk.

use super::Overview;
use crate::service::{StartError, collector};
use crate::settings::Settings;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use stratus_monitor_state::{Cause, Concern, Severity, State, Viewer, fold};
use stratus_terminal::AtomicFile;

fn file(data: &Path) -> PathBuf {
    data.join("status.json")
}

fn read(data: &Path) -> Option<Overview> {
    serde_json::from_slice(&std::fs::read(file(data)).ok()?).ok()
}

/// Keeps it, for `stratus-monitor status` and the next start.
pub(crate) fn keep(data: &Path, overview: &Overview) -> std::io::Result<()> {
    let text = serde_json::to_vec(overview).map_err(std::io::Error::other)?;
    AtomicFile::write(&file(data), &text)
}

/// What is known at the start: since when what needed attention did, as the monitor left it. A file
/// that cannot be read makes every beginning a new one.
pub(crate) fn begin(data: &Path) -> State {
    let concern = |shown: super::Shown| Concern {
        cause: Cause(shown.cause),
        severity: if shown.severity == "bad" { Severity::Bad } else { Severity::Warn },
        what: shown.what,
        cure: shown.cure,
        since: shown.since,
        count: shown.count,
        link: shown.link,
    };
    State::beginning(read(data).into_iter().flat_map(|kept| kept.concerns).map(concern).collect())
}

/// The first screen for a terminal: as the running monitor left it a moment ago, or else by a look
/// of our own.
///
/// # Errors
/// Neither is possible.
pub async fn status(settings: &Settings) -> Result<Overview, StartError> {
    let now = Timestamp::now().as_second();
    let fresh = i64::try_from(settings.interval.as_secs()).unwrap_or(i64::MAX).saturating_mul(3);
    if let Some(kept) = read(&settings.data).filter(|kept| (0..=fresh).contains(&(now - kept.at))) {
        return Ok(kept);
    }
    let mut collector = collector(settings)?;
    let seen = collector.look(&State::default(), now).await;
    Ok(Overview::without_events(&fold(&State::default(), seen), &Viewer::Administrator))
}
