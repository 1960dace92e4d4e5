//! The pages of the repository in a real browser: what people do on them, and whether everybody can.

use std::fs;
use std::path::Path;
use stratus_tests::{Appliance, Browser, PASSWORD, Repository, disk, run};

fn upload(repository: &Repository, appliance: &Appliance) {
    let files = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
}

fn log_in(browser: &Browser, repository: &Repository, password: &str) {
    browser.goto(&format!("{}/login", repository.url()));
    browser.fill("input[name=login]", "signer");
    browser.fill("input[name=password]", password);
    browser.click("form.stack button");
}

/// A repository with several appliances, one of them deprecated.
fn full() -> (Repository, Appliance) {
    let repository = Repository::start();
    let first = Appliance::build(repository.folder(), "ubuntu", "1.0", &disk(2 << 20, 1));
    let second = Appliance::build(repository.folder(), "ubuntu", "1.1", &disk(3 << 20, 2));
    let third = Appliance::build(repository.folder(), "debian", "12.1", &disk(1 << 20, 3));
    for appliance in [&first, &second, &third] {
        upload(&repository, appliance);
    }
    let reason = "its kernel has a hole; use 1.1";
    let deprecate =
        [&first.name, "--reason", reason, "--cert", "signer.crt", "--key", "signer.key"];
    run(repository.client("stratus-deprecate-image").args(deprecate)).good();
    (repository, first)
}

#[test]
fn every_page_is_for_everybody() {
    let (repository, deprecated) = full();
    let browser = Browser::start();
    let show = |path: &str, name: &str| {
        browser.goto(&format!("{}{path}", repository.url()));
        browser.check(name);
    };
    show("/", "catalogue");
    show("/?q=nothing-of-the-kind", "catalogue-empty");
    show("/?limit=x", "catalogue-fault");
    show("/?status=deprecated", "catalogue-deprecated");
    show("/appliances/base/debian-1-x86_64-base/12.1/debian-1-x86_64-base-12.1", "appliance");
    show(&format!("/appliances/{}", deprecated.path), "appliance-deprecated");
    show("/images/", "files");
    show("/images/base/ubuntu-1-x86_64-base/1.0/", "files-of-a-version");
    show("/upload", "upload-anonymous");
    show("/login", "login");
    show("/images/base/nothing/1.0/", "not-found");
    log_in(&browser, &repository, "wrong");
    browser.wait_for("wrong");
    browser.check("login-fault");
    log_in(&browser, &repository, PASSWORD);
    browser.wait_for("Log out");
    show("/upload", "upload");
    show("/account", "account");
    browser.fill("input[name=note]", "nightly build");
    browser.click("form.stack button");
    browser.wait_for("shown this once");
    browser.check("account-token");
}

#[test]
fn an_empty_repository_says_what_to_do() {
    let repository = Repository::start();
    let browser = Browser::start();
    browser.goto(repository.url());
    browser.wait_for("Publish the first appliance");
    browser.check("catalogue-first");
}

#[test]
fn somebody_publishes_from_the_page() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "paged", "1.0", &disk(40 << 20, 4));
    let browser = Browser::start();
    log_in(&browser, &repository, PASSWORD);
    browser.wait_for("Log out");
    browser.goto(&format!("{}/upload", repository.url()));
    browser.fill("#manifest", a.manifest.to_str().unwrap());
    browser.fill("#image", a.image.to_str().unwrap());
    browser.click("#start");
    browser.wait_for("Who vouches for it");
    assert!(browser.url().ends_with(&format!("/appliances/{}", a.path)), "{}", browser.url());
    let text = browser.text();
    for told in ["/O=Example/CN=signer", "stratus-download-image", "SHA-256"] {
        assert!(text.contains(told), "`{told}` is not in {text}");
    }
    assert!(repository.get(&a.image_path()).body == fs::read(&a.image).unwrap());
}

#[test]
fn a_refused_upload_is_explained_on_the_page() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "refused", "1.0", &disk(1 << 20, 5));
    let text = fs::read_to_string(&a.manifest).unwrap();
    fs::write(&a.manifest, text.replace("Image team", "Somebody")).unwrap();
    let browser = Browser::start();
    log_in(&browser, &repository, PASSWORD);
    browser.wait_for("Log out");
    browser.goto(&format!("{}/upload", repository.url()));
    browser.fill("#manifest", a.manifest.to_str().unwrap());
    browser.fill("#image", a.image.to_str().unwrap());
    browser.click("#start");
    browser.wait_for("signature");
    assert_eq!(repository.get(&a.image_path()).status, 404);
}

#[test]
fn a_token_is_made_used_and_revoked() {
    let repository = Repository::start();
    let browser = Browser::start();
    log_in(&browser, &repository, PASSWORD);
    browser.wait_for("Log out");
    browser.goto(&format!("{}/account", repository.url()));
    browser.fill("input[name=note]", "nightly build");
    browser.click("form.stack button");
    browser.wait_for("shown this once");
    let token = browser.script("return document.querySelector('.note pre code').textContent");
    let a = Appliance::build(repository.folder(), "token", "1.0", &disk(50_000, 6));
    let put = |path: String, file: &Path| {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        let body = fs::read(file).unwrap();
        repository.request(reqwest::Method::PUT, None, &path, &headers, body).status
    };
    assert_eq!(put(a.image_path(), &a.image), 202);
    browser.goto(&format!("{}/account", repository.url()));
    assert!(!browser.text().contains(token.as_str().unwrap()), "it is shown once");
    browser.click("table button");
    browser.wait_for("You have no tokens");
    assert_eq!(put(a.manifest_path(), &a.manifest), 401);
}

#[test]
fn the_keyboard_is_enough() {
    let (repository, _) = full();
    let browser = Browser::start();
    browser.goto(repository.url());
    let (tab, enter) = ("\u{e004}", "\u{e007}");
    browser.press(&[tab]);
    let focused = || browser.script("return document.activeElement.textContent.trim()");
    assert_eq!(focused(), "Skip to content");
    browser.press(&[enter]);
    browser.press(&[tab]);
    assert_eq!(browser.script("return document.activeElement.name"), "q");
    browser.press(&["d", "e", "b", enter]);
    browser.wait_for("debian-1-x86_64-base-12.1");
    assert!(!browser.text().contains("ubuntu-1"), "{}", browser.text());
    // On to the first result, without a mouse.
    for _ in 0..30 {
        if focused() == "debian-1-x86_64-base-12.1" {
            break;
        }
        browser.press(&[tab]);
    }
    browser.press(&[enter]);
    browser.wait_for("Who vouches for it");
}

#[test]
fn a_session_ends_and_no_page_runs_foreign_scripts() {
    let repository = Repository::start();
    let browser = Browser::start();
    log_in(&browser, &repository, PASSWORD);
    browser.wait_for("Log out");
    let cookies = browser.script("return document.cookie");
    assert_eq!(cookies, "", "the session is not for scripts");
    browser.click("form.inline button");
    browser.wait_for("Log in");
    browser.goto(&format!("{}/account", repository.url()));
    browser.wait_for("Log in");
    assert!(!browser.text().contains("Tokens for robots"));
    let policy = repository.get("/").header("content-security-policy").map(str::to_owned).unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
