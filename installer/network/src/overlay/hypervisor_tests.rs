use super::*;
use crate::overlay::join_script;
use flate2::read::GzDecoder;
use std::io::Read as _;

fn script() -> (HostName, String) {
    let name: HostName = "burst1.example.org".parse().unwrap();
    let token = Token { name: &name, text: "to-ken" };
    let bridge = "br0".parse().unwrap();
    let host = Hypervisor {
        bridge: &bridge,
        address: "10.0.0.40".parse().unwrap(),
        prefix: 26,
        mac: "02:00:0a:00:00:28".parse().unwrap(),
        mtu: 1414,
        program: "#!/bin/sh\necho \"a $node\"\n",
    };
    let text = host_script(&join_script("profile\n", token), token, host);
    (name, text)
}

#[test]
fn a_node_tells_its_key_and_has_its_address_on_a_bridge() {
    let (_, text) = script();
    insta::assert_snapshot!("host_script", text);
    // The secret is there before the joining looks for it.
    let [told, joins] =
        ["${told#AAAA", "base64 -d > /etc/openvpn/client"].map(|w| text.find(w).unwrap());
    assert!(told < joins);
}

#[test]
fn user_data_is_packed() {
    let (name, text) = script();
    let cloud = packed_cloud_init(&text, &name);
    assert!(cloud.contains("    encoding: gz+b64\n") && cloud.contains("stratus-join"), "{cloud}");
    let encoded = cloud.lines().find_map(|line| line.trim().strip_prefix("content: ")).unwrap();
    let packed = STANDARD.decode(encoded).unwrap();
    let mut unpacked = String::new();
    GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
}

#[test]
fn the_front_end_looks_each_minute() {
    let files = register_files(&Place::default());
    let text: String = files.iter().map(|file| file.content.as_str()).collect();
    assert!(text.contains("ExecStart=/usr/bin/stratus-vpn register\n"), "{text}");
    assert!(text.contains("ExecStop=/usr/bin/stratus-vpn register --forget\n"), "{text}");
    assert!(text.contains("OnUnitActiveSec=1min\n"), "{text}");
}
