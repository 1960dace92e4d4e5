//! Networks of a site as values: addresses, vnet templates, bridges, DHCP, firewall.
