//! What each user used, as accounting tells after each feed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use stratus_monitor_state::Usage;

/// Most bytes of a report: 10,000 users with 25 months have half of it.
const FILE: u64 = 64 << 20;

/// The report that was read last; it is read again only when it is another file.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Option<(Stamp, Arc<Usage>)>);

/// Inode, length, and time of the last change: a new report is a new file.
type Stamp = (u64, u64, i64, i64);

impl Known {
    pub(super) fn told(&self) -> Option<Arc<Usage>> {
        self.0.as_ref().map(|(_, usage)| Arc::clone(usage))
    }
}

/// Looks at a report, and says why it cannot be read, if so. One that is not there is no fault: not
/// every site does accounting.
pub(super) fn look(file: &Path, known: Known) -> (Known, Option<String>) {
    let about = match std::fs::metadata(file) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (known, None),
        Err(error) => return (known, Some(told(file, &error.to_string()))),
    };
    let stamp = (about.ino(), about.len(), about.mtime(), about.mtime_nsec());
    if known.0.as_ref().is_some_and(|(before, _)| *before == stamp) {
        return (known, None);
    }
    match read(file, about.len()) {
        Ok(usage) => (Known(Some((stamp, Arc::new(usage)))), None),
        Err(why) => (known, Some(told(file, &why))),
    }
}

fn told(file: &Path, why: &str) -> String {
    format!("`{}`: {why}", file.display())
}

fn read(file: &Path, length: u64) -> Result<Usage, String> {
    if length > FILE {
        return Err("it is too large".to_owned());
    }
    let text = std::fs::read(file).map_err(|e| e.to_string())?;
    let usage: Usage = serde_json::from_slice(&text)
        .map_err(|e| format!("it is no report of `stratus-accounting feed`: {e}"))?;
    usage.fault().map_or(Ok(usage), |why| Err(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_when_it_is_new_and_kept_when_the_next_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.json");
        let (known, fault) = look(&file, Known::default());
        assert!(known.told().is_none() && fault.is_none());
        std::fs::write(&file, r#"{"fed_at": 7, "months": [], "users": []}"#).unwrap();
        let (known, fault) = look(&file, known);
        assert_eq!((known.told().unwrap().fed_at, fault), (7, None));
        let (again, _) = look(&file, known.clone());
        assert!(Arc::ptr_eq(&again.told().unwrap(), &known.told().unwrap()));
        let odd = r#"{"fed_at": 8, "months": [], "users": [{"user": "a", "used": [{}]}]}"#;
        for text in ["{", odd] {
            std::fs::write(&file, text).unwrap();
            let (known, fault) = look(&file, known.clone());
            assert_eq!(known.told().unwrap().fed_at, 7);
            assert!(fault.unwrap().contains("usage.json"), "{text}");
        }
    }
}
