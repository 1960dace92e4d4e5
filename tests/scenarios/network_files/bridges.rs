//! Bridges and leases, made by the real services in namespaces.

use crate::namespace::{Listener, Namespace};
use crate::{fixed, name, place, site};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use stratus_network::overlay::Place;
use stratus_network::{Addressing, HostRole, Tool, bridge_files, dnsmasq};
use stratus_tests::{run, unpacked_tool};

/// A host whose network ifupdown manages: its `/etc/network` and `/run` are folders of the test's.
struct Ifupdown {
    root: tempfile::TempDir,
    host: Namespace,
}

impl Ifupdown {
    fn run(&self, words: &[String]) {
        let (root, ifup) = (self.root.path().display(), unpacked_tool("sbin/ifup"));
        let programs = Path::new(ifup.get_program()).parent().unwrap().display();
        // Where ifupdown is not installed there is no such folder to be covered.
        let script = format!(
            "if [ -d /etc/network ]; then mount --bind {root}/etc/network /etc/network
             else mount -t overlay overlay -o lowerdir={root}/etc:/etc /etc
             fi && mount --bind {root}/run /run && PATH=$PATH:{programs} exec \"$@\""
        );
        let mut command = self.host.command(&["sh", "-c", &script, "sh"]);
        run(command.args(words)).good();
    }
}

