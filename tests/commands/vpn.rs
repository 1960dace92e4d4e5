//! `stratus-vpn` without a server: what it makes, refuses and says, and how fast.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "vpn/wireguard.rs"]
mod wireguard;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Instant;
use stratus_tests::{Output, program, run, tool};

struct Site(tempfile::TempDir);

impl Site {
    fn new(vpn: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\n\
             [nodes]\nhosts = [\"node1.example.org\"]\n[networks.private]\nbase = \"10.50.0.0/16\"\n\
             first = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n{vpn}"
        );
        fs::write(folder.path().join("site.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn vpn(&self, arguments: &[&str]) -> Output {
        let mut command = program("stratus-vpn");
        command.args(arguments);
        command.arg("--config").arg(self.path("site.toml"));
        command.arg("--directory").arg(self.path("vpn"));
        command.arg("--runtime").arg(self.path("run"));
        run(&mut command)
    }

    #[track_caller]
    fn refused(&self, code: i32, words: &str, arguments: &[&str]) {
        let out = self.vpn(arguments);
        assert_eq!(out.code, code, "{out:?}");
        assert!(out.stderr.contains(words), "{}", out.stderr);
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.vpn(arguments).stdout).unwrap()
    }
}

const VPN: &str = "[vpn]\nendpoint = \"vpn.example.org\"\nrange = \"10.50.1.0-10.50.1.255\"\n\
    nodes = [\"burst1\", { name = \"burst2\", address = \"10.50.1.77\" }]\n";

#[test]
fn mistakes_have_their_codes_and_cures() {
    let bare = Site::new("");
    bare.refused(2, "no section [vpn]", &["init"]);
    let site = Site::new(VPN);
    site.refused(2, "stratus-vpn init", &["add", "a"]);
    site.refused(2, "stratus-vpn init", &["list"]);
    assert!(!site.path("vpn").exists());
    site.vpn(&["init"]).good();
    site.vpn(&["init"]).good();
    site.vpn(&["add", "a"]).good();
    site.refused(2, "`a` is known already", &["add", "b", "a"]);
    // All or none.
    assert_eq!(site.json(&["list", "--json"])["clients"].as_array().unwrap().len(), 1);
    site.refused(2, "there is no burst node `b`", &["revoke", "b"]);
    site.refused(2, "there is no burst node `b`", &["bundle", "b", "--as", "ovpn"]);
    site.refused(2, "choose another name", &["add", "node1"]);
    site.refused(2, "`front` is the host `front.example.org`", &["add", "c", "front"]);
    assert_eq!(site.json(&["list", "--json"])["clients"].as_array().unwrap().len(), 1);
    // Without a form a bundle is one file for openvpn.
    let bundle = site.vpn(&["bundle", "a"]).good().stdout;
    assert!(bundle.contains("<tls-crypt-v2>") && bundle.contains("\nremote "), "{bundle}");
    site.refused(2, "longer than 64", &["add", &format!("{}.example.org", "x".repeat(63))]);
    site.refused(2, "not a host name", &["add", "../x"]);
    site.refused(2, "no authority is being replaced", &["rotate", "ca", "--finish"]);
    site.vpn(&["rotate", "ca"]).good();
    site.refused(3, "being replaced already", &["rotate", "ca"]);
    site.refused(3, "1 burst node", &["rotate", "ca", "--finish"]);
    site.refused(5, "not running", &["status"]);
    let text = fs::read_to_string(site.path("site.toml")).unwrap();
    fs::write(site.path("site.toml"), text.replace("\"lab\"", "\"else\"")).unwrap();
    site.refused(2, "the site `lab`", &["add", "c"]);
}

#[test]
fn nodes_of_the_site_file_get_their_addresses_and_keys_stay_secret() {
    let site = Site::new(VPN);
    site.vpn(&["init"]).good();
    site.vpn(&["add"]).good();
    site.vpn(&["add", "other"]).good();
    let list = site.json(&["list", "--json"]);
    let shown = |at: usize| list["clients"][at]["address"].as_str().unwrap().to_owned();
    assert_eq!(
        (shown(0), shown(1), shown(2)),
        ("10.50.1.0".into(), "10.50.1.77".into(), "10.50.1.1".into())
    );
    assert_eq!(list["clients"][0]["mac"], "02:00:0a:32:01:00");
    assert_eq!(site.vpn(&["add"]).good().stdout, "");

    let mode = |name: &str| {
        let path = site.path("vpn").join(name);
        fs::metadata(&path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            .permissions()
            .mode()
            & 0o7777
    };
    for (name, wanted) in [
        ("pki", 0o700),
        ("pki/register.json", 0o600),
        ("pki/authority-1.pem", 0o600),
        ("pki/tls-crypt-v2.key", 0o600),
        ("server", 0o755),
        ("server/server.key", 0o600),
        ("server/tls-crypt-v2.key", 0o600),
        ("server/crl.pem", 0o644),
        ("server/ccd/burst2", 0o644),
    ] {
        assert_eq!(mode(name), wanted, "{name}");
    }
    for key in fs::read_dir(site.path("vpn/pki/clients")).unwrap() {
        assert_eq!(key.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let bundle = site.path("u.yml");
    site.vpn(&["bundle", "burst1", "--as", "cloud-init", "-o", bundle.to_str().unwrap()]).good();
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    // What a hand spoiled is put right.
    fs::write(site.path("vpn/server/ccd/burst2"), "").unwrap();
    fs::write(site.path("vpn/server/ccd/nobody"), "").unwrap();
    site.vpn(&["renew"]).good();
    let put = fs::read_to_string(site.path("vpn/server/ccd/burst2")).unwrap();
    assert_eq!(put, "ifconfig-push 10.50.1.77 255.255.0.0\n");
    assert!(!site.path("vpn/server/ccd/nobody").exists());
}

#[test]
fn openssl_accepts_what_is_made() {
    let site = Site::new(VPN);
    site.vpn(&["init"]).good();
    site.vpn(&["add", "a", "b"]).good();
    let profile = site.vpn(&["bundle", "a", "--as", "ovpn"]).good().stdout;
    let cert = profile.split("<cert>\n").nth(1).unwrap().split("</cert>").next().unwrap();
    fs::write(site.path("a.crt"), cert).unwrap();
    let server = |name: &str| site.path("vpn/server").join(name).to_str().unwrap().to_owned();
    let verify = |purpose: &str, file: &str| {
        let (ca, crl) = (server("ca.pem"), server("crl.pem"));
        run(tool("openssl", "openssl").args([
            "verify",
            "-crl_check_all",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            &ca,
            "-CRLfile",
            &crl,
            file,
        ]))
    };
    let client = site.path("a.crt").to_str().unwrap().to_owned();
    verify("sslclient", &client).good();
    verify("sslserver", &server("server.crt")).good();
    assert_ne!(verify("sslserver", &client).code, 0);
    assert_ne!(verify("sslclient", &server("server.crt")).code, 0);
    site.vpn(&["revoke", "a"]).good();
    let told = verify("sslclient", &client);
    assert!(told.code != 0 && told.stderr.contains("certificate revoked"), "{told:?}");
    site.vpn(&["rotate", "ca"]).good();
    let told = verify("sslclient", &client);
    assert!(told.stderr.contains("certificate revoked"), "{told:?}");
    verify("sslserver", &server("server.crt")).good();
}

#[test]
fn a_register_that_was_changed_by_hand_is_refused_and_kept() {
    let site = Site::new(VPN);
    site.vpn(&["init"]).good();
    let file = site.path("vpn/pki/register.json");
    let mut register: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    register["server"]["authority"] = 9.into();
    let changed = register.to_string();
    fs::write(&file, &changed).unwrap();
    site.refused(1, "register.json", &["rotate", "server"]);
    site.refused(1, "no authority 9", &["renew"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);
}

/// The figures printed here are in `docs/performance.md`; a busy machine makes none of them wrong.
#[test]
fn two_hundred_nodes_are_added_and_told() {
    let names: Vec<String> = (1..=200).map(|n| format!("n{n:03}")).collect();
    let mut arguments = vec!["add"];
    arguments.extend(names.iter().map(String::as_str));
    let site = Site::new(VPN);
    let begun = Instant::now();
    site.vpn(&["init"]).good();
    site.vpn(&arguments).good();
    println!("200 nodes added in {:?}", begun.elapsed());

    serve(&site, &names);
    let begun = Instant::now();
    let out = site.vpn(&["status", "--json"]).good();
    println!("status for 200 nodes in {:?}", begun.elapsed());
    let status: Value = serde_json::from_str(&out.stdout).unwrap();
    let clients = status["clients"].as_array().unwrap();
    assert_eq!(clients.iter().filter(|c| c["session"].is_object()).count(), 200);
    assert!(clients[6]["last_error"]["reason"].as_str().unwrap().contains("silent"));
}

/// A server's management interface with every node connected and a long log.
fn serve(site: &Site, names: &[String]) {
    fs::create_dir(site.path("run")).unwrap();
    let listener = UnixListener::bind(site.path("run/management.sock")).unwrap();
    let mut status = "TITLE\tOpenVPN 2.6.14\nTIME\t2026-11-21 10:00:00\t1795255200\nHEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher\n".to_owned();
    let mut log = String::new();
    for (at, name) in names.iter().enumerate() {
        status += &format!(
            "CLIENT_LIST\t{name}\t192.0.2.1:{}\t\t\t100\t200\t2026-11-21 09:00:00\t1795251600\tUNDEF\t{at}\t{at}\tAES-256-GCM\n",
            1000 + at
        );
        for number in 0..10 {
            log += &format!("1795251600,,{name}/192.0.2.1:{} message {number}\n", 1000 + at);
        }
        log += &format!(
            "1795251600,I,{name}/192.0.2.1:{} [{name}] Inactivity timeout (--ping-restart), restarting\n",
            1000 + at
        );
    }
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b">INFO:OpenVPN Management Interface Version 5\r\n").unwrap();
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines() {
                let Ok(line) = line else { break };
                let text = if line == "status 3" { &status } else { &log };
                let _ = stream.write_all(format!("{text}END\n").as_bytes());
            }
        }
    });
}

#[test]
fn the_command_explains_itself() {
    let site = Site::new(VPN);
    let help = site.vpn(&["--help"]).good().stdout;
    assert!(help.contains("stratus-vpn bundle burst1 --as cloud-init"), "{help}");
    let man = run(program("stratus-vpn").args(["--generate", "man"])).good().stdout;
    assert!(man.contains("stratus\\-vpn"), "{man}");
    for shell in ["bash", "zsh", "fish"] {
        let text = run(program("stratus-vpn").args(["--generate", shell])).good().stdout;
        assert!(text.contains("cloud-init"), "{shell}");
    }
}
