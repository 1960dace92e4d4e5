//! `stratus-config` as an administrator meets it: exit codes, what it says, and the file after it.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use stratus_tests::{Output, program, run};
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../installer/site/examples/site.toml");
const MINIMAL: &str = include_str!("../../installer/site/examples/minimal.toml");
const OLD: &str = include_str!("../../installer/site/tests/old/2014-06.cfg");

struct Site(TempDir);

impl Site {
    fn with(text: &str) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::write(site.path("site.toml"), text).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("site.toml")).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = program("stratus-config");
        command.current_dir(self.0.path()).env("STRATUS_CONFIG", "site.toml").args(arguments);
        run(&mut command)
    }

    /// Runs, expects the exit code, and gives both outputs.
    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let out = self.run(arguments);
        assert_eq!(out.code, code, "{arguments:?}\n{}\n{}", out.stdout, out.stderr);
        (out.stdout, out.stderr)
    }
}

#[test]
fn a_value_is_printed_as_it_is_or_as_it_would_be() {
    let site = Site::with(EXAMPLE);
    assert_eq!(site.expect(0, &["networks.private.base"]).0, "10.0.0.0/24\n");
    assert_eq!(site.expect(0, &["networks.batch.vlan"]).0, "42\n");
    assert_eq!(site.expect(0, &["nodes.hosts"]).0, "[\"node[01-03]\"]\n");
    assert_eq!(site.expect(0, &["repository.title"]).0, "Appliance repository\n");
    assert_eq!(site.expect(0, &["cache.upstreams.0.prefix"]).0, "/\n");
    assert!(site.expect(0, &["nodes.override.\"node03\""]).0.contains("os = \"almalinux-9\""));
    let json = site.expect(0, &["--json", "frontend.port"]).0;
    assert_eq!(json, "{\"default\":\"2633\",\"key\":\"frontend.port\",\"value\":2633}\n");
    let (out, told) = site.expect(1, &["vpn.subnet"]);
    assert_eq!(out, "");
    assert!(told.contains("`vpn.subnet` is not set: that of `network`"), "{told}");
    let (_, told) = site.expect(2, &["networks.private.bas"]);
    assert!(told.contains("did you mean `base`?"), "{told}");
}

#[test]
fn every_key_is_listed_with_default_current_and_meaning() {
    let site = Site::with(EXAMPLE);
    let (out, told) = site.expect(0, &["--keys"]);
    assert_eq!(told, "");
    for expected in ["KEY", "DEFAULT", "CURRENT", "MEANING", "networks.private.base", "cache.size"]
    {
        assert!(out.contains(expected), "{expected} not in:\n{out}");
    }
    let out = site.expect(0, &["--keys", "--section", "networks", "--json"]).0;
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    let rows = rows.as_array().unwrap();
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(row("networks.private.base")["current"], "10.0.0.0/24");
    assert_eq!(row("networks.batch.size")["current"], "B");
    assert!(rows.iter().all(|row| row["key"].as_str().unwrap().starts_with("networks.")));
    let (_, told) = site.expect(2, &["--keys", "--section", "network"]);
    assert!(told.contains("there is no section `network`"), "{told}");
    fs::remove_file(site.path("site.toml")).unwrap();
    let (out, told) = site.expect(0, &["--keys", "--section", "monitor"]);
    assert!(out.contains("8444") && told.contains("there is no `site.toml`"), "{out}{told}");
}

#[test]
fn a_change_keeps_comments_order_mode_and_owner() {
    let site = Site::with(EXAMPLE);
    fs::set_permissions(site.path("site.toml"), Permissions::from_mode(0o640)).unwrap();
    let owned = std::os::unix::fs::chown(site.path("site.toml"), Some(12), Some(34)).is_ok();
    site.expect(0, &["set", "nodes.share", "nfs"]);
    let changed = EXAMPLE.replacen("share = \"ssh\"", "share = \"nfs\"", 1);
    assert_eq!(site.text(), changed);
    let found = fs::metadata(site.path("site.toml")).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o640);
    if owned {
        assert_eq!((found.uid(), found.gid()), (12, 34));
    }
    site.expect(0, &["set", "nodes.hosts", "node[01-03]", "late"]);
    assert!(site.text().contains("hosts = [\"node[01-03]\", \"late\"]\n"));
    site.expect(0, &["unset", "networks.batch"]);
    assert!(!site.text().contains("172.16.0.0"));
    let (_, told) = site.expect(0, &["unset", "networks.batch.vlan"]);
    assert!(told.contains("is not set"), "{told}");
    assert_eq!(site.names(), ["site.toml"], "nothing is left beside it");
}

