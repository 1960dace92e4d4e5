//! The tiny machine of `stratus-test`, on one host that is front-end and node, with real libvirt and
//! qemu's own emulation: it asks the site's DHCP service for its address, and is seen by others.

#![expect(clippy::unwrap_used, reason = "a test")]

use stratus_tests::Output;
use stratus_tests::hosts::{Host, Site};

fn trial(site: &Site) -> Output {
    let out = stratus_tests::run(&mut site.command("stratus-test", &["machine:one", "--json"]));
    eprintln!("{}{}", out.stdout, out.stderr);
    out
}

/// The word and the reason of the only result.
fn told(out: &Output) -> (String, String) {
    let results: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    let text = |name: &str| results[0][name].as_str().unwrap().to_owned();
    (text("word"), text("reason"))
}

/// Nothing of a trial is left: no domain, no files, no image.
fn nothing_is_left(host: &Host) {
    let left = "virsh -q list --all --name | grep . ; ls -d /var/tmp/stratus-test-* \
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

    let kept = trial(&site);
    assert_eq!(told(&kept).0, "kept", "{}", one.journal());
    let lease = one.run("cat /var/lib/misc/dnsmasq.leases").good().stdout;
    assert!(lease.contains(" 02:00:0a:4d:00:64 10.77.0.100 "), "{lease}");
    nothing_is_left(one);
}
