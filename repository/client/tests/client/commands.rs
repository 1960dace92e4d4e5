//! The commands themselves: exit codes, what they print, what they leave behind.

use crate::support::{Answer, Image, Request, Server, image, names, serve_file};
use assert_cmd::cargo::CommandCargoExt;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use stratus_image::Hasher;
use stratus_model::{
    Algorithm, AppliancePath, Chunks, Compression, DiskFormat, FileKind, Manifest, PolicyState,
    SignatureState, SignerState,
};
use stratus_repository_api::search::{ApplianceSummary, Links, Page, Validity};
use stratus_x509::Credential;
use stratus_x509::generate::{Generated, KeyChoice, Validity as Days, self_signed};

const NAME: &str = "ubuntu-24.04-x86_64-base-1.0";
const STEM: &str = "base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0";
const LOGIN: &str = "Basic c2lnbmVyOnNlY3JldA==";

/// With the list of 4 MiB pieces that Stratus writes; this image has one.
static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let mut image = image(640);
    let sha256 = Hasher::digest(Algorithm::Sha256, &image.gz).bytes().try_into().unwrap();
    let chunks = Chunks { size: Chunks::SIZE, sha256: vec![sha256] };
    image.expected.compressed.as_mut().unwrap().chunks = Some(chunks);
    image
});

/// What was put at each path.
type Tree = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A repository that takes everything from `signer`, and finds everything it has.
fn repository(tree: &Tree, request: &Request) -> Answer {
    let mut tree = tree.lock().unwrap();
    let path = request.path.split('?').next().unwrap().to_owned();
    if request.method == "PUT" {
        if request.header("authorization") != Some(LOGIN) {
            return Answer::new(401);
        }
        tree.insert(path, request.body.clone());
        return Answer::new(201);
    }
    if path == "/api/v1/appliances" {
        let appliances: Vec<_> = (!tree.is_empty()).then(summary).into_iter().collect();
        let page = Page { total: appliances.len() as u64, appliances, next: None };
        return Answer::new(200).body(serde_json::to_vec(&page).unwrap());
    }
    match tree.get(&path) {
        Some(bytes) => serve_file(request, bytes, "\"one\""),
        None => Answer::new(404),
    }
}

fn summary() -> ApplianceSummary {
    let path = AppliancePath::parse(STEM).unwrap();
    ApplianceSummary {
        name: NAME.into(),
        path: STEM.into(),
        kind: "base".into(),
        os: "ubuntu".into(),
        osversion: "24.04".into(),
        arch: "x86_64".into(),
        version: "1.0".into(),
        title: Some("Ubuntu 24.04 base".into()),
        format: Some("raw".into()),
        identifier: None,
        sha256: None,
        bytes: 1,
        compressed_bytes: 1,
        published: Timestamp::UNIX_EPOCH,
        valid: None,
        status: Validity::Valid,
        endorser: Some("/O=Example/CN=signer".into()),
        email: None,
        signature: SignatureState::Good,
        signer: SignerState::Trusted,
        policy: PolicyState::Allowed,
        links: Links::of(&path, Validity::Valid),
    }
}

fn person(name: &str) -> Generated {
    let from = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let subject = format!("/O=Example/CN={name}");
    let email = format!("{name}@example.org");
    self_signed(&subject, Some(&email), KeyChoice::P256, Days { from, days: 30 }).unwrap()
}

fn signed_manifest(signer: &Generated) -> String {
    let mut manifest = Manifest::empty();
    let text = |value: &str| Some(value.to_owned());
    manifest.created = Some(Timestamp::now());
    (manifest.kind, manifest.os, manifest.osversion) =
        (text("base"), text("ubuntu"), text("24.04"));
    (manifest.arch, manifest.version) = (text("x86_64"), text("1.0"));
    (manifest.user, manifest.title) = (text("Image team"), text("Ubuntu 24.04 base"));
    manifest.compression = Some(Compression::Gz);
    manifest.format = Some(DiskFormat::Raw);
    manifest.filename = text("vm.img");
    manifest.bytes = Some(IMAGE.expected.bytes);
    manifest.checksums.clone_from(&IMAGE.expected.checksums);
    manifest.identifier =
        manifest.checksums.iter().find_map(stratus_model::Identifier::from_digest);
    manifest.compressed.clone_from(&IMAGE.expected.compressed);
    let unsigned = stratus_manifest::write(&manifest).unwrap();
    let credential =
        Credential::from_pem(signer.cert_pem.as_bytes(), signer.key_pem.as_bytes(), None).unwrap();
    stratus_manifest::endorse(&unsigned, &credential, Timestamp::now()).unwrap()
}

