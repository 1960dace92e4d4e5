unique template components/spma/config;

include 'quattor/rules';

variable SPMA_BACKEND ?= 'yum';

type rule_spma = {
    include rule_component
    'packager' : choice('apt', 'yum', 'yumdnf')
};

bind '/software/components/spma' = rule_spma;

'/software/components/spma/active' ?= true;
'/software/components/spma/packager' ?= SPMA_BACKEND;
