unique template components/filecopy/config;

include 'quattor/rules';

type rule_filecopy_file = {
    'config' : string
    'restart' ? string
    'perms' ? rule_mode
    'owner' ? string
    'group' ? string
    'backup' : boolean = true
};

type rule_filecopy = {
    include rule_component
    'services' ? rule_filecopy_file{} with rule_paths(SELF)
};

bind '/software/components/filecopy' = rule_filecopy;

'/software/components/filecopy/active' ?= true;