/// A folder with `vm.img.gz`, `vm.xml`, `signer.crt`, `signer.key`, `other.crt`, and a repository.
struct Bench {
    folder: tempfile::TempDir,
    server: Server,
    tree: Tree,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = person("signer");
        for (name, content) in [
            ("vm.img.gz", IMAGE.gz.as_slice()),
            ("vm.xml", signed_manifest(&signer).as_bytes()),
            ("signer.crt", signer.cert_pem.as_bytes()),
            ("signer.key", signer.key_pem.as_bytes()),
            ("other.crt", person("other").cert_pem.as_bytes()),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let tree = Tree::default();
        let held = Arc::clone(&tree);
        let server = Server::start(move |_, request| repository(&held, request)).await;
        Self { folder, server, tree }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command in the folder, with no settings but these.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin(name).unwrap();
        command
            .current_dir(self.path())
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("STRATUS_REPOSITORY", &self.server.address)
            .env("STRATUS_PASSWORD", "secret");
        command
    }

    async fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(name, arguments);
        // The server runs on this thread.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn upload(&self) -> Output {
        self.run("stratus-upload-image", &["vm.img.gz", "vm.xml", "--user", "signer", "-q"]).await
    }

    /// Changes what is kept at one of the appliance's files.
    fn change(&self, kind: FileKind, change: impl FnOnce(&mut Vec<u8>)) {
        let path = format!("/images/{STEM}{}", kind.ending());
        change(self.tree.lock().unwrap().get_mut(&path).unwrap());
    }
}

#[track_caller]
fn ends_with(output: &Output, code: i32, named: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(named), "{error}");
}

#[tokio::test]
async fn an_appliance_goes_in_is_found_and_comes_out_proved() {
    let bench = Bench::new().await;
    let output = bench.upload().await;
    ends_with(&output, 0, "");
    let url = format!("{}/images/{STEM}.img.gz\n", bench.server.address);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), url);

    let output = bench.run("stratus-search-image", &["ubuntu"]).await;
    ends_with(&output, 0, "");
    assert!(String::from_utf8(output.stdout).unwrap().contains(NAME));

    for (form, content) in [(None, &IMAGE.raw), (Some("--compressed"), &IMAGE.gz)] {
        let mut arguments = vec![NAME, "--trust", "signer.crt", "-o", "out"];
        arguments.extend(form);
        let output = bench.run("stratus-download-image", &arguments).await;
        ends_with(&output, 0, "endorsed by /O=Example/CN=signer");
        assert!(fs::read(bench.path().join("out")).unwrap() == *content);
    }
    assert!(!names(bench.path()).iter().any(|name| name.starts_with('.')));
}

#[tokio::test]
async fn data_is_json_where_it_is_asked_for() {
    let bench = Bench::new().await;
    let arguments = ["vm.img.gz", "vm.xml", "--user", "signer", "--json", "--check"];
    let output = bench.run("stratus-upload-image", &arguments).await;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["published"], true);
    assert_eq!(report["path"], STEM);
    let output = bench.run("stratus-search-image", &["--json"]).await;
    let page: Page = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page.appliances[0].name, NAME);
    let arguments = [STEM, "--trust", "signer.crt", "--json"];
    let output = bench.run("stratus-download-image", &arguments).await;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["file"], format!("{NAME}.img"));
    assert_eq!(report["manifest"]["os"], "ubuntu");
}

#[tokio::test]
async fn whoever_is_not_trusted_is_refused_before_the_image_is_asked_for() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    let output = bench.run("stratus-download-image", &[NAME, "--trust", "other.crt"]).await;
    ends_with(&output, 3, "is not accepted");
    assert!(!bench.server.asked("GET").iter().any(|r| r.path.ends_with(".img.gz")));
    // A manifest that somebody changed is nobody's.
    bench.change(FileKind::Manifest, |manifest| {
        let text = String::from_utf8(manifest.clone()).unwrap();
        *manifest = text.replace("Image team", "Image teem").into_bytes();
    });
    let output = bench.run("stratus-download-image", &[NAME, "--trust", "signer.crt"]).await;
    ends_with(&output, 3, "is not accepted");
    let output = bench.run("stratus-download-image", &[NAME]).await;
    ends_with(&output, 2, "--trust");
}

