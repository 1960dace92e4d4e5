//! Fetching an image from servers that are good, tired, broken and evil.

use crate::support::{Answer, Image, PIECE, Server, connection, image, names, serve_file, target};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use stratus_client::{ClientError, FetchOptions, Form, fetch};
use stratus_model::{Exit, Expected};
use stratus_terminal::Progress;
use url::Url;

/// About 1.2 MiB: twenty pieces.
static IMAGE: LazyLock<Arc<Image>> = LazyLock::new(|| Arc::new(image(1280)));
/// Large enough for several connections.
static LARGE: LazyLock<Arc<Image>> = LazyLock::new(|| Arc::new(image(4096)));

const ETAG: &str = "\"one\"";
/// A quarter of a piece: four steps are one piece.
const STEP: usize = PIECE / 4;

fn url(server: &Server) -> Url {
    Url::parse(&format!("{}/images/x.img.gz", server.address)).unwrap()
}

async fn get(
    servers: &[&Server],
    expected: &Expected,
    to: &Path,
    form: Form,
) -> Result<(), ClientError> {
    let places: Vec<Url> = servers.iter().map(|s| url(s)).collect();
    let options = FetchOptions { form, connections: 4, parallel_from: LARGE.gz.len() as u64 };
    fetch(&servers[0].repository(), &places, expected, to, options, &Progress::hidden()).await
}

fn without_pieces(image: &Image) -> Expected {
    let mut expected = image.expected.clone();
    expected.compressed.as_mut().unwrap().chunks = None;
    expected
}

#[tokio::test]
async fn an_image_is_inflated_with_its_holes_and_nothing_else_is_left() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    let (folder, to) = target("vm.img");
    get(&[&server], &IMAGE.expected, &to, Form::Inflated).await.unwrap();
    assert!(fs::read(&to).unwrap() == IMAGE.raw);
    assert!(fs::metadata(&to).unwrap().blocks() * 512 < IMAGE.raw.len() as u64);
    assert_eq!(names(folder.path()), ["vm.img"]);
    // A reader needs no login where none is asked for.
    assert!(server.log().iter().all(|r| r.header("authorization").is_none()));
}

#[tokio::test]
async fn the_gzip_file_is_kept_as_served() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    for expected in [IMAGE.expected.clone(), without_pieces(&IMAGE)] {
        let (folder, to) = target("vm.img.gz");
        fs::write(&to, "an older one").unwrap();
        get(&[&server], &expected, &to, Form::Compressed).await.unwrap();
        assert!(fs::read(&to).unwrap() == IMAGE.gz);
        assert_eq!(names(folder.path()), ["vm.img.gz"]);
    }
}

#[tokio::test]
async fn a_large_image_comes_over_several_connections() {
    let served = Arc::clone(&LARGE);
    let server = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    let (_folder, to) = target("vm.img");
    get(&[&server], &LARGE.expected, &to, Form::Inflated).await.unwrap();
    assert!(fs::read(&to).unwrap() == LARGE.raw);
    let asked = server.asked("GET");
    assert!(asked.len() >= 8, "{} requests", asked.len());
    assert!(asked.iter().all(|r| r.range().is_some() && r.header("if-range") == Some(ETAG)));
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_once() {
    let served = Arc::clone(&LARGE);
    let server = Server::start(move |_, _| Answer::new(200).body(served.gz.clone())).await;
    let (_folder, to) = target("vm.img");
    get(&[&server], &LARGE.expected, &to, Form::Inflated).await.unwrap();
    assert_eq!(server.asked("GET").len(), 1);
    assert!(fs::read(&to).unwrap() == LARGE.raw);
}

#[tokio::test]
async fn a_cut_connection_goes_on_at_the_missing_piece() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |n, r| {
        let answer = serve_file(r, &served.gz, ETAG);
        if n == 1 { answer.cut_after(9 * STEP) } else { answer }
    })
    .await;
    let (_folder, to) = target("vm.img");
    get(&[&server], &IMAGE.expected, &to, Form::Inflated).await.unwrap();
    assert!(fs::read(&to).unwrap() == IMAGE.raw);
    let asked = server.asked("GET");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].range().unwrap().0, 8 * STEP);
}

