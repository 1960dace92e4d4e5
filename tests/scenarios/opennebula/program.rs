//! The stand-in as a program.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stratus_opennebula::Client;

use crate::setup::{AUTH, client};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Starts the program below a root, and reads where it listens.
fn start(root: &Path) -> (Program, Client) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oned-simulator"))
        .arg("-f")
        .env("ONE_LOCATION", root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (Program(child), client(&format!("http://{address}/RPC2"), AUTH))
}

fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc/one")).unwrap();
    std::fs::create_dir_all(root.path().join("var/lib/one/.one")).unwrap();
    let conf = "# a part of oned.conf\nLOG = [\n  SYSTEM = \"file\",\n  DEBUG_LEVEL = 3\n]\n\
                PORT = 0\nLISTEN_ADDRESS = \"127.0.0.1\"\nDB = [ BACKEND = \"sqlite\" ]\n";
    std::fs::write(root.path().join("etc/one/oned.conf"), conf).unwrap();
    std::fs::write(root.path().join("var/lib/one/.one/one_auth"), format!("{AUTH}\n")).unwrap();
    root
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let root = root();
    let (program, first) = start(root.path());
    let cluster = first.allocate_cluster("kept").await.unwrap();
    let host = first.allocate_host("node1", "kvm", "kvm", Some(cluster)).await.unwrap();
    drop(program);
    let (_program, second) = start(root.path());
    assert_eq!(second.host(host).await.unwrap().cluster, cluster);
    let next = second.allocate_cluster("next").await.unwrap();
    assert_eq!(next.0, cluster.0 + 1);
}

#[test]
fn a_missing_password_file_is_named() {
    let root = root();
    std::fs::remove_file(root.path().join("var/lib/one/.one/one_auth")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_oned-simulator"))
        .env("ONE_LOCATION", root.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("one_auth cannot be read"));
}
