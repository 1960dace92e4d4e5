//! From one file to a site that is proved to work: real hosts, real systemd, ssh and apt; only
//! OpenNebula's daemon is played by a program that answers as the recorded one.

use std::fs;
use std::path::PathBuf;
use stratus_tests::hosts::{Host, HostSetup, Lab, Standins};
use stratus_tests::{Output, program, run};

/// A lab with bare hosts, the package repository, and a site file.
struct Site {
    lab: Lab,
    file: PathBuf,
    hosts: Vec<Host>,
}

impl Site {
    fn bare<const N: usize>(names: [&str; N]) -> Self {
        let lab = Lab::start();
        let hosts = lab.boot(names.map(HostSetup::new));
        let repository =
            Standins::default().oned(env!("CARGO_BIN_EXE_oned-simulator")).serve(&lab);
        let file = lab.folder().join("site.toml");
        let site = Self { lab, file, hosts: hosts.into() };
        repository.key().publish(&site.lab.folder().join("repo2.key"));
        site.write("node1", "10.77.0.100", "10.77.0.109");
        site
    }

    fn write(&self, nodes: &str, first: &str, last: &str) {
        let address = |name: &str| self.host(name).address();
        let text = format!(
            r#"
[site]
name = "lab"
[frontend]
host = "front"
address = "{}"
web = false
[nodes]
hosts = ["{nodes}"]
hypervisor = "qemu"
bridge = "br0"
interface = "host0"
[networks.private]
kind = "ranged"
base = "10.77.0.0/24"
first = "{first}"
last = "{last}"
gateway = "10.77.0.1"
[packages]
opennebula = "http://web.lab/repo"
opennebula_key = "repo2.key"
"#,
            address("front"),
        );
        fs::write(&self.file, text).unwrap();
    }

    fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|h| h.name() == name).unwrap()
    }

    fn install(&self, arguments: &[&str]) -> Output {
        let program = program("stratus-install");
        let mut command = self.lab.command(program.get_program());
        command.args(arguments).arg("--config").arg(&self.file);
        run(&mut command)
    }
}

#[test]
fn explore() {
    let site = Site::bare(["front", "node1", "node2"]);
    for arguments in [
        &["check"][..],
        &["preflight"],
        &["plan"],
        &["apply", "--yes"],
        &["plan"],
        &["verify"],
    ] {
        let out = site.install(arguments);
        println!("==== {arguments:?} -> {}\n{}\n--\n{}", out.code, out.stdout, out.stderr);
    }
}
