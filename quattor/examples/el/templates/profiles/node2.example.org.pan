# Made by stratus-quattor from the site file; changes here are lost with the next export.
object template node2.example.org;

include 'quattor/profile_base';

# Yours: hardware, kernel, root's mail, what every host of your site has.
include if_exists('site/stratus/base');
include if_exists('site/stratus/hosts/node2.example.org');

include 'stratus/hosts/node2.example.org';
