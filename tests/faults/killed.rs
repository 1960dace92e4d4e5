//! The server is killed while people publish: what was acknowledged is whole, what was not is whole or
//! invisible.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};
use stratus_store::fault::POINTS;
use stratus_tests::{Appliance, Repository, disk, run};
use stratus_x509::Credential;

/// Many appliances with the same bytes under different names.
struct Press {
    image: Vec<u8>,
    unsigned: String,
    credential: Credential,
}

/// One of them.
#[derive(Clone)]
struct Print {
    os: String,
    manifest: String,
}

impl Press {
    fn new(repository: &Repository) -> Self {
        let a = Appliance::build(repository.folder(), "pattern", "1.0", &disk(60_000, 1));
        let read = |name| fs::read(repository.path(name)).unwrap();
        let signed = fs::read_to_string(&a.manifest).unwrap();
        let credential = Credential::from_pem(&read("signer.crt"), &read("signer.key"), None);
        Self {
            image: fs::read(&a.image).unwrap(),
            unsigned: signed[..signed.find("<ds:Signature").unwrap()].to_owned() + "</manifest>",
            credential: credential.unwrap(),
        }
    }

    fn print(&self, number: usize) -> Print {
        let os = format!("print{number}");
        let text = self.unsigned.replace("<os>pattern</os>", &format!("<os>{os}</os>"));
        let manifest = stratus_manifest::endorse(&text, &self.credential, Timestamp::now());
        Print { os, manifest: manifest.unwrap() }
    }
}

impl Print {
    fn path(&self, ending: &str) -> String {
        let name = format!("{}-1-x86_64-base", self.os);
        format!("/images/base/{name}/1.0/{name}-1.0.img.{ending}")
    }
}

/// Talks to one life of the server.
struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    fn new(repository: &Repository, token: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (url, token) = (repository.url().to_owned(), token.to_owned());
        Self { runtime, http: repository.http(), url, token }
    }

    /// The status, unless the server died first.
    fn put(&self, path: &str, bytes: Vec<u8>) -> Option<u16> {
        let request = self.http.put(format!("{}{path}", self.url));
        let sent = request.bearer_auth(&self.token).body(bytes).send();
        self.runtime.block_on(sent).ok().map(|answer| answer.status().as_u16())
    }

    fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
            (answer.status() == 200).then_some(())?;
            Some(answer.bytes().await.unwrap().to_vec())
        })
    }

    /// Publishes, and says whether that was acknowledged; `None` once the server is dead.
    fn publish(&self, press: &Press, print: &Print, image_first: bool) -> Option<()> {
        let image = || self.put(&print.path("gz"), press.image.clone());
        let manifest = || self.put(&print.path("manifest.xml"), print.manifest.clone().into());
        let (first, second) =
            if image_first { (image()?, manifest()?) } else { (manifest()?, image()?) };
        assert!([200, 201, 202].contains(&first), "{first}");
        assert!([200, 201].contains(&second), "{second}");
        Some(())
    }

    /// Whole, or not there at all.
    fn is_there(&self, press: &Press, print: &Print) -> bool {
        let found = (self.get(&print.path("gz")), self.get(&print.path("manifest.xml")));
        match found {
            (None, None) => false,
            (Some(image), Some(manifest)) => {
                assert!(image == press.image, "{} has other bytes", print.os);
                assert!(manifest == print.manifest.as_bytes(), "{} has another manifest", print.os);
                true
            }
            (image, manifest) => {
                panic!("{}: image {}, manifest {}", print.os, image.is_some(), manifest.is_some())
            }
        }
    }
}

/// A token: comparing a password takes longer than publishing, and most kills would only hit that.
fn token(repository: &mut Repository) -> String {
    repository.stop();
    let make = ["--config", "site.toml", "token", "create", "--owner", "signer", "--path", "**"];
    let out = run(repository.command("stratus-repository").args(make)).good();
    repository.restart();
    out.stdout.trim().to_owned()
}

