//! Sending an image to servers that stop, forget, refuse and are taken.

use crate::support::{Answer, Request, Server};
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use stratus_client::{ClientError, Sent, Standing, Stored};
use stratus_model::{AppliancePath, Digest, Exit, FileKind};
use stratus_repository_api::problem::{Problem, ProblemKind};
use stratus_repository_api::range::ContentRange;
use stratus_terminal::Progress;

const MIB: usize = 1 << 20;
const LOGIN: &str = "Basic c2lnbmVyOnNlY3JldA==";

static PLACE: LazyLock<AppliancePath> =
    LazyLock::new(|| AppliancePath::parse("base/x/1.0/x-1.0").unwrap());
static BYTES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..6 * MIB).map(|i| u8::try_from(i * 31 / 7 % 251).unwrap()).collect());

/// What a repository has of one image.
#[derive(Default)]
struct Store {
    staged: Vec<u8>,
    published: bool,
}

/// Follows the contract: HEAD tells the owner how far it is, PUT goes on there.
fn contract(store: &Mutex<Store>, request: &Request) -> Answer {
    if request.header("authorization") != Some(LOGIN) {
        return Answer::new(401);
    }
    let mut store = store.lock().unwrap();
    if request.method == "HEAD" {
        return match (store.published, store.staged.len()) {
            (true, _) => Answer::new(200).with("content-length", BYTES.len()),
            (false, 0) => Answer::new(404),
            (false, n) => {
                Answer::new(404).with("upload-offset", n).with("upload-length", BYTES.len())
            }
        };
    }
    let begins = match request.header("content-range").map(|h| ContentRange::parse(h).unwrap()) {
        Some(ContentRange::Part { first, .. }) => usize::try_from(first).unwrap(),
        _ => 0,
    };
    if begins > store.staged.len() {
        let problem = Problem::new(ProblemKind::ResumeAt).offset(store.staged.len() as u64);
        return Answer::new(409).body(problem.to_json());
    }
    store.staged.truncate(begins);
    store.staged.extend_from_slice(&request.body);
    store.published = store.staged.len() == BYTES.len();
    Answer::new(if store.published { 201 } else { 500 })
}

fn file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&BYTES).unwrap();
    file
}

async fn upload(server: &Server) -> Result<Sent, ClientError> {
    let digest = Digest::sha256([1; 32]);
    let image = file();
    server.repository().upload_image(&PLACE, image.path(), Some(&digest), &Progress::hidden()).await
}

