//! Names that are taken, and people who are in each other's way.

use crate::publishes;
use std::fs;
use std::thread;
use stratus_tests::{Appliance, Repository, disk};

#[test]
fn a_second_upload_of_a_published_name() {
    let repository = Repository::start();
    let first = Appliance::build(repository.folder(), "taken", "1.0", &disk(100_000, 1));
    publishes(&repository, &first);
    let image = fs::read(&first.image).unwrap();
    let manifest = fs::read(&first.manifest).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for file in ["signer.crt", "signer.key"] {
        fs::copy(repository.path(file), elsewhere.path().join(file)).unwrap();
    }
    let second = Appliance::build(elsewhere.path(), "taken", "1.0", &disk(100_000, 2));
    for login in ["signer", "other"] {
        let put = |path: &str, file| repository.put(login, path, fs::read(file).unwrap());
        put(&first.image_path(), &second.image).expect(login, 409, "never change");
        put(&first.manifest_path(), &second.manifest).expect(login, 409, "never change");
    }
    assert!(repository.get(&first.image_path()).body == image);
    assert!(repository.get(&first.manifest_path()).body == manifest);
    // Nor with a part.
    let range = format!("bytes 0-9/{}", image.len() + 1);
    let part = repository.put_with(
        "signer",
        &first.image_path(),
        &[("content-range", &range)],
        vec![0; 10],
    );
    assert_eq!(part.status, 409, "{}", part.text());
    assert!(repository.get(&first.image_path()).body == image);
}

#[test]
fn two_people_uploading_the_same_name_at_once() {
    let repository = Repository::start();
    let homes: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    for round in 0..8 {
        let os = format!("race{round}");
        let rivals: Vec<(&str, Appliance)> = homes
            .iter()
            .zip(["signer", "other"])
            .enumerate()
            .map(|(seed, (home, login))| {
                for file in ["signer.crt", "signer.key"] {
                    fs::copy(repository.path(file), home.path().join(file)).unwrap();
                }
                let content = disk(150_000, seed as u64 + 10);
                (login, Appliance::build(home.path(), &os, "1.0", &content))
            })
            .collect();
        let published: Vec<bool> = thread::scope(|scope| {
            let race = |(login, a): &(&'static str, Appliance)| {
                let image = repository.put(login, &a.image_path(), fs::read(&a.image).unwrap());
                let manifest =
                    repository.put(login, &a.manifest_path(), fs::read(&a.manifest).unwrap());
                let statuses = [image.status, manifest.status];
                assert!(statuses.iter().all(|s| [200, 201, 202, 409].contains(s)), "{statuses:?}");
                statuses.contains(&201)
            };
            let running: Vec<_> =
                rivals.iter().map(|rival| scope.spawn(move || race(rival))).collect();
            running.into_iter().map(|r| r.join().unwrap()).collect()
        });
        assert_eq!(published.iter().filter(|p| **p).count(), 1, "exactly one wins: {published:?}");
        let winner = &rivals[published.iter().position(|p| *p).unwrap()].1;
        assert!(repository.get(&winner.image_path()).body == fs::read(&winner.image).unwrap());
        assert!(
            repository.get(&winner.manifest_path()).body == fs::read(&winner.manifest).unwrap()
        );
    }
}

#[test]
fn an_upload_of_somebody_else_is_not_gone_on_with() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "mine", "1.0", &disk(100_000, 3));
    let image = fs::read(&a.image).unwrap();
    let (half, total) = (image.len() / 2, image.len());
    let part = |login, from: usize, to: usize| {
        let range = format!("bytes {from}-{}/{total}", to - 1);
        let headers = [("content-range", range.as_str())];
        repository.put_with(login, &a.image_path(), &headers, image[from..to].to_vec())
    };
    part("signer", 0, half).expect("first half", 202, "");
    // To somebody else the upload does not exist: they begin at 0.
    let other = part("other", half, total);
    assert_eq!((other.status, other.header("upload-offset")), (409, Some("0")));
    part("signer", half, total).expect("second half", 202, "manifest");
    publishes(&repository, &a);
}
