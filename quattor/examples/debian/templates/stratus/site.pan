# Made by stratus-quattor from the site file; changes here are lost with the next export.
unique template stratus/site;

include 'stratus/schema';

variable STRATUS_SITE ?= 'example';
variable STRATUS_SERIES ?= '7.4';
variable STRATUS_FRONTEND ?= 'frontend.example.org';
variable STRATUS_NODES ?= list(
    'node1.example.org',
    'node2.example.org',
);
