//! What a store promises, wherever it keeps things: every test runs against the tree and against a
//! bucket of a real S3 server.
#![expect(clippy::unwrap_used, reason = "test helpers of several grounds")]

mod support;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use stratus_model::{Algorithm, FileKind, TreePath};
use stratus_repository_api::search::{SearchQuery, StatusFilter};
use stratus_store::{CheckState, DeprecationOutcome, Outcome, Store, StoreError, UploadId};
use support::{Ground, Sample, read};

macro_rules! conformance {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        mod tree {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Ground::tree()).await })*
        }
        mod bucket {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Ground::bucket()).await })*
        }
    };
}

conformance! {
    manifest_first_then_image;
    image_first_then_manifest;
    an_image_without_its_manifest_is_invisible;
    the_same_bytes_again_are_no_error_and_others_are;
    a_broken_upload_goes_on_where_it_ended;
    an_upload_goes_on_after_a_restart;
    an_upload_in_small_requests_goes_on_between_them;
    bytes_for_another_offset_or_length_are_refused_with_the_offset;
    bytes_can_be_taken_back;
    a_later_request_takes_an_upload_over;
    starting_again_forgets_the_bytes_before;
    the_wrong_digest_is_refused_whichever_comes_last;
    a_truncated_image_is_refused_and_can_be_sent_again;
    a_padded_image_is_refused;
    two_gzip_members_are_one_image;
    a_tar_inside_is_refused;
    a_gzip_bomb_stops_at_the_manifests_size;
    a_gzip_bomb_stops_at_the_settings_size;
    two_people_upload_the_same_name_and_one_wins;
    racing_publishers_leave_one_whole_winner;
    a_second_upload_of_a_published_name_is_refused;
    limits_hold;
    old_uploads_are_swept_and_others_stay;
    a_deprecation_is_kept_and_the_first_one_stands;
    what_is_deleted_is_gone_and_its_name_is_free;
    everything_is_found_again_after_a_restart;
    the_index_is_made_again_from_what_is_published;
    further_digests_are_compared_in_the_background;
    a_lying_digest_makes_the_appliance_damaged;
    a_manifest_with_only_sha512_is_compared_before_publication;
    ranges_of_an_image_are_its_bytes;
    folders_show_published_things_only;
    an_appliance_is_found_by_path_name_and_digests;
}

async fn manifest_first_then_image(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 1, 300_000);
    assert_eq!(sample.describe(&store, "ann").await.unwrap(), Outcome::NeedsImage);
    assert!(store.lookup(&sample.path).is_none());
    let Outcome::Published(record) = sample.send(&store, "ann").await.unwrap() else { panic!() };
    assert_eq!(record.sha256(), Some(sample.compressed()));
    assert_eq!(record.content.bytes, 300_000);
    assert_eq!(record.title.as_deref(), Some("The ubuntu appliance"));
    assert!(sample.is_whole(&store).await);
    assert!(store.uploads_of("ann").await.unwrap().is_empty());
}

async fn image_first_then_manifest(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 2, 300_000);
    assert_eq!(sample.send(&store, "ann").await.unwrap(), Outcome::NeedsManifest);
    let upload = &store.uploads_of("ann").await.unwrap()[0];
    assert!(upload.image && !upload.manifest);
    let outcome = sample.describe(&store, "ann").await.unwrap();
    assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    assert!(sample.is_whole(&store).await);
}

async fn an_image_without_its_manifest_is_invisible(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 3, 50_000);
    sample.send(&store, "ann").await.unwrap();
    assert!(store.lookup(&sample.path).is_none());
    assert!(store.resolve(&sample.path).await.unwrap().is_none());
    assert!(store.list(&TreePath::root()).unwrap().folders.is_empty());
    let found = store.search(&SearchQuery::default(), Timestamp::now());
    assert_eq!(found.total, 0);
}