#[tokio::test]
async fn without_a_list_of_pieces_it_goes_on_at_the_byte() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |n, r| {
        let answer = serve_file(r, &served.gz, ETAG);
        if n < 2 { answer.cut_after(5 * STEP) } else { answer }
    })
    .await;
    let (folder, to) = target("vm.img");
    get(&[&server], &without_pieces(&IMAGE), &to, Form::Inflated).await.unwrap();
    assert!(fs::read(&to).unwrap() == IMAGE.raw);
    let asked = server.asked("GET");
    assert_eq!(asked[1].range(), Some((5 * STEP, None)));
    assert_eq!(asked[2].range(), Some((10 * STEP, None)));
    assert_eq!(asked[1].header("if-range"), Some(ETAG));
    assert_eq!(names(folder.path()), ["vm.img"]);
}

/// A server that breaks after 9 MiB until it is repaired.
async fn breaking() -> (Server, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let (served, well) = (Arc::clone(&IMAGE), Arc::clone(&repaired));
    let server = Server::start(move |_, r| {
        let answer = serve_file(r, &served.gz, ETAG);
        match r.range() {
            _ if well.load(Ordering::Relaxed) => answer,
            Some((1.., _)) => Answer::new(503).with("retry-after", 0),
            _ => answer.cut_after(9 * STEP),
        }
    })
    .await;
    (server, repaired)
}

#[tokio::test]
async fn a_later_run_goes_on_with_what_is_there() {
    for expected in [IMAGE.expected.clone(), without_pieces(&IMAGE)] {
        let (folder, to) = target("vm.img");
        let (server, repaired) = breaking().await;
        let error = get(&[&server], &expected, &to, Form::Inflated).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable, "{error:?}");
        assert!(names(folder.path()).contains(&".vm.img.stratus-partial".to_owned()));
        assert!(!to.exists() && !names(folder.path()).iter().any(|n| n.contains("inflating")));
        repaired.store(true, Ordering::Relaxed);
        let before = server.asked("GET").len();
        get(&[&server], &expected, &to, Form::Inflated).await.unwrap();
        assert!(fs::read(&to).unwrap() == IMAGE.raw);
        let begins = server.asked("GET")[before].range().unwrap().0;
        assert!((8 * STEP..=9 * STEP).contains(&begins), "{begins}");
        assert_eq!(names(folder.path()), ["vm.img"]);
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_is_never_believed() {
    for expected in [IMAGE.expected.clone(), without_pieces(&IMAGE)] {
        let (folder, to) = target("vm.img");
        let (server, repaired) = breaking().await;
        get(&[&server], &expected, &to, Form::Inflated).await.unwrap_err();
        let partial = folder.path().join(".vm.img.stratus-partial");
        let mut left = fs::read(&partial).unwrap();
        left[5 * STEP] ^= 1;
        fs::write(&partial, left).unwrap();
        repaired.store(true, Ordering::Relaxed);
        get(&[&server], &expected, &to, Form::Inflated).await.unwrap();
        assert!(fs::read(&to).unwrap() == IMAGE.raw);
    }
}

#[tokio::test]
async fn a_file_that_changed_is_begun_anew() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |n, r| match n {
        0 => serve_file(r, &LARGE.gz, "\"old\"").cut_after(5 * STEP),
        _ => serve_file(r, &served.gz, "\"new\""),
    })
    .await;
    let (_folder, to) = target("vm.img");
    get(&[&server], &without_pieces(&IMAGE), &to, Form::Inflated).await.unwrap();
    assert!(fs::read(&to).unwrap() == IMAGE.raw);
}

#[tokio::test]
async fn a_tired_server_is_asked_again_and_an_absent_one_given_up() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |n, r| match n {
        0 | 2 => Answer::new(503).with("retry-after", 0),
        1 => Answer::new(429),
        _ => serve_file(r, &served.gz, ETAG),
    })
    .await;
    let (_folder, to) = target("vm.img");
    get(&[&server], &IMAGE.expected, &to, Form::Inflated).await.unwrap();
    assert!(to.exists());

    let away = Server::start(|_, _| Answer::new(503)).await;
    let (folder, to) = target("vm.img");
    let error = get(&[&away], &IMAGE.expected, &to, Form::Inflated).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Unreachable);
    assert_eq!(away.log().len(), 4);
    assert!(!names(folder.path()).contains(&"vm.img".to_owned()));
}

