//! Old files of every era become site files, and nothing of them is lost silently.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use std::path::Path;
use stratus_site::Site;
use stratus_site::import::{Import, import};

const ERAS: [&str; 4] = ["2010-08", "2010-11", "2012-06", "2014-06"];

fn old(era: &str) -> String {
    let file = format!("tests/old/{era}.cfg");
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn parse(import: &Import) -> Result<Site, String> {
    Site::parse(Path::new("site.toml"), &import.toml).map_err(|report| report.to_string())
}

/// What a person sees: the file, the fates, the notes and the names of the secrets.
fn shown(import: &Import) -> String {
    let mut text = import.toml.clone();
    text.push_str("---- fates\n");
    for fate in &import.fates {
        let became = fate.became.as_deref().unwrap_or("-");
        let value = fate.value.replace('\n', "|");
        let line = format!("{}: {} = {value} -> {became}; {}", fate.line, fate.key, fate.why);
        text.push_str(&format!("{}\n", line.trim_end_matches([' ', ';'])));
    }
    for (line, note) in &import.notes {
        text.push_str(&format!("---- note {line}: {note}\n"));
    }
    for secret in &import.secrets {
        text.push_str(&format!("---- {}\n", secret.file));
    }
    match parse(import) {
        Ok(_) => text + "---- good\n",
        Err(report) => text + "---- " + &report + "\n",
    }
}

#[test]
fn every_era_becomes_a_site_file() {
    for era in ERAS {
        let import = import(&old(era));
        insta::assert_snapshot!(era, shown(&import));
        let site = parse(&import).unwrap();
        let private = site.networks.iter().find(|n| n.name.as_str() == "private");
        assert!(private.is_some(), "{era} has a private network");
        for fate in &import.fates {
            assert!(fate.became.is_some() || !fate.why.is_empty(), "{era}: {fate:?}");
        }
    }
}

#[test]
fn secrets_are_in_files_of_their_own_and_nowhere_else() {
    let import = import(&old("2014-06"));
    let secrets: Vec<&str> = import.secrets.iter().map(|s| s.content.trim()).collect();
    assert!(secrets.contains(&"m4ilb0x"), "{secrets:?}");
    let told = format!("{} {:?} {:?}", import.toml, import.fates, import.notes);
    for secret in secrets {
        assert!(!told.contains(secret), "`{secret}` is told");
    }
}

#[test]
fn placeholders_are_never_carried_over() {
    let import = import("[a]\nfrontend_ip = x.x.x.x\ndefault_gateway = 3.13.3.7\nnat = maybe\n");
    let why: Vec<&str> = import.fates.iter().map(|f| f.why.as_str()).collect();
    assert_eq!(why[..2], ["it is a placeholder", "it is a placeholder"]);
    assert!(import.fates.iter().all(|f| f.became.is_none()));
    assert!(import.toml.contains("host = \"localhost\""), "{}", import.toml);
    // A name that the old file does not give is not made up in silence.
    assert!(
        import.toml.contains("`localhost` in [frontend] only stands for it"),
        "{}",
        import.toml
    );
    assert!(import.notes.iter().any(|(line, text)| *line == 0 && text.contains("localhost")));
}

#[test]
fn what_sounds_like_a_secret_is_one_unless_it_is_known_or_a_path() {
    let text = "[a]\nmy_secret_token = topsecret1\nmy_secret_token = topsecret2\napi-key = k4y\nmonkey = banana\nhost_key = /etc/key\n";
    let import = import(text);
    let told = format!("{} {:?} {:?}", import.toml, import.fates, import.notes);
    for secret in ["topsecret1", "topsecret2", "k4y"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert_eq!(import.secrets.len(), 2, "{:?}", import.secrets);
    assert!(told.contains("banana") && told.contains("/etc/key"), "{told}");
}

#[test]
fn keys_that_the_old_programs_knew_are_counted() {
    let known = |text: &str| import(text).known;
    assert_eq!(known("[a]\nhypervisor = kvm\nvnc_base_port = 1\nother = 2\n"), 2);
    assert_eq!(known("[site]\nother = 2\n"), 0);
    assert_eq!(known("words and no keys"), 0);
}

#[test]
fn a_lease_list_that_makes_no_sense_is_named_by_the_check() {
    let import = import("[n]\none_public_network_addr = 192.0.2.1 192.0.2.1 here\n");
    let report = parse(&import).unwrap_err();
    assert!(report.contains("\"here\"") && report.contains("`192.0.2.1` is a lease"), "{report}");
}

/// Lines as they occur in old files, in any order and with any damage.
fn line() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "one_private_network",
        "one_private_network_size",
        "one_public_network_addr",
        "one_public_network_mac",
        "one_local_network_addr",
        "nat",
        "nat_network",
        "nat_netmask",
        "dhcp",
        "dhcp_one_public_network",
        "dhcp_one_public_network_subnet",
        "dhcp_one_public_network_netmask",
        "dhcp_one_public_network_routers",
        "frontend_ip",
        "mac_prefix",
        "hypervisor",
        "share_type",
        "one_port",
        "app_repo_ldap_url",
        "app_repo_ldap_bind",
        "app_repo_ldap_passwd",
        "app_repo_structure",
        "app_repo_url",
        "default_gateway",
        "domain_name",
        "one_db_host",
        "node_bridge_name",
        "strange key",
        "registration_admin_email",
        "host_monitoring_interval",
        "one_password",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "10.0.0.0",
            "192.0.2.7 192.0.2.8",
            "255.255.255.0",
            "True",
            "no",
            "B",
            "16",
            "65536",
            "x.x.x.x",
            "%(nat)s",
            "%(a",
            "ldap://h:10636/o=x?uid",
            "02:00",
            "kvm ; old",
            "a@b",
            "127.0.0.1",
            "https://u:p@h/images",
            "example.org",
            "#type_#",
            "\"",
            "\u{7f}\u{1}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    prop_oneof![
        8 => (keys, values).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => "\\PC{0,20}".prop_map(|text| format!("  {text}")),
        1 => "[\\[\\];#=: %()a-z\t\r]{0,12}",
    ]
}

proptest! {
    #[test]
    fn whatever_the_old_file_says_the_new_one_is_toml_and_each_key_has_a_fate(
        lines in prop::collection::vec(line(), 0..25)
    ) {
        let import = import(&format!("[one]\n{}\n", lines.join("\n")));
        if let Err(report) = parse(&import) {
            // Problems of meaning are for a person; the syntax is ours.
            prop_assert!(report.contains("site.toml:"), "{}", report);
            prop_assert!(stratus_site::edit::Editor::open(&import.toml).is_ok(), "{}", import.toml);
        }
        for fate in &import.fates {
            prop_assert!(fate.became.is_some() || !fate.why.is_empty(), "{fate:?}");
        }
    }

    #[test]
    fn any_text_is_imported(text in "\\PC{0,200}") {
        prop_assert!(stratus_site::edit::Editor::open(&import(&text).toml).is_ok());
    }
}
