# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/roles/frontend-almalinux-9;

include 'stratus/site';

variable SPMA_BACKEND ?= 'yumdnf';
include 'components/spma/config';

# OpenNebula's packages need some of the repository that this package brings
prefix '/software/packages';
'{epel-release}' ?= dict();

# frontend.database = "mariadb"
prefix '/software/packages';
'{mariadb-server}' ?= dict();

# share = "nfs": the front-end exports the datastores
prefix '/software/packages';
'{nfs-utils}' ?= dict();

# the rules are nftables' own
prefix '/software/packages';
'{nftables}' ?= dict();

# frontend.web: people use OpenNebula in a browser
prefix '/software/packages';
'{opennebula-fireedge}' ?= dict();

# machines tell OpenNebula that they are ready
prefix '/software/packages';
'{opennebula-gate}' ?= dict();

# the front-end runs OpenNebula's daemon
prefix '/software/packages';
'{opennebula}' ?= dict();
'{opennebula-tools}' ?= dict();

prefix '/';

include 'components/accounts/config';

# OpenNebula works as this user, with the same number on every host
prefix '/software/components/accounts';
'groups/oneadmin' = dict(
    'gid', 9869,
);
'users/oneadmin' = dict(
    'comment', 'OpenNebula',
    'createHome', false,
    'groups', list('oneadmin'),
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

# images and machines' disks are kept here
prefix '/software/components/dirperm';
'paths' = append(dict(
    'owner', 'oneadmin:oneadmin',
    'path', '/var/lib/one/datastores',
    'perm', '0750',
    'type', 'd',
));

prefix '/';

include 'components/filecopy/config';

# the nodes, and nobody else, mount the datastores
prefix '/software/components/filecopy/services/{/etc/exports.d/stratus.exports}';
'config' = <<EOF;
/var/lib/one/datastores 192.0.2.11(rw,sync,no_subtree_check,root_squash)
/var/lib/one/datastores 192.0.2.12(rw,sync,no_subtree_check,root_squash)
EOF
'group' = 'root';
'owner' = 'root';
'perms' = '0644';
'restart' = 'exportfs -ra';

# packages of opennebula are accepted with a signature by this key only
prefix '/software/components/filecopy/services/{/etc/pki/rpm-gpg/RPM-GPG-KEY-stratus-opennebula}';
'config' = <<EOF;
-----BEGIN PGP PUBLIC KEY BLOCK-----
Comment: stands for OpenNebula's key in the example; no package is signed with it
-----END PGP PUBLIC KEY BLOCK-----
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
		ip saddr { 192.0.2.10/31, 192.0.2.12/32 } tcp dport 4124 accept comment "monitoring data from nodes"
		ip saddr { 192.0.2.10/31, 192.0.2.12/32 } udp dport 4124 accept comment "monitoring data from nodes"
		ip saddr { 192.0.2.0/24 } tcp dport 2616 accept comment "web interface of OpenNebula"
		ip saddr { 192.0.2.10/31, 192.0.2.12/32 } tcp dport 2049 accept comment "share of the datastores (NFS 4)"
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
bind '/software/components/metaconfig/services/{/etc/my.cnf.d/60-stratus.cnf}/contents' = stratus_sections;
bind '/software/components/metaconfig/services/{/etc/yum.repos.d/stratus-crb.repo}/contents' = stratus_sections;
bind '/software/components/metaconfig/services/{/etc/yum.repos.d/stratus-opennebula.repo}/contents' = stratus_sections;

# oned asks for this isolation: with the default one its queries block each other
prefix '/software/components/metaconfig/services/{/etc/my.cnf.d/60-stratus.cnf}';
'contents' = dict(
    'mysqld', dict(
        'transaction-isolation', 'READ-COMMITTED',
    ),
);
'daemons/mariadb' = 'restart';
'group' = 'root';
'mode' = 0644;
'module' = 'tiny';
'owner' = 'root';

# OpenNebula's packages need some of the repository `crb`
prefix '/software/components/metaconfig/services/{/etc/yum.repos.d/stratus-crb.repo}';
'contents' = dict(
    'stratus-crb', dict(
        'name', 'stratus-crb',
        'mirrorlist', 'https://mirrors.almalinux.org/mirrorlist/9/crb',
        'enabled', '1',
        'gpgcheck', '1',
        'gpgkey', 'file:///etc/pki/rpm-gpg/RPM-GPG-KEY-AlmaLinux-9',
    ),
);
'group' = 'root';
'mode' = 0644;
'module' = 'tiny';
'owner' = 'root';

# packages of opennebula come from https://downloads.opennebula.io/repo/7.4/AlmaLinux/9
prefix '/software/components/metaconfig/services/{/etc/yum.repos.d/stratus-opennebula.repo}';
'contents' = dict(
    'stratus-opennebula', dict(
        'name', 'stratus-opennebula',
        'baseurl', 'https://downloads.opennebula.io/repo/7.4/AlmaLinux/9/$basearch',
        'enabled', '1',
        'gpgcheck', '1',
        'gpgkey', 'file:///etc/pki/rpm-gpg/RPM-GPG-KEY-stratus-opennebula',
    ),
);
'group' = 'root';
'mode' = 0644;
'module' = 'tiny';
'owner' = 'root';

prefix '/';

include 'components/systemd/config';

# one firewall: this one would close what the site's rules open
prefix '/software/components/systemd/unit/{firewalld.service}';
'name' = 'firewalld';
'startstop' = true;
'state' = 'disabled';
'type' = 'service';

# frontend.database = "mariadb"
prefix '/software/components/systemd/unit/{mariadb.service}';
'name' = 'mariadb';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# the datastores are exported by NFS
prefix '/software/components/systemd/unit/{nfs-server.service}';
'name' = 'nfs-server';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# frontend.web: people use OpenNebula in a browser
prefix '/software/components/systemd/unit/{opennebula-fireedge.service}';
'name' = 'opennebula-fireedge';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# machines tell OpenNebula that they are ready
prefix '/software/components/systemd/unit/{opennebula-gate.service}';
'name' = 'opennebula-gate';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# OpenNebula's daemon, with the settings of the site
prefix '/software/components/systemd/unit/{opennebula.service}';
'name' = 'opennebula';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

# the rules are loaded
prefix '/software/components/systemd/unit/{stratus-firewall.service}';
'name' = 'stratus-firewall';
'startstop' = true;
'state' = 'enabled';
'type' = 'service';

prefix '/';

include 'components/opennebula/config';

# nodes.cluster: hosts belong to it
prefix '/software/components/opennebula';
'clusters/rack1' = dict();

# nodes.share: how images get to the nodes
prefix '/software/components/opennebula';
'datastores/default' = dict(
    'ds_mad', 'fs',
    'tm_mad', 'shared',
    'type', 'IMAGE_DS',
);

# nodes.share: how images get to the nodes
prefix '/software/components/opennebula';
'datastores/system' = dict(
    'tm_mad', 'shared',
    'type', 'SYSTEM_DS',
);

# nodes.hosts: machines run there
prefix '/software/components/opennebula';
'hosts/node1.example.org' = dict(
    'cluster', 'rack1',
    'host_hyp', 'kvm',
);

# nodes.hosts: machines run there
prefix '/software/components/opennebula';
'hosts/node2.example.org' = dict(
    'cluster', 'rack1',
    'host_hyp', 'kvm',
);

# [networks]: machines get addresses from it
prefix '/software/components/opennebula';
'vnets/machines' = dict(
    'ar', dict(
        'ip', '192.0.2.100',
        'mac', '02:00:c0:00:02:64',
        'size', 100,
        'type', 'IP4',
    ),
    'bridge', 'br0',
    'dns', '192.0.2.1',
    'gateway', '192.0.2.1',
    'network_address', '192.0.2.0',
    'network_mask', '255.255.255.0',
    'vn_mad', 'dummy',
);

# frontend.monitoring_interval: how often hosts and machines are looked at
prefix '/software/components/opennebula/monitord';
'probes_period' = dict(
    'beacon_host', 30,
    'system_host', 600,
    'monitor_host', 60,
    'state_vm', 5,
    'monitor_vm', 60,
    'sync_state_vm', 180,
);
'network/address' ?= '0.0.0.0';

# [frontend] and [identity] say how oned works; every other key stays
prefix '/software/components/opennebula/oned';
'db' = dict(
    'backend', 'mysql',
    'server', 'localhost',
    'port', 0,
    'user', 'opennebula',
    'db_name', 'opennebula',
    'connections', 25,
    'passwd', STRATUS_DATABASE_PASSWORD,
);
'port' = 2633;
'listen_address' = '127.0.0.1';
'mac_prefix' = '02:00';
'log' = dict(
    'system', 'file',
    'debug_level', 3,
);
'onegate_endpoint' = 'http://192.0.2.10:5030';

prefix '/';