async fn the_same_bytes_again_are_no_error_and_others_are(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 4, 50_000);
    let record = sample.publish(&store, "ann").await.unwrap();
    let again = sample.describe(&store, "bob").await.unwrap();
    assert_eq!(again, Outcome::AlreadyPublished(store.lookup(&sample.path).unwrap()));
    let mut repeat = store.repeat(&record);
    sample.image.chunks(1000).try_for_each(|piece| repeat.append(piece)).unwrap();
    repeat.finish().unwrap();

    let other = Sample::new("ubuntu", 5, 50_000);
    let refused = other.describe(&store, "ann").await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let mut repeat = store.repeat(&record);
    let sent = other.image.chunks(1000).try_for_each(|piece| repeat.append(piece));
    assert!(sent.and_then(|()| repeat.finish()).is_err());
    assert!(sample.is_whole(&store).await);
}

async fn a_broken_upload_goes_on_where_it_ended(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 6, 700_000);
    sample.describe(&store, "ann").await.unwrap();
    let id = UploadId::of(&sample.path, "ann");
    let mut staged = store.begin(&sample.path, "ann", None).await.unwrap();
    staged.append(sample.image.slice(..400_000)).await.unwrap();
    drop(staged);
    // Whether or not the drop was already noted: nothing that was taken is lost.
    let upload = store.upload(&id).await.unwrap().unwrap();
    assert_eq!(upload.offset, 400_000);
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

