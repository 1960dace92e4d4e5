//! The keys about the site, its hosts, and how they are reached.

use super::Absent::{Means, Nothing, Required, Value};
use super::Kind::{Duration, Flag, Number, Tables, Text, Texts};
use super::{Key, key};

const SITE: &str = "site";
const FE: &str = "frontend";
const NODES: &str = "nodes";
const ONE: &str = "nodes.override.*";
const SSH: &str = "ssh";
const PACKAGES: &str = "packages";

// One row for each key, as wide as it is.
#[rustfmt::skip]
pub(super) const KEYS: [Key; 46] = [
    key(SITE, "name", Text, Required, "Short name; marks what the installer made", "\"example\""),
    key(SITE, "domain", Text, Nothing, "Domain that host names without a dot get", "\"example.org\""),
    key(SITE, "admin_email", Text, Nothing, "Who gets mail about the site", "\"cloud@example.org\""),
    key(SITE, "opennebula_version", Text, Value("\"7.4\""), "Series of OpenNebula, `7.4` or `6.10`", "\"7.4\""),
    key(FE, "host", Text, Required, "Its name", "\"frontend.example.org\""),
    key(FE, "address", Text, Means("what the name resolves to"), "Its address on the site's LAN", "\"192.0.2.1\""),
    key(FE, "os", Text, Value("\"auto\""), "Its system, found out or stated and then compared: `debian-13`, `almalinux-9`", "\"debian-13\""),
    key(FE, "database", Text, Value("\"sqlite\""), "Where oned keeps its state: `sqlite`, or `mariadb` on the front-end", "\"mariadb\""),
    key(FE, "mac_prefix", Text, Value("\"02:00\""), "First two octets of the MAC addresses of virtual machines", "\"02:01\""),
    key(FE, "port", Number, Value("2633"), "Port of XML-RPC", "2633"),
    key(FE, "listen", Text, Value("\"127.0.0.1\""), "Address that XML-RPC listens on", "\"127.0.0.1\""),
    key(FE, "web", Flag, Value("true"), "Whether the web interface FireEdge is installed", "false"),
    key(FE, "debug_level", Number, Value("3"), "How much oned logs, 0 to 5", "3"),
    key(FE, "monitoring_interval", Duration, Value("\"60 s\""), "Time between two looks at hosts and machines", "\"2 min\""),
    key(NODES, "hosts", Texts, Nothing, "Their names, with ranges, at most 10,000; the padding of numbers is kept", "[\"node[01-40].example.org\"]"),
    key(NODES, "os", Text, Value("\"auto\""), "Their system, as for the front-end", "\"debian-13\""),
    key(NODES, "hypervisor", Text, Value("\"kvm\""), "What runs the machines: `kvm`, `qemu` (slow, needs nothing) or `lxc`", "\"kvm\""),
    key(NODES, "share", Text, Value("\"ssh\""), "How images get there: copied by `ssh`, or on `nfs` that the front-end exports", "\"nfs\""),
    key(NODES, "bridge", Text, Value("\"br0\""), "The bridge that machines are attached to", "\"br0\""),
    key(NODES, "interface", Text, Value("\"auto\""), "The interface below the bridge; `auto`: the one with the default route", "\"eth1\""),
    key(NODES, "configure_bridge", Flag, Value("true"), "Whether the installer makes the bridge; else it must be there", "false"),
    key(NODES, "cluster", Text, Nothing, "OpenNebula's cluster that they belong to", "\"rack1\""),
    key(NODES, "override", Tables, Nothing, "What is different on single nodes", "[nodes.override.\"node07\"]"),
    key(ONE, "address", Text, Means("what the name resolves to"), "Its address on the LAN", "\"192.0.2.17\""),
    key(ONE, "os", Text, Means("as in [nodes]"), "Its system", "\"almalinux-9\""),
    key(ONE, "hypervisor", Text, Means("as in [nodes]"), "What runs the machines", "\"qemu\""),
    key(ONE, "share", Text, Means("as in [nodes]"), "How images get there", "\"ssh\""),
    key(ONE, "bridge", Text, Means("as in [nodes]"), "Its bridge", "\"br1\""),
    key(ONE, "interface", Text, Means("as in [nodes]"), "The interface below the bridge", "\"eno1\""),
    key(ONE, "configure_bridge", Flag, Means("as in [nodes]"), "Whether the installer makes the bridge", "false"),
    key(ONE, "cluster", Text, Means("as in [nodes]"), "Its cluster", "\"rack2\""),
    key(SSH, "user", Text, Means("as your ssh configuration says"), "Login on the hosts", "\"admin\""),
    key(SSH, "port", Number, Means("as your ssh configuration says"), "Port", "22"),
    key(SSH, "key", Text, Means("as your ssh configuration or agent says"), "File with the private key", "\"/root/.ssh/id_ed25519\""),
    key(SSH, "jump_host", Text, Nothing, "Host to go through", "\"gate.example.org\""),
    key(SSH, "sudo", Text, Value("\"auto\""), "How the login becomes root: `auto` (root needs none), `always`, `never`", "\"always\""),
    key(SSH, "parallel", Number, Value("20"), "Most hosts at once", "50"),
    key(SSH, "connect_timeout", Duration, Value("\"10 s\""), "How long a connection may take", "\"30 s\""),
    key(SSH, "step_timeout", Duration, Value("\"30 min\""), "How long one step may be silent", "\"1 h\""),
    key(PACKAGES, "opennebula", Text, Means("the public one"), "Base address of OpenNebula's packages", "\"https://mirror.example.org/opennebula\""),
    key(PACKAGES, "opennebula_key", Text, Means("the public one"), "File with the key that signs them", "\"opennebula.asc\""),
    key(PACKAGES, "stratus", Text, Nothing, "Base address of the packages of Stratus", "\"https://mirror.example.org/stratus\""),
    key(PACKAGES, "stratus_key", Text, Nothing, "File with the key that signs those", "\"stratus.asc\""),
    key(PACKAGES, "proxy", Text, Nothing, "HTTP proxy of package managers", "\"http://proxy.example.org:3128\""),
    key(PACKAGES, "offline", Text, Nothing, "Directory of `stratus-install mirror`, where the installer runs: hosts get packages from it, carried by ssh, and from nowhere else", "\"packages\""),
    key(PACKAGES, "offline_key", Text, Means("that of the mirrors made on this machine"), "File with the key that signs the directory", "\"mirror.asc\""),
];
