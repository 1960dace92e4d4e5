unique template components/metaconfig/config;

include 'quattor/rules';

type rule_metaconfig_contents = extensible {};

type rule_metaconfig_file = {
    'mode' : long = 0644
    'owner' : string = 'root'
    'group' : string = 'root'
    'daemons' ? choice('restart', 'condrestart', 'reload', 'stop_sleep_start'){}
    'module' : string
    'contents' : rule_metaconfig_contents
    'active' : boolean = true
};

type rule_metaconfig = {
    include rule_component
    'services' : rule_metaconfig_file{} with rule_paths(SELF)
};

bind '/software/components/metaconfig' = rule_metaconfig;

'/software/components/metaconfig/active' ?= true;