#[tokio::test]
async fn a_tampered_image_never_gets_its_name() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    bench.change(FileKind::Image, |image| image[300_000] ^= 1);
    for form in [&[][..], &["--compressed"]] {
        let mut arguments = vec![NAME, "--trust", "signer.crt", "-o", "out"];
        arguments.extend(form);
        let output = bench.run("stratus-download-image", &arguments).await;
        ends_with(&output, 3, "does not send the image that the manifest describes");
        assert!(!bench.path().join("out").exists());
    }
}

#[tokio::test]
async fn one_appliance_is_not_passed_off_as_another() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    let newer = STEM.replace("1.0", "1.1");
    let manifest = fs::read(bench.path().join("vm.xml")).unwrap();
    let path = format!("/images/{newer}{}", FileKind::Manifest.ending());
    bench.tree.lock().unwrap().insert(path, manifest);
    let output = bench.run("stratus-download-image", &[&newer, "--trust", "signer.crt"]).await;
    ends_with(&output, 3, &format!("it describes `{NAME}`"));
}

#[tokio::test]
async fn what_cannot_belong_together_is_not_sent() {
    let bench = Bench::new().await;
    let image = bench.path().join("vm.img.gz");
    fs::write(&image, &IMAGE.gz[1..]).unwrap();
    ends_with(&bench.upload().await, 1, "is not the image that the manifest describes");
    fs::write(&image, &IMAGE.gz[..IMAGE.gz.len() - 1]).unwrap();
    ends_with(&bench.upload().await, 1, "is not the image that the manifest describes");
    fs::write(&image, &IMAGE.gz).unwrap();
    fs::write(bench.path().join("vm.xml"), "<manifest>").unwrap();
    ends_with(&bench.upload().await, 1, "the manifest `vm.xml` is not accepted");
    assert!(bench.server.log().is_empty());
}

#[tokio::test]
async fn exit_codes_say_whether_to_try_again() {
    let bench = Bench::new().await;
    let arguments = ["vm.img.gz", "vm.xml", "-q", "--user", "somebody"];
    ends_with(&bench.run("stratus-upload-image", &arguments).await, 4, "hint: use `--user NAME`");
    // A port that nobody listens on.
    let arguments = ["--repository", "http://127.0.0.1:1"];
    ends_with(&bench.run("stratus-search-image", &arguments).await, 5, "cannot be reached");
    let arguments = ["--repository", "http://images.example.org"];
    ends_with(&bench.run("stratus-search-image", &arguments).await, 2, "plain HTTP");
    ends_with(&bench.run("stratus-show-image", &["no-such"]).await, 1, "no appliance `no-such`");
    ends_with(&bench.run("stratus-show-image", &["../x"]).await, 2, "does not name an appliance");
}

#[tokio::test]
async fn settings_stand_in_for_options() {
    let bench = Bench::new().await;
    let settings = bench.path().join(".config/stratus/client.toml");
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    fs::write(bench.path().join("secret"), "secret\n").unwrap();
    let text = format!(
        "repository = \"{}\"\nuser = \"signer\"\npassword_file = \"~/secret\"\ntrust = \"~/signer.crt\"\n",
        bench.server.address
    );
    fs::write(&settings, &text).unwrap();
    for (name, arguments) in [
        ("stratus-upload-image", &["vm.img.gz", "vm.xml"]),
        ("stratus-download-image", &[NAME, "-q"]),
    ] {
        let mut command = bench.command(name, arguments);
        command.env_remove("STRATUS_REPOSITORY").env_remove("STRATUS_PASSWORD");
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        ends_with(&done, 0, "");
    }
    fs::write(&settings, format!("{text}trusted = \"x\"\n")).unwrap();
    let output = bench.run("stratus-download-image", &[NAME]).await;
    ends_with(&output, 2, "client.toml:5:1: ");
}

#[tokio::test]
async fn a_withdrawn_appliance_is_refused_with_the_reason() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    let arguments = [
        NAME,
        "--reason",
        "broken resolver",
        "--cert",
        "signer.crt",
        "--key",
        "signer.key",
        "--user",
        "signer",
    ];
    ends_with(&bench.run("stratus-deprecate-image", &arguments).await, 0, "is deprecated");
    let mut arguments = vec![NAME, "--trust", "signer.crt", "-o", "out"];
    let output = bench.run("stratus-download-image", &arguments).await;
    ends_with(&output, 3, "broken resolver");
    arguments.push("--even-if-deprecated");
    let output = bench.run("stratus-download-image", &arguments).await;
    ends_with(&output, 0, "warning: this image is deprecated: broken resolver");
    // What nobody signed withdraws nothing.
    bench.change(FileKind::Deprecation, |statement| {
        let text = String::from_utf8(statement.clone()).unwrap();
        *statement = text.replace("broken", "slow").into_bytes();
    });
    arguments.pop();
    let output = bench.run("stratus-download-image", &arguments).await;
    ends_with(&output, 0, "without proof");
}

