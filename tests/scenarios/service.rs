//! `stratus-repository` as a service: how it starts, ends, is watched, and changes its certificate.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};
use stratus_tests::{Appliance, Repository, Setup, disk, run};
use stratus_x509::generate::{KeyChoice, Validity, authority};

fn with(repository: &str) -> Repository {
    Repository::with(Setup { repository: repository.to_owned(), ..Setup::default() })
}

fn publish(repository: &Repository, a: &Appliance) {
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    let environment = vec![("NOTIFY_SOCKET".to_owned(), path.display().to_string())];
    let mut repository = Repository::with(Setup { environment, ..Setup::default() });
    told("READY=1");
    assert_eq!(repository.stop(), Some(0));
    told("STOPPING=1");
}

#[test]
fn the_certificate_is_exchanged_without_a_restart() {
    let repository = Repository::start();
    let process = repository.process();
    assert_eq!(repository.get("/healthz").status, 200);
    let before = fs::read(repository.path("server.crt")).unwrap();
    let renew = ["--server", "localhost", "--server", "127.0.0.1", "--out", "server", "--force"];
    run(repository.command("stratus-generate-cert").args(renew)).good();
    assert_ne!(before, fs::read(repository.path("server.crt")).unwrap());
    // The client trusts only what is in the file now.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("{}/healthz", repository.url());
    let begun = Instant::now();
    while runtime.block_on(repository.http().get(&url).send()).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the old one is still shown");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    assert_eq!(repository.process(), process);
}

#[test]
fn a_running_download_is_finished_before_it_ends() {
    let mut repository = with("listen_plain = \"127.0.0.1:0\"\n");
    let a = Appliance::build(repository.folder(), "drain", "1.0", &disk(60 << 20, 1));
    publish(&repository, &a);
    let image = fs::read(&a.image).unwrap();
    let address = repository.plain_url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).unwrap();
    write!(socket, "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", a.image_path())
        .unwrap();
    let mut first = vec![0; 100_000];
    socket.read_exact(&mut first).unwrap();
    let stopped = std::thread::scope(|scope| {
        let stop = scope.spawn(|| repository.stop());
        // It takes no new ones from now on, and goes on with this one.
        let begun = Instant::now();
        while TcpStream::connect(&address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it still listens");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        first.extend(rest);
        stop.join().unwrap()
    });
    assert_eq!(stopped, Some(0));
    assert!(first.ends_with(&image), "{} bytes came", first.len());
}

#[test]
fn it_can_be_watched() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "watched", "1.0", &disk(50_000, 2));
    publish(&repository, &a);
    assert_eq!(repository.get("/healthz").status, 200);
    assert_eq!(repository.get("/readyz").status, 200);
    let metrics = repository.get("/metrics").text();
    for line in [
        "stratus_repository_appliances 1",
        "stratus_repository_published_total 1",
        "stratus_repository_requests_total{route=\"/images\",method=\"PUT\",status=\"201\"} 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "`{line}` is not in\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"), "OpenMetrics ends so");
}

#[test]
fn its_interface_is_described() {
    let repository = Repository::start();
    let described = repository.get("/api/v1/openapi.json");
    let document: Value = serde_json::from_slice(&described.body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    let fixed = paths.iter().filter(|(path, _)| !path.contains('{'));
    let mut asked = 0;
    for (path, operations) in fixed.filter(|(_, operations)| operations["get"].is_object()) {
        let answer = repository.get(path);
        let status = answer.status.to_string();
        assert!(operations["get"]["responses"][&status].is_object(), "{path}: {status}");
        asked += 1;
    }
    assert!(asked >= 4, "only {asked} paths could be asked");
}

#[test]
fn each_line_of_its_log_is_json_where_that_is_wanted() {
    let repository = with("log = \"json\"\n");
    let answer = repository.get("/images/base/nothing/");
    let number = answer.header("x-request-id").unwrap().to_owned();
    let log = repository.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let line = lines.iter().find(|line| line["fields"]["request"] == number.as_str());
    assert_eq!(line.expect(&log)["fields"]["status"], 404);
}

#[test]
fn a_client_certificate_is_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let validity = Validity { from: Timestamp::now() - SignedDuration::from_hours(1), days: 10 };
    let ca = authority("/O=Example/CN=CA", KeyChoice::P256, validity).unwrap();
    let file = folder.path().join("client-ca.pem");
    fs::write(&file, &ca.pem.cert_pem).unwrap();
    let repository = Repository::with(Setup {
        repository: format!("tls_client_ca = \"{}\"\n", file.display()),
        identity: "[identity]\npassword_file = \"users.htpasswd\"\n[identity.people.signer]\n\
                   subjects = [\"/O=Example/CN=signer\"]\n"
            .to_owned(),
        ..Setup::default()
    });
    let status = |subject: Option<&str>| {
        let mut client = reqwest::Client::builder().no_proxy();
        let server = fs::read(repository.path("server.crt")).unwrap();
        client = client.tls_certs_only([reqwest::Certificate::from_pem(&server).unwrap()]);
        if let Some(subject) = subject {
            let made = ca.person(subject, None, KeyChoice::P256, validity).unwrap();
            let both = format!("{}{}", made.cert_pem, made.key_pem.as_str());
            client = client.identity(reqwest::Identity::from_pem(both.as_bytes()).unwrap());
        }
        let url = format!(
            "{}/images/base/a-1-x86_64-base/1.0/a-1-x86_64-base-1.0.img.manifest.xml",
            repository.url()
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = client.build().unwrap().request(Method::PUT, url).body("<no>");
        runtime.block_on(request.send()).unwrap().status().as_u16()
    };
    assert_eq!(status(Some("/O=Example/CN=signer")), 422, "in, and the manifest is none");
    assert_eq!(status(Some("/O=Example/CN=stranger")), 401, "nobody is bound to it");
    assert_eq!(status(None), 401);
}
