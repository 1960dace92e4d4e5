//! A small site and hand-written facts of its hosts, and a model of what carrying a plan out does.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "each test uses its part, and a benchmark is one as well"
)]

pub(crate) mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use stratus_plan::facts::*;
use stratus_plan::metadata::{Family, Release, families};
use stratus_plan::offline::{FORMAT, Mirror, Offline, Part, Set, part};
use stratus_plan::{Inputs, content::sha256};
use stratus_site::*;

pub(crate) const CANARY: &str = "canary-of-the-directory";

pub(crate) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(crate) fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// A front-end and two nodes.
pub(crate) fn site(share: Share, database: Database) -> Site {
    sized(2, 1, share, database)
}

/// A front-end, nodes and networks.
pub(crate) fn sized(nodes: u32, networks: u32, share: Share, database: Database) -> Site {
    Site {
        general: General {
            name: "example".into(),
            domain: Some("example.org".parse().unwrap()),
            admin_email: None,
            opennebula_version: OpenNebula::V7_4,
        },
        frontend: frontend(database),
        nodes: (1..=nodes).map(|n| node(n, share)).collect(),
        ssh: ssh(),
        networks: (0..networks).map(network).collect(),
        vpn: None,
        identity: None,
        repository: None,
        cache: None,
        monitor: None,
        accounting: None,
        packages: Packages {
            opennebula_key: Some(PathBuf::from("keys/opennebula.asc")),
            ..Packages::default()
        },
        service_files: Vec::new(),
    }
}

fn frontend(database: Database) -> Frontend {
    Frontend {
        host: host("one.example.org"),
        address: Some("10.1.0.1".parse().unwrap()),
        os: Os::Auto,
        database,
        mac_prefix: MacPrefix::default(),
        port: 2633,
        listen: "127.0.0.1".parse().unwrap(),
        web: true,
        debug_level: 3,
        monitoring_interval: Duration::from_mins(1),
    }
}

fn address(n: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from_bits(0x0a01_0001 + n)
}

fn node(n: u32, share: Share) -> Node {
    Node {
        host: host(&format!("node{n:02}.example.org")),
        address: Some(address(n).into()),
        os: Os::Auto,
        hypervisor: Hypervisor::Kvm,
        share,
        bridge: name("br0"),
        interface: Interface::Auto,
        configure_bridge: true,
        cluster: None,
    }
}

fn ssh() -> Ssh {
    Ssh {
        user: None,
        port: None,
        key: None,
        jump_host: None,
        sudo: Sudo::Auto,
        parallel: 32,
        connect_timeout: Duration::from_secs(10),
        step_timeout: Duration::from_mins(10),
    }
}

fn network(n: u32) -> Network {
    let base = std::net::Ipv4Addr::from_bits(0x0a40_0000 + (n << 8));
    Network {
        name: format!("private{n}").parse().unwrap(),
        kind: NetworkKind::Ranged(Extent {
            first: std::net::Ipv4Addr::from_bits(base.to_bits() + 10),
            size: 200,
        }),
        subnet: Some(ipnet::Ipv4Net::new(base, 24).unwrap()),
        transport: Transport::Bridge(name("br0")),
        gateway: Some(std::net::Ipv4Addr::from_bits(base.to_bits() + 1)),
        dns: vec![],
        search_domain: None,
        mtu: None,
        dhcp: None,
        nat: None,
        public: true,
        security_groups: vec![0],
    }
}

/// People in a directory that is searched with a password.
pub(crate) fn identity() -> Identity {
    Identity {
        urls: vec!["ldaps://ldap.example.org".parse().unwrap()],
        base: "ou=people,dc=example,dc=org".into(),
        bind_dn: Some("cn=it's,dc=example,dc=org".into()),
        password_file: Some("secret/ldap".into()),
        user_filter: "(&(objectClass=person)(uid={login}))".into(),
        group_filter: None,
        admin_group: Some("cn=admins,dc=example,dc=org".into()),
        ca: Some("ldap-ca.pem".into()),
    }
}

pub(crate) fn inputs() -> Inputs {
    Inputs {
        files: BTreeMap::from([
            ("keys/opennebula.asc".into(), b"KEY OF OPENNEBULA\n".to_vec()),
            ("ldap-ca.pem".into(), b"CERTIFICATE OF THE DIRECTORY'S AUTHORITY\n".to_vec()),
        ]),
        secrets: BTreeMap::from([("secret/ldap".into(), sha256(CANARY))]),
        offline: Some(Offline { key: "KEY OF THE MIRROR\n".into(), mirror: mirror() }),
        site_text: "[site]\nname = \"example\"\n[cache]\nsize = \"1 GiB\"\n".into(),
    }
}

