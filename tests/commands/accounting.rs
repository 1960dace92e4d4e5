//! `stratus-accounting` before OpenNebula ever answered.

use std::fs;
use stratus_tests::{program, run};

#[test]
fn a_ledger_that_was_never_fed_is_no_account_of_anything() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site.toml");
    // Nobody listens on port 1.
    let text = "[monitor]\nendpoint = \"http://127.0.0.1:1/RPC2\"\nauth_file = \"one_auth\"\n\
        [accounting]\nsite_name = \"LAB\"\nledger = \"ledger.db\"\n";
    fs::write(&site, text).unwrap();
    fs::write(folder.path().join("one_auth"), "oneadmin:opensesame\n").unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = program("stratus-accounting");
        command.env_remove("STRATUS_CONFIG").args(arguments);
        run(command.arg("--config").arg(&site))
    };
    let feed = ask(&["feed"]);
    assert_eq!(feed.code, 5, "{}", feed.stderr);
    let queue = folder.path().join("queue");
    let publish = ["publish", "--to", queue.to_str().unwrap()];
    for arguments in [&["gaps"][..], &["report"], &publish, &["gaps", "--json"]] {
        let out = ask(arguments);
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{arguments:?} {}", out.stderr);
        assert!(out.stderr.contains("was never fed"), "{}", out.stderr);
        assert!(out.stderr.contains("`stratus-accounting feed`"), "{}", out.stderr);
    }
    assert!(!queue.exists(), "nothing is published of what is not known");
}
