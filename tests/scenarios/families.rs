//! One site file on every family of systems and every tool that manages a network: real hosts with
//! real systemd and package managers. Only OpenNebula and libvirt are stand-ins.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Base, Host, HostSetup, Site, Standins};

/// Hosts that get nothing but the stand-ins.
fn bare(name: &str, base: Base) -> HostSetup {
    HostSetup::new(name).base(base).without_mirrors()
}

/// The stand-in of libvirt runs none.
const WITHOUT_MACHINES: [&str; 3] = ["verify", "--without", "machine:*"];

fn standins() -> Standins {
    Standins::default().with_libvirt_standin()
}

/// Puts one text of the site file in another's place.
fn change(site: &Site, from: &str, to: &str) {
    let text = fs::read_to_string(site.file()).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(site.file(), text.replace(from, to)).unwrap();
}

/// The site is set up, keeps what it promises, and a second run has nothing to do.
fn comes_up(site: &Site) {
    site.install(&["apply", "--yes"]).good();
    site.install(&WITHOUT_MACHINES).good();
    site.install(&["plan"]).good();
    let finished = site.trees();
    site.install(&["apply", "--yes"]).good();
    for ((host, before), after) in site.hosts.iter().zip(&finished).zip(site.trees()) {
        let differences = before.differences(&after);
        assert!(differences.is_empty(), "{}:\n{}", host.name(), differences.join("\n"));
    }
}

#[test]
fn debian_13_and_debian_12_are_one_site() {
    let hosts =
        [bare("front", Base::Trixie), bare("node1", Base::Trixie), bare("node2", Base::Bookworm)];
    let site = Site::of(hosts, standins());
    site.write("node[1-2]", "10.77.0.109", "");
    comes_up(&site);
}

/// The distribution's own repository, which has what OpenNebula's packages need first, and settings
/// by which dnf goes on without those that only the internet has.
const EXTRAS: &str = "[extras]\nname=extras\nenabled=1\ngpgcheck=1\n\
    baseurl=http://web.lab/repo/7.4/AlmaLinux/9/x86_64\ngpgkey=http://web.lab/repo/repo2.key\n";
const DNF: &str =
    "[main]\ngpgcheck=1\nreposdir=/etc/yum.repos.d\nskip_if_unavailable=True\nretries=1\n";

#[test]
fn a_node_of_the_el_family_joins_a_site_of_debian() {
    let el = bare("node1", Base::El9).file("/etc/yum.repos.d/extras.repo", 0o644, EXTRAS).file(
        "/etc/dnf/dnf.conf",
        0o644,
        DNF,
    );
    let epel = stratus_tests::hosts::Package::new("epel-release", "9-1");
    let site = Site::of([bare("front", Base::Bookworm), el], standins().with_rpm().package(epel));
    site.write("node1", "10.77.0.109", "");
    comes_up(&site);
    let node = &site.hosts[1];
    node.run("rpm -q opennebula-node-kvm libvirt-daemon-system").good();
    let sockets = "virtqemud.socket virtnodedevd.socket virtstoraged.socket";
    node.run(&format!("systemctl is-active {sockets} && systemctl is-enabled {sockets}")).good();
}

/// The same for zypper, which knows the key by the site file alone.
const ZYPP: &str = "[extras]\nname=extras\nenabled=1\nautorefresh=1\ngpgcheck=1\n\
    baseurl=http://web.lab/repo/7.4/openSUSE/16.0/x86_64\n";

#[test]
fn a_node_of_suse_joins_a_site_of_debian() {
    let suse = bare("node1", Base::Leap16).file("/etc/zypp/repos.d/extras.repo", 0o644, ZYPP);
    let site = Site::of([bare("front", Base::Bookworm), suse], standins().with_rpm());
    site.write("node1", "10.77.0.109", "");
    comes_up(&site);
    let node = &site.hosts[1];
    node.run("rpm -q opennebula-node-kvm libvirt-daemon-system").good();
    node.run("zypper --non-interactive repos --uri | grep -F stratus-opennebula").good();
}

