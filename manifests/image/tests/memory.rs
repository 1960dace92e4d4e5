//! Memory does not grow with the size of images or the number of bytes in flight. Alone in its
//! process, because it looks at the process.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use stratus_image::{Algorithms, CompressOptions, Inspector, Limits, compress};

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells about this process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok()).expect("a number") * 1024
}

#[test]
fn sixty_four_uploads_stay_below_what_each_may_use() {
    // Compresses to about half, so that both forms fill their queues.
    let mut state = 1u32;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3] & 0x33
    })
    .take(8 << 20)
    .collect();
    let mut file = Vec::new();
    let mut go_on = |_| ControlFlow::Continue(());
    compress(&mut &content[..], &mut file, &CompressOptions::default(), &mut go_on).unwrap();
    let staged = tempfile::tempfile().unwrap();
    staged.write_all_at(&file, 0).unwrap();
    let length = file.len() as u64;
    drop((file, content));
    let before = resident();
    let mut inspectors: Vec<_> = (0..64)
        .map(|_| Inspector::start(&Algorithms::upload(), Limits::MAX).expect("threads"))
        .collect();
    for inspector in &mut inspectors {
        inspector.feed_file(&staged, 0..length).unwrap();
    }
    let each = (resident() - before) / inspectors.len();
    println!("{each} bytes per inspector");
    assert!(each < Inspector::MEMORY, "{each} bytes per inspector");
    for inspector in inspectors {
        assert_eq!(inspector.finish().unwrap().content.bytes, 8 << 20);
    }
}
