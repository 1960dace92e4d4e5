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

# No export holds a password: a template of your own sets the variable.
include if_exists('site/stratus/secrets');
variable STRATUS_DATABASE_PASSWORD ?= error(
    'set STRATUS_DATABASE_PASSWORD in site/stratus/secrets.pan: the password of the user opennebula of MariaDB'
);
