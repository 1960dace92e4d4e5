unique template components/systemd/config;

include 'quattor/rules';

type rule_unit = {
    'name' ? string
    'targets' : string[] = list('multi-user')
    'type' : choice(
        'service', 'target', 'sysv', 'socket', 'mount', 'automount', 'timer', 'slice', 'path'
    ) = 'service'
    'startstop' : boolean = true
    'state' : choice('enabled', 'disabled', 'masked') = 'enabled'
};

type rule_systemd = {
    include rule_component
    'unconfigured' : choice('ignore', 'enabled', 'disabled', 'on', 'off') = 'ignore'
    'unit' ? rule_unit{}
} with {
    # The whole name of a unit ends with its type.
    foreach (name; unit; SELF['unit']) {
        if (!match(unescape(name), '\.' + unit['type'] + '$')) {
            error(format('%s is not of the type %s', unescape(name), unit['type']));
        };
    };
    true;
};

bind '/software/components/systemd' = rule_systemd;

'/software/components/systemd/active' ?= true;