async fn an_upload_goes_on_after_a_restart(ground: Ground) {
    let sample = Sample::new("ubuntu", 7, 700_000);
    let total = Some(sample.image.len() as u64);
    let store = ground.open().await;
    let mut staged = store.begin(&sample.path, "ann", total).await.unwrap();
    staged.append(sample.image.slice(..500_000)).await.unwrap();
    let upload = staged.pause().await.unwrap();
    assert_eq!((upload.offset, upload.total), (500_000, total));
    drop(store);
    let store = ground.open().await;
    assert_eq!(store.upload(&upload.id).await.unwrap().unwrap().offset, 500_000);
    sample.describe(&store, "ann").await.unwrap();
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

async fn an_upload_in_small_requests_goes_on_between_them(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 8, 200_000);
    let total = sample.image.len();
    let staged = store.begin(&sample.path, "ann", Some(total as u64)).await.unwrap();
    let id = staged.pause().await.unwrap().id;
    for start in (0..total).step_by(30_000) {
        let mut staged = store.resume(&id, "ann").await.unwrap();
        staged.expect_offset(start as u64).unwrap();
        staged.append(sample.image.slice(start..total.min(start + 30_000))).await.unwrap();
        let upload = staged.pause().await.unwrap();
        assert_eq!(upload.offset, total.min(start + 30_000) as u64);
    }
    let staged = store.resume(&id, "ann").await.unwrap();
    assert_eq!(staged.finish().await.unwrap().outcome, Outcome::NeedsManifest);
    assert!(matches!(sample.describe(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(matches!(store.resume(&id, "ann").await, Err(StoreError::NoUpload)));
}

async fn bytes_for_another_offset_or_length_are_refused_with_the_offset(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 9, 100_000);
    let total = sample.image.len() as u64;
    let mut staged = store.begin(&sample.path, "ann", Some(total)).await.unwrap();
    staged.append(sample.image.slice(..1000)).await.unwrap();
    for overlap_or_gap in [0, 999, 1001, total] {
        let refused = staged.expect_offset(overlap_or_gap);
        assert!(matches!(refused, Err(StoreError::Offset { offset: 1000 })), "{overlap_or_gap}");
    }
    staged.pause().await.unwrap();
    let changed = store.begin(&sample.path, "ann", Some(total + 1)).await;
    assert!(
        matches!(changed, Err(StoreError::Total { announced, offset: 1000 }) if announced == total)
    );
    let mut staged = store.begin(&sample.path, "ann", Some(total)).await.unwrap();
    let more = Bytes::from(vec![0; sample.image.len()]);
    assert!(matches!(staged.append(more).await, Err(StoreError::Total { offset: 1000, .. })));
    let staged = store.begin(&sample.path, "ann", None).await.unwrap();
    assert_eq!(staged.offset(), 1000, "the bytes before are kept");
    assert!(matches!(staged.finish().await, Err(StoreError::Incomplete { offset: 1000, .. })));
    sample.describe(&store, "ann").await.unwrap();
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
}

async fn bytes_can_be_taken_back(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 10, 100_000);
    sample.describe(&store, "ann").await.unwrap();
    let mut staged = store.begin(&sample.path, "ann", None).await.unwrap();
    staged.append(sample.image.slice(..40_000)).await.unwrap();
    staged.append(Bytes::from(vec![7; 10_000])).await.unwrap();
    let offset = staged.rewind(40_000).await.unwrap();
    assert_eq!(offset, if ground.is_bucket() { 0 } else { 40_000 });
    staged.append(sample.image.slice(usize::try_from(offset).unwrap()..)).await.unwrap();
    let finished = staged.finish().await.unwrap();
    assert!(matches!(finished.outcome, Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

async fn a_later_request_takes_an_upload_over(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 11, 100_000);
    sample.describe(&store, "ann").await.unwrap();
    let mut hanging = store.begin(&sample.path, "ann", None).await.unwrap();
    hanging.append(sample.image.slice(..50_000)).await.unwrap();
    let mut later = store.begin(&sample.path, "ann", None).await.unwrap();
    assert_eq!(later.offset(), 50_000);
    let refused = hanging.append(sample.image.slice(50_000..60_000)).await;
    assert!(matches!(refused, Err(StoreError::Superseded)));
    later.append(sample.image.slice(50_000..)).await.unwrap();
    drop(hanging);
    assert!(matches!(later.finish().await.unwrap().outcome, Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

async fn starting_again_forgets_the_bytes_before(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 12, 100_000);
    sample.describe(&store, "ann").await.unwrap();
    let mut staged = store.begin(&sample.path, "ann", Some(70_000)).await.unwrap();
    staged.append(Bytes::from(vec![1; 50_000])).await.unwrap();
    staged.pause().await.unwrap();
    let total = Some(sample.image.len() as u64);
    let mut staged = store.begin_again(&sample.path, "ann", total).await.unwrap();
    assert_eq!((staged.offset(), staged.total()), (0, total));
    staged.append(sample.image.clone()).await.unwrap();
    assert!(matches!(staged.finish().await.unwrap().outcome, Outcome::Published(_)));
    assert!(sample.is_whole(&store).await);
}

async fn the_wrong_digest_is_refused_whichever_comes_last(ground: Ground) {
    let store = ground.open().await;
    let good = Sample::new("ubuntu", 13, 100_000);
    let mut other = Sample::new("ubuntu", 14, 100_000);
    good.describe(&store, "ann").await.unwrap();
    let refused = other.send(&store, "ann").await;
    assert!(matches!(refused, Err(StoreError::Mismatch(_))), "{refused:?}");
    // The manifest stays, the image went.
    let upload = &store.uploads_of("ann").await.unwrap()[0];
    assert!(upload.manifest && !upload.image && upload.offset == 0);
    assert!(matches!(good.send(&store, "ann").await.unwrap(), Outcome::Published(_)));

    let good = Sample { path: support::place("late"), ..good };
    other.path = good.path.clone();
    good.send(&store, "ann").await.unwrap();
    let refused = other.describe(&store, "ann").await;
    assert!(matches!(refused, Err(StoreError::Mismatch(_))), "{refused:?}");
    assert!(matches!(good.describe(&store, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(good.is_whole(&store).await);
}

/// Sends bytes as the image of `sample`.
async fn send_bytes(store: &Store, sample: &Sample, bytes: Bytes) -> Result<Outcome, StoreError> {
    let mut staged = store.begin(&sample.path, "ann", Some(bytes.len() as u64)).await?;
    for start in (0..bytes.len()).step_by(100_000) {
        staged.append(bytes.slice(start..bytes.len().min(start + 100_000))).await?;
    }
    Ok(staged.finish().await?.outcome)
}

async fn a_truncated_image_is_refused_and_can_be_sent_again(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 15, 100_000);
    let cut = sample.image.slice(..sample.image.len() - 100);
    let refused = send_bytes(&store, &sample, cut).await;
    assert!(matches!(refused, Err(StoreError::Image(_))), "{refused:?}");
    let staged = store.begin_again(&sample.path, "ann", None).await.unwrap();
    staged.pause().await.unwrap();
    sample.describe(&store, "ann").await.unwrap();
    assert!(matches!(sample.send(&store, "ann").await.unwrap(), Outcome::Published(_)));
}

async fn a_padded_image_is_refused(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 16, 100_000);
    let padded = [sample.image.as_ref(), &[0; 512]].concat().into();
    let refused = send_bytes(&store, &sample, padded).await;
    assert!(matches!(refused, Err(StoreError::Image(_))), "{refused:?}");
    assert_eq!(store.uploads_of("ann").await.unwrap()[0].offset, 0);
}

async fn two_gzip_members_are_one_image(ground: Ground) {
    let store = ground.open().await;
    let (a, b) = (Sample::new("ubuntu", 17, 90_000), Sample::new("ubuntu", 18, 80_000));
    let both: Bytes = [a.image.as_ref(), b.image.as_ref()].concat().into();
    let mut staged = store.begin(&a.path, "ann", None).await.unwrap();
    staged.append(both).await.unwrap();
    let facts = staged.finish().await.unwrap().facts;
    assert_eq!((facts.content.bytes, facts.gzip_members), (170_000, 2));
}

async fn a_tar_inside_is_refused(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 19, 1000);
    let mut tar = vec![0u8; 10_240];
    tar[..8].copy_from_slice(b"disk.img");
    tar[257..262].copy_from_slice(b"ustar");
    let image = gzip(&tar);
    let refused = send_bytes(&store, &sample, image).await;
    assert!(matches!(refused, Err(StoreError::Image(_))), "{refused:?}");
}

/// A gzip file, by gzip itself.
fn gzip(content: &[u8]) -> Bytes {
    use std::io::Write;
    let mut program = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip is there (Debian package `gzip`)");
    let mut input = program.stdin.take().unwrap();
    let content = content.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&content));
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout.into()
}

async fn a_gzip_bomb_stops_at_the_manifests_size(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 20, 100_000);
    sample.describe(&store, "ann").await.unwrap();
    let refused = send_bytes(&store, &sample, gzip(&vec![0; 8 << 20])).await;
    assert!(matches!(&refused, Err(StoreError::Mismatch(_))), "{refused:?}");
    assert!(store.lookup(&sample.path).is_none());
}

async fn a_gzip_bomb_stops_at_the_settings_size(mut ground: Ground) {
    ground.settings.limits.content = 1 << 20;
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 21, 1000);
    let refused = send_bytes(&store, &sample, gzip(&vec![0; 8 << 20])).await;
    let Err(StoreError::Image(error)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("1048576"), "{error}");
}

async fn two_people_upload_the_same_name_and_one_wins(ground: Ground) {
    let store = ground.open().await;
    let (ann, bob) = (Sample::new("ubuntu", 22, 60_000), Sample::new("ubuntu", 23, 60_000));
    ann.describe(&store, "ann").await.unwrap();
    bob.describe(&store, "bob").await.unwrap();
    let mut slow = store.begin(&ann.path, "ann", None).await.unwrap();
    slow.append(ann.image.slice(..30_000)).await.unwrap();
    assert!(matches!(bob.send(&store, "bob").await.unwrap(), Outcome::Published(_)));
    slow.append(ann.image.slice(30_000..)).await.unwrap();
    let lost = slow.finish().await;
    assert!(matches!(lost, Err(StoreError::Conflict { .. })), "{lost:?}");
    assert!(bob.is_whole(&store).await);
    assert!(store.uploads_of("ann").await.unwrap().is_empty(), "what lost is gone");
}

/// Two servers where the ground can have them, each with four publishers of other bytes.
async fn racing_publishers_leave_one_whole_winner(ground: Ground) {
    let first = ground.open().await;
    let second = if ground.is_bucket() { ground.open_second().await } else { first.clone() };
    let samples: Vec<Sample> = (0..8).map(|n| Sample::new("race", 100 + n, 20_000)).collect();
    let tasks: Vec<_> = samples
        .iter()
        .cloned()
        .enumerate()
        .map(|(n, sample)| {
            let store = if n % 2 == 0 { first.clone() } else { second.clone() };
            tokio::spawn(async move {
                let owner = format!("person {n}");
                sample.describe(&store, &owner).await?;
                sample.send(&store, &owner).await
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (task, sample) in tasks.into_iter().zip(&samples) {
        match task.await.unwrap() {
            Ok(Outcome::Published(_)) => winners.push(sample),
            Err(StoreError::Conflict { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    for store in [&first, &second] {
        store.refresh().await.unwrap();
        assert!(winners[0].is_whole(store).await);
    }
}

async fn a_second_upload_of_a_published_name_is_refused(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 24, 20_000);
    sample.publish(&store, "ann").await.unwrap();
    for owner in ["ann", "bob"] {
        let refused = store.begin(&sample.path, owner, None).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    }
    assert!(store.uploads_of("bob").await.unwrap().is_empty());
}

async fn limits_hold(mut ground: Ground) {
    ground.settings.limits.image = 10_000;
    ground.settings.limits.staging = 25_000;
    ground.settings.limits.uploads_per_owner = 2;
    let store = ground.open().await;
    let place = support::place;
    let large = store.begin(&place("a"), "ann", Some(10_001)).await;
    assert!(matches!(large, Err(StoreError::TooLarge { limit: 10_000 })));
    let mut staged = store.begin(&place("a"), "ann", None).await.unwrap();
    let refused = staged.append(Bytes::from(vec![0x1f; 10_001])).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { limit: 10_000 })));
    store.begin(&place("a"), "ann", Some(10_000)).await.unwrap().pause().await.unwrap();
    store.begin(&place("b"), "ann", Some(10_000)).await.unwrap().pause().await.unwrap();
    let third = store.begin(&place("c"), "ann", Some(1)).await;
    assert!(matches!(third, Err(StoreError::TooManyUploads { open: 2 })));
    let full = store.begin(&place("c"), "bob", Some(6000)).await;
    assert!(matches!(full, Err(StoreError::StagingFull { limit: 25_000 })));
    store.cancel(&UploadId::of(&place("a"), "ann")).await.unwrap();
    store.begin(&place("c"), "bob", Some(6000)).await.unwrap().pause().await.unwrap();
}

async fn old_uploads_are_swept_and_others_stay(ground: Ground) {
    let store = ground.open().await;
    let (done, open) = (Sample::new("done", 25, 20_000), Sample::new("open", 26, 20_000));
    done.publish(&store, "ann").await.unwrap();
    open.send(&store, "ann").await.unwrap();
    let now = Timestamp::now();
    assert_eq!(store.sweep(now).await.unwrap(), 0);
    assert_eq!(store.uploads_of("ann").await.unwrap().len(), 1);
    assert_eq!(store.staged_bytes(), open.image.len() as u64);
    assert!(store.sweep(now + SignedDuration::from_hours(25)).await.unwrap() > 0);
    assert!(store.uploads_of("ann").await.unwrap().is_empty());
    store.sweep(now + SignedDuration::from_hours(50)).await.unwrap();
    assert!(done.is_whole(&store).await, "published things are never swept");
}

async fn a_deprecation_is_kept_and_the_first_one_stands(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 27, 20_000);
    let text = Bytes::from_static(b"a hole in the shell");
    let early = store.put_deprecation(&sample.path, text.clone()).await;
    assert!(matches!(early, Err(StoreError::NotPublished { .. })));
    sample.publish(&store, "ann").await.unwrap();
    let first = store.put_deprecation(&sample.path, text.clone()).await.unwrap();
    assert!(matches!(first, DeprecationOutcome::Deprecated(_)));
    let again = store.put_deprecation(&sample.path, text.clone()).await.unwrap();
    assert!(matches!(again, DeprecationOutcome::AlreadyDeprecated(_)));
    let other = store.put_deprecation(&sample.path, Bytes::from_static(b"no")).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })));
    drop(store);
    let store = ground.open().await;
    let record = store.lookup(&sample.path).unwrap();
    assert_eq!(record.deprecated.as_ref().unwrap().reason, "a hole in the shell");
    assert_eq!(store.deprecation_bytes(&record).await.unwrap(), text);
    let shown = |status| SearchQuery { status, ..SearchQuery::default() };
    let now = Timestamp::now();
    assert_eq!(store.search(&shown(StatusFilter::Valid), now).total, 0);
    assert_eq!(store.search(&shown(StatusFilter::Deprecated), now).total, 1);
    assert!(sample.is_whole(&store).await);
}

