use super::*;
use crate::samples::site;
use proptest::prelude::*;

const KEYS: ClientKeys<'static> =
    ClientKeys { ca: "CA\n", certificate: "CERT\n", key: "KEY\n", tls_crypt_v2: "WRAPPED\n" };

fn vpn(site: &Site) -> Vpn {
    site.vpn.clone().unwrap()
}

fn routed(site: &Site) -> Vpn {
    let subnet = "10.8.0.0/24".parse().unwrap();
    let mut vpn = Vpn { mode: VpnMode::Tun, subnet, network: None, ..vpn(site) };
    vpn.range.first = "10.8.0.1".parse().unwrap();
    vpn
}

#[test]
fn a_bridged_server_and_its_host() {
    let (site, place) = (site(), Place::default());
    let vpn = vpn(&site);
    insta::assert_snapshot!("server_tap", server_conf(&site, &vpn, &place).unwrap());
    let files = host_files(&site, &vpn, &place);
    let shown: Vec<String> =
        files.iter().map(|f| format!("=== {} {:o}\n{}", f.path, f.mode, f.content)).collect();
    insta::assert_snapshot!("host_tap", shown.join("\n"));
    assert_eq!(
        client_directives(&vpn, vpn.range.first),
        "ifconfig-push 10.0.0.40 255.255.255.192\n"
    );
}

/// A folder below `/run` goes with each start of the host.
#[test]
fn a_report_is_written_each_minute() {
    let unit = |report: &str| report_files(report, &Place::default())[0].content.clone();
    let text = unit("/run/stratus/vpn.json");
    assert!(text.contains("ExecStart=/usr/bin/stratus-vpn status --to /run/stratus/vpn.json\n"));
    assert!(text.contains("\nRuntimeDirectory=stratus\n"), "{text}");
    assert!(!unit("/srv/vpn.json").contains("RuntimeDirectory"));
    assert!(!unit("/run/vpn.json").contains("RuntimeDirectory"));
    assert!(report_files("/a", &Place::default())[1].content.contains("OnUnitActiveSec=1min"));
}

#[test]
fn a_routed_server_has_an_address_and_tells_routes() {
    let (site, place) = (site(), Place::default());
    let vpn = routed(&site);
    insta::assert_snapshot!("server_tun", server_conf(&site, &vpn, &place).unwrap());
    assert_eq!(bridge(&site, &vpn), None);
    let commands: Vec<String> =
        device_commands(&site, &vpn, &place).iter().map(|words| words.join(" ")).collect();
    assert_eq!(commands[2], "ip address replace 10.8.0.11/24 dev tun-stratus");
}

#[test]
fn a_range_without_a_gap_leaves_no_server() {
    let site = site();
    let mut vpn = routed(&site);
    vpn.range.size = 254;
    assert_eq!(server_conf(&site, &vpn, &Place::default()), Err(NoServerAddress));
}

#[test]
fn a_client_has_everything_in_one_file() {
    let site = site();
    let mac = "02:00:0a:00:00:28".parse().unwrap();
    insta::assert_snapshot!(
        "client",
        client_profile(&vpn(&site), KEYS, mac, 1500, Some(Token::FILE))
    );
    let other = client_profile(&routed(&site), KEYS, mac, 1500, None);
    assert!(!other.contains("lladdr") && !other.contains("auth-user-pass"), "{other}");
}

#[test]
fn a_bundle_carries_the_script_that_carries_the_profile() {
    let name = "burst1.example.org".parse().unwrap();
    let script = join_script("profile\n", Token { name: &name, text: "to-ken" });
    insta::assert_snapshot!("join_script", script);
    let cloud = cloud_init(&script, &name);
    let encoded = cloud.lines().find_map(|l| l.trim().strip_prefix("content: ")).unwrap();
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded);
    assert_eq!(decoded.unwrap(), script.as_bytes());
    assert!(cloud.starts_with("#cloud-config\nhostname: burst1\nfqdn: burst1.example.org\n"));
    let context = context(&script, &name);
    assert!(context.contains(&format!("START_SCRIPT_BASE64 = \"{encoded}\"")), "{context}");
}

fn wireguard(site: &Site) -> Vpn {
    Vpn { mode: VpnMode::WireGuard, port: 51_820, ..routed(site) }
}

#[test]
fn wireguard_on_both_sides() {
    let site = site();
    let vpn = wireguard(&site);
    let place = Place { server: "/srv/it's".to_owned(), ..Place::default() };
    let peer =
        wireguard::Peer { address: vpn.range.first, public_key: "PUBLIC", preshared_key: "SHARED" };
    let keys =
        wireguard::NodeKeys { private_key: "OWN", preshared_key: "SHARED", server_key: "SERVER" };
    let shown = [
        wireguard::quick(&vpn, &place).unwrap(),
        wireguard::settings(&vpn, "SECRET", &[peer]),
        wireguard::client(&site, &vpn, keys, vpn.range.first, 1500),
    ];
    insta::assert_snapshot!("wireguard", shown.join("\n---\n\n"));
    let files = host_files(&site, &vpn, &Place::default());
    insta::assert_snapshot!("host_wireguard", files[0].content);
    assert_eq!(files.len(), 1, "nothing ends, so nothing is renewed");
    let mut whole = vpn;
    (whole.range.first, whole.range.size) = ("10.8.0.1".parse().unwrap(), 254);
    assert_eq!(wireguard::quick(&whole, &place), Err(NoServerAddress));
}

#[test]
fn a_script_brings_wireguard_to_a_stock_image() {
    let name = "burst1.example.org".parse().unwrap();
    insta::assert_snapshot!("join_wireguard", wireguard::join_script("profile\n", &name));
}

proptest! {
    /// What is inside, with everything around it, is never larger than the path; and no byte less
    /// than it could be.
    #[test]
    fn nothing_is_cut_on_the_way(path in 1280_u16..9000, kind in 0..3, tcp: bool, end in 0..3) {
        let site = site();
        let mut vpn = vpn(&site);
        let (mode, own, whole) = [
            (VpnMode::Tap, 24 + 14, 1),
            (VpnMode::Tun, 24, 1),
            (VpnMode::WireGuard, 32, 16),
        ][usize::try_from(kind).unwrap()];
        let tcp = tcp && mode != VpnMode::WireGuard;
        vpn.mode = mode;
        vpn.protocol = if tcp { "tcp" } else { "udp" }.to_owned();
        vpn.endpoint = ["192.0.2.1", "2001:db8::1", "vpn.example.org"][usize::try_from(end).unwrap()].to_owned();
        let ip = if end == 0 { 20 } else { 40 };
        let around = ip + if tcp { 22 } else { 8 } + own;
        let sizes = mtu(&vpn, path);
        prop_assert!(sizes.tunnel + around <= path);
        prop_assert!(sizes.tunnel + around + whole > path || sizes.tunnel == LAN_MTU);
    }
}
