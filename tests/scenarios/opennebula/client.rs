//! What callers of the client rely on.

use std::sync::Arc;
use std::time::Duration;

use stratus_opennebula::converge::{
    Authentication, Convergence, Kind, Removal, Switch, Wanted, WantedCluster, WantedGroup,
    WantedHost, WantedImage, WantedMarketplace, WantedNetwork, WantedRange, WantedTemplate,
    WantedUser, apply, converge, read_pools,
};
use stratus_opennebula::{
    Attributes, Client, Error, ErrorCode, HostId, HttpTransport, Limits, MachineAction,
    MachineFilter, NetworkId, Page, Session, TransportError, Version,
};

use crate::setup::{Bench, PATIENCE, client, unmistakable};

fn network(name: &str) -> Attributes {
    Attributes::new()
        .with("NAME", name)
        .with("VN_MAD", "dummy")
        .with("BRIDGE", "br0")
        .with("NOTE", "it says \"hi\" \\ <b>&amp; twice\non two lines")
}

#[tokio::test]
async fn the_version_tells_that_oned_takes_the_session() {
    let bench = Bench::start().await;
    assert!(bench.client().version().await.unwrap() >= Version::OLDEST);
    let wrong = bench.client_as("oneadmin:wrong").version().await.unwrap_err();
    assert!(matches!(wrong, Error::Refused { code: ErrorCode::Authentication, .. }), "{wrong:?}");
    assert!(wrong.to_string().starts_with("one.system.version at http://"), "{wrong}");
    assert!(wrong.hint().unwrap().contains("one_auth"));
    assert!(!format!("{wrong:?} {:?}", bench.client()).contains("wrong"));
}

