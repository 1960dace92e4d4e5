//! How far a long transfer is: a bar on a terminal, a plain line now and then otherwise.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stratus_model::ByteCount;

/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar that is redrawn.
    Bar,
    /// A line every few seconds, for logs.
    Lines,
    /// Not at all.
    Quiet,
}

impl ProgressMode {
    /// A bar where standard error is a terminal, lines otherwise, nothing with `--quiet`.
    pub fn choose(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bar,
            (false, false) => Self::Lines,
        }
    }
}

/// The progress of one transfer. Cloned, it is the same transfer; any thread may advance it.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Shown>);

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { label: String, total: Option<u64>, state: Mutex<State> },
    Quiet,
}

#[derive(Debug)]
struct State {
    position: u64,
    /// Where it began, when that was: what an earlier run transferred says nothing about speed.
    begun: (u64, Instant),
    printed: Instant,
}

impl Progress {
    /// Begins with `label` (`uploading`), for `total` bytes where that is known.
    pub fn new(mode: ProgressMode, label: &str, total: Option<u64>) -> Self {
        Self(Arc::new(match mode {
            ProgressMode::Quiet => Shown::Quiet,
            ProgressMode::Bar => Shown::Bar(bar(label, total)),
            ProgressMode::Lines => {
                let now = Instant::now();
                let state = State { position: 0, begun: (0, now), printed: now };
                Shown::Lines { label: label.to_owned(), total, state: Mutex::new(state) }
            }
        }))
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self(Arc::new(Shown::Quiet))
    }

    /// So many more bytes are done.
    pub fn advance(&self, bytes: u64) {
        match &*self.0 {
            Shown::Quiet => {}
            Shown::Bar(bar) => bar.inc(bytes),
            Shown::Lines { label, total, state } => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.position += bytes;
                let now = Instant::now();
                if now.duration_since(state.printed) >= LINE_EVERY {
                    state.printed = now;
                    let done = state.position.saturating_sub(state.begun.0);
                    let spent = now.duration_since(state.begun.1);
                    crate::note(&line(label, state.position, *total, done, spent));
                }
            }
        }
    }

    /// The transfer goes on from here: bytes of an earlier run count as done, not as speed.
    pub fn resume_at(&self, position: u64) {
        match &*self.0 {
            Shown::Quiet => {}
            Shown::Bar(bar) => {
                bar.set_position(position);
                bar.reset_eta();
            }
            Shown::Lines { state, .. } => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.position = position;
                state.begun = (position, Instant::now());
            }
        }
    }

    /// Prints a line without disturbing the bar; nothing when quiet.
    pub fn note(&self, text: &str) {
        match &*self.0 {
            Shown::Quiet => {}
            Shown::Bar(bar) => bar.suspend(|| crate::note(text)),
            Shown::Lines { .. } => crate::note(text),
        }
    }

    /// Removes the bar. What was reached is for the caller to say.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &*self.0 {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = if total.is_some() {
        "{msg} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
    } else {
        "{msg} {spinner} {binary_bytes}, {binary_bytes_per_sec}"
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    bar.with_style(style).with_message(label.to_owned())
}

/// One line: where it is, of how much, how fast, how long still.
fn line(label: &str, position: u64, total: Option<u64>, done: u64, spent: Duration) -> String {
    let per_second = u128::from(done) * 1000 / spent.as_millis().max(1);
    let speed = ByteCount(u64::try_from(per_second).unwrap_or(u64::MAX));
    let at = ByteCount(position);
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{label}: {at}, {speed}/s");
    };
    let percent = u128::from(position.min(total)) * 100 / u128::from(total);
    let left = u128::from(total.saturating_sub(position)) / per_second.max(1);
    let left = if per_second == 0 { String::new() } else { format!(", {left} s left") };
    format!("{label}: {at} of {} ({percent} %), {speed}/s{left}", ByteCount(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_it_is_and_how_long_still() {
        assert_eq!(
            line("uploading", 512 << 20, Some(1 << 30), 256 << 20, Duration::from_secs(4)),
            "uploading: 512.0 MiB of 1.0 GiB (50 %), 64.0 MiB/s, 8 s left"
        );
        assert_eq!(
            line("uploading", 0, Some(1 << 30), 0, Duration::ZERO),
            "uploading: 0 B of 1.0 GiB (0 %), 0 B/s"
        );
        assert_eq!(
            line("reading", 1 << 30, None, 1 << 30, Duration::from_secs(1)),
            "reading: 1.0 GiB, 1.0 GiB/s"
        );
        assert!(line("x", 9, Some(4), 9, Duration::from_secs(1)).contains("(100 %)"));
    }

    #[test]
    fn every_mode_takes_the_same_calls() {
        for mode in [ProgressMode::Quiet, ProgressMode::Lines] {
            let progress = Progress::new(mode, "reading", Some(10));
            progress.resume_at(4);
            progress.clone().advance(3);
            if let Shown::Lines { state, .. } = &*progress.0 {
                assert_eq!(state.lock().unwrap().position, 7);
            }
            progress.finish();
        }
    }
}
