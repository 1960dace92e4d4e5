declaration template quattor/rules;

# Texts with a rule.
type rule_ipv4 = string with match(SELF, '^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$');
type rule_mac = string with match(SELF, '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$');
type rule_mode = string with match(SELF, '^[0-7]{4}$');
type rule_name = string with match(SELF, '^[a-z_][a-z0-9_-]*$');
type rule_port = long(0..65535);

@documentation{
    Every key is an absolute path.
}
function rule_paths = {
    foreach (name; entry; ARGV[0]) {
        if (!match(unescape(name), '^/')) {
            error('not an absolute path: ' + unescape(name));
        };
    };
    true;
};

@documentation{
    What all components have.
}
type rule_component = {
    'active' : boolean = true
    'dispatch' : boolean = true
    'version' ? string
    'ncm-module' ? string
};

type stratus_test_profile = {
    'hardware' : dict
    'software' : dict
    'system' : dict
};
