unique template components/network/config;

include 'quattor/rules';

type rule_network_component = {
    include rule_component
};

bind '/software/components/network' = rule_network_component;

'/software/components/network/active' ?= true;
