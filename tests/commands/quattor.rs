//! `stratus-quattor` as a fabric manager meets it: what it refuses with which key, what it leaves
//! alone, and that no secret is in what it writes.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs;
use std::path::{Path, PathBuf};
use stratus_tests::{Output, program, run};
use tempfile::TempDir;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("quattor/examples/debian")
}

/// The example with changes, in a folder of its own.
fn site(changes: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = fs::read_to_string(example().join("site.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let file = folder.path().join("site.toml");
    fs::write(&file, text).unwrap();
    fs::copy(example().join("opennebula.asc"), folder.path().join("opennebula.asc")).unwrap();
    (folder, file)
}

fn export(file: &Path, more: &[&str]) -> Output {
    let output = file.with_file_name("templates");
    let mut command = program("stratus-quattor");
    command.env_remove("STRATUS_CONFIG");
    run(command.args(["export", "--config"]).arg(file).arg("-o").arg(output).args(more))
}

#[track_caller]
fn refused(changes: &[(&str, &str)], parts: &[&str]) {
    let (_folder, file) = site(changes);
    let out = export(&file, &[]);
    assert_eq!((out.code, out.stdout.as_str()), (2, ""), "{}", out.stderr);
    for part in parts {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
    assert!(!file.with_file_name("templates").exists());
}

#[test]
fn a_name_that_pan_does_not_take_is_refused_with_its_key() {
    let renamed = [("node[1-2]", "1node"), ("\"node1\"", "\"1node\"")];
    let without = ("[nodes.override.\"node2\"]\naddress = \"192.0.2.12\"\n", "");
    refused(
        &[renamed[0], renamed[1], without],
        &["nodes.hosts: `1node.example.org` cannot be a key in pan"],
    );
    let network = ("[networks.machines]", "[networks.3rd]");
    refused(&[network], &["networks.3rd: `3rd` cannot be a key in pan"]);
}

#[test]
fn what_only_a_host_could_tell_has_to_be_stated() {
    let auto = ("os = \"debian-13\"\ninterface = \"eno1\"", "");
    refused(&[auto], &["nodes.override.\"node1.example.org\".os: is \"auto\"", "--os"]);
    refused(&[("interface = \"eno1\"\n", "")], &["interface: is \"auto\"", "--interface"]);
    refused(&[("os = \"debian-13\"", "os = \"plan9-4\"")], &["frontend.os", "is not supported"]);
    refused(
        &[("os = \"debian-13\"\n\n[nodes]", "os = \"opensuse-leap-16.0\"\n\n[nodes]")],
        &["os: ncm-spma installs with apt or dnf", "frontend.example.org has zypper"],
    );
    refused(&[("192.0.2.12", "203.0.113.12")], &["203.0.113.12 is in no network", "--lan"]);
    let (_folder, file) = site(&[auto]);
    let out = export(&file, &["--os", "debian-12", "--interface", "ens3"]).good();
    assert!(out.stdout.contains("written stratus/roles/node-debian-12.pan\n"), "{}", out.stdout);
    let roles = file.with_file_name("templates/stratus/hosts/node1.example.org.pan");
    assert!(fs::read_to_string(roles).unwrap().contains("'interfaces/ens3'"));
}

#[test]
fn a_second_export_writes_nothing_and_takes_away_only_its_own() {
    let (folder, file) = site(&[]);
    let first = export(&file, &[]).good();
    assert_eq!(first.stdout.lines().count(), 10, "{}", first.stdout);
    let mine = folder.path().join("templates/profiles/mine.pan");
    fs::write(&mine, "object template mine;\n").unwrap();
    let second = export(&file, &["--json"]).good();
    let told: serde_json::Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!(told["written"].as_array().unwrap().len(), 0);
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 10);
    let smaller = fs::read_to_string(&file).unwrap().replace("node[1-2]", "node1");
    let smaller = smaller.replace("[nodes.override.\"node2\"]\naddress = \"192.0.2.12\"\n", "");
    fs::write(&file, smaller).unwrap();
    let third = export(&file, &[]).good();
    assert!(third.stdout.contains("removed profiles/node2.example.org.pan\n"), "{}", third.stdout);
    assert!(mine.is_file());
    fs::remove_file(folder.path().join("templates/.stratus-export")).unwrap();
    let foreign = export(&file, &[]);
    assert_eq!(foreign.code, 1);
    assert!(foreign.stderr.contains("was not made by an export"), "{}", foreign.stderr);
}

#[test]
fn no_secret_is_in_a_template() {
    let directory = "[identity.ldap]\nurls = [\"ldaps://ldap.example.org\"]\n\
                     base = \"dc=example,dc=org\"\nbind_dn = \"cn=stratus,dc=example,dc=org\"\n\
                     bind_password_file = \"ldap\"\n\n[packages]";
    let mariadb =
        ("os = \"debian-13\"\n\n[nodes]", "os = \"debian-13\"\ndatabase = \"mariadb\"\n\n[nodes]");
    let (folder, file) = site(&[("[packages]", directory), mariadb]);
    fs::write(folder.path().join("ldap"), "canary-of-the-directory\n").unwrap();
    let out = export(&file, &["--json"]).good();
    assert!(out.stdout.contains("secret-inside") && out.stdout.contains("no-field"));
    let found =
        program_output(&["-r", "canary", &folder.path().join("templates").to_string_lossy()]);
    assert_eq!(found, "");
    let site = folder.path().join("templates/stratus/site.pan");
    assert!(fs::read_to_string(site).unwrap().contains("STRATUS_DATABASE_PASSWORD ?= error("));
}

fn program_output(arguments: &[&str]) -> String {
    run(stratus_tests::tool("grep", "grep").args(arguments)).stdout
}

#[test]
fn help_manual_and_completions_are_there() {
    let help = run(program("stratus-quattor").arg("--help")).good().stdout;
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    for (kind, part) in [("man", ".TH stratus-quattor"), ("bash", "--interface"), ("fish", "lan")] {
        let text = run(program("stratus-quattor").args(["--generate", kind])).good().stdout;
        assert!(text.contains(part), "{kind}: {text}");
    }
    let wrong = run(program("stratus-quattor").arg("export"));
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
}

#[test]
fn what_is_left_to_others_is_a_table_or_data() {
    let left = |more: &[&str]| run(program("stratus-quattor").arg("left").args(more)).good().stdout;
    let rows = left(&[]).lines().count() - 2;
    let data: serde_json::Value = serde_json::from_str(&left(&["--json"])).unwrap();
    assert_eq!(data.as_array().unwrap().len(), rows);
    assert_eq!(data[0]["why"], "secret-made-there");
    for field in ["about", "reason", "cure"] {
        assert!(data[0][field].is_string(), "{field}: {}", data[0]);
    }
}
