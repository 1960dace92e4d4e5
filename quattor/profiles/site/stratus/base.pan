unique template site/stratus/base;

include 'components/network/system';

# What a site says of every host before Stratus does: only so much that a profile is whole.
'/hardware/location' ?= 'rack 1';
'/system/kernel/version' ?= '6.12';
'/system/rootmail' ?= 'root@example.org';
'/system/network/interfaces' ?= dict();