/// An address in the file of ifupdown, in place of the one that networkd has.
fn ifupdown(host: &Host) {
    let interfaces = format!(
        "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n\
         # The lab's own.\nauto host0\niface host0 inet static\n    address {}/24\n    gateway 10.77.0.1\n",
        host.address()
    );
    install(host, "ifupdown");
    host.write("/etc/network/interfaces", 0o644, interfaces);
    host.run("mkdir -p /etc/network/interfaces.d; systemctl enable -q networking").good();
}

/// A container's devices cannot be triggered anew, and netplan goes no further where they cannot.
const UDEVADM: &str = "#!/bin/sh\n[ \"$1\" = trigger ] || exec /usr/bin/udevadm \"$@\"\n";

/// netplan, with the same address.
fn netplan(host: &Host) {
    install(host, "netplan.io");
    let text = format!(
        "network:\n  version: 2\n  ethernets:\n    host0:\n      addresses: [{}/24]\n      routes: [{{to: default, via: 10.77.0.1}}]\n",
        host.address()
    );
    host.write("/etc/netplan/10-lab.yaml", 0o600, text);
    host.write("/usr/local/sbin/udevadm", 0o755, UDEVADM);
}

fn network_manager(host: &Host) {
    install(host, "network-manager");
    let text = format!(
        "[connection]\nid=lab\ntype=ethernet\ninterface-name=host0\n\n\
         [ipv4]\nmethod=manual\naddress1={}/24,10.77.0.1\n\n[ipv6]\nmethod=disabled\n",
        host.address()
    );
    host.write("/etc/NetworkManager/system-connections/lab.nmconnection", 0o600, text);
    // Containers' interfaces are nobody's, unless somebody says otherwise.
    host.run("mkdir -p /etc/udev/rules.d; ln -sf /dev/null /etc/udev/rules.d/85-nm-unmanaged.rules; systemctl enable -q NetworkManager").good();
}

fn install(host: &Host, package: &str) {
    host.run("apt-get -q update").good();
    let apt = "DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install";
    host.run(&format!("{apt} {package}")).good();
}

/// A site whose node has its address from another tool, from its start on.
fn site_with(tool: fn(&Host), keeps_networkd: bool) -> Site {
    let mut site = Site::of([bare("front", Base::Bookworm), HostSetup::new("node1")], standins());
    let node = &mut site.hosts[1];
    tool(node);
    node.run("rm /etc/systemd/network/10-host0.network; : > /etc/apt/sources.list").good();
    if !keeps_networkd {
        node.run("systemctl -q disable --no-reload systemd-networkd.service systemd-networkd.socket; systemctl -q mask systemd-networkd systemd-networkd-wait-online").good();
    }
    node.stop();
    node.boot();
    site.write("node1", "10.77.0.109", "");
    site
}

/// The address is on the bridge that this file makes, and only there; after a restart too.
fn the_bridge_stays(site: &mut Site, file: &str) {
    let node = &mut site.hosts[1];
    node.run(&format!("test -f {file}")).good();
    for _ in 0..2 {
        let on = node.run("ip -br -4 address show").good().stdout;
        let address = format!("{}/24", node.address());
        let with: Vec<_> = on.lines().filter(|line| line.contains(&address)).collect();
        assert!(matches!(&with[..], [line] if line.starts_with("br0 ")), "{on}");
        node.run("ip route show default | grep -q 'via 10.77.0.1 dev br0'").good();
        node.stop();
        node.boot();
    }
    site.install(&WITHOUT_MACHINES).good();
    site.install(&["plan"]).good();
}