async fn what_is_deleted_is_gone_and_its_name_is_free(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 28, 20_000);
    sample.publish(&store, "ann").await.unwrap();
    store.put_deprecation(&sample.path, Bytes::from_static(b"bad")).await.unwrap();
    store.delete(&sample.path).await.unwrap();
    store.delete(&sample.path).await.unwrap();
    assert!(store.lookup(&sample.path).is_none());
    assert!(store.list(&TreePath::root()).unwrap().folders.is_empty());
    let other = Sample::new("ubuntu", 29, 20_000);
    other.publish(&store, "bob").await.unwrap();
    assert!(other.is_whole(&store).await);
    assert!(store.lookup(&other.path).unwrap().deprecated.is_none());
}

async fn everything_is_found_again_after_a_restart(ground: Ground) {
    let store = ground.open().await;
    let samples: Vec<Sample> =
        (0..3).map(|n| Sample::new(&format!("image{n}"), 30 + n, 10_000)).collect();
    for sample in &samples {
        let path = sample.publish(&store, "ann").await.unwrap().path.clone();
        store.verify(&path).await.unwrap();
    }
    let before = store.all();
    drop(store);
    let store = ground.open().await;
    assert_eq!(store.all(), before);
    for sample in &samples {
        assert!(sample.is_whole(&store).await);
    }
}

