//! Memory does not grow with the size of images or the number of bytes in flight. Alone in its
//! process, because it looks at the process.

use bytes::Bytes;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};
use stratus_image::{Algorithms, CompressOptions, Inspector, Limits, TryPushError, compress};

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells about this process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok()).expect("a number") * 1024
}

/// A disk that stands still until it is let go.
#[derive(Clone, Default)]
struct Disk(Arc<(Mutex<bool>, Condvar)>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.0.0.lock().expect("no panic");
        drop(self.0.1.wait_while(open, |open| !*open));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that compresses to about half, so that both forms fill their queues.
fn file(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3] & 0x33
    })
    .take(length)
    .collect();
    let mut file = Vec::new();
    let mut go_on = |_| ControlFlow::Continue(());
    compress(&mut &content[..], &mut file, &CompressOptions::default(), &mut go_on)
        .expect("an image");
    file
}

#[test]
fn sixty_four_uploads_that_stand_still_stay_below_what_each_may_use() {
    const PIECE: usize = 16 * 1024;
    let file = file(4 << 20);
    let disk = Disk::default();
    let before = resident();
    let start = || {
        let sink = Box::new(disk.clone());
        Inspector::with_sink(&Algorithms::upload(), Limits::MAX, sink).expect("threads")
    };
    let mut inspectors: Vec<_> = std::iter::repeat_with(start).take(64).collect();
    // Give each as much as it takes, in turns, so that its threads can pass it on meanwhile.
    for _ in 0..200 {
        for inspector in &mut inspectors {
            let at = usize::try_from(inspector.received()).unwrap();
            let piece = Bytes::copy_from_slice(&file[at..file.len().min(at + PIECE)]);
            match inspector.try_push(piece) {
                Ok(()) | Err(TryPushError::Full(_)) => {}
                Err(TryPushError::Image(error)) => panic!("{error}"),
            }
        }
    }
    let each = (resident() - before) / inspectors.len();
    assert!(each < Inspector::MEMORY, "{each} bytes per inspector");
    assert!(each > Inspector::MEMORY / 4, "{each} bytes: the queues were never full");
    *disk.0.0.lock().unwrap() = true;
    disk.0.1.notify_all();
    for mut inspector in inspectors {
        let at = usize::try_from(inspector.received()).unwrap();
        assert!(at < file.len(), "everything was taken, though nothing could be written");
        inspector.push(Bytes::copy_from_slice(&file[at..])).unwrap();
        assert_eq!(inspector.finish().unwrap().content.bytes, 4 << 20);
    }
}
