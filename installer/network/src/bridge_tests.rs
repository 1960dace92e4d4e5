//! What the files say; whether the tools take them is a scenario of the package stratus-tests.

use super::*;

const TOOLS: [Tool; 5] =
    [Tool::Ifupdown, Tool::Netplan, Tool::NetworkManager, Tool::Networkd, Tool::Wicked];

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn fixed() -> Addressing {
    Addressing {
        addresses: ["10.0.0.11/24", "10.9.0.1/16", "2001:db8::11/64"]
            .map(|net| net.parse().unwrap())
            .into(),
        gateway4: Some("10.0.0.1".parse().unwrap()),
        gateway6: Some("fe80::1".parse().unwrap()),
        dns: ["10.0.0.3", "2001:db8::3"].map(|server| server.parse().unwrap()).into(),
        search: vec!["example.org".into(), "lab.example.org".into()],
        mtu: Some(9000),
        mac: Some("52:54:00:12:34:56".parse().unwrap()),
        dhcp: false,
    }
}

fn dhcp() -> Addressing {
    Addressing { dhcp: true, mac: fixed().mac, ..Addressing::default() }
}

fn shown(tool: Tool, port: Option<&str>, addressing: &Addressing) -> String {
    let port = port.map(name);
    let made = bridge_files(tool, &name("br0"), port.as_ref(), addressing);
    let mut text = String::new();
    for file in &made.files {
        text += &format!("== {} {:o}\n{}", file.path, file.mode, file.content);
    }
    for (title, commands) in [("apply", &made.apply), ("revert", &made.revert)] {
        text += &format!("== {title}\n");
        text.extend(commands.iter().map(|words| words.join(" ").trim_end().to_owned() + "\n"));
    }
    text
}

#[test]
fn a_host_with_stated_addresses_keeps_them_on_the_bridge() {
    for tool in TOOLS {
        insta::assert_snapshot!(format!("fixed_{tool:?}"), shown(tool, Some("eth0"), &fixed()));
    }
}

#[test]
fn a_host_with_dhcp_asks_from_the_bridge() {
    for tool in TOOLS {
        insta::assert_snapshot!(format!("dhcp_{tool:?}"), shown(tool, Some("eth0"), &dhcp()));
    }
}

#[test]
fn a_bridge_without_addresses_serves_machines_only() {
    for tool in TOOLS {
        insta::assert_snapshot!(
            format!("bare_{tool:?}"),
            shown(tool, None, &Addressing::default())
        );
    }
}

#[test]
fn a_router_outside_the_subnet_is_said_to_be_on_the_link() {
    let addressing = Addressing {
        addresses: vec!["192.0.2.7/32".parse().unwrap()],
        gateway4: Some("198.51.100.1".parse().unwrap()),
        ..Addressing::default()
    };
    let words = [
        (Tool::Ifupdown, "via 198.51.100.1 dev 'br0' onlink"),
        (Tool::Netplan, "on-link: true"),
        (Tool::Networkd, "GatewayOnLink=yes"),
        (Tool::Wicked, "198.51.100.1 - - br0\ndefault 198.51.100.1 - br0"),
    ];
    for (tool, word) in words {
        let text = shown(tool, Some("eth0"), &addressing);
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_router_of_ipv6_that_is_not_stated_is_still_learned() {
    let addressing = Addressing { gateway6: None, ..fixed() };
    assert!(shown(Tool::Ifupdown, Some("eth0"), &addressing).contains("accept_ra 2"));
    let profile = shown(Tool::NetworkManager, Some("eth0"), &addressing);
    assert!(profile.contains("[ipv6]\nmethod=auto\naddress1=2001:db8::11/64"), "{profile}");
    for tool in [Tool::Netplan, Tool::Networkd] {
        let text = shown(tool, None, &addressing).to_lowercase();
        assert!(!text.contains("accept-ra") && !text.contains("acceptra"), "{text}");
    }
}

#[test]
fn nothing_strange_found_on_a_host_gets_into_a_file() {
    let evil = "x\"]\n    evil: [\"$(reboot)";
    let addressing = Addressing { search: vec![evil.into(), "good.org".into()], ..fixed() };
    for tool in TOOLS {
        let text = shown(tool, Some("eth0"), &addressing);
        assert!(!text.contains("evil"), "{text}");
    }
}

#[test]
fn an_interface_is_taken_out_of_an_interfaces_file() {
    let before = "\
# The loopback
source /etc/network/interfaces.d/*
auto lo eth0
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet static
    address 10.0.0.11/24
    # office
    up echo a \\
       b
iface eth0 inet6 auto
auto eth1
iface eth1 inet dhcp
    hostname x
";
    let after = "\
# The loopback
source /etc/network/interfaces.d/*
auto lo
iface lo inet loopback

    # office
auto eth1
iface eth1 inet dhcp
    hostname x
";
    assert_eq!(interfaces_without(before, &name("eth0")), after);
    assert_eq!(interfaces_without(before, &name("eth9")), before);
}
