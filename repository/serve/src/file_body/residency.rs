//! Whether a part of a file is in memory, asked without waiting for the disk, and how to get it
//! there on a thread that may wait.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    num::NonZeroU64,
    os::unix::fs::FileExt,
};

use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, preadv2},
};

/// One byte in so many is asked for. The kernel reads from disk and evicts in blocks, by default
/// of this size (`read_ahead_kb`), so what is missing is rarely missed; a page that is gone all the
/// same is read by the kernel while it sends, which is slow but right.
const STRIDE: u64 = 256 << 10;

/// What is asked for ahead of the part that is needed at once.
const AHEAD: u64 = 4 << 20;

/// Reads what is in memory into `buffer`, without waiting for the disk.
///
/// `None` when the first byte is not in memory, or when the file system cannot say; `Some(0)` at
/// the end of the file.
pub(super) fn read_resident(
    file: &File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<Option<usize>> {
    let mut parts = [IoSliceMut::new(buffer)];
    loop {
        return match preadv2(file, &mut parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(Some(read)),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
}

/// How many bytes from `offset`, up to `len`, look as if they were in memory.
pub(super) fn resident(file: &File, offset: u64, len: u64) -> io::Result<u64> {
    let mut probe = [0];
    let mut known = 0;
    while known < len {
        match read_resident(file, &mut probe, offset + known)? {
            // At the end of the file there is nothing to wait for: whoever sends will notice.
            Some(0) => return Ok(len),
            Some(_) => known += STRIDE,
            None => break,
        }
    }
    Ok(known.min(len))
}

/// Reads `len` bytes from `offset` and forgets them: afterwards the kernel has them. Tells the disk
/// about what comes next, too. May wait: for a blocking thread.
pub(super) fn fetch(file: &File, offset: u64, len: u64) -> io::Result<()> {
    advise(file, offset, len);
    let mut scratch = vec![0; 256 << 10];
    let end = offset + len;
    let mut at = offset;
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(scratch.len());
        match file.read_at(&mut scratch[..want], at)? {
            0 => break,
            read => at += read as u64,
        }
    }
    Ok(())
}

/// Starts reading ahead. A hint: an error of it changes nothing.
pub(super) fn advise(file: &File, offset: u64, len: u64) {
    let _ = fadvise(file, offset, NonZeroU64::new(len.max(AHEAD)), Advice::WillNeed);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use super::*;

    const LENGTH: u64 = 3 << 20;

    /// A file on disk (`/tmp` may be memory) with nothing of it in memory.
    fn cold_file() -> File {
        let mut file = tempfile::tempfile_in("/var/tmp").expect("a temporary file");
        file.write_all(&vec![7; usize::try_from(LENGTH).unwrap()]).expect("written");
        file.sync_all().expect("on disk");
        // Pages that another processor is just putting into its lists are left out: ask again.
        let patience = Instant::now() + Duration::from_secs(30);
        while resident(&file, 0, LENGTH).expect("told") > 0 {
            assert!(Instant::now() < patience, "the kernel keeps the file in memory");
            fadvise(&file, 0, None, Advice::DontNeed).expect("forgotten");
            std::thread::yield_now();
        }
        file
    }

    #[test]
    fn what_is_not_in_memory_is_known_and_can_be_fetched() {
        // Known to be cold; asking once more could find what the kernel reads ahead for who asked.
        let file = cold_file();
        fetch(&file, 0, LENGTH).unwrap();
        assert_eq!(resident(&file, 0, LENGTH).unwrap(), LENGTH);
        let mut read = [0; 10];
        assert_eq!(read_resident(&file, &mut read, 1 << 20).unwrap(), Some(10));
        assert_eq!(read, [7; 10]);
    }

    #[test]
    fn the_end_of_the_file_is_not_waited_for() {
        let file = cold_file();
        assert_eq!(read_resident(&file, &mut [0], LENGTH).unwrap(), Some(0));
        assert_eq!(resident(&file, LENGTH, 100).unwrap(), 100);
        fetch(&file, LENGTH - 5, 100).unwrap();
    }
}
