# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/hosts/frontend.example.org;

include 'stratus/roles/frontend-almalinux-9';

include 'components/network/config';

# the name, unless your own base has said it
prefix '/system/network';
'domainname' ?= 'example.org';
'hostname' ?= 'frontend';

prefix '/';
