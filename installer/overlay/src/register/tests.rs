use super::*;
use crate::token::TokenRecord;
use proptest::prelude::*;
use stratus_site::{Burst, Extent, VpnMode};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

fn vpn(size: u32, nodes: &[(&str, Option<&str>)]) -> Vpn {
    let node = |(name, address): &(&str, Option<&str>)| Burst {
        name: name.parse().unwrap(),
        address: address.map(|a| a.parse().unwrap()),
        register: true,
    };
    Vpn {
        endpoint: "vpn.example.org".into(),
        port: 1194,
        protocol: "udp".into(),
        mode: VpnMode::Tap,
        network: None,
        subnet: "10.0.0.0/16".parse().unwrap(),
        range: Extent { first: "10.0.1.0".parse().unwrap(), size },
        gateway_host: None,
        serve_names: true,
        certificate_validity: days(365),
        ca_validity: days(3650),
        nodes: nodes.iter().map(node).collect(),
    }
}

fn issued(number: u8, authority: u32, to: &str) -> Issued {
    let serial = Serial::from_random([number; 16]);
    Issued { serial, authority, from: at("2026-01-01T00:00:00Z"), to: at(to), handed: None }
}

fn authority(generation: u32, to: &str) -> Authority {
    let serial = Serial::from_random([200; 16]);
    Authority { generation, serial, from: at("2026-01-01T00:00:00Z"), to: at(to) }
}

fn register() -> Register {
    let now = at("2026-01-01T00:00:00Z");
    Register {
        version: VERSION,
        site: "lab".into(),
        authorities: vec![authority(1, "2036-01-01T00:00:00Z")],
        server: issued(1, 1, "2027-01-01T00:00:00Z"),
        list: ListRecord { number: 1, from: now, to: after(now, LIST_VALIDITY) },
        clients: BTreeMap::new(),
        revoked: Vec::new(),
    }
}

fn add(register: &mut Register, vpn: &Vpn, text: &str, certificate: Issued) -> Ipv4Addr {
    let address = register.place(vpn, &name(text)).unwrap();
    let now = at("2026-01-01T00:00:00Z");
    register.add(name(text), address, MacPrefix::default(), certificate, now);
    address
}

#[test]
fn addresses_are_those_of_the_site_file_or_the_lowest_free_ones() {
    let vpn = vpn(3, &[("kept", Some("10.0.1.0"))]);
    let mut register = register();
    let to = "2027-01-01T00:00:00Z";
    assert_eq!(add(&mut register, &vpn, "a", issued(2, 1, to)).to_string(), "10.0.1.1");
    assert_eq!(add(&mut register, &vpn, "b", issued(3, 1, to)).to_string(), "10.0.1.2");
    let full = register.place(&vpn, &name("c")).unwrap_err();
    assert!(matches!(full, RegisterError::Full { .. }), "{full}");
    assert_eq!(add(&mut register, &vpn, "kept", issued(4, 1, to)).to_string(), "10.0.1.0");
    assert_eq!(register.clients[&name("kept")].mac.to_string(), "02:00:0a:00:01:00");
    register.revoke(&name("a"), at("2026-02-01T00:00:00Z")).unwrap();
    assert_eq!(register.revoked[0].serial, Serial::from_random([2; 16]));
    assert_eq!(add(&mut register, &vpn, "c", issued(5, 1, to)).to_string(), "10.0.1.1");
    // The site file changed its mind about an address that is in use.
    let moved = super::tests::vpn(3, &[("new", Some("10.0.1.1"))]);
    let taken = register.place(&moved, &name("new")).unwrap_err();
    assert!(taken.to_string().contains("`c` has it"), "{taken}");
}

