//! The overlay by WireGuard on whole hosts: set up by `stratus-install`, with its unit under a real
//! systemd; a stock machine in another cloud joins from its bundle.

#![expect(clippy::unwrap_used, reason = "a test")]

use base64::Engine as _;
use std::fs;
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Host, HostSetup, Internet, Package, Site, Standins};
use stratus_tests::program;

const WIREGUARD: &str = r#"
[vpn]
endpoint = "198.51.100.2"
mode = "wireguard"
subnet = "10.8.0.0/24"
range = "10.8.0.10-10.8.0.39"
nodes = ["burst1"]
"#;
const BURST: &str = "10.8.0.10";
/// A promise of a site with WireGuard.
const INTERFACE: &str = "wg-stratus, the end of burst nodes' tunnels, is up";
const LAN_HOST: &str = "10.77.0.13";

#[test]
fn a_machine_in_another_cloud_is_a_node_through_wireguard() {
    // The internet ends before the hosts.
    let (site, mut internet) = site();
    let [front, _, lan] = &site.hosts[..] else { panic!("three hosts") };
    has_wireguard(&site, front);
    is_part_of_the_site(&site, front);
    // The way back, which routers of a site know.
    lan.run(&format!("ip route add 10.8.0.0/24 via {}", front.address())).good();

    let cloud = internet.cloud();
    let [mut burst] = site.lab().boot([HostSetup::new("stock").in_cloud(&cloud)]);
    assert!(!burst.has("/usr/bin/wg-quick"));
    joins_from_context(&burst, &vpn(front, "bundle burst1 --as context"));
    both_ways(&burst, lan);
    assert_eq!(burst.run("hostname").good().stdout.trim(), "burst1");
    let told = vpn(front, "status");
    assert!(told.contains("LAST HANDSHAKE") && told.contains("203.0.113."), "{told}");

    // After a start of its own, and one of the server.
    burst.stop();
    burst.boot();
    both_ways(&burst, lan);
    front.run("systemctl restart stratus-vpn-server").good();
    both_ways(&burst, lan);
    // What the server lets in follows the register, although its unit is not started again.
    vpn(front, "add guest");
    front.run("systemctl reload stratus-vpn-server").good();
    eventually("the burst node is let in", || pings(&burst, LAN_HOST));
    site.install(&["drift"]).good();

    let begin = Instant::now();
    let told = front.run("stratus-vpn revoke burst1").good();
    assert!(told.stderr.contains("its session was ended"), "{}", told.stderr);
    eventually("the revoked node is cut off", || !pings(&burst, LAN_HOST));
    let cut = begin.elapsed();
    println!("cut off {cut:.1?} after the beginning of `revoke`");
    assert!(cut < Duration::from_secs(10), "{cut:?}");

    changes_its_mode(&site, front);
    site.install(&["uninstall", "--yes"]).good();
    let left =
        "ls -d /etc/systemd/system/stratus-vpn* /sys/class/net/??*-stratus 2> /dev/null; true";
    assert_eq!(front.run(left).good().stdout.trim(), "");
    front.run("test -s /var/lib/stratus/vpn/pki/wireguard/register.json").good();
}

/// Bare hosts around an internet, the front-end with a foot in it.
fn site() -> (Site, Internet) {
    let overlay = fs::read(program("stratus-vpn").get_program()).unwrap();
    let installer =
        Package::new("stratus-installer", "1").file("/usr/bin/stratus-vpn", 0o755, overlay);
    let roomy = |name: &str| {
        let tmpfs = "tmpfs /var/lib/one tmpfs size=32g 0 0\n";
        HostSetup::new(name).file("/etc/fstab", 0o644, tmpfs)
    };
    let outside = "/etc/systemd/network/20-eth1.network";
    let front = roomy("front").second_interface().file(outside, 0o644, Internet::network_file());
    let site = Site::of(
        [front, roomy("node1"), HostSetup::new("lan")],
        Standins::default().with_libvirt_standin().own(installer),
    );
    let internet = Internet::around(site.lab());
    site.write("node1", "10.77.0.199", WIREGUARD);
    site.name_own_packages();
    (site, internet)
}

