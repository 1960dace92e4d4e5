declaration template components/network/system;

include 'quattor/rules';

type rule_interface = {
    'bootproto' ? choice('static', 'bootp', 'dhcp', 'none')
    'bridge' ? string
    'broadcast' ? rule_ipv4
    'delay' ? long
    'gateway' ? rule_ipv4
    'ip' ? rule_ipv4
    'netmask' ? rule_ipv4
    'onboot' ? boolean
    'stp' ? boolean
    'type' ? choice('Ethernet', 'Bridge')
} with {
    if (SELF['bootproto'] == 'static' && !(exists(SELF['ip']) && exists(SELF['netmask']))) {
        error('a static interface has an address and a mask');
    };
    true;
};

type rule_network = {
    'domainname' : string
    'hostname' : string with match(SELF, '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')
    'default_gateway' ? rule_ipv4
    'interfaces' : rule_interface{}
    'nameserver' ? rule_ipv4[]
} with {
    # A bridge that an interface belongs to is one of the interfaces.
    foreach (name; interface; SELF['interfaces']) {
        if (exists(interface['bridge']) && !exists(SELF['interfaces'][interface['bridge']])) {
            error(format('%s belongs to a bridge that is not there: %s', name, interface['bridge']));
        };
    };
    true;
};

bind '/system/network' = rule_network;
