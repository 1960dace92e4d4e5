//! Keys without a successor, each with the reason.

use super::work::{Work, is_secret, sounds_secret};

const STORAGE: &str = "that storage service has no successor; OpenNebula's datastores do its work";
const CLAUDIA: &str = "Claudia has no successor here";
const PACKAGES: &str = "OpenNebula's packages decide it";
const POLICY: &str =
    "who may endorse what is said in [[repository.endorsers]]; see stratus-policy-image";

/// Beginnings of keys with the reason; an exact name comes before what it begins with.
const REASONS: [(&str, &str); 60] = [
    ("persistent_disk", STORAGE),
    ("quarantine_period", STORAGE),
    ("existing_nfs", "the front-end exports the images"),
    ("network_addr", "nodes may mount, nobody else"),
    ("network_mask", "nodes may mount, nobody else"),
    ("network_size", "each network says its own size"),
    ("one_git_repo", "OpenNebula comes as packages"),
    ("one_branch", "OpenNebula comes as packages"),
    ("one_build_dir", "OpenNebula comes as packages"),
    ("one_clone_name", "OpenNebula comes as packages"),
    ("one_group", PACKAGES),
    ("one_gid", PACKAGES),
    ("one_uid", PACKAGES),
    ("one_username", PACKAGES),
    ("one_home", PACKAGES),
    ("one_share", PACKAGES),
    ("one_ssh_key", "each node gets a key of its own"),
    ("one_db_username", "the installer makes the account"),
    ("one_private_network_addr", "no program ever read it"),
    ("one_private_network_mac", "addresses are made from `frontend.mac_prefix`"),
    ("one_public_network_mac", "no address is stated to pair them with"),
    ("one_local_network_mac", "no address is stated to pair them with"),
    ("vm_polling_interval", "`frontend.monitoring_interval` is for both"),
    ("vnc_base_port", PACKAGES),
    ("vm_dir", PACKAGES),
    ("context_script", PACKAGES),
    ("context", PACKAGES),
    ("opennebula", "OpenNebula is always installed"),
    ("stratuslab_location", "programs come as packages"),
    ("frontend_system", "the system is found out"),
    ("frontend_os", "the system is found out"),
    ("frontend_netmask", "it follows from the networks"),
    ("node_system", "the system is found out"),
    ("nodes_os", "the system is found out"),
    ("node_mount_point", PACKAGES),
    ("image_dir", PACKAGES),
    ("default_gateway", "no network needs it"),
    ("save_image_reply_to_email", "no program sends such mail"),
    ("rest_endpoints", "no program sends such messages"),
    ("smtp_host", "no mail server is installed"),
    ("caching", "the cache is a service of its own: [cache]"),
    ("dhcp", "it follows from `dhcp` of each network"),
    ("port_translation", "port translation has no successor"),
    ("pat_", "port translation has no successor"),
    ("app_repo_", "the repository keeps and serves images itself: docs/repository.md"),
    ("whitelist", POLICY),
    ("blacklist", POLICY),
    ("quota_", "quotas are set in OpenNebula"),
    ("validate_metadata", "manifests are always validated"),
    (
        "marketplace_endpoint",
        "that service ended; OpenNebula reads the repository as a marketplace",
    ),
    ("built_image_validity_period", "a manifest says its own `valid`"),
    ("proxy_", "that proxy has no successor"),
    ("certificate_authority", "trust anchors are named in `repository.trust`"),
    ("openldap", "the installer sets up no directory"),
    ("registration", "that service has no successor; people are in the directory"),
    ("mail_", "that service has no successor; people are in the directory"),
    ("ldap_manager", "that service has no successor; people are in the directory"),
    ("sunstone_", "the web interface has its own defaults"),
    ("claudia_", CLAUDIA),
    ("monitoring_", CLAUDIA),
];

/// Gives a fate to every key that has none: secrets a file, all else the reason.
pub(super) fn rest(work: &mut Work) {
    work.count_decided();
    for key in work.open_keys() {
        let reason = REASONS.iter().find(|(start, _)| key.starts_with(start));
        if reason.is_some() {
            work.count_known();
        }
        let Some(value) = work.value(&key) else { continue };
        if is_secret(&key, &value) || (reason.is_none() && sounds_secret(&key, &value)) {
            work.secret(&key, "nothing of the site file; kept in the ");
            continue;
        }
        let why = reason.map_or("no version of the old programs is known to read it", |r| r.1);
        work.leave(&key, why);
    }
}
