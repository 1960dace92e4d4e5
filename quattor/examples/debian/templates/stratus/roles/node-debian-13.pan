# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/roles/node-debian-13;

include 'stratus/site';

variable SPMA_BACKEND ?= 'apt';
include 'components/spma/config';

# the rules are nftables' own
prefix '/software/packages';
'{nftables}' ?= dict();

# the node runs machines with KVM
prefix '/software/packages';
'{opennebula-node-kvm}' ?= dict();

prefix '/';

include 'components/accounts/config';

# OpenNebula works as this user, with the same number on every host
prefix '/software/components/accounts';
'kept_groups/kvm' ?= '';
'kept_groups/libvirt' ?= '';
'groups/oneadmin' = dict(
    'gid', 9869,
);
'users/oneadmin' = dict(
    'comment', 'OpenNebula',
    'createHome', false,
    'groups', list('oneadmin', 'kvm', 'libvirt'),
    'homeDir', '/var/lib/one',
    'shell', '/bin/bash',
    'uid', 9869,
);

prefix '/';

include 'components/dirperm/config';

# keys are for their user only
prefix '/software/components/dirperm';
'paths' = append(dict(
    'owner', 'oneadmin:oneadmin',
    'path', '/var/lib/one/.ssh',
    'perm', '0700',
    'type', 'd',
));

prefix '/';

include 'components/filecopy/config';

# packages of opennebula are accepted with a signature by this key only
prefix '/software/components/filecopy/services/{/etc/apt/keyrings/stratus-opennebula.asc}';
'config' = <<EOF;
-----BEGIN PGP PUBLIC KEY BLOCK-----
Comment: stands for OpenNebula's key in the example; no package is signed with it
-----END PGP PUBLIC KEY BLOCK-----
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0644';

# packages of opennebula come from https://downloads.opennebula.io/repo/7.4/Debian/13
prefix '/software/components/filecopy/services/{/etc/apt/sources.list.d/stratus-opennebula.sources}';
'config' = <<EOF;
Types: deb
URIs: https://downloads.opennebula.io/repo/7.4/Debian/13
Suites: stable
Components: opennebula
Signed-By: /etc/apt/keyrings/stratus-opennebula.asc
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0644';

# what the host serves comes in, from where it is meant to; nothing else does
prefix '/software/components/filecopy/services/{/etc/stratus/firewall.nft}';
'config' = <<EOF;
#!/usr/sbin/nft -f
# Made by stratus-install from the site file; changes here are lost.
# Further rules go into /etc/stratus/firewall.d/*.nft.
# Exists, is deleted, is made: all in one transaction.
table inet stratus
delete table inet stratus
table ip stratus_nat
delete table ip stratus_nat

table inet stratus {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept comment "the host itself"
		tcp dport 22 accept comment "ssh, never locked out"
		ct state established,related accept comment "answers"
		ct state invalid drop comment "belongs to nothing"
		icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept comment "ping and errors of IPv4"
		meta l4proto ipv6-icmp accept comment "neighbours, routers, ping and errors of IPv6"
		udp sport 67 udp dport 68 accept comment "the DHCP server of the host's own network"
		ip6 saddr fe80::/10 udp dport 546 accept comment "the DHCPv6 server of the host's own network"
		ip saddr { 192.0.2.10/32 } tcp dport 5900-32767 accept comment "consoles of machines (VNC)"
		ip saddr { 192.0.2.10/31, 192.0.2.12/32 } tcp dport 49152-49215 accept comment "migration of machines between nodes"
		include "/etc/stratus/firewall.d/*.nft"
		limit rate 20/second reject with icmpx admin-prohibited comment "a quick no"
	}
}
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0600';
'restart' = 'systemctl reload-or-restart stratus-firewall.service';

# the rules are there from the start of the host, before its services
prefix '/software/components/filecopy/services/{/etc/systemd/system/stratus-firewall.service}';
'config' = <<EOF;
[Unit]
Description=Firewall of the site
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
DefaultDependencies=no
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/stratus/firewall.nft
ExecReload=/usr/sbin/nft -f /etc/stratus/firewall.nft
ExecStop=/usr/sbin/nft delete table inet stratus
ExecStop=-/usr/sbin/nft delete table ip stratus_nat

[Install]
WantedBy=sysinit.target
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0644';
'restart' = 'systemctl daemon-reload; systemctl reload-or-restart stratus-firewall.service';

prefix '/';

include 'components/metaconfig/config';
bind '/software/components/metaconfig/services/{/etc/libvirt/qemu.conf}/contents' = stratus_qemu;

# machines run as oneadmin, and images keep their owner
prefix '/software/components/metaconfig/services/{/etc/libvirt/qemu.conf}';
'contents' = dict(
    'user', 'oneadmin',
    'group', 'oneadmin',
    'dynamic_ownership', false,
);
'daemons/libvirtd' = 'restart';
'group' = 'root';
'mode' = 0600;
'module' = 'libvirtd/libvirtd';
'owner' = 'root';

prefix '/';

include 'components/systemd/config';

# OpenNebula runs machines through libvirt
prefix '/software/components/systemd/unit/{libvirtd.service}';
'name' = 'libvirtd';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# the rules are loaded
prefix '/software/components/systemd/unit/{stratus-firewall.service}';
'name' = 'stratus-firewall';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# one firewall: this one would close what the site's rules open
prefix '/software/components/systemd/unit/{ufw.service}';
'name' = 'ufw';
'startstop' = true;
'state' = 'disabled';
'type' = 'service';

prefix '/';