#[test]
fn ifupdown_moves_the_addresses_to_the_bridge_and_back() {
    let root = tempfile::tempdir().unwrap();
    let hooks = ["if-pre-up.d", "if-up.d", "if-down.d", "if-post-down.d", "interfaces.d"];
    for folder in hooks.map(|folder| format!("etc/network/{folder}")) {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::create_dir_all(root.path().join("run/network")).unwrap();
    let main = root.path().join("etc/network/interfaces");
    let before = "iface eth0 inet static\n    address 10.0.0.11/26\n    gateway 10.0.0.2\n";
    fs::write(&main, before).unwrap();
    let (host, router) = (Namespace::new("h"), Namespace::new("r"));
    host.cable("eth0", &router, "eth0");
    host.ip("link set eth0 address 52:54:00:12:34:56");
    router.ip("address add 10.0.0.2/26 dev eth0");
    let _server = router.listen(&[7000]);
    let machine = Ifupdown { root, host };
    machine.run(&["ifup".into(), "eth0".into()]);
    let answer = || machine.host.call("10.0.0.2", 7000);
    assert_eq!(answer().as_deref(), Some("10.0.0.11"));

    let files = bridge_files(Tool::Ifupdown, &name("br0"), Some(&name("eth0")), &fixed());
    place(machine.root.path(), &files);
    fs::write(&main, "source /etc/network/interfaces.d/*\n").unwrap();
    // Twice: a bridge that is there is no hindrance.
    for _ in 0..2 {
        files.apply.iter().for_each(|words| machine.run(words));
        assert_eq!(answer().as_deref(), Some("10.0.0.11"));
        let port = machine.host.ip("address show dev eth0");
        assert!(port.contains("master br0") && !port.contains("10.0.0.11"), "{port}");
        let bridge = machine.host.ip("-d address show dev br0");
        for part in ["10.0.0.11/26", "2001:db8::11/64", "52:54:00:12:34:56", "mtu 1400"] {
            assert!(bridge.contains(part), "{part}: {bridge}");
        }
        for part in ["stp_state 0", "forward_delay 0"] {
            assert!(bridge.contains(part), "{part}: {bridge}");
        }
        let route = machine.host.ip("route show default");
        assert!(route.contains("via 10.0.0.2 dev br0"), "{route}");
    }

    fs::remove_file(machine.root.path().join(&files.files[0].path[1..])).unwrap();
    fs::write(&main, before).unwrap();
    files.revert.iter().for_each(|words| machine.run(words));
    assert_eq!(answer().as_deref(), Some("10.0.0.11"));
    assert!(!machine.host.ip("link show").contains("br0"));
    let route = machine.host.ip("route show default");
    assert!(route.contains("via 10.0.0.2 dev eth0"), "{route}");
}

/// systemd-networkd with files below a folder. A read-only `/sys` tells it that there is no udev to
/// wait for (systemd's CONTAINER_INTERFACE).
fn networkd(host: &Namespace, root: &Path) -> Listener {
    let (program, root) = ("/usr/lib/systemd/systemd-networkd", root.display());
    assert!(Path::new(program).is_file(), "{program} is missing; run `apt-get install systemd`");
    let script = format!(
        "mount --bind {root}/etc/systemd/network /etc/systemd/network && mount -t tmpfs none /run \
         && mkdir -p /run/systemd/network /run/systemd/netif \
         && chown systemd-network:systemd-network /run/systemd/netif \
         && mount -o remount,bind,ro /sys && exec {program}"
    );
    let mut command = host.command(&["sh", "-c", &script]);
    Listener(command.stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn networkd_gives_the_addresses_to_the_bridge_and_none_to_the_port() {
    let (host, router) = (Namespace::new("h"), Namespace::new("r"));
    host.cable("eth0", &router, "eth0");
    host.ip("link set eth0 address 52:54:00:12:34:56");
    host.ip("address add 10.0.0.11/26 dev eth0");
    router.ip("address add 10.0.0.2/26 dev eth0");
    let _server = router.listen(&[7000]);
    let root = tempfile::tempdir().unwrap();
    let files = bridge_files(Tool::Networkd, &name("br0"), Some(&name("eth0")), &fixed());
    place(root.path(), &files);
    // networkctl needs a bus, which is not here: everything else of the commands is run, and then
    // networkd started, which reads the files as a reload does.
    for words in files.apply.iter().filter(|words| words[0] != "networkctl") {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(&mut host.command(&words)).good();
    }
    let _networkd = networkd(&host, root.path());
    let begun = Instant::now();
    while !host.ip("route show default").contains("via 10.0.0.2 dev br0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", host.ip("address show"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(host.call("10.0.0.2", 7000).as_deref(), Some("10.0.0.11"));
    let port = host.ip("address show dev eth0");
    assert!(port.contains("master br0") && !port.contains("inet"), "{port}");
    let bridge = host.ip("-d address show dev br0");
    let parts = ["10.0.0.11/26", "2001:db8::11/64", "52:54:00:12:34:56", "mtu 1400", "stp_state 0"];
    for part in parts {
        assert!(bridge.contains(part), "{part}: {bridge}");
    }
}

#[test]
fn a_machine_with_a_reservation_gets_its_address_and_a_stranger_none() {
    let server = Namespace::new("s");
    server.ip("link add br0 type bridge stp_state 0 forward_delay 0");
    server.ip("address add 10.0.0.2/26 dev br0");
    server.ip("link set br0 up");
    // The MAC address that OpenNebula makes for 10.0.0.5, and one of somebody else.
    let macs = ["02:00:0a:00:00:05", "52:54:00:99:99:99"];
    let roots = macs.map(|mac| {
        let root = tempfile::tempdir().unwrap();
        let addressing =
            Addressing { dhcp: true, mac: Some(mac.parse().unwrap()), ..Addressing::default() };
        let port = name("eth0");
        place(root.path(), &bridge_files(Tool::Networkd, &name("br0"), Some(&port), &addressing));
        root
    });
    let machines = [Namespace::new("m"), Namespace::new("m")];
    for (number, machine) in machines.iter().enumerate() {
        let cable = format!("tap{number}");
        server.cable(&cable, machine, "eth0");
        server.ip(&format!("link set {cable} master br0"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(
        file("conf"),
        dnsmasq(&site(), &BTreeSet::from([HostRole::Frontend]), &Place::default()).unwrap(),
    )
    .unwrap();
    let mut command = server.command(&["dnsmasq", "--keep-in-foreground", "--user=root"]);
    command.args([format!("--conf-file={}", file("conf")), "--pid-file".into()]);
    command.arg(format!("--dhcp-leasefile={}", file("leases"))).stderr(Stdio::null());
    let _dnsmasq = Listener(command.spawn().unwrap());
    let _clients = [0, 1].map(|number| networkd(&machines[number], roots[number].path()));
    let begun = Instant::now();
    while !machines[0].ip("address show dev eth0").contains("master br0")
        || !machines[0].ip("address show dev br0").contains("inet 10.0.0.5/26")
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", machines[0].ip("address show"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let leases = fs::read_to_string(file("leases")).unwrap();
    assert!(leases.contains("10.0.0.5 vm-private-10-0-0-5"), "{leases}");
    // The stranger had as long as the other, and two more requests' time.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!machines[1].ip("address show").contains("inet 10."));
}