#[tokio::test]
async fn the_sites_policy_decides_before_anything_is_pulled() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    let ask = async |policy: &str, more: &[&str]| {
        fs::write(bench.path().join("policy.toml"), policy).unwrap();
        let common = [NAME, "--trust", "signer.crt", "--policy", "policy.toml"];
        bench.run("stratus-policy-image", &[&common[..], more].concat()).await
    };
    let rule = |subject| format!("[[endorsers]]\npath = \"base/**\"\nsubject = \"{subject}\"\n");
    let url = format!("{}/images/{STEM}.img.gz", bench.server.address);
    let output = ask(&rule("/O=Example/CN=*"), &[]).await;
    ends_with(&output, 0, "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{url}\n"));
    // The rules of the repository's settings stand in a section.
    let settings = rule("/O=Example/CN=*").replace("[[endorsers", "[[repository.endorsers");
    let output = ask(&format!("[repository]\nport = 1\n{settings}"), &["--json"]).await;
    ends_with(&output, 0, "");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["allowed"], &said["url"]), (&true.into(), &url.as_str().into()));
    let output = ask(&rule("/O=Other/*"), &[]).await;
    ends_with(&output, 3, "no rule allows `/O=Example/CN=signer`");
    assert!(output.stdout.is_empty());
    let black = "[filters]\nblack_endorsers = [\"/O=Example/CN=signer\"]\n";
    let output = ask(black, &["--json"]).await;
    ends_with(&output, 3, "");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["allowed"], false);
    assert!(said["reasons"][0].as_str().unwrap().contains("black list"), "{said}");
    ends_with(&ask("filter = 1\n", &[]).await, 2, "policy.toml");
    let output = bench.run("stratus-policy-image", &[NAME, "--trust", "signer.crt"]).await;
    ends_with(&output, 2, "--policy");
    assert!(!bench.server.asked("GET").iter().any(|r| r.path.ends_with(".img.gz")));
}

#[tokio::test]
async fn an_interrupt_keeps_what_arrived_and_nothing_else() {
    let bench = Bench::new().await;
    ends_with(&bench.upload().await, 0, "");
    let (asked, when_asked) = mpsc::channel();
    let tree = Arc::clone(&bench.tree);
    let stalled = Server::start(move |_, request| {
        let mut answer = repository(&tree, request);
        if request.method == "GET" && request.path.ends_with(".img.gz") {
            // Half of what is announced, and then silence.
            answer = answer.with("content-length", IMAGE.gz.len());
            answer.body.truncate(IMAGE.gz.len() / 2);
            asked.send(()).unwrap();
        }
        answer
    })
    .await;
    let arguments = [NAME, "--trust", "signer.crt", "-o", "out", "-q"];
    let mut command = bench.command("stratus-download-image", &arguments);
    command.env("STRATUS_REPOSITORY", &stalled.address);
    let status = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        when_asked.recv().unwrap();
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        child.wait().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(status.code(), Some(130));
    let left = names(bench.path());
    assert!(left.contains(&".out.stratus-partial".to_owned()), "{left:?}");
    assert!(!left.contains(&".out.stratus-inflating".to_owned()), "{left:?}");
    assert!(!left.contains(&"out".to_owned()), "{left:?}");
}

#[tokio::test]
async fn every_command_has_a_man_page_and_completions() {
    let bench = Bench::new().await;
    for name in [
        "stratus-upload-image",
        "stratus-search-image",
        "stratus-show-image",
        "stratus-download-image",
        "stratus-deprecate-image",
        "stratus-policy-image",
    ] {
        for (kind, text) in [("man", format!(".TH {name} 1")), ("bash", "--repository".to_owned())]
        {
            let output = bench.run(name, &["--generate", kind]).await;
            assert_eq!(output.status.code(), Some(0));
            assert!(String::from_utf8(output.stdout).unwrap().contains(&text), "{name} {kind}");
        }
    }
}