#[tokio::test]
async fn what_is_missing_is_told_apart_from_what_is_not_reachable() {
    let bench = Bench::start().await;
    let missing = bench.client().host(HostId(999_999)).await.unwrap_err();
    assert!(missing.is_missing() && !missing.is_unreachable(), "{missing:?}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let away = client(&format!("http://{address}/RPC2"), "a:b").version().await.unwrap_err();
    assert!(away.is_unreachable(), "{away:?}");
}

#[tokio::test]
async fn a_wrong_path_and_a_long_answer_are_told() {
    let bench = Bench::start().await;
    let other = bench.url.replace("/RPC2", "/other");
    let error = client(&other, "a:b").version().await.unwrap_err();
    let status =
        |e: &Error| matches!(e, Error::Transport { source: TransportError::Status(404), .. });
    assert!(status(&error), "{error:?}");
    let limits = Limits { answer_bytes: 50, ..Limits::default() };
    let error = bench.client().with_limits(limits).version().await.unwrap_err();
    let long =
        |e: &Error| matches!(e, Error::Transport { source: TransportError::TooLong(50), .. });
    assert!(long(&error), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/RPC2", listener.local_addr().unwrap());
    let session = Session::new("a", "b".to_owned().into()).unwrap();
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let client =
        Client::new(Arc::new(HttpTransport::new(&url).unwrap()), session).with_limits(limits);
    let error = client.version().await.unwrap_err();
    let late =
        |e: &Error| matches!(e, Error::Transport { source: TransportError::TimedOut(_), .. });
    assert!(late(&error) && error.is_unreachable(), "{error:?}");
}

#[tokio::test]
async fn a_network_is_ready_after_waiting_and_keeps_every_text() {
    let bench = Bench::start().await;
    let client = bench.client();
    let name = unmistakable("texts");
    let wanted =
        network(&name).with_vector("AR", &[("TYPE", "IP4"), ("IP", "10.77.0.10"), ("SIZE", "5")]);
    let id = client.allocate_network(&wanted, None).await.unwrap();
    let found = client.wait_network_ready(id, PATIENCE).await.unwrap();
    assert_eq!(found.ranges.len(), 1);
    assert_eq!(found.ranges[0].ip, Some("10.77.0.10".parse().unwrap()));
    assert_eq!(found.attributes.text("NOTE"), wanted.text("NOTE"));
    let taken = client.allocate_network(&wanted, None).await.unwrap_err();
    assert!(taken.to_string().contains("already taken"), "{taken}");
    // Newest first, and pages by identifier.
    let all = client.networks(Page::default()).await.unwrap();
    assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
    let one = client.networks(Page::range(id.0, id.0)).await.unwrap();
    assert_eq!(one.iter().map(|net| net.id).collect::<Vec<_>>(), [id]);
    remove_network(&client, id).await;
}

#[tokio::test]
async fn a_wrong_range_is_silent_in_a_template_and_refused_by_itself() {
    let bench = Bench::start().await;
    let client = bench.client();
    let wrong = [("TYPE", "IP4"), ("IP", "1.2.3.400"), ("SIZE", "1")];
    let name = unmistakable("wrong-range");
    let template = network(&name).with_vector("AR", &wrong);
    let id = client.allocate_network(&template, None).await.unwrap();
    let found = client.wait_network_ready(id, PATIENCE).await.unwrap();
    assert!(found.ranges.is_empty());
    let range = Attributes::new().with_vector("AR", &wrong);
    let error = client.add_range(id, &range).await.unwrap_err();
    assert!(error.to_string().contains("Wrong or empty IP"), "{error}");
    remove_network(&client, id).await;
}

#[tokio::test]
async fn a_held_address_is_shown_with_its_holder() {
    let bench = Bench::start().await;
    let client = bench.client();
    let ar = [("TYPE", "IP4"), ("IP", "10.78.0.1"), ("SIZE", "3")];
    let template = network(&unmistakable("held")).with_vector("AR", &ar);
    let id = client.allocate_network(&template, None).await.unwrap();
    client.wait_network_ready(id, PATIENCE).await.unwrap();
    let address = "10.78.0.2".parse().unwrap();
    client.hold_address(id, address).await.unwrap();
    assert!(client.hold_address(id, address).await.is_err());
    let found = client.network(id).await.unwrap();
    let lease = &found.ranges[0].leases[0];
    assert_eq!((lease.ip, lease.holder), (Some(address), stratus_opennebula::Holder::OnHold));
    client.release_address(id, address).await.unwrap();
    remove_network(&client, id).await;
}

async fn remove_network(client: &Client, id: NetworkId) {
    client.delete_network(id).await.unwrap();
    client.wait_gone("the network", PATIENCE, || client.network(id)).await.unwrap();
}

#[tokio::test]
async fn waiting_that_ends_names_the_last_state() {
    let bench = Bench::simulated().await;
    let client = bench.client();
    let template =
        Attributes::new().with("NAME", unmistakable("waits")).with("CPU", "1").with("MEMORY", "64");
    let id = client.allocate_machine(&template, true).await.unwrap();
    let error = client.wait_machine_running(id, Duration::from_millis(120)).await.unwrap_err();
    assert!(error.to_string().contains("is HOLD, not RUNNING, after"), "{error}");
    client.act(id, MachineAction::TerminateHard).await.unwrap();
    client.wait_machine_done(id, PATIENCE).await.unwrap();
    let listed = client.machines(Page::default(), MachineFilter::NotDone).await.unwrap();
    assert!(listed.iter().all(|machine| machine.id != id));
}

fn site(name: &str) -> Wanted {
    let n = |what: &str| unmistakable(&format!("{name}-{what}"));
    let range = |ip: &str, size| WantedRange { ip: ip.parse().unwrap(), mac: None, size };
    Wanted {
        site: n("site"),
        clusters: vec![WantedCluster { name: n("cluster"), ..WantedCluster::default() }],
        hosts: vec![WantedHost {
            name: n("node1"),
            im_mad: "kvm".into(),
            vm_mad: "kvm".into(),
            cluster: None,
            switch: Switch::AsIs,
            attributes: Attributes::new().with("RACK", "r1"),
        }],
        networks: vec![WantedNetwork {
            name: n("net"),
            attributes: Attributes::new()
                .with("VN_MAD", "dummy")
                .with("BRIDGE", "br0")
                .with("NETWORK_MASK", "255.255.255.0"),
            ranges: vec![range("10.79.0.1", 4), range("10.79.0.100", 1)],
        }],
        users: vec![
            WantedUser {
                name: n("ann"),
                authentication: Authentication::Core("first".to_owned().into()),
                groups: vec![n("group")],
                switch: Switch::On,
                attributes: Attributes::new().with("EMAIL", "ann@example.org"),
            },
            WantedUser {
                name: n("bob"),
                authentication: Authentication::Ldap("cn=bob,dc=example,dc=org".into()),
                groups: vec![],
                switch: Switch::AsIs,
                attributes: Attributes::new(),
            },
        ],
        groups: vec![WantedGroup { name: n("group"), ..WantedGroup::default() }],
        marketplaces: vec![WantedMarketplace {
            name: n("market"),
            switch: Switch::Off,
            attributes: Attributes::new()
                .with("MARKET_MAD", "one")
                .with("ENDPOINT", "http://127.0.0.1:9/"),
        }],
        images: vec![WantedImage {
            name: n("image"),
            datastore: "default".into(),
            source: Attributes::new().with("TYPE", "DATABLOCK").with("SIZE", "1"),
            attributes: Attributes::new().with("DEV_PREFIX", "vd"),
        }],
        templates: vec![WantedTemplate {
            name: n("template"),
            attributes: Attributes::new()
                .with("CPU", "0.1")
                .with("MEMORY", "64")
                .with_vector("DISK", &[("IMAGE", &n("image"))])
                .with_vector("NIC", &[("NETWORK", &n("net"))]),
        }],
        ..Wanted::default()
    }
}

async fn plan(client: &Client, wanted: &Wanted) -> Convergence {
    converge(wanted, &read_pools(client).await.unwrap())
}

async fn make_so(client: &Client, wanted: &Wanted) -> Vec<String> {
    let plan = plan(client, wanted).await;
    assert_eq!(plan.refusals, []);
    for change in &plan.changes {
        apply(client, &wanted.site, change, PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("{change}: {error} {error:?}"));
    }
    plan.changes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_site_is_made_changed_and_removed_and_a_second_plan_is_empty() {
    let bench = Bench::start().await;
    let client = bench.client();
    let mut wanted = site("life");
    let made = make_so(&client, &wanted).await;
    assert_eq!(made.len(), 13, "{made:#?}");
    assert!(plan(&client, &wanted).await.changes.is_empty());

    wanted.hosts[0].attributes = Attributes::new().with("RACK", "r2");
    wanted.networks[0].ranges.remove(1);
    wanted.users[0].authentication = Authentication::Core("second".to_owned().into());
    wanted.marketplaces[0].switch = Switch::On;
    let changed = make_so(&client, &wanted).await;
    assert_eq!(changed.len(), 4, "{changed:#?}");
    assert!(changed[0].ends_with("RACK \"r1\" -> \"r2\";"), "{}", changed[0]);
    assert!(!changed.concat().contains("second"));
    assert!(plan(&client, &wanted).await.changes.is_empty());

    let nothing = Wanted { site: wanted.site.clone(), ..Wanted::default() };
    let kept = plan(&client, &nothing).await;
    assert!(kept.changes.is_empty());
    assert_eq!(kept.settled.len(), 9, "{:?}", kept.settled);
    let nothing = Wanted { removal: Removal::Unwanted, ..nothing };
    let removed = make_so(&client, &nothing).await;
    assert_eq!(removed.len(), 9, "{removed:#?}");
    assert!(plan(&client, &nothing).await.settled.is_empty());
}

#[tokio::test]
async fn a_machine_keeps_its_range_its_network_and_its_host() {
    let bench = Bench::simulated().await;
    let client = bench.client();
    let mut wanted = site("used");
    make_so(&client, &wanted).await;
    let hosts = client.hosts().await.unwrap();
    client.wait_host_monitored(hosts[0].id, PATIENCE).await.unwrap();
    let templates = client.templates(Page::default()).await.unwrap();
    let id = client.instantiate(templates[0].id, "web-1", &Attributes::new()).await.unwrap();
    let machine = client.wait_machine_running(id, PATIENCE).await.unwrap();
    assert_eq!(machine.nics[0].ip, Some("10.79.0.1".parse().unwrap()));
    assert_eq!(machine.host().unwrap().host_name, hosts[0].name);

    wanted.networks[0].ranges.remove(0);
    let refused = plan(&client, &wanted).await;
    assert!(refused.changes.is_empty(), "{:?}", refused.changes);
    let reason = &refused.refusals[0].reason;
    assert!(reason.contains(&format!("10.79.0.1 by machine {id} (web-1)")), "{reason}");

    let gone = Wanted {
        site: wanted.site.clone(),
        removal: Removal::Named(vec![
            (Kind::Host, wanted.hosts[0].name.clone()),
            (Kind::Network, wanted.networks[0].name.clone()),
            (Kind::Datastore, "default".into()),
        ]),
        ..Wanted::default()
    };
    let refused = plan(&client, &gone).await;
    assert!(refused.changes.is_empty(), "{:?}", refused.changes);
    let kinds: Vec<_> = refused.refusals.iter().map(|refusal| refusal.kind).collect();
    assert_eq!(kinds, [Kind::Network, Kind::Host, Kind::Datastore]);

    client.act(id, MachineAction::Terminate).await.unwrap();
    client.wait_machine_done(id, PATIENCE).await.unwrap();
    assert_eq!(make_so(&client, &wanted).await.len(), 1);
}

#[tokio::test]
async fn what_was_there_before_is_adopted_and_never_deleted() {
    let bench = Bench::start().await;
    let client = bench.client();
    let name = unmistakable("adopted");
    let ar = [("TYPE", "IP4"), ("IP", "10.80.0.1"), ("SIZE", "3")];
    let id = client.allocate_network(&network(&name).with_vector("AR", &ar), None).await.unwrap();
    client.wait_network_ready(id, PATIENCE).await.unwrap();
    let range = |ip: &str| WantedRange { ip: ip.parse().unwrap(), mac: None, size: 2 };
    let mut wanted = Wanted { site: unmistakable("adopter"), ..Wanted::default() };
    wanted.networks.push(WantedNetwork {
        name: name.clone(),
        attributes: Attributes::new().with("BRIDGE", "br9"),
        ranges: vec![range("10.80.0.50")],
    });
    assert_eq!(make_so(&client, &wanted).await.len(), 2);
    let found = client.network(id).await.unwrap();
    assert_eq!(found.ranges.len(), 2);
    assert_eq!(found.attributes.text("BRIDGE"), Some("br9"));
    assert_eq!(found.attributes.text("STRATUS"), None);
    assert_eq!(found.attributes.text("NOTE"), network(&name).text("NOTE"));
    wanted.networks[0].ranges = vec![range("10.80.0.2")];
    let overlap = plan(&client, &wanted).await;
    assert!(overlap.refusals[0].reason.contains("overlap with 3 addresses from 10.80.0.1"));
    wanted.networks.clear();
    wanted.removal = Removal::Unwanted;
    assert!(plan(&client, &wanted).await.changes.is_empty());
    remove_network(&client, id).await;
}

#[tokio::test]
async fn a_plain_user_sees_an_empty_pool_and_may_make_no_host() {
    let bench = Bench::start().await;
    let client = bench.client();
    let name = unmistakable("plain");
    let id = client.allocate_user(&name, &"pw".to_owned().into(), "core", &[]).await.unwrap();
    let plain = bench.client_as(&format!("{name}:pw"));
    assert!(plain.hosts().await.unwrap().is_empty());
    let error = plain.allocate_host("x", "kvm", "kvm", None).await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: ErrorCode::Authorization, .. }), "{error:?}");
    assert_eq!(plain.user(None).await.unwrap().id, id);
    client.enable_user(id, false).await.unwrap();
    assert!(plain.version().await.is_err());
    client.delete_user(id).await.unwrap();
}
