//! A no-change `stratus-install apply` beside Ansible, on eight real hosts.
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p stratus-tests --bench installer -- [--rounds N]
//! ```
//!
//! Ansible looks at the same packages, files, users and units, which are taken from the installer's own
//! plan: pipelining on, 8 forks, no facts gathered, one task for all packages of a host. Its
//! connections stay open from round to round; ours are made anew. Both run in turns.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use serde_json::{Value, json};
use std::fs;
use std::time::Instant;
use stratus_tests::hosts::{Host, HostSetup, Site, Standins};
use stratus_tests::run;

const HOSTS: [&str; 8] = ["front", "node1", "node2", "node3", "node4", "node5", "node6", "node7"];

const PLAYBOOK: &str = r#"- hosts: all
  gather_facts: false
  tasks:
    - apt: { name: "{{ packages }}", state: present, install_recommends: false }
    - user: { name: "{{ item.name }}", home: "{{ item.home }}", shell: "{{ item.shell }}" }
      loop: "{{ users }}"
      loop_control: { label: "{{ item.name }}" }
    - copy: { dest: "{{ item.path }}", src: "{{ item.from }}" }
      loop: "{{ files }}"
      loop_control: { label: "{{ item.path }}" }
    - systemd: { name: "{{ item.name }}", enabled: "{{ item.enabled }}", state: "{{ item.state | default(omit) }}" }
      loop: "{{ units }}"
      loop_control: { label: "{{ item.name }}" }
"#;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let rounds = words.iter().position(|w| w == "--rounds");
    let rounds: usize = rounds.map_or(5, |at| words[at + 1].parse().unwrap());
    let site = Site::of(HOSTS.map(HostSetup::new), Standins::default().with_libvirt_standin());
    // Ansible's module for packages needs it on every host.
    for host in &site.hosts {
        host.run("apt-get -q update && apt-get -qy --no-install-recommends install python3-apt")
            .good();
    }
    site.write("node[1-7]", "10.77.0.109", "");
    site.install(&["apply", "--yes"]).good();
    let counted = write_playbook(&site);
    println!("8 hosts; on all of them together {counted}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let begun = Instant::now();
        let said = site.install(&["apply", "--yes"]).good();
        let our = begun.elapsed().as_secs_f64();
        assert!(said.stderr.contains("nothing is to be done"), "{}", said.stderr);
        let begun = Instant::now();
        ansible(&site);
        let their = begun.elapsed().as_secs_f64();
        // The first round warms caches of both.
        if round > 0 {
            println!(
                "round {round}: stratus-install {our:.2} s, ansible {their:.2} s, ratio {:.1}",
                their / our
            );
            ours.push(our);
            theirs.push(their);
        }
    }
    let ratios: Vec<f64> = theirs.iter().zip(&ours).map(|(their, our)| their / our).collect();
    for (what, all) in [("stratus-install, s", ours), ("ansible, s", theirs), ("ratio", ratios)] {
        println!("{what:<20} {}", spread(all));
    }
}

fn spread(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2} to {:.2})", all[all.len() / 2], all[0], all[all.len() - 1])
}

/// Everything is as it should be, by Ansible's word too.
fn ansible(site: &Site) {
    let folder = site.folder();
    let said = run(site
        .lab()
        .command("ansible-playbook")
        .arg("-i")
        .arg(folder.join("inventory.json"))
        .arg(folder.join("play.yml"))
        .env("ANSIBLE_PIPELINING", "1")
        .env("ANSIBLE_FORKS", "8")
        .env("ANSIBLE_NOCOLOR", "1")
        .env("LC_ALL", "C.UTF-8"))
    .good();
    let recap: Vec<&str> =
        said.stdout.lines().filter(|line| line.contains("unreachable=")).collect();
    assert_eq!(recap.len(), HOSTS.len(), "{}", said.stdout);
    for line in recap {
        assert!(line.contains("changed=0") && line.contains("failed=0"), "{}", said.stdout);
    }
}

/// The inventory with what the plan looks at on each host.
fn write_playbook(site: &Site) -> String {
    let plan = site.install(&["plan", "--json"]).good();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let mut all = serde_json::Map::new();
    let mut counts = [0; 4];
    for (host, planned) in site.hosts.iter().zip(plan["hosts"].as_array().unwrap()) {
        assert_eq!(planned["host"], host.name());
        let variables = of_host(site, host, planned["steps"].as_array().unwrap());
        for (count, kind) in counts.iter_mut().zip(["packages", "files", "users", "units"]) {
            *count += variables[kind].as_array().unwrap().len();
        }
        all.insert(host.name().to_owned(), variables);
    }
    let inventory = json!({ "all": { "hosts": all } });
    fs::write(site.folder().join("inventory.json"), inventory.to_string()).unwrap();
    fs::write(site.folder().join("play.yml"), PLAYBOOK).unwrap();
    let [packages, files, users, units] = counts;
    format!("{packages} packages, {files} files, {users} users, {units} units")
}

fn of_host(site: &Site, host: &Host, steps: &[Value]) -> Value {
    let (mut packages, mut files, mut users, mut units) = (vec![], vec![], vec![], vec![]);
    for step in steps.iter().map(|planned| &planned["step"]) {
        match step["step"].as_str().unwrap() {
            "packages" => packages.extend(step["names"].as_array().unwrap().iter().cloned()),
            "file" => files.push(file(site, host, step["path"].as_str().unwrap(), files.len())),
            "user" => users.push(step.clone()),
            "unit" if host.run(&format!("systemctl cat {}", step["name"])).code == 0 => {
                units.push(unit(host, step));
            }
            _ => {}
        }
    }
    json!({ "packages": packages, "files": files, "users": users, "units": units,
        "ansible_python_interpreter": "/usr/bin/python3" })
}

/// A unit that a socket starts may have ended because it had nothing to do; ours counts that as running.
fn unit(host: &Host, step: &Value) -> Value {
    let mut unit = json!({ "name": step["name"], "enabled": step["enabled"] });
    let triggers = host.run(&format!("systemctl show -P TriggeredBy {}", step["name"])).good();
    if triggers.stdout.trim().is_empty() {
        unit["state"] = if step["running"] == true { "started" } else { "stopped" }.into();
    }
    unit
}

/// A copy here of what the file holds there.
fn file(site: &Site, host: &Host, path: &str, number: usize) -> Value {
    let copy = site.folder().join(format!("{}-{number}", host.name()));
    fs::write(&copy, host.read(path)).unwrap();
    json!({ "path": path, "from": copy })
}
