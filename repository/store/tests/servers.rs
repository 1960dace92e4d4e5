//! Several servers at one bucket.

mod support;

use bytes::Bytes;
use stratus_store::{Outcome, StoreError, UploadId};
use support::{Ground, Sample};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_at_one_server_and_manifest_at_another_make_an_appliance() {
    let ground = Ground::bucket();
    let (first, second) = (ground.open().await, ground.open_second().await);
    let sample = Sample::new("ubuntu", 1, 50_000);
    assert_eq!(sample.send(&first, "ann").await.unwrap(), Outcome::NeedsManifest);
    let outcome = sample.describe(&second, "ann").await.unwrap();
    assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    assert!(sample.is_whole(&second).await);
    // The first has not listed the bucket since; asked for the place, it looks.
    assert!(first.lookup(&sample.path).is_none());
    assert!(first.resolve(&sample.path).await.unwrap().is_some());
    assert!(sample.is_whole(&first).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_broke_at_one_server_goes_on_at_another() {
    let ground = Ground::bucket();
    let (first, second) = (ground.open().await, ground.open_second().await);
    // More than one part of 8 MiB, so that parts and a tail are carried over.
    let sample = Sample::new("ubuntu", 2, 10_000_000);
    sample.describe(&second, "ann").await.unwrap();
    let mut staged = first.begin(&sample.path, "ann", None).await.unwrap();
    for start in (0..9_000_000).step_by(100_000) {
        staged.append(sample.image.slice(start..start + 100_000)).await.unwrap();
    }
    assert_eq!(staged.pause().await.unwrap().offset, 9_000_000);
    let id = UploadId::of(&sample.path, "ann");
    assert_eq!(second.upload(&id).await.unwrap().unwrap().offset, 9_000_000);
    assert!(matches!(sample.send(&second, "ann").await.unwrap(), Outcome::Published(_)));
    assert!(sample.is_whole(&second).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_never_write_to_one_upload_together() {
    let ground = Ground::bucket();
    let (first, second) = (ground.open().await, ground.open_second().await);
    let sample = Sample::new("ubuntu", 3, 200_000);
    sample.describe(&first, "ann").await.unwrap();
    let mut here = first.begin(&sample.path, "ann", None).await.unwrap();
    here.append(sample.image.slice(..100_000)).await.unwrap();
    let mut there = second.begin(&sample.path, "ann", None).await.unwrap();
    assert_eq!(there.offset(), 0, "what the first has is not safe yet");
    there.append(sample.image.slice(..50_000)).await.unwrap();
    there.pause().await.unwrap();
    let superseded = here.pause().await;
    assert!(matches!(superseded, Err(StoreError::Superseded)), "{superseded:?}");
    let outcome = sample.send(&first, "ann").await.unwrap();
    assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    assert!(sample.is_whole(&first).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_finds_what_other_servers_did() {
    let ground = Ground::bucket();
    let (first, second) = (ground.open().await, ground.open_second().await);
    let (one, two) = (Sample::new("one", 4, 20_000), Sample::new("two", 5, 20_000));
    one.publish(&first, "ann").await.unwrap();
    two.publish(&first, "ann").await.unwrap();
    assert_eq!(second.refresh().await.unwrap().changed, 2);
    assert!(one.is_whole(&second).await && two.is_whole(&second).await);
    first.put_deprecation(&one.path, Bytes::from_static(b"old")).await.unwrap();
    first.delete(&two.path).await.unwrap();
    let refreshed = second.refresh().await.unwrap();
    assert_eq!((refreshed.changed, refreshed.gone), (1, 1));
    assert!(second.lookup(&one.path).unwrap().deprecated.is_some());
    assert!(second.lookup(&two.path).is_none());
    assert_eq!(second.refresh().await.unwrap().changed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_upload_completed_at_two_servers_is_published_once() {
    let ground = Ground::bucket();
    let (first, second) = (ground.open().await, ground.open_second().await);
    let sample = Sample::new("ubuntu", 6, 20_000);
    sample.send(&first, "ann").await.unwrap();
    let (a, b) = tokio::join!(sample.describe(&first, "ann"), sample.describe(&second, "ann"));
    let fine = |outcome: &Result<Outcome, StoreError>| {
        matches!(
            outcome,
            Ok(Outcome::Published(_) | Outcome::AlreadyPublished(_))
                | Err(StoreError::Superseded | StoreError::NoUpload)
        )
    };
    assert!(fine(&a) && fine(&b), "{a:?} {b:?}");
    assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    for store in [&first, &second] {
        store.refresh().await.unwrap();
        assert!(sample.is_whole(store).await);
    }
}
