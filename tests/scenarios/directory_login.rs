//! People of a real LDAP directory, and what their login is worth.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::time::{Duration, Instant};
use stratus_tests::{
    Appliance, DIRECTORY_PASSWORD, Directory, Output, Repository, Setup, disk, run,
};

const GROUP: &str = "group = \"image-makers\"\n";

fn repository(directory: &Directory, urls: &[String], more: &str) -> Repository {
    Repository::with(Setup { identity: directory.section(urls, more), ..Setup::default() })
}

/// The status that a login gets for a manifest that is none, and the whole answer: 401 and 403 come
/// before anybody looks at the body, 422 is everybody else's.
fn knock(repository: &Repository, login: &str, password: &str) -> (u16, String) {
    let answer = answer(repository, login, password);
    (answer.0, answer.2)
}

/// The status of such an answer, its `Retry-After` and its body.
fn answer(repository: &Repository, login: &str, password: &str) -> (u16, Option<String>, String) {
    let url = format!(
        "{}/images/base/a-1-x86_64-base/1.0/a-1-x86_64-base-1.0.img.manifest.xml",
        repository.url()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = repository.http().put(url).basic_auth(login, Some(password)).body("<no>");
        let response = request.send().await.unwrap();
        let retry = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry, response.text().await.unwrap())
    })
}

fn upload(repository: &Repository, appliance: &Appliance, login: &str) -> Output {
    let files = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").env("STRATUS_USER", login).args(files))
}

#[test]
fn a_login_works_over_starttls_and_over_ldaps() {
    let directory = Directory::start();
    for (url, name) in [(directory.url(), "starttls"), (directory.secure_url(), "ldaps")] {
        let repository = repository(&directory, &[url], GROUP);
        let appliance = Appliance::build(repository.folder(), name, "1.0", &disk(60_000, 1));
        upload(&repository, &appliance, "signer").good();
        assert_eq!(knock(&repository, "signer", "wrong").0, 401, "{name}");
    }
}

#[test]
fn a_directory_with_a_strangers_certificate_is_not_asked() {
    let (directory, stranger) = (Directory::start(), Directory::start());
    for url in [directory.url(), directory.secure_url()] {
        // The settings name the stranger's authority.
        let section = stranger.section(std::slice::from_ref(&url), GROUP);
        let repository = Repository::with(Setup { identity: section, ..Setup::default() });
        let (status, retry, body) = answer(&repository, "signer", DIRECTORY_PASSWORD);
        assert_eq!(status, 503, "{url}: {body}");
        assert!(retry.is_some());
        assert!(repository.log().contains("certificate"), "{}", repository.log());
    }
}

#[test]
fn only_members_of_the_group_may_use_the_site() {
    let directory = Directory::start();
    for group in [GROUP, "group = \"cn=image-makers,ou=groups,dc=example,dc=org\"\n"] {
        let repository = repository(&directory, &[directory.secure_url()], group);
        let (status, body) = knock(&repository, "outsider", DIRECTORY_PASSWORD);
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("is not in the group"), "{body}");
        // A wrong password hears nothing about groups.
        assert_eq!(knock(&repository, "outsider", "wrong").0, 401);
        assert_eq!(knock(&repository, "signer", DIRECTORY_PASSWORD).0, 422);
    }
}

#[test]
fn a_login_publishes_only_what_its_own_certificate_signed() {
    let directory = Directory::start();
    let repository = repository(&directory, &[directory.secure_url()], GROUP);
    let appliance = Appliance::build(repository.folder(), "bound", "1.0", &disk(60_000, 2));
    for (login, reason) in [("other", "/O=Example/CN=signer"), ("unbound", "certificate")] {
        let out = upload(&repository, &appliance, login);
        assert_eq!(out.code, 4, "{login}: {}", out.stderr);
        assert!(out.stderr.contains(reason), "{login}: {}", out.stderr);
    }
    upload(&repository, &appliance, "signer").good();
}

#[test]
fn a_rule_may_name_a_group_of_the_directory() {
    let directory = Directory::start();
    let rule = |group: &str| {
        format!("[[repository.endorsers]]\npath = \"base/**\"\ngroup = \"{group}\"\n")
    };
    for (group, code) in [("image-makers", 0), ("somebody-else", 3)] {
        let repository = Repository::with(Setup {
            identity: directory.section(&[directory.secure_url()], ""),
            tables: rule(group),
            ..Setup::default()
        });
        let appliance = Appliance::build(repository.folder(), "ruled", "1.0", &disk(60_000, 3));
        let out = upload(&repository, &appliance, "signer");
        assert_eq!(out.code, code, "{group}: {}", out.stderr);
    }
}