#[test]
fn what_ends_is_renewed_in_time_and_forgotten_afterwards() {
    let mut register = register();
    let due = |register: &Register, text: &str| register.due(at(text));
    assert_eq!(due(&register, "2026-01-02T00:00:00Z"), Due { list: false, server: false });
    assert_eq!(due(&register, "2026-01-08T00:00:00Z"), Due { list: true, server: false });
    assert_eq!(due(&register, "2026-10-01T00:00:00Z"), Due { list: true, server: true });
    let vpn = vpn(9, &[]);
    add(&mut register, &vpn, "a", issued(2, 1, "2026-06-01T00:00:00Z"));
    add(&mut register, &vpn, "b", issued(3, 1, "2026-06-01T00:00:00Z"));
    register.client_mut(&name("a")).unwrap().certificates.push(issued(
        4,
        1,
        "2027-06-01T00:00:00Z",
    ));
    register.revoke(&name("b"), at("2026-02-01T00:00:00Z")).unwrap();
    register.prune(at("2026-06-01T12:00:00Z"));
    assert_eq!((register.revoked.len(), register.clients[&name("a")].certificates.len()), (1, 2));
    register.prune(at("2026-06-03T00:00:00Z"));
    assert_eq!((register.revoked.len(), register.clients[&name("a")].certificates.len()), (0, 1));
    // The newest one stays, so that its end can be told.
    register.prune(at("2030-01-01T00:00:00Z"));
    assert_eq!(register.clients[&name("a")].certificates.len(), 1);
}

#[test]
fn no_certificate_outlives_its_authority() {
    let register = register();
    let (from, to) = register.span(days(365), at("2035-06-01T00:00:00Z"));
    assert_eq!(from, at("2035-05-31T23:00:00Z"));
    assert_eq!(to, at("2036-01-01T00:00:00Z"));
}

#[test]
fn an_authority_goes_when_every_node_has_a_certificate_of_the_new_one() {
    let (mut register, vpn) = (register(), vpn(9, &[]));
    assert_eq!(register.may_finish(), Err(RegisterError::NotRotating));
    add(&mut register, &vpn, "a", issued(2, 1, "2027-01-01T00:00:00Z"));
    assert_eq!(register.may_rotate(), Ok(2));
    register.authorities.push(authority(2, "2040-01-01T00:00:00Z"));
    assert!(matches!(register.may_rotate(), Err(RegisterError::Rotating(_))));
    assert_eq!(register.may_finish(), Err(RegisterError::NotRenewed(vec![name("a")])));
    let mut new = issued(3, 2, "2027-01-01T00:00:00Z");
    register.client_mut(&name("a")).unwrap().certificates.push(new.clone());
    // Made, but still in the drawer.
    assert!(register.may_finish().is_err());
    let token = TokenRecord { hash: String::new(), expires: new.to };
    new.handed = Some(Handed::WithToken(token));
    register.client_mut(&name("a")).unwrap().certificates[1] = new.clone();
    assert_eq!(register.may_finish(), Ok(()));
    register.finish();
    assert_eq!(register.authorities.len(), 1);
    assert_eq!(register.clients[&name("a")].certificates, [new]);
}

proptest! {
    /// Whatever comes and goes: no address is given twice, none outside of the range, and a file
    /// that was written is read again as it was.
    #[test]
    fn addresses_are_never_shared(steps in prop::collection::vec((0_u8..12, any::<bool>()), 1..80)) {
        let (mut register, vpn) = (register(), vpn(8, &[("n3", Some("10.0.1.5"))]));
        for (number, (node, comes)) in steps.iter().enumerate() {
            let text = format!("n{node}");
            let now = at("2026-01-01T00:00:00Z");
            if *comes {
                if let Ok(address) = register.place(&vpn, &name(&text)) {
                    let number = u8::try_from(number).unwrap();
                    let certificate = issued(number, 1, "2027-01-01T00:00:00Z");
                    register.add(name(&text), address, MacPrefix::default(), certificate, now);
                }
            } else {
                let known = register.clients.contains_key(&name(&text));
                prop_assert_eq!(register.revoke(&name(&text), now).is_ok(), known);
            }
            let addresses: BTreeSet<Ipv4Addr> =
                register.clients.values().map(|c| c.address).collect();
            prop_assert_eq!(addresses.len(), register.clients.len());
            prop_assert!(addresses.iter().all(|address| vpn.range.contains(*address)));
        }
        let text = serde_json::to_string(&register).unwrap();
        prop_assert_eq!(serde_json::from_str::<Register>(&text).unwrap(), register);
    }
}