/// Burst nodes that come in on the front-end and are in the hosts' own subnet.
pub(crate) fn vpn(mode: VpnMode) -> Vpn {
    let routed = mode.is_routed();
    let (subnet, first) =
        if routed { ("10.8.0.0/24", "10.8.0.10") } else { ("10.1.0.0/16", "10.1.9.1") };
    Vpn {
        endpoint: "vpn.example.org".into(),
        port: if mode == VpnMode::WireGuard { 51_820 } else { 1194 },
        protocol: "udp".into(),
        mode,
        network: None,
        subnet: subnet.parse().unwrap(),
        range: Extent { first: first.parse().unwrap(), size: 40 },
        gateway_host: None,
        certificate_validity: Duration::from_hours(24 * 365),
        serve_names: !routed,
        ca_validity: Duration::from_hours(24 * 3650),
        nodes: vec![],
    }
}

/// A directory that has everything for every system.
fn mirror() -> Mirror {
    let part_of = |family: &'static Family, release: &'static Release| {
        let of = &family.packages;
        let all = [&of.frontend, &of.gate, &of.web, &of.kvm, &of.lxc, &of.nfs_server, &of.dnsmasq]
            .into_iter()
            .chain([&of.nfs_client, &of.mariadb, &of.firewall, &of.ldap, &of.bridge, &of.vpn])
            .chain([&of.wireguard]);
        let names = all.flatten().cloned().collect();
        let sets = vec![Set { names, packages: BTreeSet::new() }];
        (part(release, "x86_64"), Part { sets, ..Part::default() })
    };
    let parts = families().iter().flat_map(|f| f.release.iter().map(move |r| part_of(f, r)));
    Mirror { format: FORMAT, parts: parts.collect() }
}

/// `ID` and `VERSION_ID` of the systems that plans are looked at on.
pub(crate) const SYSTEMS: [(&str, &str, NetworkTool); 5] = [
    ("debian", "12", NetworkTool::Ifupdown),
    ("debian", "13", NetworkTool::Ifupdown),
    ("ubuntu", "24.04", NetworkTool::Netplan),
    ("almalinux", "9.6", NetworkTool::NetworkManager),
    ("opensuse-leap", "16.0", NetworkTool::NetworkManager),
];

/// Fresh hosts of one system, as their distribution installs them.
pub(crate) fn facts(site: &Site, system: (&str, &str, NetworkTool)) -> Facts {
    let hosts = std::iter::once(&site.frontend.host).chain(site.nodes.iter().map(|n| &n.host));
    let fresh = |(n, host): (usize, &HostName)| {
        let n = u32::try_from(n).unwrap();
        (host.clone(), HostReport::Known(Box::new(fresh(host, n, system))))
    };
    Facts { hosts: hosts.enumerate().map(fresh).collect() }
}

fn fresh(host: &HostName, n: u32, (id, version, tool): (&str, &str, NetworkTool)) -> HostFacts {
    let mut paths = BTreeMap::from([
        ("/etc/resolv.conf".to_owned(), text("nameserver 10.1.255.53\nsearch example.org\n")),
        (
            "/etc/ssh/ssh_host_ed25519_key.pub".to_owned(),
            text(&format!("ssh-ed25519 AAAA{n} root\n")),
        ),
    ]);
    if tool == NetworkTool::Ifupdown {
        let interfaces = "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n    address 10.1.0.1/16\n";
        paths.insert("/etc/network/interfaces".to_owned(), text(interfaces));
    }
    let features =
        [Feature::Kvm, Feature::Bridge, Feature::NfsClient, Feature::NfsServer, Feature::Nftables];
    HostFacts {
        os: OsRelease {
            id: id.into(),
            version: version.into(),
            pretty: format!("{id} {version}"),
            like: vec![],
        },
        architecture: "x86_64".into(),
        hostname: host.to_string(),
        machine_id: format!("{n:032x}"),
        systemd: true,
        root: true,
        cpus: 8,
        memory_bytes: 32 << 30,
        free_bytes: ["/", "/var", "/var/lib/one"].map(|p| (p.to_owned(), 100 << 30)).into(),
        features: features.map(|f| (f, true)).into(),
        interfaces: vec![InterfaceFacts {
            name: name("eth0"),
            mac: Some(mac(n)),
            mtu: 1500,
            kind: String::new(),
            master: None,
            up: true,
            addresses: vec![format!("{}/16", address(n))],
            leased: vec![],
            physical: true,
        }],
        default_route: Some((name("eth0"), "10.1.255.254".parse().unwrap())),
        network_tool: Some(tool),
        paths,
        ..HostFacts::default()
    }
}

fn mac(n: u32) -> MacAddress {
    let [_, _, high, low] = n.to_be_bytes();
    MacAddress([0x52, 0x54, 0, 0, high, low])
}

/// A readable file of root's.
pub(crate) fn text(content: &str) -> PathFacts {
    PathFacts {
        kind: PathKind::File,
        mode: 0o644,
        owner: "root".into(),
        group: "root".into(),
        sha256: Some(sha256(content)),
        content: Some(content.into()),
    }
}

pub(crate) fn known<'a>(facts: &'a mut Facts, name: &str) -> &'a mut HostFacts {
    match facts.hosts.get_mut(&host(name)).unwrap() {
        HostReport::Known(told) => told,
        HostReport::Unreachable(why) => panic!("{why:?}"),
    }
}

pub(crate) fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&t| t.to_owned()).collect()
}