#[tokio::test]
async fn an_image_is_sent_as_it_is() {
    let store = Arc::new(Mutex::new(Store::default()));
    let held = Arc::clone(&store);
    let server = Server::start(move |_, r| contract(&held, r)).await;
    assert_eq!(upload(&server).await.unwrap(), Sent::From(0));
    assert!(store.lock().unwrap().staged == *BYTES);
    let put = &server.asked("PUT")[0];
    assert_eq!(put.path, "/images/base/x/1.0/x-1.0.img.gz");
    assert_eq!(put.header("content-length"), Some(BYTES.len().to_string().as_str()));
    assert_eq!(put.header("content-range"), None);
    assert_eq!(put.header("content-type"), Some("application/gzip"));
    assert_eq!(upload(&server).await.unwrap(), Sent::NotNeeded);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_the_server_stopped() {
    let store = Arc::new(Mutex::new(Store::default()));
    let held = Arc::clone(&store);
    let kept = Arc::clone(&store);
    // The first PUT breaks after 2 MiB, and 1.5 MiB of them were kept.
    let server = Server::start_impatient(
        move |number, method| {
            if method == "PUT" && number == 1 {
                kept.lock().unwrap().staged = BYTES[..3 * MIB / 2].to_vec();
                return Some(2 * MIB);
            }
            None
        },
        move |_, r| contract(&held, r),
    )
    .await;
    assert_eq!(upload(&server).await.unwrap(), Sent::From(0));
    assert!(store.lock().unwrap().staged == *BYTES);
    let put = server.asked("PUT");
    let range = format!("bytes {}-{}/{}", 3 * MIB / 2, BYTES.len() - 1, BYTES.len());
    assert_eq!(put[1].header("content-range"), Some(range.as_str()));
}

#[tokio::test]
async fn an_upload_of_an_earlier_run_goes_on() {
    let store = Store { staged: BYTES[..4 * MIB].to_vec(), published: false };
    let store = Arc::new(Mutex::new(store));
    let held = Arc::clone(&store);
    let server = Server::start(move |_, r| contract(&held, r)).await;
    assert_eq!(upload(&server).await.unwrap(), Sent::From(4 * MIB as u64));
    assert!(store.lock().unwrap().staged == *BYTES);
    assert_eq!(server.asked("PUT")[0].body.len(), 2 * MIB);
}

#[tokio::test]
async fn the_offset_in_a_refusal_is_followed() {
    let store = Arc::new(Mutex::new(Store::default()));
    let held = Arc::clone(&store);
    // HEAD says more than PUT then finds.
    let server = Server::start(move |n, r| match n {
        0 => Answer::new(404).with("upload-offset", 2 * MIB).with("upload-length", BYTES.len()),
        _ => contract(&held, r),
    })
    .await;
    upload(&server).await.unwrap();
    assert!(store.lock().unwrap().staged == *BYTES);
    assert_eq!(server.asked("HEAD").len(), 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_full_one_is_not() {
    let store = Arc::new(Mutex::new(Store::default()));
    let held = Arc::clone(&store);
    let server = Server::start(move |n, r| match n {
        1 | 3 => Answer::new(503).with("retry-after", 0),
        _ => contract(&held, r),
    })
    .await;
    upload(&server).await.unwrap();

    let full = Server::start(|_, r| match r.method.as_str() {
        "HEAD" => Answer::new(404),
        _ => Answer::new(507).body(Problem::new(ProblemKind::NoSpace).to_json()),
    })
    .await;
    let error = upload(&full).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(!error.hints().is_empty());
    assert_eq!(full.asked("PUT").len(), 1);
}

#[tokio::test]
async fn a_server_that_never_takes_a_byte_is_given_up() {
    let server = Server::start_impatient(
        |_, method| (method == "PUT").then_some(MIB),
        |_, _| Answer::new(404),
    )
    .await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Unreachable, "{error:?}");
    assert_eq!(server.asked("PUT").len(), 4);
}

#[tokio::test]
async fn a_refusal_before_the_last_byte_is_heard() {
    let server = Server::start(|_, r| match r.method.as_str() {
        "HEAD" => Answer::new(404),
        _ => Answer::new(403)
            .body(Problem::new(ProblemKind::NotAllowed).detail("not here").to_json()),
    })
    .await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied);
    assert!(error.to_string().contains("not here"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_said_once() {
    let server = Server::start(|_, _| Answer::new(401)).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied);
    assert!(error.to_string().contains("is wrong"), "{error}");
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn a_published_name_is_never_replaced() {
    for taken in [
        Answer::new(200).with("content-length", 17),
        Answer::new(200)
            .with("content-length", BYTES.len())
            .with("repr-digest", "sha-256=:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=:"),
    ] {
        let server = Server::start(move |_, _| taken.clone()).await;
        let error = upload(&server).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Failed);
        assert!(error.to_string().contains("another image"), "{error}");
        assert_eq!(server.asked("PUT").len(), 0);
    }
}

#[tokio::test]
async fn documents_are_published_once_or_wait() {
    for (status, stored) in [
        (201, Stored::Published),
        (200, Stored::AlreadyThere),
        (204, Stored::AlreadyThere),
        (202, Stored::Waiting),
    ] {
        let server = Server::start(move |_, _| Answer::new(status)).await;
        let repository = server.repository();
        let done = repository.put_document(&PLACE, FileKind::Manifest, b"<manifest/>").await;
        assert_eq!(done.unwrap(), stored);
        let put = &server.asked("PUT")[0];
        assert_eq!(put.path, "/images/base/x/1.0/x-1.0.img.manifest.xml");
        assert_eq!(
            (put.body.as_slice(), put.header("authorization")),
            (&b"<manifest/>"[..], Some(LOGIN))
        );
    }
    let refused =
        Problem::new(ProblemKind::NotTrusted).reasons(["the signer is not known".to_owned()]);
    let server = Server::start(move |_, _| Answer::new(403).body(refused.to_json())).await;
    let repository = server.repository();
    let error = repository.put_document(&PLACE, FileKind::Manifest, b"x").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    assert_eq!(error.hints(), ["the signer is not known"]);
}

#[tokio::test]
async fn standing_is_read_from_the_headers() {
    let server = Server::start(|_, _| Answer::new(404).with("upload-offset", "x")).await;
    assert_eq!(server.repository().standing(&PLACE).await.unwrap(), Standing::Nothing);
    let server = Server::start(|_, _| Answer::new(404).with("upload-offset", 5)).await;
    let staged = Standing::Staged { offset: 5, total: None };
    assert_eq!(server.repository().standing(&PLACE).await.unwrap(), staged);
}
