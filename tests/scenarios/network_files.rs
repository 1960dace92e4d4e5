//! What the installer writes about networks, taken by the real tools: nft, dnsmasq, netplan, nmcli,
//! ifupdown. Whatever changes a network does so in a network namespace of the test's own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use stratus_network::{Addressing, BridgeFiles, HostRole, Tool, bridge_files, dnsmasq, firewall};
use stratus_site::{InterfaceName, Site};
use stratus_tests::{Output, run, tool};

fn site() -> Site {
    let text = include_str!("../../installer/network/testdata/site.json");
    serde_json::from_str(text).unwrap()
}

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// A host with stated addresses of both families.
fn fixed() -> Addressing {
    Addressing {
        addresses: vec!["10.0.0.11/26".parse().unwrap(), "2001:db8::11/64".parse().unwrap()],
        gateway4: Some("10.0.0.2".parse().unwrap()),
        gateway6: Some("fe80::1".parse().unwrap()),
        dns: vec!["10.0.0.3".parse().unwrap(), "2001:db8::3".parse().unwrap()],
        search: vec!["example.org".into()],
        mtu: Some(1400),
        mac: Some("52:54:00:12:34:56".parse().unwrap()),
        dhcp: false,
    }
}

/// Each kind of host, with and without an interface below the bridge.
fn hosts() -> Vec<(Option<InterfaceName>, Addressing)> {
    let dhcp = Addressing { dhcp: true, mac: fixed().mac, ..Addressing::default() };
    let off_subnet = Addressing {
        addresses: vec!["192.0.2.7/32".parse().unwrap()],
        gateway4: Some("198.51.100.1".parse().unwrap()),
        ..Addressing::default()
    };
    let port = || Some(name("eth0"));
    vec![
        (port(), fixed()),
        (port(), dhcp),
        (port(), off_subnet),
        (port(), Addressing::default()),
        (None, Addressing::default()),
    ]
}