#[tokio::test]
async fn a_single_wrong_byte_is_refused() {
    for expected in [IMAGE.expected.clone(), without_pieces(&IMAGE)] {
        let mut wrong = IMAGE.gz.clone();
        wrong[13 * STEP] ^= 1;
        let server = Server::start(move |_, r| serve_file(r, &wrong, ETAG)).await;
        for form in [Form::Inflated, Form::Compressed] {
            let (folder, to) = target("vm.img");
            let error = get(&[&server], &expected, &to, form).await.unwrap_err();
            assert_eq!(error.exit(), Exit::Refused, "{error:?}");
            assert!(!to.exists(), "{:?}", names(folder.path()));
        }
    }
}

#[tokio::test]
async fn another_image_with_a_fitting_list_of_pieces_is_refused() {
    // The pieces are those of the manifest, but the digest of the content is not.
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    let mut expected = IMAGE.expected.clone();
    expected.checksums = LARGE.expected.checksums.clone();
    let (folder, to) = target("vm.img");
    let error = get(&[&server], &expected, &to, Form::Inflated).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused, "{error:?}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_file_of_another_size_is_refused_before_it_is_sent() {
    let served = Arc::clone(&LARGE);
    let server = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    let (_folder, to) = target("vm.img");
    let error = get(&[&server], &IMAGE.expected, &to, Form::Inflated).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    assert_eq!(server.asked("GET").len(), 0);
}

#[tokio::test]
async fn a_place_that_is_bad_is_left_for_the_next() {
    let mut wrong = IMAGE.gz.clone();
    wrong[9 * STEP] ^= 1;
    let evil = Server::start(move |_, r| serve_file(r, &wrong, ETAG)).await;
    let gone = Server::start(|_, _| Answer::new(404)).await;
    let served = Arc::clone(&IMAGE);
    let good = Server::start(move |_, r| serve_file(r, &served.gz, "\"other\"")).await;
    for (expected, asked_from) in [(IMAGE.expected.clone(), 8 * STEP), (without_pieces(&IMAGE), 0)]
    {
        let (_folder, to) = target("vm.img");
        get(&[&gone, &evil, &good], &expected, &to, Form::Inflated).await.unwrap();
        assert!(fs::read(&to).unwrap() == IMAGE.raw);
        // Pieces that the evil place sent right are not fetched again.
        let last = good.asked("GET").pop().unwrap();
        assert_eq!(last.range().map_or(0, |(first, _)| first), asked_from);
    }
    let (_folder, to) = target("vm.img");
    let error =
        get(&[&gone, &evil, &gone], &IMAGE.expected, &to, Form::Inflated).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused, "{error:?}");
}

#[tokio::test]
async fn a_login_is_sent_only_where_it_is_asked_for_and_only_to_the_repository() {
    let served = Arc::clone(&IMAGE);
    let closed = Server::start(move |_, r| match r.header("authorization") {
        Some("Basic c2lnbmVyOnNlY3JldA==") => serve_file(r, &served.gz, ETAG).cut_after(9 * STEP),
        _ => Answer::new(401),
    })
    .await;
    let served = Arc::clone(&IMAGE);
    let elsewhere = Server::start(move |_, r| serve_file(r, &served.gz, ETAG)).await;
    let repository = stratus_client::Repository::new(&connection(&closed.address)).unwrap();
    let (_folder, to) = target("vm.img");
    let options = FetchOptions { connections: 1, ..FetchOptions::default() };
    let places = [url(&closed), url(&elsewhere)];
    fetch(&repository, &places, &IMAGE.expected, &to, options, &Progress::hidden()).await.unwrap();
    assert_eq!(closed.log()[0].header("authorization"), None);
    assert!(closed.log()[1].header("authorization").is_some());
    let other = [url(&elsewhere)];
    fetch(&repository, &other, &IMAGE.expected, &to, options, &Progress::hidden()).await.unwrap();
    assert!(!elsewhere.log().is_empty());
    assert!(elsewhere.log().iter().all(|r| r.header("authorization").is_none()));
}

#[tokio::test]
async fn an_answer_with_another_range_is_not_believed() {
    let served = Arc::clone(&IMAGE);
    let server = Server::start(move |n, r| match n {
        1 => serve_file(r, &served.gz, ETAG).cut_after(5 * STEP),
        2 => Answer::new(206)
            .with("content-range", format!("bytes 0-99/{}", served.gz.len()))
            .body(vec![0; 100]),
        _ => serve_file(r, &served.gz, ETAG),
    })
    .await;
    let (_folder, to) = target("vm.img");
    let error = get(&[&server], &IMAGE.expected, &to, Form::Inflated).await.unwrap_err();
    assert!(error.to_string().contains("another range"), "{error}");
}