async fn the_index_is_made_again_from_what_is_published(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 33, 10_000);
    sample.publish(&store, "ann").await.unwrap();
    store.put_deprecation(&sample.path, Bytes::from_static(b"bad")).await.unwrap();
    let before = store.verify(&sample.path).await.unwrap().unwrap();
    let found = store.rebuild().await.unwrap();
    assert_eq!((found.changed, found.gone, found.unreadable.len()), (1, 0, 0));
    let after = store.verify(&sample.path).await.unwrap().unwrap();
    assert_eq!(after, before);
    drop(store);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(ground.settings.data.join(format!("index.sqlite{ending}")));
    }
    let store = ground.open().await;
    assert_eq!(*store.verify(&sample.path).await.unwrap().unwrap(), *before);
    let query = SearchQuery { status: StatusFilter::All, ..SearchQuery::default() };
    assert_eq!(store.search(&query, Timestamp::now()).total, 1);
}

async fn further_digests_are_compared_in_the_background(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 34, 60_000);
    let record = sample.publish(&store, "ann").await.unwrap();
    assert!(record.is_pending(), "only SHA-256 is computed while the bytes arrive");
    let strong = record.checks.iter().filter(|c| c.digest.algorithm() == Algorithm::Sha256);
    assert!(strong.clone().count() == 2 && strong.clone().all(|c| c.state == CheckState::Verified));
    support::until("the comparison", || !store.lookup(&sample.path).unwrap().is_pending()).await;
    let record = store.lookup(&sample.path).unwrap();
    assert!(record.checks.iter().all(|check| check.state == CheckState::Verified));
    assert_eq!(record.checks.len(), 6);
    assert!(record.compressed.digest(Algorithm::Sha512).is_some());
    assert_eq!(record.damaged, None);
}