#[test]
fn a_change_that_would_make_the_file_wrong_is_refused_with_the_report() {
    let site = Site::with(MINIMAL);
    for (arguments, expected) in [
        (vec!["set", "nodes.share", "carrier pigeon"], "`share` cannot be `carrier pigeon`"),
        (vec!["set", "nodes.shar", "nfs"], "did you mean `share`?"),
        (vec!["set", "networks.private.base", "10.0.0.7/24"], "write \"10.0.0.0/24\""),
        (vec!["set", "networks.private.gateway", "x.x.x.x"], "a value still to be chosen"),
        (vec!["set", "frontend.port", "many"], "a number such as 2633"),
        (vec!["unset", "frontend.host"], "[frontend] needs `host`"),
        (vec!["set", "identity.ldap.bind_password", "hush"], "there is no key"),
    ] {
        let (out, told) = site.expect(2, &arguments);
        assert!(told.contains(expected) && out.is_empty(), "{arguments:?}: {told}");
        assert_eq!(site.text(), MINIMAL);
    }
    let told = site.expect(2, &["set", "nodes.share", "x"]).1;
    assert!(told.contains("site.toml:11:9") && told.contains("stays as it is"), "{told}");
    assert_eq!(site.names(), ["site.toml"]);
}

#[test]
fn the_check_reports_everything_at_once() {
    let site = Site::with(EXAMPLE);
    let (out, told) = site.expect(0, &["check"]);
    assert!(out.is_empty() && told.contains("3 nodes, 3 networks"), "{out}{told}");
    let wrong = MINIMAL.replace("10.0.0.0/24", "10.0.0.1/24").replace("hosts", "hots");
    let site = Site::with(&wrong);
    let told = site.expect(2, &["check"]).1;
    for expected in ["site.toml:10:1", "did you mean `hosts`?", "site.toml:13:8", "10.0.0.0/24"] {
        assert!(told.contains(expected), "{expected} not in:\n{told}");
    }
    let out = site.expect(2, &["check", "--json"]).0;
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["problems"][0]["line"], 10);
    assert_eq!(found["problems"][1]["column"], 8);
    let (_, told) = site.expect(2, &["--config", "/nonexistent/site.toml", "check"]);
    assert!(told.contains("/nonexistent/site.toml"), "{told}");
}

