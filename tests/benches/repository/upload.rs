//! An upload beside its slowest stage alone: inflate, hash, write.

use crate::servers::{self, cpu_seconds};
use crate::spread;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;
use stratus_tests::{Appliance, Repository, disk, run};

/// Content that gives about `mib` MiB of gzip: what `disk` makes shrinks to a third.
fn appliance(repository: &Repository, mib: usize) -> Appliance {
    Appliance::build(repository.folder(), "upload", "1.0", &disk((mib << 20) * 28 / 10, 1))
}

pub(crate) fn bench(mib: usize, rounds: usize) {
    let repository = servers::repository();
    let a = appliance(&repository, mib);
    let [file, content] = [&a.image, &a.disk].map(|f| fs::metadata(f).unwrap().len());
    let mut stages: [(&str, Vec<f64>); 4] = [
        ("inflate", vec![]),
        ("SHA-256 of the image", vec![]),
        ("SHA-256 of the file", vec![]),
        ("write and sync", vec![]),
    ];
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let times = [
            timed(|| inflate(&a.image)),
            timed(|| hash(&a.disk)),
            timed(|| hash(&a.image)),
            timed(|| write(&a.image, &repository.path("copy"))),
        ];
        for (stage, time) in stages.iter_mut().zip(times) {
            stage.1.push(time);
        }
        let place = a
            .image_path()
            .replace("-1.0", &format!("-{round}.0"))
            .replace("/1.0/", &format!("/{round}.0/"));
        let url = format!("{}{place}", repository.plain_url());
        let before = cpu_seconds(repository.process());
        let mut curl = repository.curl("signer");
        walls.push(timed(|| {
            let out = run(curl.args(["--max-time", "600", "-T"]).arg(&a.image).arg(&url)).good();
            assert!(out.stdout.ends_with("202"), "{}", out.stdout);
        }));
        cpus.push(cpu_seconds(repository.process()) - before);
    }
    println!(
        "\nUpload over plain HTTP of a gzip of {file} bytes that holds {content}; seconds, medians (least to greatest).\n"
    );
    println!("| what | seconds |\n|---|---|");
    let mut slowest = 0.0_f64;
    for (name, times) in stages {
        let (middle, least, most) = spread(times);
        slowest = slowest.max(middle);
        println!("| {name} alone, one thread | {middle:.2} ({least:.2} to {most:.2}) |");
    }
    let (wall, least, most) = spread(walls);
    println!("| upload | {wall:.2} ({least:.2} to {most:.2}) |");
    let (cpu, least, most) = spread(cpus);
    println!("| CPU seconds of the server | {cpu:.2} ({least:.2} to {most:.2}) |");
    println!("\nSpeed of the upload, of the slowest stage's: {:.2}", slowest / wall);
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn inflate(file: &Path) {
    let mut reader = flate2::read::MultiGzDecoder::new(File::open(file).unwrap());
    let mut buffer = vec![0; 256 << 10];
    while reader.read(&mut buffer).unwrap() > 0 {}
}

fn hash(file: &Path) {
    let (mut hash, mut file) = (Sha256::new(), File::open(file).unwrap());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    std::hint::black_box(hash.finalize());
}

fn write(from: &Path, to: &Path) {
    let (mut from, mut to) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match from.read(&mut buffer).unwrap() {
            0 => break,
            read => to.write_all(&buffer[..read]).unwrap(),
        }
    }
    to.sync_all().unwrap();
}
