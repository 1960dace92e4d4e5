//! Points at which a test kills the process, as a power cut would.
//!
//! Set `STRATUS_FAULT=<point>` to die at the first passage of a point, `STRATUS_FAULT=<point>:3` at
//! the third. The variable is read once; without it, a point costs one load from memory. Death is
//! SIGKILL: no destructor runs, no buffer is written.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// All points, in the order in which publishing, deprecating and deleting pass them.
pub const POINTS: [&str; 17] = [
    "upload-created",
    "bytes-written",
    "image-synced",
    "image-staged",
    "manifest-staged",
    "before-publish",
    "folders-made",
    "image-linked",
    "image-folder-synced",
    "manifest-linked",
    "manifest-folder-synced",
    "indexed",
    "staging-half-removed",
    "staging-removed",
    "deprecation-written",
    "manifest-deleted",
    "image-deleted",
];

struct Fault {
    point: String,
    passages: AtomicU32,
}

/// Dies here if the environment says so.
pub fn point(name: &'static str) {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    debug_assert!(POINTS.contains(&name), "the fault point {name} is not in the list");
    let fault = FAULT.get_or_init(|| parse(&std::env::var("STRATUS_FAULT").ok()?));
    if let Some(fault) = fault
        && fault.point == name
        && fault.passages.fetch_sub(1, Ordering::SeqCst) == 1
    {
        let own = rustix::process::getpid();
        // Nothing can be done about a failure, and SIGKILL to oneself does not fail.
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
        // The signal may need a moment to arrive; nothing more may happen meanwhile.
        loop {
            std::thread::park();
        }
    }
}

fn parse(text: &str) -> Option<Fault> {
    let (point, passages) = text.split_once(':').unwrap_or((text, "1"));
    let passages = passages.parse().ok().filter(|n| *n > 0)?;
    POINTS
        .contains(&point)
        .then(|| Fault { point: point.to_owned(), passages: AtomicU32::new(passages) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_a_point_and_a_passage() {
        let fault = parse("image-linked:3").unwrap();
        assert_eq!((fault.point.as_str(), fault.passages.into_inner()), ("image-linked", 3));
        assert_eq!(parse("indexed").unwrap().passages.into_inner(), 1);
        for wrong in ["", "nowhere", "indexed:0", "indexed:x"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
