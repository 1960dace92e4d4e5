//! The pipeline of an upload beside its stages alone, on the same data in the same run.
//!
//! ```text
//! cargo bench -p stratus-image                      # 256 MiB
//! STRATUS_BENCH_MIB=1024 cargo bench -p stratus-image
//! ```
//!
//! The image is made of this machine's programs and texts, noise and zeros, shuffled by the
//! mebibyte, in a temporary folder that is removed at the end. Rates are mebibytes of the image per
//! second of wall time, the best of three runs; beside them, the processor time of that run. Where
//! the stages together need more processor time than all cores have, no pipeline can be as fast as
//! its slowest stage alone, so the bound that the cores set is printed as well.

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use stratus_image::{
    Algorithms, CompressOptions, Hasher, InflateOptions, Inspector, Level, Limits, SparseWriter,
    compress, inflate, measure,
};
use stratus_model::Algorithm;

const MIB: usize = 1 << 20;

fn main() -> io::Result<()> {
    let mebibytes =
        std::env::var("STRATUS_BENCH_MIB").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    let folder = tempfile::Builder::new().prefix("stratus-image").tempdir()?;
    let image = folder.path().join("vm.img");
    make_image(&image, mebibytes)?;
    let bench = Bench { folder: folder.path(), image: &image, mebibytes };
    let ours = bench.compress()?;
    let plain = folder.path().join("plain.img.gz");
    recompress(&ours, &plain)?;
    for (name, file) in [("members of 1 MiB", &ours), ("one member", &plain)] {
        println!("\n{name}: {} MiB", fs::metadata(file)?.len() >> 20);
        bench.upload(file)?;
        bench.get_back(file)?;
    }
    Ok(())
}

/// Seconds of wall time and of processor time.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

/// Processor time of this process so far.
fn cpu_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // proc_pid_stat(5): after the name in brackets, fields 14 and 15 are user and system time in
    // ticks, of which Linux shows 100 each second.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

struct Bench<'a> {
    folder: &'a Path,
    image: &'a Path,
    mebibytes: usize,
}

impl Bench<'_> {
    /// Times something three times and prints the best.
    fn best(&self, name: &str, mut work: impl FnMut() -> io::Result<()>) -> io::Result<Cost> {
        let mut best = Cost { wall: f64::MAX, cpu: 0.0 };
        for _ in 0..3 {
            let (start, cpu) = (Instant::now(), cpu_seconds()?);
            work()?;
            let wall = start.elapsed().as_secs_f64();
            if wall < best.wall {
                best = Cost { wall, cpu: cpu_seconds()? - cpu };
            }
        }
        let rate = self.mebibytes as f64 / best.wall;
        println!("  {name:<44} {:>7.3} s {rate:>8.0} MiB/s {:>7.2} CPU s", best.wall, best.cpu);
        Ok(best)
    }

    fn compress(&self) -> io::Result<PathBuf> {
        let target = self.folder.join("vm.img.gz");
        for level in [1, 6] {
            let options = CompressOptions {
                level: Level::new(level).unwrap_or_default(),
                algorithms: Algorithms::upload(),
                ..CompressOptions::default()
            };
            let start = Instant::now();
            let mut source = File::open(self.image)?;
            let mut file = File::create(&target)?;
            compress(&mut source, &mut file, &options, &mut go_on).map_err(io::Error::other)?;
            let rate = self.mebibytes as f64 / start.elapsed().as_secs_f64();
            println!("compress -{level} on {} threads: {rate:.0} MiB/s", options.threads);
        }
        Ok(target)
    }

    fn upload(&self, file: &Path) -> io::Result<()> {
        let stages = [
            self.best("inflate alone (with its CRC)", || inflate_alone(file))?,
            self.best("SHA-256 of the image alone", || hash_alone(self.image))?,
            self.best("SHA-256 of the file alone", || hash_alone(file))?,
            self.best("write and sync of the file alone", || self.write_alone(file))?,
        ];
        let inspector = self.best("inspector, without write", || self.pipeline(file, false))?;
        let upload = self.best("inspector beside write and sync", || self.pipeline(file, true))?;
        let wall = stages.iter().map(|stage| stage.wall).fold(0.0, f64::max);
        let cores = thread::available_parallelism()?.get() as f64;
        // The digests of the chunks cost what the digest of the file costs.
        let cpu = stages.iter().map(|stage| stage.cpu).sum::<f64>() + stages[2].cpu;
        println!(
            "  the slowest stage alone takes {:.2} of the inspector's time, {:.2} of the upload's; \
             {cores} cores allow {:.2}",
            wall / inspector.wall,
            wall / upload.wall,
            (wall / (cpu / cores)).min(1.0),
        );
        Ok(())
    }

    fn write_alone(&self, file: &Path) -> io::Result<()> {
        let target = File::create(self.folder.join("staged"))?;
        pieces(file, |piece| (&target).write_all(&piece))?;
        target.sync_all()
    }

    /// What a server does: inspect, and write on a thread of its own.
    fn pipeline(&self, file: &Path, write: bool) -> io::Result<()> {
        let mut inspector =
            Inspector::start(&Algorithms::upload(), Limits::MAX).map_err(io::Error::other)?;
        let target = File::create(self.folder.join("staged"))?;
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel::<Bytes>(8);
            let writer = scope.spawn(move || -> io::Result<()> {
                for piece in receiver {
                    (&target).write_all(&piece)?;
                }
                target.sync_all()
            });
            pieces(file, |piece| {
                if write {
                    sender.send(piece.clone()).map_err(io::Error::other)?;
                }
                inspector.push(piece).map_err(io::Error::other)
            })?;
            drop(sender);
            inspector.finish().map_err(io::Error::other)?;
            if write { writer.join().map_err(|_| io::Error::other("writer"))? } else { Ok(()) }
        })
    }

    fn get_back(&self, file: &Path) -> io::Result<()> {
        for threads in [1, 2] {
            let options = InflateOptions {
                threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
                ..InflateOptions::up_to(u64::MAX)
            };
            self.best(&format!("inflate to a sparse file, {threads} threads"), || {
                let target = self.folder.join("back.img");
                fs::remove_file(&target).or_else(|e| match e.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(e),
                })?;
                let mut writer = SparseWriter::new(File::create(&target)?);
                inflate(&mut File::open(file)?, &mut writer, &options, &mut go_on)
                    .map_err(io::Error::other)
                    .map(drop)
            })?;
        }
        self.best("measure for a manifest", || {
            measure(file, &Algorithms::manifest(), &mut go_on).map_err(io::Error::other).map(drop)
        })?;
        Ok(())
    }
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A file in pieces as a network brings them.
fn pieces(file: &Path, mut take: impl FnMut(Bytes) -> io::Result<()>) -> io::Result<()> {
    let mut source = File::open(file)?;
    loop {
        let mut piece = vec![0; 64 * 1024];
        let count = source.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        piece.truncate(count);
        take(Bytes::from(piece))?;
    }
}

