unique template components/accounts/config;

include 'quattor/rules';

type rule_user = {
    'comment' ? string
    'createHome' ? boolean
    'groups' : string[]
    'homeDir' ? string with match(SELF, '^/')
    'shell' : string = '/bin/bash'
    'uid' : long(0..)
};

type rule_group = {
    'gid' : long(1..)
};

type rule_accounts = {
    include rule_component
    'users' ? rule_user{}
    'groups' ? rule_group{}
    'kept_users' : string{}
    'kept_groups' : string{}
    'remove_unknown' : boolean = false
} with {
    # A group of a user is one of the profile or one that is kept.
    foreach (name; user; SELF['users']) {
        foreach (i; group; user['groups']) {
            if (!exists(SELF['groups'][group]) && !exists(SELF['kept_groups'][group])) {
                error(format('the group %s of the user %s is not known', group, name));
            };
        };
    };
    true;
};

bind '/software/components/accounts' = rule_accounts;

'/software/components/accounts/active' ?= true;
'/software/components/accounts/kept_users' ?= dict('root', '');
'/software/components/accounts/kept_groups' ?= dict('root', '');
