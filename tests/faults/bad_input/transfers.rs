//! Transfers that go wrong: parts, ranges, slow clients, full disks.

use crate::{invisible, publishes};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use stratus_tests::{Answer, Appliance, Repository, Setup, disk, run, tool};

#[test]
fn a_part_that_overlaps_leaves_a_gap_or_changes_the_total() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "parts", "1.0", &disk(120_000, 1));
    let image = fs::read(&a.image).unwrap();
    let (half, total) = (image.len() / 2, image.len());
    let send = |range: &str, body: &[u8]| -> Answer {
        let headers = [("content-range", range)];
        repository.put_with("signer", &a.image_path(), &headers, body.to_vec())
    };
    let first = format!("bytes 0-{}/{total}", half - 1);
    send(&first, &image[..half]).expect("first half", 202, "");
    let wrong = [
        ("overlap", half - 1, total, total),
        ("gap", half + 1, total, total),
        ("total", half, total, total + 1),
        ("smaller total", half, total - 1, total - 1),
    ];
    for (case, from, to, announced) in wrong {
        let range = format!("bytes {from}-{}/{announced}", to - 1);
        let answer = send(&range, &image[from..to]).expect(case, 409, "resume-at");
        assert_eq!(answer.header("upload-offset"), Some(half.to_string().as_str()), "{case}");
    }
    for (case, range) in [
        ("backwards", format!("bytes 9-3/{total}")),
        ("past the end", format!("bytes {half}-{total}/{total}")),
        ("no number", "bytes a-b/c".to_owned()),
        ("another unit", format!("lines {half}-{}/{total}", total - 1)),
        ("overflow", "bytes 0-99999999999999999999999/99999999999999999999999999".to_owned()),
        ("another length", format!("bytes {half}-{}/{total}", half + 3)),
    ] {
        let answer = send(&range, &image[half..]);
        assert_eq!(answer.status, 400, "{case}: {}", answer.text());
    }
    let rest = format!("bytes {half}-{}/{total}", total - 1);
    send(&rest, &image[half..]).expect("the rest", 202, "manifest");
    publishes(&repository, &a);
}

#[test]
fn curls_own_way_to_go_on() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "curl", "1.0", &disk(3 << 20, 2));
    let image = fs::read(&a.image).unwrap();
    let (part, total) = (image.len() / 3, image.len());
    let range = format!("bytes 0-{}/{total}", part - 1);
    let headers = [("content-range", range.as_str())];
    repository
        .put_with("signer", &a.image_path(), &headers, image[..part].to_vec())
        .expect("a third", 202, "");
    // `-C -` does not ask and sends everything; a number goes on from there.
    let url = format!("{}{}", repository.url(), a.image_path());
    let file = a.image.to_str().unwrap();
    let number = part.to_string();
    let out = run(repository.curl("signer").args(["-C", &number, "-T", file, &url])).good();
    assert!(out.stdout.ends_with("202"), "{}", out.stdout);
    publishes(&repository, &a);
    let a = Appliance::build(repository.folder(), "curl2", "1.0", &disk(3 << 20, 3));
    let image = fs::read(&a.image).unwrap();
    let range = format!("bytes 0-{}/{}", part - 1, image.len());
    let headers = [("content-range", range.as_str())];
    repository
        .put_with("signer", &a.image_path(), &headers, image[..part].to_vec())
        .expect("a third", 202, "");
    let url = format!("{}{}", repository.url(), a.image_path());
    let out =
        run(repository.curl("signer").args(["-C", "-", "-T", a.image.to_str().unwrap(), &url]));
    assert!(out.stdout.ends_with("202"), "{}{}", out.stdout, out.stderr);
    publishes(&repository, &a);
}

#[test]
fn absurd_ranges() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "ranges", "1.0", &disk(200_000, 4));
    publishes(&repository, &a);
    let image = fs::read(&a.image).unwrap();
    let many =
        format!("bytes={}", (0..2_000).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
    let overlapping = format!("bytes={}", vec!["0-"; 1_000].join(","));
    let whole = [
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "lines=0-5",
        "bytes 0-5",
        "bytes=0-5;6-7",
        &many,
        &overlapping,
    ];
    for range in whole {
        let answer = repository.get_with(&a.image_path(), &[("range", range)]);
        assert!([200, 206, 416].contains(&answer.status), "{range:.40}: {}", answer.status);
        assert!(
            answer.body.len() < image.len() * 2,
            "{range:.40}: {} bytes came",
            answer.body.len()
        );
        if answer.status == 200 {
            assert!(answer.body == image, "{range:.40}");
        }
    }
    for range in
        ["bytes=99999999999-", "bytes=18446744073709551615-18446744073709551616", "bytes=-0"]
    {
        let answer = repository.get_with(&a.image_path(), &[("range", range)]);
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(
            answer.header("content-range"),
            Some(format!("bytes */{}", image.len()).as_str())
        );
    }
    let open = repository.get_with(&a.image_path(), &[("range", "bytes=0-99999999999999999999")]);
    assert!(open.body == image, "an end past the file is the file's end");
    let suffix = repository.get_with(&a.image_path(), &[("range", "bytes=-99999999999")]);
    assert_eq!((suffix.status, suffix.body == image), (206, true));
}

