//! What holds for appliances in folders: orphans, power cuts, full disks, damage.
#![expect(clippy::unwrap_used, reason = "helpers of the tests below")]

mod support;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use stratus_model::FileKind;
use stratus_store::{Outcome, Store, StoreError, UploadId};
use support::{Ground, Sample};

fn file(ground: &Ground, sample: &Sample, kind: FileKind) -> PathBuf {
    ground.settings.data.join("images").join(sample.path.file(kind).as_str())
}

async fn scrub(store: &Store) -> Vec<(String, String)> {
    let report = store.scrub(|_| ControlFlow::Continue(())).await.unwrap();
    report.damaged.into_iter().map(|(path, reason)| (path.to_string(), reason)).collect()
}

#[tokio::test]
async fn the_tree_is_what_people_expect_to_browse() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 1, 20_000);
    sample.publish(&store, "ann").await.unwrap();
    assert_eq!(fs::read(file(&ground, &sample, FileKind::Image)).unwrap(), sample.image);
    assert_eq!(fs::read(file(&ground, &sample, FileKind::Manifest)).unwrap(), sample.manifest());
    let image = fs::metadata(file(&ground, &sample, FileKind::Image)).unwrap();
    assert!(image.permissions().readonly(), "published bytes never change");
    assert_eq!(fs::read_dir(ground.settings.data.join("staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_image_that_a_person_put_there_is_set_aside_not_lost() {
    let ground = Ground::tree();
    let sample = Sample::new("ubuntu", 2, 20_000);
    let orphan = file(&ground, &sample, FileKind::Image);
    drop(ground.open().await);
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, b"by hand").unwrap();
    let store = ground.open().await;
    assert!(!orphan.exists() && store.is_empty());
    let aside: Vec<_> = fs::read_dir(ground.settings.data.join("orphans")).unwrap().collect();
    assert_eq!(fs::read(aside[0].as_ref().unwrap().path()).unwrap(), b"by hand");
    // The same while the server runs.
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, b"again by hand").unwrap();
    sample.publish(&store, "ann").await.unwrap();
    assert!(sample.is_whole(&store).await);
    let orphans = || fs::read_dir(ground.settings.data.join("orphans")).unwrap().count();
    assert_eq!(orphans(), 2);
    store.sweep(Timestamp::now() + SignedDuration::from_hours(25)).await.unwrap();
    assert_eq!(orphans(), 0);
}

/// An appliance that was copied into the tree, as from a backup, is published.
#[tokio::test]
async fn a_manifest_and_image_put_into_the_tree_are_published() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 3, 20_000);
    let image = file(&ground, &sample, FileKind::Image);
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(&image, &sample.image).unwrap();
    fs::write(file(&ground, &sample, FileKind::Manifest), sample.manifest()).unwrap();
    assert_eq!(store.refresh().await.unwrap().changed, 1);
    assert!(sample.is_whole(&store).await);
    fs::remove_file(file(&ground, &sample, FileKind::Manifest)).unwrap();
    assert_eq!(store.refresh().await.unwrap().gone, 1);
    assert!(store.lookup(&sample.path).is_none());
}

#[tokio::test]
async fn an_unreadable_manifest_is_reported_and_the_others_are_served() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let (good, bad) = (Sample::new("good", 4, 10_000), Sample::new("bad", 5, 10_000));
    good.publish(&store, "ann").await.unwrap();
    bad.publish(&store, "ann").await.unwrap();
    fs::write(file(&ground, &bad, FileKind::Manifest), "not json").unwrap();
    let refreshed = store.rebuild().await.unwrap();
    assert_eq!((refreshed.changed, refreshed.unreadable.len()), (1, 1));
    assert_eq!(refreshed.unreadable[0].0, bad.path);
    assert!(good.is_whole(&store).await && store.lookup(&bad.path).is_none());
    assert!(file(&ground, &bad, FileKind::Image).exists(), "nothing is thrown away");
}

#[tokio::test]
async fn scrubbing_finds_a_changed_byte_and_the_image_is_not_served() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let (good, hurt) = (Sample::new("good", 6, 50_000), Sample::new("hurt", 7, 50_000));
    good.publish(&store, "ann").await.unwrap();
    hurt.publish(&store, "ann").await.unwrap();
    assert_eq!(scrub(&store).await, []);
    let path = file(&ground, &hurt, FileKind::Image);
    let image = fs::File::options().write(true).open(&path).unwrap();
    image.write_all_at(&[hurt.image[30_000] ^ 1], 30_000).unwrap();
    let damaged = scrub(&store).await;
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].0, hurt.path.as_str());
    let record = store.lookup(&hurt.path).unwrap();
    let refused = store.open_image(&record).await;
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    drop(store);
    let store = ground.open().await;
    assert!(store.lookup(&hurt.path).unwrap().damaged.is_some(), "known after a restart");
    assert!(path.exists(), "nothing is thrown away");
    image.write_all_at(&hurt.image[30_000..30_001], 30_000).unwrap();
    assert_eq!(scrub(&store).await, []);
    assert!(hurt.is_whole(&store).await && good.is_whole(&store).await);
}

