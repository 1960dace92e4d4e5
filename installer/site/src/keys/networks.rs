//! The keys of the virtual networks and of the overlay.

use super::Absent::{Means, Nothing, Required, Value};
use super::Kind::{Duration, Flag, FlagOrTable, List, Number, NumberOrText, Numbers, Text, Texts};
use super::{Key, key};

const NET: &str = "networks.*";
const LEASE: &str = "networks.*.leases";
const DHCP: &str = "networks.*.dhcp";
const NAT: &str = "networks.*.nat";
const VPN: &str = "vpn";
const BURST: &str = "vpn.nodes";

// One row for each key, as wide as it is.
#[rustfmt::skip]
pub(super) const KEYS: [Key; 41] = [
    key(NET, "kind", Text, Means("`fixed` with `leases`, else `ranged`"), "Which addresses it gives: `fixed` or `ranged`", "\"fixed\""),
    key(NET, "leases", List, Nothing, "The addresses of a fixed network: texts, or tables with `ip` and `mac`", "[{ ip = \"192.0.2.40\" }]"),
    key(NET, "subnet", Text, Nothing, "The subnet of a fixed network; the mask of a guest comes from here", "\"192.0.2.0/24\""),
    key(NET, "base", Text, Nothing, "The subnet of a ranged network, /8 to /30", "\"10.0.0.0/24\""),
    key(NET, "network", Text, Nothing, "First address of the subnet, with `size`, instead of `base`", "\"172.16.0.0\""),
    key(NET, "size", NumberOrText, Nothing, "How many addresses: a number, or the class `A`, `B` or `C`", "\"B\""),
    key(NET, "first", Text, Means("the first free one: after the gateway where that is first"), "First address that is leased", "\"10.0.0.20\""),
    key(NET, "last", Text, Means("the last free one: before the gateway or the VPN's range where they are last"), "Last address that is leased", "\"10.0.0.199\""),
    key(NET, "bridge", Text, Means("as in [nodes]"), "The bridge of the nodes that frames leave through", "\"br1\""),
    key(NET, "vlan", Number, Nothing, "VLAN tag (IEEE 802.1Q), 1 to 4094, instead of `bridge`", "42"),
    key(NET, "vxlan", Number, Nothing, "VXLAN identifier, 1 to 16777215, instead of `bridge`", "4200"),
    key(NET, "interface", Text, Means("the one below the nodes' bridge"), "The interface that carries `vlan` or `vxlan`", "\"eth1\""),
    key(NET, "gateway", Text, Means("with `nat` the first address, else none"), "Router of the guests", "\"10.0.0.1\""),
    key(NET, "dns", Texts, Nothing, "Name servers of the guests", "[\"192.0.2.53\"]"),
    key(NET, "search_domain", Text, Nothing, "Search domain of the guests", "\"example.org\""),
    key(NET, "mtu", Number, Nothing, "MTU of the guests, 576 to 9216 bytes", "1450"),
    key(NET, "dhcp", FlagOrTable, Value("false"), "A DHCP service on the front-end, with a reservation for each lease, 65536 at most", "true"),
    key(NET, "nat", FlagOrTable, Value("false"), "Whether the front-end translates addresses for it", "true"),
    key(NET, "public", Flag, Value("true"), "Whether every user may use it", "false"),
    key(NET, "security_groups", Numbers, Value("[0]"), "Security groups by OpenNebula's numbers; 0 is the default one", "[0, 100]"),
    key(LEASE, "ip", Text, Required, "IPv4 address", "\"192.0.2.40\""),
    key(LEASE, "mac", Text, Means("the site's prefix and the address"), "MAC address", "\"02:00:c0:00:02:28\""),
    key(DHCP, "lease_time", Duration, Value("\"1 h\""), "How long a lease lasts", "\"12 h\""),
    key(DHCP, "ntp", Texts, Nothing, "Time servers told to guests", "[\"192.0.2.123\"]"),
    key(NAT, "interface", Text, Means("the one with the default route"), "The interface towards the outside", "\"eth0\""),
    key(VPN, "enabled", Flag, Means("true where there is a section [vpn]"), "Whether there is an overlay", "true"),
    key(VPN, "endpoint", Text, Required, "Host name or address that burst nodes connect to", "\"vpn.example.org\""),
    key(VPN, "port", Number, Means("1194; 51820 where `mode` is `wireguard`"), "Its port", "1194"),
    key(VPN, "protocol", Text, Value("\"udp\""), "`udp` or `tcp`; not with `mode = \"wireguard\"`, which has `udp` only", "\"tcp\""),
    key(VPN, "mode", Text, Value("\"tap\""), "`tap`: Ethernet frames, bridged into the LAN; `tun`: IP packets, routed; `wireguard`: the same by WireGuard instead of OpenVPN, with `subnet`", "\"tap\""),
    key(VPN, "network", Text, Means("the one whose subnet holds `range`"), "The virtual network whose subnet burst nodes join", "\"private\""),
    key(VPN, "subnet", Text, Means("that of `network`"), "The subnet that burst nodes join, where it is no virtual network's", "\"10.8.0.0/24\""),
    key(VPN, "range", Text, Required, "Addresses of burst nodes; no virtual network may lease them", "\"10.0.0.200-10.0.0.239\""),
    key(VPN, "gateway_host", Text, Means("the front-end"), "The host of the server", "\"gate.example.org\""),
    key(VPN, "serve_names", Flag, Means("true where `mode` is `tap`"), "Whether the gateway tells the LAN the addresses of burst nodes, with dnsmasq", "false"),
    key(VPN, "certificate_validity", Duration, Value("\"365 days\""), "How long a burst node's certificate is valid; not with `mode = \"wireguard\"`", "\"90 days\""),
    key(VPN, "ca_validity", Duration, Value("\"3650 days\""), "How long the authority is valid; not with `mode = \"wireguard\"`", "\"3650 days\""),
    key(VPN, "nodes", List, Nothing, "The burst nodes: names, or tables", "[\"burst1\", \"burst2\"]"),
    key(BURST, "name", Text, Required, "Its name", "\"burst1\""),
    key(BURST, "address", Text, Means("the next free one of `range`"), "Its address", "\"10.0.0.200\""),
    key(BURST, "register", Flag, Value("false"), "Whether it becomes a host of OpenNebula when it joins; with `mode = \"tap\"` and the server on the front-end only", "true"),
];