async fn a_lying_digest_makes_the_appliance_damaged(ground: Ground) {
    let store = ground.open().await;
    let mut sample = Sample::new("ubuntu", 35, 60_000);
    let lie = stratus_model::Digest::new(Algorithm::Sha512, &[0; 64]).unwrap();
    sample.paper.digests.retain(|d| d.algorithm() != Algorithm::Sha512);
    sample.paper.digests.push(lie);
    sample.publish(&store, "ann").await.unwrap();
    let record = store.verify(&sample.path).await.unwrap().unwrap();
    assert!(record.damaged.as_ref().unwrap().contains("SHA-512"), "{:?}", record.damaged);
    assert!(matches!(store.open_image(&record).await, Err(StoreError::Damaged { .. })));
}

async fn a_manifest_with_only_sha512_is_compared_before_publication(ground: Ground) {
    let store = ground.open().await;
    let mut sample = Sample::new("ubuntu", 36, 60_000);
    sample.paper.digests.retain(|d| d.algorithm() == Algorithm::Sha512);
    sample.paper.compressed = None;
    let mut lying = sample.clone();
    lying.paper.digests = vec![stratus_model::Digest::new(Algorithm::Sha512, &[0; 64]).unwrap()];
    lying.describe(&store, "ann").await.unwrap();
    let refused = lying.send(&store, "ann").await;
    assert!(matches!(refused, Err(StoreError::Mismatch(_))), "{refused:?}");
    sample.describe(&store, "ann").await.unwrap();
    let outcome = sample.send(&store, "ann").await.unwrap();
    assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    drop(store);
    let _ = std::fs::remove_file(ground.settings.data.join("index.sqlite"));
    let store = ground.open().await;
    let record = store.lookup(&sample.path).unwrap();
    assert_eq!(record.sha256(), Some(sample.compressed()), "computed, the manifest has none");
}

