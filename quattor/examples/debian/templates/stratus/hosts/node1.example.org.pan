# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/hosts/node1.example.org;

include 'stratus/roles/node-debian-13';

include 'components/filecopy/config';

# nodes.bridge: machines reach the LAN through it
prefix '/software/components/filecopy/services/{/etc/network/interfaces.d/stratus-br0}';
'config' = <<EOF;
# Made by stratus-install from the site file; changes here are lost.
iface eno1 inet manual

auto br0
iface br0 inet static
    pre-up ip link show dev 'br0' >/dev/null 2>&1 || ip link add name 'br0' type bridge
    pre-up ip link set dev 'br0' type bridge stp_state 0 forward_delay 0
    pre-up ip address flush dev 'eno1'
    pre-up ip link set dev 'eno1' master 'br0' up
    post-down ip link set dev 'eno1' nomaster
    address 192.0.2.11/24
    gateway 192.0.2.1
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0644';

prefix '/';

# the name, unless your own base has said it
prefix '/system/network';
'domainname' ?= 'example.org';
'hostname' ?= 'node1';

# nodes.bridge: machines reach the LAN through it
prefix '/system/network';
'interfaces/eno1' = dict(
    'bootproto', 'none',
    'bridge', 'br0',
    'onboot', true,
    'type', 'Ethernet',
);
'interfaces/br0' = dict(
    'bootproto', 'static',
    'broadcast', '192.0.2.255',
    'ip', '192.0.2.11',
    'netmask', '255.255.255.0',
    'delay', 0,
    'onboot', true,
    'stp', false,
    'type', 'Bridge',
);
'default_gateway' ?= '192.0.2.1';

prefix '/';