/// Puts the files of a bridge below a root.
fn place(root: &Path, files: &BridgeFiles) {
    for file in &files.files {
        let path = root.join(file.path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &file.content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

/// A network namespace, gone with the value. Needs root.
struct Namespace(String);

impl Namespace {
    fn new(kind: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let made = Self(format!("stratus-{}-{kind}-{number}", std::process::id()));
        run(tool("ip", "iproute2").args(["netns", "add", &made.0])).good();
        made.ip("link set lo up");
        made
    }

    /// A command inside.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = tool("ip", "iproute2");
        command.args(["netns", "exec", &self.0]).args(words);
        command
    }

    fn ip(&self, words: &str) -> String {
        run(tool("ip", "iproute2").args(["-n", &self.0]).args(words.split(' '))).good().stdout
    }

    /// A cable between two namespaces.
    fn cable(&self, device: &str, other: &Self, theirs: &str) {
        let words = format!("link add {device} type veth peer name {theirs} netns {}", other.0);
        self.ip(&words);
        self.ip(&format!("link set {device} up"));
        other.ip(&format!("link set {theirs} up"));
    }

    /// Listens on ports and tells each caller the caller's address.
    fn listen(&self, ports: &[u16]) -> Listener {
        const PROGRAM: &str = "
import socket, sys, threading
def serve(s):
    while True:
        c, a = s.accept()
        c.sendall((a[0] + '\\n').encode()); c.close()
for p in sys.argv[1:]:
    s = socket.create_server(('', int(p)))
    threading.Thread(target=serve, args=(s,)).start()
print('ready', flush=True)";
        let mut command = self.command(&["python3", "-c", PROGRAM]);
        command.args(ports.iter().map(ToString::to_string)).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Listener(child)
    }

    /// What a listener says to a connection from here; none where there is no connection.
    fn call(&self, address: &str, port: u16) -> Option<String> {
        let script = format!("exec 3<>/dev/tcp/{address}/{port} && cat <&3");
        let out = run(&mut self.command(&["timeout", "3", "bash", "-c", &script]));
        (out.code == 0).then(|| out.stdout.trim().to_owned())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run(tool("ip", "iproute2").args(["netns", "delete", &self.0]));
    }
}

struct Listener(Child);

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The front-end with a machine on its bridge and somebody outside; its firewall is loaded twice.
struct Routed {
    _folder: tempfile::TempDir,
    host: Namespace,
    guest: Namespace,
    outside: Namespace,
}

impl Routed {
    fn new() -> Self {
        let (host, guest) = (Namespace::new("h"), Namespace::new("g"));
        let outside = Namespace::new("o");
        host.ip("link add br0 type bridge stp_state 0 forward_delay 0");
        host.ip("address add 10.0.0.2/26 dev br0");
        host.ip("link set br0 up");
        host.cable("tap0", &guest, "eth0");
        host.ip("link set tap0 master br0");
        guest.ip("address add 10.0.0.5/26 dev eth0");
        guest.ip("route add default via 10.0.0.2");
        host.cable("eth0", &outside, "eth0");
        host.ip("address add 198.51.100.1/24 dev eth0");
        outside.ip("address add 198.51.100.9/24 dev eth0");
        outside.ip("route add 10.0.0.0/26 via 198.51.100.1");
        run(&mut host.command(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])).good();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stratus.nft");
        let roles = [HostRole::Frontend, HostRole::Repository, HostRole::Cache];
        let lan = ["10.0.0.0/26".parse().unwrap()];
        fs::write(&file, firewall(&site(), &roles.into(), &lan, 2222)).unwrap();
        let file = file.to_str().unwrap();
        let nft = |words: &[&str]| run(&mut host.command(words)).good().stdout;
        nft(&["nft", "add", "table", "ip", "others"]);
        nft(&["nft", "-c", "-f", file]);
        nft(&["nft", "-f", file]);
        let once = nft(&["nft", "list", "ruleset"]);
        nft(&["nft", "-f", file]);
        assert_eq!(nft(&["nft", "list", "ruleset"]), once);
        assert!(once.contains("table ip others"), "{once}");
        Self { _folder: folder, host, guest, outside }
    }
}

#[test]
fn the_firewall_lets_in_what_the_site_needs_and_nothing_else() {
    tool("nft", "nftables");
    let net = Routed::new();
    let _servers = net.host.listen(&[2222, 22, 8443, 8081, 9999]);
    // From the LAN: ssh, repository, cache.
    for port in [2222, 8443, 8081] {
        assert_eq!(net.guest.call("10.0.0.2", port).as_deref(), Some("10.0.0.5"), "{port}");
    }
    for port in [22, 9999] {
        assert_eq!(net.guest.call("10.0.0.2", port), None, "{port}");
    }
    // From elsewhere: ssh and the repository.
    for (port, open) in [(2222, true), (8443, true), (8081, false), (9999, false)] {
        assert_eq!(net.outside.call("198.51.100.1", port).is_some(), open, "{port}");
    }
    run(&mut net.outside.command(&["ping", "-c1", "-W2", "198.51.100.1"])).good();
    // Answers to the host's own calls get back.
    let _server = net.outside.listen(&[7000]);
    assert_eq!(net.host.call("198.51.100.9", 7000).as_deref(), Some("198.51.100.1"));
}

#[test]
fn a_network_with_translation_reaches_the_outside_and_is_not_reached() {
    tool("nft", "nftables");
    let net = Routed::new();
    let _outside = net.outside.listen(&[7000]);
    let _guest = net.guest.listen(&[7000]);
    assert_eq!(net.guest.call("198.51.100.9", 7000).as_deref(), Some("198.51.100.1"));
    assert_eq!(net.outside.call("10.0.0.5", 7000), None);
    // An address that is not of the network does not get out.
    net.guest.ip("address add 10.99.0.1/32 dev eth0");
    net.outside.ip("route add 10.99.0.1/32 via 198.51.100.1");
    net.host.ip("route add 10.99.0.1/32 dev br0");
    let ping = ["ping", "-c1", "-W1", "-I", "10.99.0.1", "198.51.100.9"];
    assert_ne!(run(&mut net.guest.command(&ping)).code, 0);
    let ping = ["ping", "-c1", "-W1", "-I", "10.0.0.5", "198.51.100.9"];
    run(&mut net.guest.command(&ping)).good();
}

#[test]
fn rules_of_every_role_are_taken_by_nft() {
    let space = Namespace::new("n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stratus.nft");
    use HostRole::{Cache, Frontend, Gateway, Monitor, Node, Repository};
    for role in [Frontend, Node, Gateway, Repository, Cache, Monitor] {
        let lan = ["10.0.0.0/26".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        fs::write(&file, firewall(&site(), &[role].into(), &lan, 22)).unwrap();
        let _ = tool("nft", "nftables");
        run(&mut space.command(&["nft", "-c", "-f", file.to_str().unwrap()])).good();
    }
}

#[test]
fn dnsmasq_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stratus.conf");
    fs::write(&file, dnsmasq(&site()).unwrap()).unwrap();
    run(tool("dnsmasq", "dnsmasq-base").arg("--test").arg("-C").arg(&file)).good();
}

#[test]
fn netplan_makes_a_bridge_without_addresses_on_its_port() {
    for (port, addressing) in hosts() {
        let root = tempfile::tempdir().unwrap();
        let files = bridge_files(Tool::Netplan, &name("br0"), port.as_ref(), &addressing);
        place(root.path(), &files);
        let generate = ["generate", "--root-dir", root.path().to_str().unwrap()];
        let said: Output = run(tool("netplan", "netplan.io").args(generate)).good();
        assert_eq!(said.stderr, "", "{addressing:?}");
        let made = |file: &str| {
            let path = root.path().join("run/systemd/network").join(file);
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let device = made("10-netplan-br0.netdev");
        assert!(device.contains("STP=false") && device.contains("ForwardDelaySec=0"), "{device}");
        let bridge = made("10-netplan-br0.network");
        for net in &addressing.addresses {
            assert!(bridge.contains(&format!("Address={net}\n")), "{bridge}");
        }
        assert_eq!(bridge.contains("DHCP=ipv4"), addressing.dhcp, "{bridge}");
        if port.is_some() {
            let port = made("10-netplan-eth0.network");
            assert!(port.contains("Bridge=br0") && !port.contains("Address="), "{port}");
        }
    }
}

#[test]
fn network_manager_reads_its_key_files() {
    for (port, addressing) in hosts() {
        let files = bridge_files(Tool::NetworkManager, &name("br0"), port.as_ref(), &addressing);
        let root = tempfile::tempdir().unwrap();
        place(root.path(), &files);
        for file in &files.files {
            assert_eq!(file.mode, 0o600);
            let input =
                fs::File::open(root.path().join(file.path.trim_start_matches('/'))).unwrap();
            // Reads a profile, checks it, and prints it as it is understood.
            let mut nmcli = tool("nmcli", "network-manager");
            nmcli.args(["--offline", "connection", "modify", "connection.zone", ""]);
            let out = nmcli.stdin(input).output().unwrap();
            let said = String::from_utf8_lossy(&out.stdout);
            assert!(
                out.status.success(),
                "{}{}",
                file.content,
                String::from_utf8_lossy(&out.stderr)
            );
            for net in addressing.addresses.iter().filter(|_| said.contains("\ntype=bridge")) {
                assert!(said.contains(&format!("={net}")), "{said}");
            }
        }
    }
}

/// A host whose network ifupdown manages: its `/etc/network` and `/run` are folders of the test's.
struct Ifupdown {
    root: tempfile::TempDir,
    host: Namespace,
}

impl Ifupdown {
    fn run(&self, words: &[String]) {
        let root = self.root.path().display();
        let script = format!(
            "mount --bind {root}/etc/network /etc/network && mount --bind {root}/run /run && exec \"$@\""
        );
        let mut command = self.host.command(&["sh", "-c", &script, "sh"]);
        run(command.args(words)).good();
    }
}

#[test]
fn ifupdown_moves_the_addresses_to_the_bridge_and_back() {
    tool("ifup", "ifupdown");
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
    fs::write(file("conf"), dnsmasq(&site()).unwrap()).unwrap();
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
