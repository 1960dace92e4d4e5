//! A machine in somebody else's cloud boots from its bundle and is a node of the site: whole hosts,
//! real openvpn, the overlay set up by `stratus-install` like everything else of the site.

#![expect(clippy::unwrap_used, reason = "a test")]

mod batch;
mod bed;
mod hosts;
mod images;
mod traffic;

use base64::Engine as _;
use bed::{Bed, LAN_HOST, eventually, pings};
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Cloud, Host, Line, Tree};

const SITE_FILE: &str = "/etc/stratus/stratus.toml";

#[test]
fn a_machine_in_another_cloud_boots_and_is_a_node_of_the_site() {
    let mut bed = Bed::new();
    let (cloud, far) = (bed.internet.cloud(), bed.internet.cloud());
    let (mut burst1, appliance) = std::thread::scope(|scope| {
        scope.spawn(|| traffic::prepare(bed.lan()));
        let stock = scope.spawn(|| stock_with_cloud_init(&bed, &cloud));
        let appliance = scope.spawn(|| images::prepare(&bed));
        the_overlay_is_part_of_the_site(&bed);
        (stock.join().expect("a stock machine"), appliance.join().expect("an appliance"))
    });

    names_are_told(&bed);

    // One from user-data, as most clouds have it.
    std::thread::scope(|scope| {
        scope.spawn(|| traffic::install(bed.node1(), batch::PACKAGES));
        boots_from_user_data(&mut burst1, bundle(&bed, "burst1", "cloud-init"));
        is_on_the_lan(&bed, &burst1, "burst1", 200);
    });
    hosts::becomes_a_host(&bed, &burst1);
    traffic::hears_a_broadcast(bed.lan(), &burst1);
    traffic::gets_a_dhcp_answer(&burst1, "br0", "02:00:0a:4d:00:64", "10.77.0.100");
    images::come_through_the_cache(&bed, &burst1, &appliance);
    let digest = traffic::writes_and_reads_the_share(bed.front(), bed.lan(), &burst1);
    batch::a_job_runs_here_and_there_and_reads_the_share(&bed, &burst1, &digest);

    // One from an OpenNebula's CONTEXT, over a line that loses and delays; the other one's is cut
    // meanwhile.
    let line = Line { delay: Duration::from_millis(40), loses: 20 };
    let relay = bed.internet.poor_line(&far, 1194, line);
    let burst2 = std::thread::scope(|scope| {
        scope.spawn(|| traffic::a_session_outlives_an_outage(&cloud, &burst1));
        let burst2 = bed.machine("burst2", &far, &[]);
        joins_from_context(&burst2, &bundle(&bed, "burst2", "context"));
        is_on_the_lan(&bed, &burst2, "burst2", 201);
        let bytes = traffic::whole_over_a_poor_line(&burst2);
        let (passed, lost) = relay.counts();
        println!("{bytes} bytes whole; of {} datagrams {lost} were lost", passed + lost);
        assert!(lost > 0, "the line lost nothing");
        burst2
    });
    // Nodes of different clouds are on one LAN.
    eventually("one burst node reaches the other", || pings(&burst1, "10.77.0.201"));

    hosts::follows_its_session(&bed, &burst1);
    eventually("the burst node is back", || pings(&burst1, LAN_HOST));
    is_thrown_out_at_once(&bed, &burst1, &burst2);
    hosts::goes_when_revoked(bed.front());
    is_given_back(&bed);
}

