use super::*;
use std::path::Path;

const MINIMAL: &str = include_str!("../../../site/examples/minimal.toml");
const FROM: FromFrontend<'static> =
    FromFrontend { public_key: "ssh-ed25519 AAAA oneadmin@front\n", signing_key: Some("ARMOUR\n") };

fn site(more: &str) -> Site {
    Site::parse(Path::new("/s.toml"), &format!("{MINIMAL}{more}")).unwrap()
}

#[test]
fn a_program_knows_every_release_of_the_sites_series() {
    let site = site("");
    let text = node_program(&site, FROM);
    for (_, release) in releases(&site) {
        let name = release.name();
        assert!(text.contains(&format!("\n{name} | {name}.*) family=")), "{name}: {text}");
    }
    assert!(text.contains("authorized='ssh-ed25519 AAAA oneadmin@front'\n"), "{text}");
    assert!(text.contains("URIs: https://downloads.opennebula.io/repo/7.4/@PATH@\n"), "{text}");
    assert!(text.contains("cat <<'END-OF-TEXT'\nARMOUR\nEND-OF-TEXT\n"), "{text}");
    assert!(text.ends_with(PROGRAM));
}

#[test]
fn packages_come_from_where_the_site_has_them() {
    let own = node_program(&site("[packages]\nopennebula = \"http://mirror.lab/one/\"\n"), FROM);
    assert!(own.contains("\nbaseurl=http://mirror.lab/one/7.4/@PATH@/$basearch\n"), "{own}");
    let mut carried = site("");
    carried.packages.offline = Some("/srv/packages".into());
    assert!(node_program(&carried, FROM).contains("\nbase=''\n"));
}

#[test]
fn the_datastores_are_mounted_where_all_nodes_do() {
    let mut site = site("");
    let packages = |site: &Site| {
        let text = node_program(site, FROM);
        assert_eq!(text.contains("\nshare='nfs'\n"), mounts(site), "{text}");
        text.contains("packages='opennebula-node-kvm nfs-common'")
    };
    assert!(!packages(&site));
    site.nodes.iter_mut().for_each(|node| node.share = Share::Nfs);
    assert!(packages(&site));
    site.nodes.clear();
    assert!(!packages(&site));
}

#[test]
fn a_quote_stays_within_its_word() {
    assert_eq!(quoted("a'b"), "'a'\\''b'");
    assert_eq!(printed("a"), "cat <<'END-OF-TEXT'\na\nEND-OF-TEXT\n");
}
