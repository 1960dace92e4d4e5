//! Memory with many readers of many large objects, and a start over many small ones.

use crate::Plan;
use crate::reader;
use crate::servers;
use std::fs;
use tempfile::TempDir;

const LARGE: u64 = 100;
const READERS: u64 = 256;
const SMALL: usize = 100_000;

/// Each has a folder of its own: the large objects are gone before the small ones come.
pub(crate) fn bench(_plan: &Plan) {
    memory();
    start();
}

fn memory() {
    let folder = TempDir::new().unwrap();
    for number in 0..LARGE {
        let file = fs::File::create(folder.path().join(format!("{number}.bin"))).unwrap();
        file.set_len(4 << 30).unwrap();
    }
    let origin = servers::origin(folder.path(), None);
    let cache = servers::ours(folder.path(), &origin);
    let plain = cache.plain;
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            scope.spawn(move || {
                let at = (reader * 7919 % 4000) << 20;
                let path = format!("/slow/{}.bin", reader % LARGE);
                reader::read(plain, &path, Some((at, at + (32 << 20) - 1)))
            });
        }
    });
    println!(
        "{READERS} readers of 32 MiB each in {LARGE} objects of 4 GiB: {} MiB at most",
        cache.peak_mib()
    );
    println!("{} of {LARGE} objects in the store", cache.counted("objects"));
}

/// Objects of a KiB: with their journals and the origin's files a bit more than a GiB of blocks.
fn start() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("many")).unwrap();
    let origin = servers::origin(folder.path(), None);
    let cache = servers::ours(folder.path(), &origin);
    let plain = cache.plain;
    std::thread::scope(|scope| {
        for share in 0..8 {
            let folder = folder.path();
            scope.spawn(move || {
                for number in (share..SMALL).step_by(8) {
                    let path = format!("many/{number}");
                    fs::write(folder.join(&path), format!("{number:01024}")).unwrap();
                    reader::read(plain, &format!("/{path}"), None);
                }
            });
        }
    });
    let (cache, took) = cache.restarted();
    println!("start with {} objects: {:.2} s", cache.counted("objects"), took.as_secs_f64());
}
