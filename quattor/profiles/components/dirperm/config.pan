unique template components/dirperm/config;

include 'quattor/rules';

type rule_dirperm_path = {
    'path' : string with match(SELF, '^/')
    'perm' : rule_mode
    'owner' : string with match(SELF, '^\w+(:\w+)?$')
    'type' : choice('d', 'f')
};

type rule_dirperm = {
    include rule_component
    'paths' ? rule_dirperm_path[]
};

bind '/software/components/dirperm' = rule_dirperm;

'/software/components/dirperm/active' ?= true;