/// A gateway whose kernel has none is refused, until the program that stands in for it is there.
fn has_wireguard(site: &Site, front: &Host) {
    if front.run("ip link add probe type wireguard && ip link delete probe").code == 0 {
        return;
    }
    let told = site.install(&["preflight"]);
    assert_ne!(told.code, 0);
    let said = format!("{}{}", told.stdout, told.stderr);
    assert!(said.contains("its kernel has no WireGuard, and there is no `wireguard-go`"), "{said}");
    front.run("apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends wireguard-go").good();
}

fn is_part_of_the_site(site: &Site, front: &Host) {
    site.install(&["apply", "--yes"]).good();
    promises_are_kept(site, &[INTERFACE, "listens on udp port 51820"]);
    let second = site.install(&["apply", "--yes"]).good();
    assert!(second.stderr.contains("nothing is to be done"), "{}", second.stderr);
    // A server that was stopped is not kept a promise.
    front.run("ip link delete dev wg-stratus").good();
    let told = site.command("stratus-test", &["overlay:*"]).output().unwrap();
    assert!(!told.status.success());
    front.run("systemctl restart stratus-vpn-server").good();
    promises_are_kept(site, &[INTERFACE, "listens on udp port 51820"]);
}

fn promises_are_kept(site: &Site, some: &[&str]) {
    let tests = ["overlay:*", "unit:front:stratus-vpn*"];
    let told = site.command("stratus-test", &tests).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    assert!(some.iter().all(|promise| said.contains(promise)), "{said}");
}

/// The same site by OpenVPN, in the same subnet: nothing of the other one is in its way.
fn changes_its_mode(site: &Site, front: &Host) {
    let tun = WIREGUARD.replace("\"wireguard\"", "\"tun\"");
    site.write("node1", "10.77.0.199", &tun);
    site.name_own_packages();
    site.install(&["apply", "--yes"]).good();
    promises_are_kept(site, &["certificates and the revocation list of burst nodes count"]);
    let links = front.run("ip -br link").good().stdout;
    assert!(links.contains("tun-stratus") && !links.contains("wg-stratus"), "{links}");
    assert!(vpn(front, "list").contains("CERTIFICATE UNTIL"));
    let second = site.install(&["apply", "--yes"]).good();
    assert!(second.stderr.contains("nothing is to be done"), "{}", second.stderr);

    site.write("node1", "10.77.0.199", WIREGUARD);
    site.name_own_packages();
    site.install(&["apply", "--yes"]).good();
    promises_are_kept(site, &[INTERFACE]);
    let links = front.run("ip -br link").good().stdout;
    assert!(links.contains("wg-stratus") && !links.contains("tun-stratus"), "{links}");
    // Who was there before is there again; who was named by the site file is put in again.
    let list = vpn(front, "list");
    assert!(list.contains("guest") && list.contains("burst1"), "{list}");
}

fn vpn(front: &Host, task: &str) -> String {
    front.run(&format!("stratus-vpn {task}")).good().stdout
}

/// As OpenNebula's contextualisation does: it decodes the script and runs it as root.
fn joins_from_context(host: &Host, context: &str) {
    let (_, rest) = context.split_once("START_SCRIPT_BASE64 = \"").unwrap();
    let (encoded, _) = rest.split_once('"').unwrap();
    let script = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    host.write("/var/run/one-context-start-script", 0o700, script);
    host.run("/var/run/one-context-start-script").good();
}

fn both_ways(burst: &Host, lan: &Host) {
    let waited = eventually("the burst node reaches the LAN", || pings(burst, LAN_HOST));
    println!("the LAN was reached {waited:.1?} after it was looked for");
    eventually("the LAN reaches the burst node", || pings(lan, BURST));
}

/// Waits until something holds; two minutes at most.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_mins(2), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    begin.elapsed()
}

fn pings(from: &Host, to: &str) -> bool {
    from.run(&format!("ping -n -q -c 1 -W 1 {to}")).code == 0
}