#[tokio::test]
async fn scrubbing_finds_what_is_cut_off_and_what_is_gone() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let names = ["cut", "gone", "changed"];
    let samples: Vec<Sample> =
        names.iter().zip(8..).map(|(name, seed)| Sample::new(name, seed, 20_000)).collect();
    for sample in &samples {
        sample.publish(&store, "ann").await.unwrap();
    }
    let [cut, gone, changed] = samples.as_slice() else { panic!() };
    let image = fs::File::options().write(true).open(file(&ground, cut, FileKind::Image)).unwrap();
    image.set_len(10_000).unwrap();
    let record = store.lookup(&cut.path).unwrap();
    assert!(matches!(store.open_image(&record).await, Err(StoreError::Damaged { .. })));
    fs::remove_file(file(&ground, gone, FileKind::Image)).unwrap();
    fs::write(file(&ground, changed, FileKind::Manifest), "other").unwrap();
    let reasons: Vec<String> = scrub(&store).await.into_iter().map(|(_, why)| why).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons.iter().any(|r| r == "the image is gone"), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.contains("cut off")), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.contains("manifest is not the one")), "{reasons:?}");
}

/// After a power cut a file may be longer than what was synced, with anything at its end.
#[tokio::test]
async fn after_another_boot_only_synced_bytes_count() {
    let ground = Ground::tree();
    let sample = Sample::new("ubuntu", 11, 100_000);
    let store = ground.open().await;
    let mut staged = store.begin(&sample.path, "ann", None).await.unwrap();
    staged.append(sample.image.slice(..60_000)).await.unwrap();
    staged.pause().await.unwrap();
    drop(store);
    let id = UploadId::of(&sample.path, "ann");
    let state = ground.settings.data.join("staging").join(id.as_str()).join("state.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    json["image"]["receiving"]["boot"] = "another".into();
    json["image"]["receiving"]["offset"] = 40_000.into();
    fs::write(&state, json.to_string()).unwrap();
    let store = ground.open().await;
    assert_eq!(store.upload(&id).await.unwrap().unwrap().offset, 40_000);
    sample.describe(&store, "ann").await.unwrap();
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

#[tokio::test]
async fn a_damaged_index_is_made_again() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 12, 20_000);
    sample.publish(&store, "ann").await.unwrap();
    store.verify(&sample.path).await.unwrap();
    drop(store);
    drop(ground.open().await);
    let index = ground.settings.data.join("index.sqlite");
    fs::write(&index, vec![0x55; 50_000]).unwrap();
    let store = ground.open().await;
    assert!(sample.is_whole(&store).await);
}

/// What arrives is on disk and looked at with little in memory: pieces wait while either is behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_goes_through_in_order() {
    let ground = Ground::tree();
    let store = ground.open().await;
    let sample = Sample::new("large", 13, 12_000_000);
    sample.publish(&store, "ann").await.unwrap();
    assert!(sample.is_whole(&store).await);
    let record = store.lookup(&sample.path).unwrap();
    assert_eq!(record.content.bytes, 12_000_000);
}

/// A real full disk: a small file system of its own, in a mount namespace.
#[test]
fn a_full_disk_says_so_and_the_upload_goes_on_when_there_is_room() {
    let test = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=8m tmpfs \"$0\" && exec \"$1\" --exact --nocapture \
                  on_a_small_disk";
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(test)
        .env("STRATUS_SMALL_DISK", folder.path())
        .output()
        .expect("unshare is there (Debian package `util-linux`)");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("went on after the disk was full"), "{text}\n{errors}");
}

/// The inner half of the test above; alone it has nothing to do.
#[tokio::test]
async fn on_a_small_disk() {
    let Some(disk) = std::env::var_os("STRATUS_SMALL_DISK").map(PathBuf::from) else { return };
    let mut ground = Ground::tree();
    ground.settings.data = disk.join("data");
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 14, 3_000_000);
    sample.describe(&store, "ann").await.unwrap();
    // Announced: refused before the first byte is taken.
    let total = 50 << 20;
    let other = support::place("other");
    let mut staged = store.begin(&other, "ann", Some(total)).await.unwrap();
    let refused = staged.append(sample.image.slice(..1000)).await;
    assert!(matches!(refused, Err(StoreError::NoSpace { .. })), "{refused:?}");
    store.cancel(&UploadId::of(&other, "ann")).await.unwrap();
    // Not announced: refused when the disk is full.
    let filler = disk.join("filler");
    fs::write(&filler, vec![1; 5_500_000]).unwrap();
    let mut staged = store.begin(&sample.path, "ann", None).await.unwrap();
    let mut sent = Ok(());
    for piece in sample.image.chunks(50_000) {
        sent = staged.append(Bytes::copy_from_slice(piece)).await;
        if sent.is_err() {
            break;
        }
    }
    let ended = match sent {
        Ok(()) => staged.finish().await.map(drop),
        error => error,
    };
    assert!(matches!(ended, Err(StoreError::NoSpace { .. })), "{ended:?}");
    fs::remove_file(&filler).unwrap();
    let upload = store.upload(&UploadId::of(&sample.path, "ann")).await.unwrap().unwrap();
    assert!(upload.manifest && upload.offset > 0, "{upload:?}");
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
    println!("went on after the disk was full, from byte {}", upload.offset);
}
