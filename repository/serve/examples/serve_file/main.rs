//! Serves one file, and compares itself with nginx.
//!
//! ```sh
//! cargo run --release -p stratus-serve --example serve_file -- serve FILE [WORKERS]
//! cargo run --release -p stratus-serve --example serve_file -- compare [ROUNDS [MIB]]
//! cargo run --release -p stratus-serve --example serve_file -- memory [CLIENTS [MIB]]
//! ```
//!
//! `serve` prints the addresses, plain and TLS, as one line, and serves `/file` (ranges of one part)
//! and `/small` (2 KiB from memory) until its standard input ends. `compare` runs `serve` and
//! nginx side by side over a file in the page cache and prints a table; `memory` prints the
//! server's peak resident memory while many clients download at once.

mod client;
mod compare;
mod server;

use std::{error::Error, fs::File, os::unix::fs::FileExt, path::Path};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |index: usize, default: usize| -> Result<usize, Box<dyn Error + Send + Sync>> {
        words.get(index).map_or(Ok(default), |word| Ok(word.parse()?))
    };
    match words.first() {
        Some(&"serve") if words.len() > 1 => server::run(Path::new(words[1]), number(2, 1)?),
        Some(&"compare") => compare::speed(number(1, 5)?, number(2, 1024)?),
        Some(&"memory") => compare::memory(number(1, 64)?, number(2, 1024)?),
        _ => Err("usage: serve_file serve FILE [WORKERS] | compare [ROUNDS [MIB]] | memory [CLIENTS [MIB]]".into()),
    }
}

/// Writes a file of `mib` MiB that does not compress, and with that into the page cache.
fn write_file(path: &Path, mib: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let file = File::create(path)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0_u8; 1 << 20];
    for index in 0..mib {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all_at(&block, (index << 20) as u64)?;
    }
    file.sync_all()?;
    Ok(())
}