#[test]
fn an_old_file_is_imported_with_a_word_on_each_key() {
    let site = Site::with("");
    fs::write(site.path("old.cfg"), OLD).unwrap();
    let (out, told) = site.expect(0, &["import", "old.cfg", "-o", "new.toml"]);
    for expected in ["hypervisor", "nodes.hypervisor", "left out", "(hidden)", "something_of_ours"]
    {
        assert!(out.contains(expected), "{expected} not in:\n{out}");
    }
    assert!(told.contains("old.cfg:5: `debug_level` is given again"), "{told}");
    for secret in ["registration_ldap_manager_password", "registration_mail_password"] {
        let path = site.path(&format!("{secret}.secret"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let secret = fs::read_to_string(&path).unwrap();
        let new = fs::read_to_string(site.path("new.toml")).unwrap();
        let everything = format!("{out}{told}{new}");
        assert!(!everything.contains(secret.trim()), "a secret is told");
    }
    site.expect(0, &["--config", "new.toml", "check"]);
    let before = site.names();
    let (_, told) = site.expect(2, &["import", "old.cfg", "-o", "new.toml"]);
    assert!(told.contains("is there already"), "{told}");
    assert_eq!(site.names(), before, "a refused import writes nothing");
    // The same secrets stay, others are no reason to write over them.
    site.expect(0, &["import", "old.cfg", "-o", "other.toml"]);
    let changed = site.path("registration_mail_password.secret");
    fs::write(&changed, "another\n").unwrap();
    let (_, told) = site.expect(2, &["import", "old.cfg", "-o", "third.toml"]);
    assert!(told.contains("is there already, with something else"), "{told}");
    assert!(told.contains("`-o` in another folder"), "{told}");
    assert!(!site.path("third.toml").exists());
    assert_eq!(fs::read_to_string(changed).unwrap(), "another\n");
}

#[test]
fn an_import_prints_where_no_secret_is_and_refuses_what_is_no_old_file() {
    let site = Site::with("");
    fs::write(site.path("old.cfg"), "[one]\nfrontend_ip = 192.0.2.10\nhypervisor = kvm\n").unwrap();
    let (out, told) = site.expect(0, &["import", "old.cfg", "-o", "-"]);
    assert!(
        out.contains("hypervisor = \"kvm\"") && told.contains("nodes.hypervisor"),
        "{out}{told}"
    );
    fs::write(site.path("secret.cfg"), OLD).unwrap();
    let (out, told) = site.expect(2, &["import", "secret.cfg", "-o", "-"]);
    assert!(out.is_empty() && told.contains("the old file has secrets"), "{told}");
    fs::write(site.path("noise"), [0_u8, 159, 61, 10, 3].repeat(20_000)).unwrap();
    fs::write(site.path("other.ini"), "[mysqld]\nport = 3306\n").unwrap();
    for (file, why) in [("noise", "is not text"), ("other.ini", "no key of a stratuslab.cfg")] {
        let (out, told) = site.expect(2, &["import", file, "-o", "new.toml"]);
        assert!(out.is_empty() && told.contains(why) && told.contains("hint: "), "{told}");
    }
    assert_eq!(site.names(), ["noise", "old.cfg", "other.ini", "secret.cfg", "site.toml"]);
}

#[test]
fn a_section_of_sections_is_printed_whole() {
    let site = Site::with(MINIMAL);
    let all = site.expect(0, &["networks"]).0;
    assert!(all.starts_with("[networks.private]\n") && all.contains("10.0.0.0/24"), "{all}");
    let one = site.expect(0, &["networks.private"]).0;
    assert!(one.contains("10.0.0.0/24") && !one.contains('['), "{one}");
}

#[test]
fn an_old_file_that_makes_no_sense_is_written_and_its_problems_are_named() {
    let site = Site::with("");
    let old = "[n]\none_public_network_addr = 192.0.2.1 192.0.2.1\n# caf\u{e9}\n";
    let latin: Vec<u8> = old.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    fs::write(site.path("old.cfg"), latin).unwrap();
    let (_, told) = site.expect(2, &["import", "old.cfg", "-o", "new.toml"]);
    assert!(told.contains("still needs your hand") && told.contains("new.toml:"), "{told}");
    assert!(site.path("new.toml").exists());
}

#[test]
fn the_reference_man_page_and_completions_are_printed() {
    let site = Site::with("");
    let page = site.expect(0, &["reference"]).0;
    assert_eq!(page, include_str!("../../docs/reference/stratus.toml.md"));
    assert!(site.expect(0, &["--generate", "man"]).0.contains("stratus\\-config"));
    assert!(site.expect(0, &["--generate", "bash"]).0.contains("--section"));
    assert!(site.expect(0, &["--help"]).0.contains("Examples:"));
    assert!(site.expect(2, &[]).1.contains("Usage"));
}

/// The services take the whole example, and ask for exactly the keys that are documented.
#[test]
fn one_file_serves_the_installer_and_the_services() {
    let site = Site::with(EXAMPLE);
    let documented = site.expect(0, &["reference"]).0;
    for (service, sections) in [
        (
            "stratus-repository",
            vec![
                "[repository]",
                "[repository.s3]",
                "[repository.limits]",
                "[[repository.endorsers]]",
                "[identity]",
                "[identity.ldap]",
                "[identity.people.someone]",
            ],
        ),
        ("stratus-cache", vec!["[cache]", "[[cache.upstreams]]", "[[cache.prefetch]]"]),
        ("stratus-monitor", vec!["[monitor]", "[monitor.alerts]"]),
    ] {
        let check = |text: &str| {
            fs::write(site.path("site.toml"), text).unwrap();
            let mut command = program(service);
            run(command.current_dir(site.0.path()).args(["--config", "site.toml", "check"]))
        };
        // Nothing is wrong but that the files which the example names are not here.
        let out = check(EXAMPLE);
        assert!(matches!(out.code, 0 | 2), "{service}: {}", out.stderr);
        let problems =
            out.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("error: "));
        for problem in problems.filter(|problem| !problem.starts_with("the site file")) {
            assert!(problem.contains("cannot read"), "{service}: {problem}");
        }
        for section in sections {
            // Where the address of an upstream is missing, nothing else is looked at.
            let url = if section.contains("upstreams") { "url = \"https://a\"\n" } else { "" };
            let unknown = format!("{section}\n{url}nobody_knows_this = 1\n");
            let out = check(&unknown);
            let name = section.trim_matches(['[', ']']).replace(".someone", ".*");
            let told = format!("[{}] has no key", section.trim_matches(['[', ']']));
            let report = out.stderr.split(&told).nth(1).unwrap_or_else(|| panic!("{}", out.stderr));
            let known = report.split("known keys: ").nth(1).unwrap().lines().next().unwrap();
            let mut known: Vec<&str> = known.trim().split(", ").collect();
            known.sort_unstable();
            let part = documented.split(&format!("\n## `[{name}]`")).nth(1).unwrap();
            let part = part.split("\n## ").next().unwrap();
            let rows = part.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
            let mut rows: Vec<&str> = rows.collect();
            rows.sort_unstable();
            assert_eq!(known, rows, "{service} {section}: asked for, and documented");
        }
    }
}
