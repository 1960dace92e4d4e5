//! The first byte of a range in the middle of a cold object of 4 GiB, while all of it is being
//! fetched from an origin limited to 100 MiB/s.

use crate::reader;
use crate::servers;
use crate::{Plan, spread};
use tempfile::TempDir;

const GIB: u64 = 1 << 30;

pub(crate) fn bench(plan: &Plan) {
    let mut direct = Vec::new();
    let mut through = Vec::new();
    for _ in 0..plan.rounds {
        let folder = TempDir::new().unwrap();
        let file = std::fs::File::create(folder.path().join("huge.bin")).unwrap();
        file.set_len(4 * GIB).unwrap();
        let origin = servers::origin(folder.path(), None);
        let cache = servers::ours(folder.path(), &origin);
        let plain = cache.plain;
        // Ends with its process: nobody waits for all of it.
        std::thread::spawn(move || {
            let _ = std::panic::catch_unwind(|| reader::read(plain, "/slow/huge.bin", None));
        });
        while cache.counted("received") < 16 << 20 {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        for step in 0..16 {
            let at = 2 * GIB + step * (64 << 20);
            let range = Some((at, at + 65_535));
            direct.push(
                reader::read(origin.plain, "/slow/huge.bin", range).first.as_secs_f64() * 1e3,
            );
            through.push(reader::read(plain, "/slow/huge.bin", range).first.as_secs_f64() * 1e3);
        }
    }
    println!("| way | first byte, ms |");
    println!("|---|---|");
    println!("| from the origin itself | {} |", spread(direct));
    println!("| through the cache | {} |", spread(through));
}