async fn ranges_of_an_image_are_its_bytes(ground: Ground) {
    let store = ground.open().await;
    let sample = Sample::new("ubuntu", 37, 600_000);
    let record = sample.publish(&store, "ann").await.unwrap();
    for range in [0..1, 0..sample.image.len(), 5..5, 299_999..300_002, 100_000..500_000] {
        let source = store.open_image(&record).await.unwrap();
        let bytes = read(source.stream(range.start as u64..range.end as u64)).await.unwrap();
        assert_eq!(bytes, sample.image[range]);
    }
}

async fn folders_show_published_things_only(ground: Ground) {
    let store = ground.open().await;
    for (seed, name) in [(38, "a"), (39, "a-b"), (40, "a.b")] {
        Sample::new(name, seed, 5000).publish(&store, "ann").await.unwrap();
    }
    Sample::new("hidden", 41, 5000).send(&store, "ann").await.unwrap();
    let folder = |text| store.list(&TreePath::parse(text).unwrap());
    assert_eq!(folder("").unwrap().folders, ["base"]);
    assert_eq!(folder("base").unwrap().folders, ["a", "a-b", "a.b"]);
    let files = folder("base/a/1.0").unwrap().files;
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["a-1.0.img.gz", "a-1.0.img.manifest.xml"]);
    assert_eq!(files[0].kind, FileKind::Image);
    assert_eq!(files[0].bytes, files[0].record.compressed.bytes);
    assert!(folder("base/hidden").is_none() && folder("bas").is_none());
}

async fn an_appliance_is_found_by_path_name_and_digests(ground: Ground) {
    let store = ground.open().await;
    let mut sample = Sample::new("ubuntu", 42, 20_000);
    let sha1 = sample.measured.content.digest(Algorithm::Sha1).unwrap().clone();
    sample.paper.identifier = stratus_model::Identifier::from_digest(&sha1);
    let record = sample.publish(&store, "ann").await.unwrap();
    let keys = [
        "ubuntu-1.0".to_owned(),
        record.identifier.unwrap().to_string(),
        record.sha256().unwrap().to_hex().to_uppercase(),
        record.content_sha256().unwrap().to_hex(),
    ];
    for key in keys {
        let found = store.find(&key);
        assert_eq!(found.len(), 1, "{key}");
        assert_eq!(found[0].path, sample.path);
    }
    assert!(store.find("ubuntu").is_empty());
    store.delete(&sample.path).await.unwrap();
    assert!(store.find("ubuntu-1.0").is_empty());
}
