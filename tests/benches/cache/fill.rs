//! What it costs to bring an object here, with and without comparing it.

use crate::reader;
use crate::servers;
use crate::{Plan, spread};
use sha2::{Digest, Sha256};
use stratus_tests::{program, run};
use tempfile::TempDir;

pub(crate) fn bench(plan: &Plan) {
    println!("| cache | what is compared | seconds | CPU s per GiB |");
    println!("|---|---|---|---|");
    let cases = [
        (servers::OURS, "nothing is known", "/big.bin"),
        (servers::OURS, "SHA-256 of the whole", "/sum/big.bin"),
        (servers::OURS, "SHA-256 of each piece, by the manifest", "/vm.img.gz"),
        (servers::NGINX, "nothing", "/big.bin"),
    ];
    let mut rows = vec![Vec::new(); cases.len()];
    for _ in 0..plan.rounds {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("big.bin");
        servers::file(&file, plan.mib);
        let digest = described(folder.path(), &file);
        let origin = servers::origin(folder.path(), Some(&digest));
        for (row, (name, _, path)) in rows.iter_mut().zip(cases) {
            let cache = if name == servers::OURS {
                servers::ours(folder.path(), &origin)
            } else {
                servers::peer(folder.path(), &origin)
            };
            // What earlier cases wrote is not this one's to write back.
            rustix::fs::sync();
            claim_memory();
            let before = cache.cpu_seconds();
            let seen = reader::read(cache.plain, path, None);
            let gib = seen.bytes as f64 / f64::from(1 << 30);
            row.push((seen.last.as_secs_f64(), (cache.cpu_seconds() - before) / gib));
        }
    }
    for (row, (name, what, _)) in rows.iter().zip(cases) {
        let seconds = spread(row.iter().map(|(seconds, _)| *seconds).collect());
        let cpu = spread(row.iter().map(|(_, cpu)| *cpu).collect());
        println!("| {name} | {what} | {seconds} | {cpu} |");
    }
}

/// Has the kernel of a virtual machine take back from its host what it gave away: that costs several
/// seconds for each GiB, and is counted to whoever touches the memory first.
fn claim_memory() {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:")).unwrap();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    // The rest is for others.
    let bytes = (kib << 10).saturating_sub(1 << 30);
    drop(std::hint::black_box(vec![1_u8; bytes]));
}

/// Makes an image of the file with a manifest beside it; answers the file's digest in base64.
fn described(folder: &std::path::Path, file: &std::path::Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    std::fs::rename(file, folder.join("vm.img")).unwrap();
    let build = "vm.img --type base --os ubuntu --os-version 24.04 --arch x86_64 --version 1.0 --user u --title t -o vm.img.manifest.xml";
    run(program("stratus-build-manifest").current_dir(folder).args(build.split(' '))).good();
    std::fs::rename(folder.join("vm.img"), file).unwrap();
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Sha256::digest(&bytes))
}
