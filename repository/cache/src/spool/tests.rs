//! What a start knows of the objects, and what the first request finds out.

use super::*;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Barrier;
use stratus_cache_policy::{Exchange, Options, Storing, store};

const KEY: &str = "http://h/a";
/// Of an object, in records of 10 bytes.
const TOTAL: u64 = 100;
const ROOM: Room = Room { size: 1 << 20, free: 0 };

fn head(tag: &str) -> Stored {
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, HeaderValue::from_str(tag).unwrap());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    let (method, asked, at) = (Method::GET, HeaderMap::new(), Timestamp::UNIX_EPOCH);
    let request = stratus_cache_policy::Request { method: &method, headers: &asked };
    let response = stratus_cache_policy::Response { status: StatusCode::OK, headers: &headers };
    let exchange = Exchange { requested_at: at, received_at: at };
    match store(&request, &response, exchange, &Options::default()) {
        Storing::Store(head) => *head,
        Storing::Dont(refusal) => panic!("{refusal}"),
    }
}

fn lines(tag: &str) -> Vec<u8> {
    let identity = Identity::new(KEY, Some(TOTAL), Promise::default());
    let mut text =
        [Line::Object(identity), Line::Head(Box::new(head(tag)))].map(|l| encode(&l)).concat();
    for from in (0..TOTAL).step_by(10) {
        text.extend(encode(&Line::Bytes(from, from + 10, crc32fast::hash(&[7; 10]))));
    }
    text
}

/// A spool with one object, opened; and where its files are.
fn opened() -> (tempfile::TempDir, Spool, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let objects = folder.path().join("objects/00");
    std::fs::create_dir_all(&objects).unwrap();
    let (journal, data) = (objects.join("a.log"), objects.join("a.data"));
    std::fs::write(&journal, lines("\"v1\"")).unwrap();
    std::fs::write(&data, [7; 100]).unwrap();
    let spool = Spool::open(folder.path(), ROOM).unwrap();
    (folder, spool, journal, data)
}

#[test]
fn many_first_readers_look_once() {
    let (_folder, spool, journal, data) = opened();
    assert_eq!((spool.occupied(), spool.len()), (TOTAL, 1), "sizes are known from the start");
    File::options().write(true).open(&data).unwrap().set_len(35).unwrap();
    let barrier = Barrier::new(32);
    let look = || {
        barrier.wait();
        let found = spool.variants(KEY);
        assert_eq!(found.len(), 1);
        (found[0].bytes(), found[0].head())
    };
    let seen: Vec<(u64, Arc<Stored>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(look)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (bytes, head) in &seen {
        assert_eq!(*bytes, 30, "nobody got it before it was looked at");
        assert!(Arc::ptr_eq(head, &seen[0].1), "the head was read more than once");
    }
    assert_eq!(spool.occupied(), 30);
    let told = std::fs::read_to_string(journal).unwrap();
    assert_eq!(told.matches("\"lost\"").count(), 7, "{told}");
}

#[test]
fn an_object_whose_files_are_others_now_is_nobodys_answer() {
    let others: [fn(&Path, &Path); 5] = [
        |journal, _| std::fs::remove_file(journal).unwrap(),
        |journal, _| File::options().write(true).open(journal).unwrap().set_len(200).unwrap(),
        // As long, and right in itself.
        |journal, _| std::fs::write(journal, lines("\"v2\"")).unwrap(),
        |journal, _| std::fs::write(journal, lines("\"older\"")).unwrap(),
        |_, data| std::fs::remove_file(data).unwrap(),
    ];
    for (number, change) in others.into_iter().enumerate() {
        let (_folder, spool, journal, data) = opened();
        change(&journal, &data);
        assert!(spool.variants(KEY).is_empty(), "{number}");
        assert!(!journal.exists() && !data.exists(), "{number}");
        spool.sweep();
        assert_eq!((spool.occupied(), spool.len()), (0, 0), "{number}");
    }
}

#[test]
fn times_of_use_survive_lines_that_are_written_later() {
    let (folder, spool, journal, _) = opened();
    let used = "2020-01-02T03:04:05Z".parse::<Timestamp>().unwrap();
    let object = spool.variants(KEY).remove(0);
    object.touch(used);
    spool.keep_times();
    object.pin(true);
    spool.keep_times();
    drop((object, spool));
    // A torn line is cut off at the start.
    let mut file = OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(b"torn").unwrap();
    file.set_modified(used.into()).unwrap();
    drop(Spool::open(folder.path(), ROOM).unwrap());
    let spool = Spool::open(folder.path(), ROOM).unwrap();
    let object = &spool.all()[0];
    assert_eq!((object.used(), object.is_pinned()), (used, true));
}