#[test]
fn when_one_directory_is_away_the_next_is_asked() {
    let (mut first, second) = (Directory::start(), Directory::start());
    let certificates = [first.ca(), second.ca()].map(|f| std::fs::read_to_string(f).unwrap());
    std::fs::write(first.ca(), certificates.concat()).unwrap();
    let urls = [first.secure_url(), second.url()];
    let repository = repository(&first, &urls, "cache = \"0s\"\n");
    assert_eq!(knock(&repository, "signer", DIRECTORY_PASSWORD).0, 422);
    first.stop();
    assert_eq!(knock(&repository, "signer", DIRECTORY_PASSWORD).0, 422);
    assert_eq!(knock(&repository, "signer", "wrong").0, 401, "the second one is asked in earnest");
}

#[test]
fn with_no_directory_reads_go_on_and_logins_wait() {
    let mut directory = Directory::start();
    let repository = repository(&directory, &[directory.secure_url()], "cache = \"1m\"\n");
    let appliance = Appliance::build(repository.folder(), "away", "1.0", &disk(60_000, 4));
    upload(&repository, &appliance, "signer").good();
    directory.stop();
    let (status, retry, body) = answer(&repository, "other", DIRECTORY_PASSWORD);
    assert_eq!(status, 503, "{body}");
    assert!(retry.unwrap().parse::<u32>().unwrap() > 0);
    assert!(body.contains("Reading goes on"), "{body}");
    // Who was right a moment ago is remembered for a while; a wrong password never is.
    assert_eq!(knock(&repository, "signer", DIRECTORY_PASSWORD).0, 422);
    assert_eq!(knock(&repository, "signer", "wrong").0, 503);
    let pull = [appliance.name.as_str(), "--trust", "signer.crt", "-o", "pulled.img"];
    run(repository.client("stratus-download-image").args(pull)).good();
    directory.restart();
    assert_eq!(knock(&repository, "other", DIRECTORY_PASSWORD).0, 422);
}

#[test]
fn a_silent_directory_costs_its_time_limit_and_no_more() {
    let directory = Directory::start();
    // Accepts and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://localhost:{}", silent.local_addr().unwrap().port());
    let repository = repository(&directory, &[url, directory.secure_url()], GROUP);
    let begun = Instant::now();
    assert_eq!(knock(&repository, "signer", DIRECTORY_PASSWORD).0, 422);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn no_login_can_be_spelt_into_another() {
    let directory = Directory::start();
    let repository = repository(&directory, &[directory.secure_url()], "");
    // Eight wrong ones: the tenth would be told to wait.
    let spellings = [
        "*",
        "sign*",
        "signer)(uid=*",
        "signer)(|(uid=*",
        "\\73igner",
        "signer\0",
        "odd*",
        "s\u{131}gner",
    ];
    for login in spellings {
        let (status, body) = knock(&repository, login, DIRECTORY_PASSWORD);
        assert_eq!(status, 401, "{login:?}: {body}");
    }
    // The one who is really called so gets in.
    assert_eq!(knock(&repository, "odd(*)\\name", DIRECTORY_PASSWORD).0, 422);
}

#[test]
fn an_empty_password_is_nobodys() {
    let directory = Directory::start();
    let repository = repository(&directory, &[directory.secure_url()], "");
    assert_eq!(knock(&repository, "signer", "").0, 401);
}

#[test]
fn guessing_is_slowed_down_for_the_name_and_the_address() {
    let directory = Directory::start();
    let repository = repository(&directory, &[directory.secure_url()], "");
    assert_eq!(answer(&repository, "signer", "wrong").0, 401);
    // One more is allowed every few seconds, so how many it takes depends on the machine.
    let mut answers = (0..60).map(|_| answer(&repository, "signer", "wrong"));
    let (_, retry, _) = answers.find(|(status, ..)| *status == 429).expect("it is slowed down");
    assert!(retry.unwrap().parse::<u32>().unwrap() > 0);
    // From the same address, other names are no way round.
    assert!((0..3).any(|_| knock(&repository, "other", "wrong").0 == 429));
}

#[test]
fn who_left_the_directory_has_no_use_for_a_token() {
    let directory = Directory::start();
    let mut repository = repository(&directory, &[directory.secure_url()], "cache = \"0s\"\n");
    repository.stop();
    let make =
        ["--config", "site.toml", "token", "create", "--owner", "signer", "--path", "base/**"];
    let token = run(repository.command("stratus-repository").args(make)).good().stdout;
    repository.restart();
    let token = token.trim();
    assert_eq!(knock(&repository, "signer", token).0, 422);
    assert_eq!(knock(&repository, "other", token).0, 401, "not with somebody else's name");
    directory.modify("dn: uid=signer,ou=people,dc=example,dc=org\nchangetype: delete\n");
    assert_eq!(knock(&repository, "signer", token).0, 401);
}
