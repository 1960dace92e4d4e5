//! The tiny machine of `stratus-test`, on one host that is front-end and node, with real libvirt and
//! qemu's own emulation: it asks the site's DHCP service for its address, is seen by others, and goes
//! whatever happens.

#![expect(clippy::unwrap_used, reason = "a test")]

use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Host, Site};

const ADDRESS: &str = "10.77.0.100";
const MAC: &str = "02:00:0a:4d:00:64";

fn trial(site: &Site) -> Child {
    let mut command = site.command("stratus-test", &["machine:one", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The word and the reason of the only result.
fn told(out: &Output) -> (String, String) {
    let results: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let text = |name: &str| results[0][name].as_str().unwrap().to_owned();
    (text("word"), text("reason"))
}

/// Waits until this line of shell on the host succeeds.
fn until(host: &Host, line: &str) {
    let begun = Instant::now();
    while host.run(line).code != 0 {
        assert!(begun.elapsed() < Duration::from_mins(3), "never: {line}\n{}", host.journal());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Nothing of a trial is left: no domain, no files, no image.
fn nothing_is_left(host: &Host) {
    let left = "virsh -q list --all --name | grep . ; ls -d /var/tmp/stratus-test-* /var/log/libvirt/qemu/stratus-test-* \
        /var/lib/one/datastores/0/* /var/lib/one/datastores/2/* 2> /dev/null; true";
    assert_eq!(host.run(left).good().stdout.trim(), "");
}

#[test]
fn a_machine_asks_for_its_address_and_always_goes() {
    let site = Site::with_libvirt(["one"]);
    let one = &site.hosts[0];
    one.run("apt-get install -y -qq --no-install-recommends busybox > /dev/null").good();
    site.write("one", "10.77.0.109", "dhcp = true");
    site.install(&["apply", "--yes"]).good();

    // The lab's own bridge is a stranger to OpenNebula: it sees the machine while it is there.
    let mut running = trial(&site);
    let seen = site.sees(ADDRESS, &mut running);
    let out = running.wait_with_output().unwrap();
    assert_eq!(told(&out), ("kept".to_owned(), String::new()), "{}", one.journal());
    assert_eq!(seen, MAC);
    let lease = one.run("cat /var/lib/misc/dnsmasq.leases").good().stdout;
    assert!(lease.contains(&format!(" {MAC} {ADDRESS} ")), "{lease}");
    nothing_is_left(one);

    it_goes_when_the_run_is_interrupted(&site);
    what_does_not_work_is_said(&site);
}

fn it_goes_when_the_run_is_interrupted(site: &Site) {
    let one = &site.hosts[0];
    let running = trial(site);
    until(one, "virsh -q list --name | grep -q .");
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    let out = running.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(told(&out), ("not seen".to_owned(), "the run was interrupted".to_owned()));
    nothing_is_left(one);
}

fn what_does_not_work_is_said(site: &Site) {
    let one = &site.hosts[0];
    // The machine starts, and nobody gives it an address.
    one.run("systemctl stop dnsmasq").good();
    let out = trial(site).wait_with_output().unwrap();
    let (word, reason) = told(&out);
    assert_eq!(word, "not kept", "{reason}");
    for part in
        ["it runs, but after ", " does not answer a ping", "no server gave an address by DHCP"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    one.run("systemctl start dnsmasq").good();
    nothing_is_left(one);
    // It does not start at all.
    one.run("mv /usr/bin/qemu-system-x86_64 /usr/bin/away").good();
    let (word, reason) = told(&trial(site).wait_with_output().unwrap());
    assert_eq!(word, "not kept", "{reason}");
    let part = "the tiny machine does not start on one";
    assert!(reason.contains(part) && reason.contains("BOOT_FAILURE"), "{reason}");
    one.run("mv /usr/bin/away /usr/bin/qemu-system-x86_64").good();
    // There is nothing to make it of.
    one.run("mv /usr/lib/modules /usr/lib/away").good();
    let (word, reason) = told(&trial(site).wait_with_output().unwrap());
    assert_eq!(word, "not seen", "{reason}");
    assert!(reason.contains("one: there is no kernel in /boot"), "{reason}");
    one.run("mv /usr/lib/away /usr/lib/modules").good();
    nothing_is_left(one);
}