/// The tree on disk: each image has its manifest, and the other way round.
fn tree_is_paired(repository: &Repository) {
    let mut halves = BTreeSet::new();
    let mut folders = vec![repository.path("data/images")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.to_str().unwrap();
            let stem = name.strip_suffix(".img.gz").or(name.strip_suffix(".img.manifest.xml"));
            let stem = stem.unwrap_or_else(|| panic!("{name} is none of ours")).to_owned();
            if !halves.remove(&stem) {
                halves.insert(stem);
            }
        }
    }
    assert!(halves.is_empty(), "half appliances: {halves:?}");
}

#[test]
fn at_every_step_of_publishing() {
    let mut repository = Repository::start();
    let (press, token) = (Press::new(&repository), token(&mut repository));
    let mut number = 0;
    let publishing = POINTS.iter().take_while(|point| **point != "deprecation-written");
    for (point, image_first) in publishing.flat_map(|point| [(point, true), (point, false)]) {
        number += 1;
        let print = press.print(number);
        repository.set_environment("STRATUS_FAULT", Some(point));
        repository.restart();
        let client = Client::new(&repository, &token);
        let acknowledged = client.publish(&press, &print, image_first).is_some();
        // The client may hear of it and the server die a moment later.
        assert_eq!(repository.wait(), Some(9), "{point} was not passed");
        repository.set_environment("STRATUS_FAULT", None);
        repository.restart();
        let client = Client::new(&repository, &token);
        let there = client.is_there(&press, &print);
        assert!(there || !acknowledged, "{point}: an acknowledged appliance is gone");
        tree_is_paired(&repository);
        // Whoever had no answer tries again, and that is enough.
        client.publish(&press, &print, image_first).unwrap();
        assert!(client.is_there(&press, &print), "{point}");
    }
}

#[test]
fn two_hundred_times_at_random() {
    let mut repository = Repository::start();
    let (press, token) = (Press::new(&repository), token(&mut repository));
    let mut acknowledged: Vec<Print> = Vec::new();
    let mut tried: Vec<Print> = Vec::new();
    let mut number = 0;
    let mut random: u64 = 0x5eed;
    // How long one took last: with busy neighbours it is longer.
    let mut whole = Duration::from_millis(20);
    for round in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = whole.mul_f64(((random >> 33) % 3000) as f64 / 1000.0);
        let client = Client::new(&repository, &token);
        // What the last life acknowledged, and what it did not.
        for print in acknowledged.iter().rev().take(6) {
            assert!(client.is_there(&press, print), "round {round}: {} is gone", print.os);
        }
        for print in tried.drain(..) {
            client.is_there(&press, &print);
            let begun = Instant::now();
            client.publish(&press, &print, random & 1 == 0).unwrap();
            whole = begun.elapsed();
            acknowledged.push(print);
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let done = std::thread::scope(|scope| {
            let publisher = scope.spawn(|| {
                let sender = sender;
                let mut done = Vec::new();
                loop {
                    number += 1;
                    let print = press.print(number);
                    let _ = sender.send(());
                    match client.publish(&press, &print, number % 2 == 0) {
                        Some(()) => done.push(print),
                        None => return (done, print),
                    }
                }
            });
            // Begun, and then anywhere within the next few.
            receiver.recv().unwrap();
            std::thread::sleep(moment);
            repository.kill();
            publisher.join().unwrap()
        });
        acknowledged.extend(done.0);
        tried.push(done.1);
        repository.restart();
    }
    let client = Client::new(&repository, &token);
    for print in &acknowledged {
        assert!(client.is_there(&press, print), "{} is gone", print.os);
    }
    for print in &tried {
        client.is_there(&press, print);
    }
    tree_is_paired(&repository);
    assert!(acknowledged.len() >= 200, "{} were acknowledged", acknowledged.len());
    println!("{} appliances were acknowledged in 200 lives", acknowledged.len());
    repository.stop();
    let out =
        run(repository.command("stratus-repository").args(["--config", "site.toml", "scrub"]))
            .good();
    assert!(out.stdout.contains("0 damaged"), "{}", out.stdout);
}
