//! A site that Quattor installs is the site that the installer installs: each profile asks for what
//! the plan of the same host says, or the difference is in the list that the guide explains.
//!
//! The templates are read by `subset`, a reader of these tests for the little of pan that an export
//! uses; it also holds every field against `quattor/profiles`. That runs everywhere. Where there is a
//! real pan compiler it has to accept and refuse the same, and to make the same tree (`compiled`);
//! where there is none, that part is left out, and said to be. `STRATUS_BLESS=1` writes the examples
//! and the guide's table anew.

#![expect(clippy::unwrap_used, reason = "a test")]

mod compiled;
mod compiler;
mod demand;
mod fields;
mod planned;
mod profile;
mod subset;

use demand::{Demands, differences};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use stratus_site::Site;
use stratus_tests::{program, run};
use tempfile::TempDir;

const EXAMPLES: [&str; 2] = ["debian", "el"];
const HOSTS: [&str; 3] = ["frontend.example.org", "node1.example.org", "node2.example.org"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn example(name: &str) -> PathBuf {
    root().join("quattor/examples").join(name)
}

/// An example, exported and planned.
struct Both {
    folder: TempDir,
    /// What `stratus-quattor export --json` printed.
    told: Value,
    plan: Value,
    facts: Value,
    site: Site,
}

impl Both {
    fn of(name: &str) -> Self {
        Self::at(&example(name), &[])
    }

    /// Of a folder with the site file and the facts.
    fn at(place: &Path, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = place.join("site.toml");
        let facts = place.join("facts.json");
        let mut export = program("stratus-quattor");
        export.args(["export", "--json", "--config"]).arg(&config).arg("-o").arg(folder.path());
        export.args(options);
        let told = run(&mut export).good().stdout;
        let mut plan = program("stratus-install");
        plan.args(["plan", "--json", "--config"]).arg(&config).arg("--facts").arg(&facts);
        let plan = run(&mut plan);
        assert_eq!(plan.code, 10, "{}", plan.stderr);
        let json = |text: &str| serde_json::from_str(text).unwrap();
        Self {
            told: json(&told),
            plan: json(&plan.stdout),
            facts: json(&fs::read_to_string(&facts).unwrap()),
            site: Site::parse(&config, &fs::read_to_string(&config).unwrap()).unwrap(),
            folder,
        }
    }

    /// What a host's templates ask for.
    fn tree(&self, host: &str) -> Value {
        subset::profile(self.folder.path(), host).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn hosts(&self) -> Vec<&str> {
        let hosts = self.plan["hosts"].as_array().unwrap().iter();
        hosts.map(|host| host["host"].as_str().unwrap()).collect()
    }

    fn planned(&self, host: &str) -> Demands {
        let plan = self.plan["hosts"].as_array().unwrap().iter().find(|h| h["host"] == host);
        let mut demands = planned::demands(plan.unwrap(), &self.site);
        let facts = &self.facts["hosts"][host]["known"];
        planned::place(&mut demands, facts);
        demands
    }

    fn left(&self, host: &str) -> Vec<Value> {
        let hosts = self.told["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|h| h["host"] == host).unwrap();
        host["left"].as_array().unwrap().clone()
    }

    /// The differences of a host's profile, as a tree, from its plan.
    fn differences(&self, host: &str, tree: &Value) -> Vec<String> {
        let plan = self.planned(host);
        let profile = profile::demands(tree, &plan.network_files());
        assert!(plan.len() > 15 && profile.len() > 10, "{} {}", plan.len(), profile.len());
        let interface = &self.facts["hosts"][host]["known"]["interfaces"][0];
        differences(&plan, &profile, &self.left(host), interface)
    }
}

#[test]
fn every_profile_asks_for_what_the_installer_would_do() {
    for name in EXAMPLES {
        let both = Both::of(name);
        for host in HOSTS {
            let found = both.differences(host, &both.tree(host));
            assert!(found.is_empty(), "{name}, {host}:\n{}", found.join("\n"));
        }
    }
}

/// The site with everything of the site file's own examples: directory, database, repository,
/// cache, monitor, tunnels, tagged and fixed networks, and one node of another system.
fn whole_site() -> Both {
    let place = tempfile::tempdir().unwrap();
    write_whole_site(place.path());
    Both::at(place.path(), &["--os", "debian-13", "--interface", "eno1"])
}

fn write_whole_site(place: &Path) {
    let examples = root().join("installer/site/examples");
    fs::copy(examples.join("site.toml"), place.join("site.toml")).unwrap();
    for name in ["opennebula.asc", "stratus.asc", "ldap-ca.pem", "site-ca.pem", "images.crt"] {
        fs::copy(examples.join("opennebula.asc"), place.join(name)).unwrap();
    }
    for name in ["ldap.secret", "images.key"] {
        fs::write(place.join(name), "canary\n").unwrap();
    }
    let text = fs::read_to_string(example("debian").join("facts.json")).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let mut facts = serde_json::json!({ "hosts": {} });
    let systems =
        [("frontend", "10", "node1"), ("node01", "11", "node1"), ("node02", "12", "node2")];
    for (name, last, like) in systems.into_iter().chain([("node03", "13", "node2")]) {
        let mut host = known["hosts"][format!("{like}.example.org")].clone();
        let told = &mut host["known"];
        let interface = &mut told["interfaces"][0];
        interface["addresses"] = serde_json::json!([format!("192.0.2.{last}/24")]);
        // These two have no address in the site file.
        if name == "node01" || name == "node02" {
            interface["leased"] = interface["addresses"].clone();
        }
        if name == "node03" {
            told["os"]["id"] = "almalinux".into();
            told["os"]["version"] = "9.6".into();
            told["network_tool"] = "network-manager".into();
        }
        facts["hosts"][format!("{name}.example.org")] = host;
    }
    fs::write(place.join("facts.json"), facts.to_string()).unwrap();
}

#[test]
fn a_site_with_everything_is_the_same_too() {
    let both = whole_site();
    assert_eq!(both.hosts().len(), 4);
    for host in both.hosts() {
        let found = both.differences(host, &both.tree(host));
        assert!(found.is_empty(), "{host}:\n{}", found.join("\n"));
    }
    let templates = files(both.folder.path());
    assert!(templates.iter().all(|(_, text)| !text.contains("canary")), "a secret is exported");
    let sections: Vec<Value> = both.left("frontend.example.org");
    for (what, why) in [("action:make-overlay", "overlay"), ("section:ssh", "installers-own")] {
        assert!(sections.iter().any(|l| l["what"] == what && l["why"] == why), "{what}");
    }
}

/// Changes a text in all templates of an export, which must have it.
fn change(folder: &Path, from: &str, to: &str) {
    let mut changed = 0;
    for part in ["stratus/roles", "stratus/hosts"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            changed += text.matches(from).count();
            fs::write(&path, text.replace(from, to)).unwrap();
        }
    }
    assert!(changed > 0, "no template has {from}");
}

#[test]
fn a_change_of_one_side_is_noticed() {
    let changes = [
        ("'{opennebula-tools}' ?= dict();\n", "", "package opennebula-tools"),
        ("'state' = 'enabled'", "'state' = 'disabled'", "unit opennebula.service"),
        ("'perms' = '0600'", "'perms' = '0644'", "access /etc/stratus/firewall.nft"),
        ("ExecStart=", "ExecStart=-", "content /etc/systemd/system/stratus-firewall.service"),
        ("'uid', 9869", "'uid', 9870", "user oneadmin is 9870"),
        ("'size', 100", "'size', 101", "vnet machines AR=192.0.2.100/02:00:c0:00:02:64/101"),
        ("'listen_address' = '127.0.0.1'", "'listen_address' = '0.0.0.0'", "LISTEN_ADDRESS="),
        ("'{opennebula}' ?= ", "'{nyancat}' ?= dict();\n'{opennebula}' ?= ", "package nyancat"),
    ];
    for (from, to, noticed) in changes {
        let both = Both::of("debian");
        change(both.folder.path(), from, to);
        let found = both.differences(HOSTS[0], &both.tree(HOSTS[0]));
        // What was set otherwise in a file that a component owns whole shows as missing.
        assert!(found.iter().any(|line| line.contains(noticed)), "{noticed}: {found:?}");
    }
}

fn blessing() -> bool {
    std::env::var_os("STRATUS_BLESS").is_some()
}

const CURE: &str = "run `STRATUS_BLESS=1 cargo test -p stratus-tests --test quattor_equals_plan`";

#[test]
fn the_templates_of_the_examples_are_those_that_are_written() {
    for name in EXAMPLES {
        let expected = example(name).join("templates");
        let config = example(name).join("site.toml");
        let folder = tempfile::tempdir().unwrap();
        let target = if blessing() { expected.clone() } else { folder.path().to_owned() };
        let mut export = program("stratus-quattor");
        export.args(["export", "--config"]).arg(&config).arg("-o").arg(&target);
        run(&mut export).good();
        let (is, wanted) = (files(&expected), files(&target));
        let names = |all: &[(String, String)]| all.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&is), names(&wanted), "{name}: {CURE}");
        for (is, wanted) in is.iter().zip(&wanted) {
            assert_eq!(is.1, wanted.1, "{name}, {}: {CURE}", is.0);
        }
    }
}

/// The templates below a folder, by path.
fn files(folder: &Path) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_guide_explains_everything_that_is_left() {
    let table = run(program("stratus-quattor").arg("left")).good().stdout;
    let file = root().join("docs/guide/quattor.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<!-- left -->\n").unwrap();
    let (shown, after) = rest.split_once("<!-- end of left -->").unwrap();
    if blessing() {
        let text = format!("{before}<!-- left -->\n{table}<!-- end of left -->{after}");
        fs::write(&file, text).unwrap();
        return;
    }
    assert_eq!(shown, table, "docs/guide/quattor.md is out of date; {CURE}");
}
