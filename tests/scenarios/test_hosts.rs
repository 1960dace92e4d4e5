//! The bench of whole hosts keeps its own promises.

use std::time::Instant;
use stratus_tests::hosts::{Base, HostSetup, Lab};

#[test]
fn three_hosts_boot_and_reach_each_other() {
    Base::Bookworm.root();
    let begun = Instant::now();
    let lab = Lab::start();
    let hosts = ["one", "two", "three"].map(|name| HostSetup::new(name).with_key());
    let hosts = lab.boot(hosts);
    eprintln!("three hosts are up after {:.1?}", begun.elapsed());
    for from in &hosts {
        let state = from.run("systemctl is-system-running").good().stdout;
        assert_eq!(state.trim(), "running");
        for to in &hosts {
            let line = format!("ssh {} hostname", to.name());
            assert_eq!(from.run(&line).good().stdout.trim(), to.name());
        }
    }
}