fn slow_site() -> Repository {
    let tables = format!("[repository.limits]\nidle = \"1s\"\n{}", Setup::default().tables);
    let repository = "listen_plain = \"127.0.0.1:0\"\n".to_owned();
    Repository::with(Setup { tables, repository, ..Setup::default() })
}

fn plain(repository: &Repository) -> TcpStream {
    let socket = TcpStream::connect(repository.plain_url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

#[test]
fn a_client_that_stops_sending_is_cut_and_can_go_on() {
    let repository = slow_site();
    let a = Appliance::build(repository.folder(), "slow", "1.0", &disk(200_000, 5));
    let image = fs::read(&a.image).unwrap();
    let mut socket = plain(&repository);
    // Basic signer:correct horse
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic c2lnbmVyOmNvcnJlY3QgaG9yc2U=\r\nContent-Length: {}\r\n\r\n",
        a.image_path(),
        image.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&image[..1000]).unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(begun.elapsed() < Duration::from_secs(20), "cut after {:?}", begun.elapsed());
    let range = format!("bytes 1000-{}/{}", image.len() - 1, image.len());
    let headers = [("content-range", range.as_str())];
    repository
        .put_with("signer", &a.image_path(), &headers, image[1000..].to_vec())
        .expect("goes on", 202, "manifest");
    publishes(&repository, &a);
}

#[test]
fn a_client_that_stops_reading_is_cut() {
    let repository = slow_site();
    let a = Appliance::build(repository.folder(), "stuck", "1.0", &disk(40 << 20, 6));
    publishes(&repository, &a);
    let mut socket = plain(&repository);
    write!(socket, "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", a.image_path()).unwrap();
    let mut some = [0; 1000];
    socket.read_exact(&mut some).unwrap();
    // The server holds one connection for it, until the limit.
    let begun = Instant::now();
    while open_connections(&repository) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still served");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Connections to clients that the server's metrics count, but for the one that asks.
fn open_connections(repository: &Repository) -> u64 {
    let name = format!("/proc/{}/net/tcp", repository.process());
    let port = repository.plain_url().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let local = format!(":{port:04X} ");
    let table = fs::read_to_string(name).unwrap();
    // Columns: number, local address, remote address, state; 01 is established.
    let established = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let (here, _, state) = (columns.next(), columns.next(), columns.next());
        here.is_some_and(|h| h.ends_with(local.trim())) && state == Some("01")
    };
    table.lines().filter(established).count() as u64
}

#[test]
fn a_full_disk() {
    // A small file system of its own below the data folder, taken away with the mount namespace.
    let repository = Repository::with(Setup { small_disk: Some("12m"), ..Setup::default() });
    let small = Appliance::build(repository.folder(), "small", "1.0", &disk(100_000, 7));
    publishes(&repository, &small);
    let noise: Vec<u8> = (0..6_u64).flat_map(|seed| disk(8 << 20, 100 + seed)).collect();
    let large = Appliance::build(repository.folder(), "large", "1.0", &noise);
    let image = fs::read(&large.image).unwrap();
    assert!(image.len() > 12 << 20, "{}", image.len());
    let answer = repository.put("signer", &large.image_path(), image.clone());
    answer.expect("announced", 507, "no-space");
    // Without a length, it is noticed on the way.
    let url = format!("{}{}", repository.url(), large.image_path());
    let script = "cat \"$0\" | \"$@\"";
    let curl = repository.curl("signer");
    let mut shell = tool("sh", "dash");
    shell.current_dir(repository.folder()).args(["-c", script]).arg(&large.image);
    shell.arg(curl.get_program()).args(curl.get_args()).args(["-T", "-", &url]);
    let sent = run(&mut shell);
    assert!(sent.stdout.ends_with("507"), "{}{}", sent.stdout, sent.stderr);
    invisible(&repository, &large);
    assert_eq!(repository.get(&small.image_path()).status, 200, "reads go on");
    // Its staging is the owner's to throw away; then there is room again.
    let other = Appliance::build(repository.folder(), "other", "1.0", &disk(100_000, 8));
    repository.request(reqwest::Method::DELETE, Some("signer"), &large.image_path(), &[], "");
    publishes(&repository, &other);
}
