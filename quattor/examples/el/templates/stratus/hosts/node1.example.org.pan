# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/hosts/node1.example.org;

include 'stratus/roles/node-almalinux-9';

include 'components/network/config';

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