/// `[vpn]` in the site file is all that is needed.
fn the_overlay_is_part_of_the_site(bed: &Bed) {
    let site = &bed.site;
    let plan = site.install(&["plan"]);
    assert_eq!(plan.code, 10, "{}", plan.stderr);
    assert!(plan.stdout.contains("make-overlay"), "{}", plan.stdout);
    site.install(&["apply", "--yes"]).good();
    let tests = ["overlay:*", "unit:front:stratus-vpn*", "bridge:*"];
    let told = bed.site.command("stratus-test", &tests).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    assert!(said.contains("tap-stratus"), "{said}");

    hosts::are_named(bed.front());
    let trees = || -> Vec<Tree> { site.hosts[..2].iter().map(Host::tree).collect() };
    let finished = trees();
    let second = site.install(&["apply", "--yes"]).good();
    assert!(second.stderr.contains("nothing is to be done"), "{}", second.stderr);
    for (before, after) in finished.iter().zip(trees()) {
        let differences = before.differences(&after);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    traps(bed);

    // What somebody changes is named and mended; a service that was stopped is not kept a promise.
    let front = bed.front();
    let unit = "/etc/systemd/system/stratus-vpn-server.service";
    front
        .run(&format!("echo '# by hand' >> {unit} && systemctl stop stratus-vpn-renew.timer"))
        .good();
    let drift = site.install(&["drift"]);
    assert_eq!(drift.code, 10, "{}", drift.stdout);
    for what in [&*format!("{unit} changed by hand"), "stratus-vpn-renew.timer stopped by hand"] {
        assert!(drift.stdout.contains(what), "{what}:\n{}", drift.stdout);
    }
    site.install(&["apply", "--yes"]).good();
    front.run(&format!("rm {unit}.stratus-orig")).good();
    site.install(&["drift"]).good();
}

/// Hosts of the LAN ask the gateway for burst nodes, and it knows at once who came and who is gone.
fn names_are_told(bed: &Bed) {
    let (front, lan) = (bed.front(), bed.lan());
    lan.write("/etc/resolv.conf", 0o644, format!("nameserver {}\n", front.address()));
    assert_eq!(told(lan, "burst1"), "10.77.0.200");
    assert_eq!(told(lan, "burst2"), "10.77.0.201");
    assert_eq!(told(lan, "front"), "", "it tells of nobody else");
    front.run("stratus-vpn add guest.example.org").good();
    for name in ["guest", "guest.example.org"] {
        eventually("a new name is told", || told(lan, name) == "10.77.0.202");
    }
    front.run("stratus-vpn revoke guest.example.org").good();
    eventually("a name that is gone is not told", || told(lan, "guest").is_empty());
    assert_eq!(told(lan, "burst1"), "10.77.0.200");
}

/// The address of a name by the name service alone; none where it is not known.
fn told(host: &Host, name: &str) -> String {
    let out = host.run(&format!("getent -s hosts:dns ahostsv4 {name}")).stdout;
    out.split_whitespace().next().unwrap_or_default().to_owned()
}

/// What went wrong in trials: an address that stays on a bridge's port answers at the wrong place,
/// and hosts with equal bridges lose each other.
fn traps(bed: &Bed) {
    let front = bed.front();
    let port = front.run("ip -o -4 address show dev host0").good().stdout;
    assert_eq!(port.trim(), "", "an address stayed on the port of the bridge");
    let bridge = front.run("ip -o -4 address show dev br0").good().stdout;
    assert!(bridge.contains("10.77.0.11/24"), "{bridge}");
    let mac = |host: &Host, device: &str| host.read(&format!("/sys/class/net/{device}/address"));
    assert_eq!(mac(front, "br0"), mac(front, "host0"));
    assert_ne!(mac(front, "br0"), mac(&bed.site.hosts[1], "br0"));
    // The host's part of the site file, and no more.
    let part = String::from_utf8(front.read(SITE_FILE)).unwrap();
    assert!(part.contains("[vpn]") && !part.contains("[ssh]"), "{part}");
}

fn bundle(bed: &Bed, name: &str, form: &str) -> String {
    let text = bed.front().run(&format!("stratus-vpn bundle {name} --as {form}")).good().stdout;
    println!("the bundle of {name} has {} bytes", text.len());
    text
}

/// A machine as most clouds make it from a stock image of theirs, and what it is to do later: the
/// bundle brings openvpn.
fn stock_with_cloud_init(bed: &Bed, cloud: &Cloud) -> Host {
    let settings = "datasource_list: [NoCloud]\nnetwork: { config: disabled }\n";
    let files = [
        ("/etc/cloud/cloud.cfg.d/99-lab.cfg", settings),
        ("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: burst1\n"),
    ];
    let host = bed.machine("stock", cloud, &files);
    traffic::install(&host, &format!("cloud-init {}", batch::PACKAGES));
    assert!(!host.has("/usr/sbin/openvpn"));
    host
}

/// Its cloud-init finds the bundle when it boots for the first time.
fn boots_from_user_data(host: &mut Host, user_data: String) {
    host.write("/var/lib/cloud/seed/nocloud/user-data", 0o600, user_data);
    host.stop();
    host.boot();
}

/// As OpenNebula's contextualisation does: it decodes the script and runs it as root.
fn joins_from_context(host: &Host, context: &str) {
    let (_, rest) = context.split_once("START_SCRIPT_BASE64 = \"").unwrap();
    let (encoded, _) = rest.split_once('"').unwrap();
    let script = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    host.write("/var/run/one-context-start-script", 0o700, script);
    host.run("/var/run/one-context-start-script").good();
}

/// It has its own address and the hardware address that goes with it; the LAN sees and reaches it.
fn is_on_the_lan(bed: &Bed, burst: &Host, name: &str, last: u8) {
    let (address, mac) = (format!("10.77.0.{last}"), format!("02:00:0a:4d:00:{last:02x}"));
    let waited = eventually("the burst node reaches the LAN", || pings(burst, LAN_HOST));
    println!("{name} reached the LAN {waited:.1?} after it was looked for");
    // That of a host of OpenNebula is on the bridge of its machines.
    let own = if burst.has("/sys/class/net/br0") { "br0" } else { "tap-stratus" };
    let device = burst.run(&format!("ip address show dev {own}")).good().stdout;
    assert!(device.contains(&format!("{address}/24")) && device.contains(&mac), "{device}");
    assert_eq!(burst.run("hostname").good().stdout.trim(), name);
    let lan = bed.lan();
    lan.run("ip neigh flush all").good();
    // One line loses what is said first now and then.
    eventually("the LAN reaches the burst node", || pings(lan, &address));
    let neighbours = lan.run("ip neigh show").good().stdout;
    assert!(neighbours.contains(&format!("{address} dev host0 lladdr {mac}")), "{neighbours}");
    let node = bed.node(name);
    // Behind the NAT of its cloud, or that of the relay.
    let peer = node["session"]["peer"].as_str().unwrap();
    assert!(peer.starts_with("203.0.113.") || peer.starts_with("198.51.100.1:"), "{node}");
    assert!(node["joined"].is_string(), "{node}");
}

/// Its session ends although it was up, and the other one's does not.
fn is_thrown_out_at_once(bed: &Bed, burst: &Host, other: &Host) {
    eventually("the node that will be revoked is there", || pings(burst, LAN_HOST));
    let begin = Instant::now();
    let told = bed.front().run("stratus-vpn revoke burst1").good();
    assert!(told.stderr.contains("its session was ended"), "{}", told.stderr);
    eventually("the revoked node is cut off", || !pings(burst, LAN_HOST));
    let cut = begin.elapsed();
    println!("cut off {cut:.1?} after the beginning of `revoke`");
    assert!(cut < Duration::from_secs(10), "{cut:?}");
    eventually("the other one is there", || pings(other, LAN_HOST));
}

/// The host is as before, but for the authority, which nodes elsewhere have certificates of.
fn is_given_back(bed: &Bed) {
    let given_back = bed.site.install(&["uninstall", "--yes"]).good();
    for line in [
        "front: stratus-vpn-server.service as before",
        "front: left /var/lib/stratus/vpn: it holds data",
    ] {
        assert!(given_back.stdout.contains(line), "{line}:\n{}", given_back.stdout);
    }
    let front = bed.front();
    let left = "ls -d /etc/systemd/system/stratus-vpn* /sys/class/net/tap-stratus /sys/class/net/br0 2> /dev/null; true";
    assert_eq!(front.run(left).good().stdout.trim(), "");
    let names = front.run("grep -h 'burst\\|BEGIN STRATUS' /etc/hosts /etc/ssh/ssh_known_hosts");
    assert_eq!(names.stdout.trim(), "");
    front.run("test -s /var/lib/stratus/vpn/pki/register.json").good();
}
