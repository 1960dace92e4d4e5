unique template components/opennebula/config;

include 'quattor/rules';

type rule_one_ar = {
    'type' : choice('IP4', 'IP6', 'IP4_6', 'ETHER')
    'ip' ? rule_ipv4
    'size' : long(1..)
    'mac' ? rule_mac
};

type rule_one_vnet = {
    'bridge' ? string
    'vn_mad' : choice('802.1Q', 'ebtables fw', 'ovswitch', 'vxlan', 'vcenter', 'dummy') = 'dummy'
    'gateway' ? rule_ipv4
    'dns' ? rule_ipv4
    'network_mask' ? rule_ipv4
    'network_address' ? rule_ipv4
    'guest_mtu' ? long
    'search_domain' ? string
    'vlan_id' ? long(0..4095)
    'ar' ? rule_one_ar
    'phydev' ? string
} with {
    if (SELF['vn_mad'] == 'vxlan') {
        exists(SELF['phydev']) || error('a network in VXLAN needs phydev');
    } else {
        exists(SELF['bridge']) || error('a network of this driver needs a bridge');
    };
};

type rule_one_datastore = {
    'ds_mad' ? choice('fs', 'ceph', 'dev')
    'tm_mad' : choice('shared', 'ceph', 'ssh', 'vmfs', 'dev') = 'ceph'
    'type' : choice('IMAGE_DS', 'SYSTEM_DS') = 'IMAGE_DS'
} with {
    if (exists(SELF['ds_mad']) && SELF['ds_mad'] == 'fs') {
        SELF['tm_mad'] == 'shared' || error('fs goes with shared only');
    } else {
        true;
    };
};

type rule_one_host = {
    'host_hyp' : choice('kvm', 'xen') = 'kvm'
    'cluster' ? string
};

type rule_one_cluster = {
    'description' ? string
    'reserved_cpu' ? long
    'reserved_mem' ? long
};

type rule_one_log = {
    'system' : choice('file', 'syslog') = 'file'
    'debug_level' : long(0..5) = 3
};

type rule_one_db = {
    'backend' : choice('mysql', 'sqlite')
    'server' ? string
    'port' ? rule_port
    'user' ? string
    'passwd' ? string
    'db_name' ? string
    'connections' : long(1..) = 25
} with {
    foreach (i; name; list('server', 'port', 'user', 'passwd', 'db_name')) {
        if (SELF['backend'] == 'mysql' && !exists(SELF[name])) {
            error('a mysql database needs ' + name);
        };
    };
    true;
};

type rule_oned = {
    'db' : rule_one_db
    'listen_address' : rule_ipv4 = '0.0.0.0'
    'log' : rule_one_log
    'mac_prefix' : string = '02:00'
    'onegate_endpoint' ? string
    'port' : rule_port = 2633
};

type rule_monitord = {
    'network' : dict with is_string(SELF['address'])
    'probes_period' : long(1..){}
};

type rule_opennebula = {
    include rule_component
    'clusters' ? rule_one_cluster{}
    'datastores' ? rule_one_datastore{}
    'hosts' ? rule_one_host{}
    'vnets' ? rule_one_vnet{}
    'oned' ? rule_oned
    'monitord' ? rule_monitord
    'untouchables' ? string[]{}
};

bind '/software/components/opennebula' = rule_opennebula;

'/software/components/opennebula/active' ?= true;