fn inflate_alone(file: &Path) -> io::Result<()> {
    let mut source = MultiGzDecoder::new(BufReader::with_capacity(128 * 1024, File::open(file)?));
    let mut buffer = vec![0; 128 * 1024];
    while source.read(&mut buffer)? > 0 {}
    Ok(())
}

fn hash_alone(file: &Path) -> io::Result<()> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut source = File::open(file)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    std::hint::black_box(hasher.finish());
    Ok(())
}

/// The same content as one gzip member, as other programs write it.
fn recompress(ours: &Path, target: &Path) -> io::Result<()> {
    let mut source = MultiGzDecoder::new(BufReader::new(File::open(ours)?));
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(target)?, flate2::Compression::new(6));
    io::copy(&mut source, &mut encoder)?;
    encoder.finish().map(drop)
}

/// Four tenths programs, two texts, two noise, two zeros.
fn make_image(path: &Path, mebibytes: usize) -> io::Result<()> {
    let programs = gather(Path::new("/usr/lib"), mebibytes * 4 / 10 * MIB);
    let texts = gather(Path::new("/usr/share"), mebibytes * 2 / 10 * MIB);
    let mut state = 88_172_645_463_325_252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut order: Vec<usize> = (0..mebibytes).collect();
    for index in (1..order.len()).rev() {
        let other = usize::try_from(next()).unwrap_or(0) % (index + 1);
        order.swap(index, other);
    }
    let mut file = File::create(path)?;
    for number in order {
        let part = |from: &[u8]| -> Vec<u8> {
            from.iter().cycle().skip(number * MIB % from.len().max(1)).take(MIB).copied().collect()
        };
        let block = match number % 10 {
            0..4 => part(&programs),
            4..6 => part(&texts),
            6..8 => {
                std::iter::repeat_with(&mut next).take(MIB / 8).flat_map(u64::to_le_bytes).collect()
            }
            _ => Vec::new(),
        };
        file.write_all(&block)?;
        file.write_all(&vec![0; MIB - block.len()])?;
    }
    Ok(())
}

/// The bytes of the files below a folder, up to a number.
fn gather(folder: &Path, wanted: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(wanted);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(content) = fs::read(entry.path())
            {
                bytes.extend(content);
            }
            if bytes.len() >= wanted {
                bytes.truncate(wanted);
                return bytes;
            }
        }
    }
    bytes
}
