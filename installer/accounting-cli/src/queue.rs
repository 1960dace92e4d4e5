//! A folder of messages as `dirq` has it, where APEL's `ssm` takes them from: folders of a minute,
//! eight hexadecimal digits, and files in them, fourteen. A file appears whole, under a name that
//! no other has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Seconds of one folder.
const GRANULARITY: i64 = 60;
/// How often a name or a folder may be taken away from under us.
const TRIES: u32 = 100;

/// A queue below a folder.
#[derive(Clone, Debug)]
pub struct Queue(PathBuf);

impl Queue {
    /// The queue in this folder, which is made if it is not there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Adds a message and makes it durable. `random` gives the last digit of a name.
    pub fn add(
        &self,
        text: &str,
        now: impl Fn() -> Timestamp,
        mut random: impl FnMut() -> u8,
    ) -> io::Result<PathBuf> {
        for _ in 0..TRIES {
            let (minute, name) = names(now(), random());
            let folder = self.0.join(minute);
            match self.try_add(&folder, &name, text) {
                Ok(path) => return Ok(path),
                // Another writer has the name, or `ssm` took the folder away because it was empty.
                Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "no name in the queue is free"))
    }

    fn try_add(&self, folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
        match fs::create_dir(folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let (temporary, path) = (folder.join(format!("{name}.tmp")), folder.join(name));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        // From here on the temporary file is ours, and goes whatever happens.
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&temporary, &path));
        let removed = fs::remove_file(&temporary);
        linked.and(removed)?;
        File::open(folder)?.sync_all()?;
        File::open(&self.0)?.sync_all()?;
        Ok(path)
    }
}

/// Folder and file of a message: the time to the minute, and the time in microseconds with one
/// random digit.
fn names(now: Timestamp, random: u8) -> (String, String) {
    let seconds = now.as_second();
    let micros = now.subsec_microsecond();
    let minute = seconds - seconds.rem_euclid(GRANULARITY);
    (format!("{minute:08x}"), format!("{seconds:08x}{micros:05x}{:01x}", random & 0xf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_dirq() {
        let time = Timestamp::new(0x6a00_0001, 999_999_000).unwrap();
        let (folder, file) = names(time, 0xfe);
        assert_eq!((folder.len(), file.as_str()), (8, "6a000001f423fe"));
        assert_eq!(i64::from_str_radix(&folder, 16).unwrap() % 60, 0);
    }

    #[test]
    fn a_taken_name_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(folder.path()).unwrap();
        let time = || Timestamp::new(1_800_000_000, 0).unwrap();
        let mut digits = [5, 5, 6].into_iter();
        let mut next = || digits.next().unwrap();
        let first = queue.add("one", time, &mut next).unwrap();
        let second = queue.add("two", time, &mut next).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(fs::read_to_string(&second).unwrap(), "two");
        assert_eq!(fs::read_dir(first.parent().unwrap()).unwrap().count(), 2, "nothing else");
    }
}