/// A network by which nobody reaches the host is gone again without anybody's help, and nothing of it
/// is left; without what made it bad, the same plan works.
fn a_bad_network_comes_back(site: &Site, break_it: &str, mend: &str) {
    let node = &site.hosts[1];
    node.run(break_it).good();
    let out = site.install(&["apply", "--yes"]);
    assert_ne!(out.code, 0);
    assert!(out.stderr.contains("the old one comes back by itself"), "{}", out.stderr);
    let reached = ["-o", "ConnectTimeout=5", "true"];
    let begun = Instant::now();
    while stratus_tests::run(site.lab().ssh("node1").args(reached)).code != 0 {
        assert!(begun.elapsed() < Duration::from_mins(2), "the old network does not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
    // It answers a moment before everything is back.
    let process = "systemctl show -p MainPID --value stratus-network-revert.service";
    let end = "[ $pid = 0 ] || timeout 120 tail --pid=$pid -f /dev/null";
    node.run(&format!("pid=$({process}); {end}")).good();
    let links = node.run("ip -br link").good().stdout;
    assert!(!links.contains("br0"), "{links}");
    node.run("test -d /var/lib/stratus/installer/network/reverted").good();
    node.run(mend).good();
}

/// A host that loses its power with a network that nobody confirmed starts with the old one, by
/// itself.
fn a_power_cut_brings_the_old_network_back(site: &mut Site) {
    site.cut_before_confirmation(1);
    let node = &site.hosts[1];
    let on = node.run("ip -br -4 address show").good().stdout;
    let address = format!("{}/24", node.address());
    let with: Vec<_> = on.lines().filter(|line| line.contains(&address)).collect();
    assert!(matches!(&with[..], [line] if line.starts_with("host0")), "{on}");
    assert!(!node.run("ip -br link").good().stdout.contains("br0"));
    for gone in ["/var/lib/stratus/installer/network/pending", REVERT_AT_BOOT] {
        assert!(!node.has(gone), "{gone}");
    }
    node.run("test -d /var/lib/stratus/installer/network/reverted").good();
}

const REVERT_AT_BOOT: &str = "/etc/systemd/system/stratus-network-revert-boot.service";

#[test]
fn networkd_gives_the_address_to_the_bridge() {
    let hosts = [bare("front", Base::Bookworm), bare("node1", Base::Bookworm)];
    let mut site = Site::of(hosts, standins());
    site.write("node1", "10.77.0.109", "");
    change(&site, "interface = \"host0\"", "interface = \"auto\"");
    a_power_cut_brings_the_old_network_back(&mut site);
    comes_up(&site);
    assert!(!site.hosts[1].has(REVERT_AT_BOOT));
    a_network_changed_by_hand_is_named_put_back_and_kept(&site);
}

/// The file of the port, whose name nobody knows before the host was asked.
fn a_network_changed_by_hand_is_named_put_back_and_kept(site: &Site) {
    let node = &site.hosts[1];
    let file = node.run("grep -l Bridge=br0 /etc/systemd/network/*stratus*").good().stdout;
    let file = file.trim();
    assert_eq!(site.install(&["drift"]).code, 0);
    node.run(&format!("echo '# by hand' >> {file}")).good();
    let drift = site.install(&["drift"]);
    assert_eq!(drift.code, 10, "{}", drift.stderr);
    assert!(drift.stdout.contains(&format!("node1: {file} changed by hand")), "{}", drift.stdout);
    let applied = site.install(&["apply", "--yes"]).good();
    let (folder, name) = file.rsplit_once('/').unwrap();
    let kept = format!("{folder}/.{name}.stratus-orig");
    assert!(applied.stderr.contains(&kept), "{}", applied.stderr);
    node.run(&format!("grep -q 'by hand' {kept} && ! grep -q 'by hand' {file}")).good();
    assert_eq!(site.install(&["drift"]).code, 0);
    site.install(&["plan"]).good();
}

#[test]
fn ifupdown_gives_the_address_to_the_bridge() {
    let mut site = site_with(ifupdown, false);
    let hook = "/etc/network/if-up.d/zz-bad";
    let bad = format!(
        "printf '%s\\n' '#!/bin/sh' '[ \"$IFACE\" != br0 ] || ip address flush dev br0' > {hook}; chmod 755 {hook}"
    );
    a_bad_network_comes_back(&site, &bad, &format!("rm {hook}"));
    a_power_cut_brings_the_old_network_back(&mut site);
    comes_up(&site);
    the_bridge_stays(&mut site, "/etc/network/interfaces.d/stratus-br0");
}

#[test]
fn netplan_gives_the_address_to_the_bridge() {
    let mut site = site_with(netplan, true);
    let file = "/etc/systemd/network/04-bad.network";
    let bad = format!("printf '[Match]\\nName=br0\\n[Network]\\nAddress=192.0.2.9/24\\n' > {file}");
    a_bad_network_comes_back(&site, &bad, &format!("rm {file}"));
    a_power_cut_brings_the_old_network_back(&mut site);
    comes_up(&site);
    the_bridge_stays(&mut site, "/etc/netplan/90-stratus-br0.yaml");
}

#[test]
fn network_manager_gives_the_address_to_the_bridge() {
    let mut site = site_with(network_manager, false);
    a_power_cut_brings_the_old_network_back(&mut site);
    comes_up(&site);
    the_bridge_stays(&mut site, "/etc/NetworkManager/system-connections/stratus-br0.nmconnection");
}

#[test]
fn a_front_end_with_mariadb_keeps_its_state_there() {
    let front = HostSetup::new("front");
    let site = Site::of([front, bare("node1", Base::Bookworm)], standins());
    site.write("node1", "10.77.0.109", "");
    change(&site, "web = false", "web = false\ndatabase = \"mariadb\"");
    comes_up(&site);
    let front = &site.hosts[0];
    let settings = String::from_utf8(front.read("/etc/one/oned.conf")).unwrap();
    assert!(settings.contains("BACKEND = \"mysql\""), "{settings}");
    // What oned is told opens the database, and nothing else does.
    let file = "/var/lib/stratus/installer/secrets/mariadb-opennebula";
    let ask = "mariadb --no-defaults -h 127.0.0.1 -u opennebula opennebula -e 'SELECT 1'";
    front.run(&format!("MYSQL_PWD=\"$(cat {file})\" {ask}")).good();
    assert_ne!(front.run(&format!("MYSQL_PWD=wrong {ask}")).code, 0);
    let isolation = front.run("mariadb -N -B -e 'SELECT @@global.tx_isolation'").good().stdout;
    assert_eq!(isolation.trim(), "READ-COMMITTED");
}

/// The kernel of these hosts has no NFS, and a share that cannot be mounted is told before anything
/// is changed.
#[test]
fn a_share_that_the_kernel_cannot_do_is_refused_before_the_first_change() {
    let hosts = [bare("front", Base::Bookworm), bare("node1", Base::Bookworm)];
    let site = Site::of(hosts, standins());
    site.write("node1", "10.77.0.109", "");
    change(&site, "hypervisor = \"qemu\"", "hypervisor = \"qemu\"\nshare = \"nfs\"");
    let before = site.trees();
    let plan = site.install(&["plan"]);
    for told in ["/etc/exports.d/stratus.exports", "var-lib-one-datastores.automount"] {
        assert!(plan.stdout.contains(told), "{told}:\n{}{}", plan.stdout, plan.stderr);
    }
    for task in [&["preflight"][..], &["apply", "--yes"]] {
        let out = site.install(task);
        assert_eq!(out.code, 1, "{}{}", out.stdout, out.stderr);
        let said = out.stdout + &out.stderr;
        assert!(said.contains("an export by NFS was tried and failed"), "{said}");
        assert!(said.contains("a mount by NFS was tried and failed"), "{said}");
    }
    for (before, after) in before.iter().zip(site.trees()) {
        // The run's own journal and lock.
        let after = after.without("/var/lib/stratus");
        assert_eq!(before.differences(&after), Vec::<String>::new());
    }
}
