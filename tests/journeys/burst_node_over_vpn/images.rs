//! An image comes to the burst node through the site's cache, which has it from the site's repository.

use crate::bed::{Bed, LAN_HOST, eventually};
use std::fs;
use std::path::Path;
use stratus_tests::hosts::Host;
use stratus_tests::{Appliance, PASSWORD, disk, program, run};

/// Where the services have everything on the LAN host.
const FOLDER: &str = "/srv/images";

/// A repository and a cache on the LAN host, and a signed appliance in the repository.
pub(crate) fn prepare(bed: &Bed) -> Appliance {
    let folder = bed.site.folder().join("images");
    fs::create_dir(&folder).unwrap();
    let cert = |arguments: &[&str]| {
        run(program("stratus-generate-cert").current_dir(&folder).args(arguments)).good();
    };
    cert(&["--subject", "/O=Example/CN=signer", "--email", "s@example.org", "--out", "signer"]);
    cert(&["--server", LAN_HOST, "--out", "server"]);
    settings(&folder);
    let lan = bed.lan();
    lan.run(&format!("mkdir {FOLDER}")).good();
    for file in ["signer.crt", "server.crt", "server.key", "users", "repository.toml", "cache.toml"]
    {
        lan.write(&format!("{FOLDER}/{file}"), 0o600, fs::read(folder.join(file)).unwrap());
    }
    for service in ["repository", "cache"] {
        bring(lan, &format!("stratus-{service}"));
        let run = format!("stratus-{service} --config {FOLDER}/{service}.toml");
        let unit =
            format!("systemd-run -q --collect --unit={service} -p WorkingDirectory={FOLDER}");
        lan.run(&format!("{unit} /usr/bin/{run}")).good();
    }
    let ask = format!(
        "curl -sSf --cacert {FOLDER}/server.crt {} && curl -sSf {}",
        format_args!("{}/readyz", repository()),
        format_args!("{}/readyz", cache()),
    );
    eventually("repository and cache are ready", || lan.run(&ask).code == 0);
    let appliance = Appliance::build(&folder, "burst", "1.0", &disk(4 << 20, 5));
    let mut upload = bed.site.lab().command(program("stratus-upload-image").get_program());
    upload.current_dir(&folder).env("STRATUS_PASSWORD", PASSWORD).env("STRATUS_USER", "signer");
    upload.env("STRATUS_REPOSITORY", repository()).env("STRATUS_CA", "server.crt");
    run(upload.arg(&appliance.image).arg(&appliance.manifest)).good();
    appliance
}

fn settings(folder: &Path) {
    let hash = ["hash-password"];
    let hash = run(program("stratus-repository").args(hash).env("STRATUS_PASSWORD", PASSWORD));
    fs::write(folder.join("users"), format!("signer:{}\n", hash.good().stdout.trim())).unwrap();
    let repository = format!(
        "[repository]\nlisten = \"{LAN_HOST}:8443\"\ndata = \"data\"\ntrust = \"signer.crt\"\n\
         tls_certificate = \"server.crt\"\ntls_key = \"server.key\"\n\
         [[repository.endorsers]]\npath = \"**\"\nsubject = \"/O=Example/CN=*\"\n\
         [identity]\npassword_file = \"users\"\n"
    );
    fs::write(folder.join("repository.toml"), repository).unwrap();
    let cache = format!(
        "[cache]\nlisten = \"{LAN_HOST}:8480\"\ndirectory = \"spool\"\nsize = \"1 GiB\"\nfree = 0\n\
         [[cache.upstreams]]\nprefix = \"/\"\nurl = \"{}\"\nca = \"server.crt\"\n",
        self::repository()
    );
    fs::write(folder.join("cache.toml"), cache).unwrap();
}

fn repository() -> String {
    format!("https://{LAN_HOST}:8443")
}

fn cache() -> String {
    format!("http://{LAN_HOST}:8480")
}

/// One of our programs, onto a host.
fn bring(host: &Host, name: &str) {
    let file = fs::read(program(name).get_program()).unwrap();
    host.write(&format!("/usr/bin/{name}"), 0o755, file);
}

/// The first time it comes from the repository, once; from then on the cache has it.
pub(crate) fn come_through_the_cache(bed: &Bed, burst: &Host, appliance: &Appliance) {
    let (lan, image) = (bed.lan(), fs::read(&appliance.image).unwrap());
    for file in ["signer.crt", "server.crt"] {
        burst.write(&format!("/root/{file}"), 0o644, lan.read(&format!("{FOLDER}/{file}")));
    }
    bring(burst, "stratus-download-image");
    let pull = format!(
        "cd /root && stratus-download-image {} --repository {} --ca server.crt --trust signer.crt \
         --cache {} --output pulled.img",
        appliance.path,
        repository(),
        cache()
    );
    let told = burst.run(&pull).good();
    assert!(!told.stderr.contains("does not answer"), "{}", told.stderr);
    assert_eq!(burst.read("/root/pulled.img"), fs::read(&appliance.disk).unwrap());
    let (received, served) = traffic(lan);
    let size = image.len() as u64;
    assert!((size..size * 101 / 100).contains(&received), "{received} bytes of {size} came");
    assert!(served >= size, "{served} bytes of {size} went");

    lan.run("systemctl stop repository").good();
    let url = format!("{}{}", cache(), appliance.image_path());
    let head = burst.run(&format!("curl -sSf -D - -o /root/again.img.gz {url}")).good().stdout;
    assert!(head.to_lowercase().contains("; hit"), "{head}");
    assert_eq!(burst.read("/root/again.img.gz"), image);
    assert_eq!(traffic(lan), (received, served + size), "the cache had it");
}

/// Bytes that the cache got from the repository, and bytes that it gave.
fn traffic(lan: &Host) -> (u64, u64) {
    let ask = format!("cd {FOLDER} && stratus-cache --config cache.toml --json status");
    let status: serde_json::Value = serde_json::from_str(&lan.run(&ask).good().stdout).unwrap();
    (status["received"].as_u64().unwrap(), status["served"].as_u64().unwrap())
}
