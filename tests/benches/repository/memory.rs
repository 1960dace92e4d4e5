//! Resident memory of the server while many people upload and download at once.

use crate::client;
use crate::servers::{self, kib};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use stratus_tests::{Appliance, disk, run};

/// Uploads, and as many downloads.
const TRANSFERS: usize = 32;
/// Of each at one time.
const AT_ONCE: usize = 8;

pub(crate) fn bench(mib: usize) {
    let repository = servers::repository();
    let a = Appliance::build(repository.folder(), "memory", "1.0", &disk((mib << 20) * 28 / 10, 1));
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
    let length = fs::metadata(&a.image).unwrap().len();
    let server = servers::ours(&repository, &a);
    let tls = client::tls(&fs::read(repository.path("server.crt")).unwrap());
    let before = kib(server.process, "VmRSS:");
    let (uploads, downloads) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let running = AtomicUsize::new(2 * AT_ONCE);
    let started = Instant::now();
    let mut most = [0; 3];
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while take(&uploads) {
                    let number = uploads.load(Ordering::Relaxed);
                    let place = a.image_path().replace("memory", &format!("memory{number}"));
                    upload(&repository, &a, &place);
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
            scope.spawn(|| {
                while take(&downloads) {
                    assert!(client::download(server.tls, Some(&tls), &server.image) >= length);
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        while running.load(Ordering::Relaxed) > 0 {
            let now = ["VmRSS:", "RssAnon:", "RssFile:"].map(|name| kib(server.process, name));
            most = [0, 1, 2].map(|index: usize| now[index].max(most[index]));
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    });
    println!(
        "\n{TRANSFERS} uploads and {TRANSFERS} downloads of {length} bytes over TLS, {AT_ONCE} of each at once, in {:.0} s:",
        started.elapsed().as_secs_f64()
    );
    println!(
        "resident {} MiB before, {} MiB at most; of that anonymous {} MiB, mapped files {} MiB (each at its most)",
        before >> 10,
        most[0] >> 10,
        most[1] >> 10,
        most[2] >> 10
    );
}

/// Takes one transfer of those that are left.
fn take(begun: &AtomicUsize) -> bool {
    begun.fetch_add(1, Ordering::Relaxed) < TRANSFERS
}

/// Uploads by tus and ends the upload before it is whole, so that the disk does not fill: all but the
/// last byte is sent.
fn upload(repository: &stratus_tests::Repository, a: &Appliance, place: &str) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let length = fs::metadata(&a.image).unwrap().len() + 1;
    let tus = ["-H", "Tus-Resumable: 1.0.0"];
    let metadata = format!("Upload-Metadata: path {}", STANDARD.encode(place));
    let length = format!("Upload-Length: {length}");
    let begun = run(repository
        .curl("signer")
        .args(["-D", "-", "-X", "POST"])
        .args(tus)
        .args(["-H", &metadata, "-H", &length])
        .arg(format!("{}/uploads", repository.url())))
    .good();
    let head = begun.stdout.to_lowercase();
    let place = head.lines().find_map(|l| l.strip_prefix("location: ")).unwrap().trim().to_owned();
    let url = format!("{}{place}", repository.url());
    let kind = ["-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0"];
    let sent = run(repository
        .curl("signer")
        .args(["--max-time", "600", "-X", "PATCH"])
        .args(tus)
        .args(kind)
        .arg("-T")
        .arg(&a.image)
        .arg(&url))
    .good();
    assert!(sent.stdout.ends_with("204"), "{}", sent.stdout);
    let ended = run(repository.curl("signer").args(["-X", "DELETE"]).args(tus).arg(&url)).good();
    assert!(ended.stdout.ends_with("204"), "{}", ended.stdout);
}
