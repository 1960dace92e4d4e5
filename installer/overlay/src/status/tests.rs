use super::*;
use crate::register::{Authority, Client, Issued, ListRecord, Register};
use crate::serial::Serial;
use proptest::prelude::*;

const STATUS: &str = "TITLE\tOpenVPN 2.6.14\nTIME\t2026-11-21 15:00:00\t1795273200\n\
    HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher\n\
    CLIENT_LIST\tburst1\t203.0.113.6:34567\t\t\t5120\t7300\t2026-11-21 14:00:00\t1795269600\tUNDEF\t0\t0\tAES-256-GCM\n\
    CLIENT_LIST\tburst2\t203.0.113.8:2\t\t\t2647\t2261\t2026-11-21 14:59:00\t1795273140\tUNDEF\t2\t2\tBF-CBC\n\
    CLIENT_LIST\tUNDEF\t203.0.113.9:1\t\t\t0\t0\t2026-11-21 14:59:00\t1795273140\tUNDEF\t1\t1\t\n\
    HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)\n\
    ROUTING_TABLE\t02:00:0a:32:00:c8@0\tburst1\t203.0.113.6:34567\t2026-11-21 15:00:00\t1795273200\n\
    GLOBAL_STATS\tMax bcast/mcast queue length\t1\n";

/// As OpenVPN 2.6.14 wrote them.
const LOG: &str = "1795269000,N,203.0.113.6:1 VERIFY ERROR: depth=0, error=certificate revoked: CN=burst1, serial=42\n\
    1795269000,N,203.0.113.6:1 OpenSSL: error:0A000086:SSL routines::certificate verify failed:\n\
    1795269000,N,203.0.113.6:1 TLS_ERROR: BIO read tls_read_plaintext error\n\
    1795269001,N,203.0.113.7:2 tls-crypt unwrap error: packet authentication failed\n\
    1795269002,,burst1/203.0.113.6:34567 [burst1] Inactivity timeout (--ping-restart), restarting\n\
    1795269003,N,TLS Error: can not extract tls-crypt-v2 client key from [AF_INET]203.0.113.8:4711\n\
    1795269009,N,TLS Error: can not extract tls-crypt-v2 client key from [AF_INET]203.0.113.8:4712\n";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn register(now: Timestamp) -> Register {
    let issued = |number| Issued {
        serial: Serial::from_random([number; 16]),
        authority: 1,
        from: now,
        to: at(now.as_second() + 365 * 86_400),
        handed: None,
    };
    let client = Client {
        address: "10.50.0.200".parse().unwrap(),
        mac: "02:00:0a:32:00:c8".parse().unwrap(),
        added: now,
        certificates: vec![issued(2)],
    };
    Register {
        version: 1,
        site: "lab".into(),
        authorities: vec![Authority {
            generation: 1,
            serial: Serial::from_random([1; 16]),
            from: now,
            to: at(now.as_second() + 3650 * 86_400),
        }],
        server: issued(3),
        list: ListRecord { number: 1, from: now, to: at(now.as_second() + 400 * 86_400) },
        clients: [("burst1".parse().unwrap(), client)].into(),
        revoked: Vec::new(),
    }
}

#[test]
fn who_is_connected_is_read_by_the_names_of_columns() {
    let all = connected(STATUS);
    assert_eq!(all.len(), 1);
    let only = &all[0];
    assert_eq!((only.name.as_str(), only.received, only.sent), ("burst1", 5120, 7300));
    assert_eq!((only.since, only.cipher.as_str()), (at(1_795_269_600), "AES-256-GCM"));
}

#[test]
fn errors_are_told_once_in_plain_words() {
    let all = events(LOG);
    let told: Vec<(Option<&str>, Option<&str>, &str)> =
        all.iter().map(|e| (e.name.as_deref(), e.peer.as_deref(), e.reason)).collect();
    let key = "its tls-crypt-v2 key is not one of this server";
    assert_eq!(
        told,
        [
            (Some("burst1"), Some("203.0.113.6:1"), "its certificate was revoked"),
            (None, Some("203.0.113.7:2"), key),
            (
                Some("burst1"),
                Some("203.0.113.6:34567"),
                "it was silent for too long and its session was ended"
            ),
            (None, Some("203.0.113.8:4711"), key),
            (None, Some("203.0.113.8:4712"), key),
        ]
    );
    assert_eq!(all[0].serial, Serial::from_decimal("42"));
}

#[test]
fn an_error_belongs_to_the_certificate_not_to_the_name() {
    let now = at(1_795_273_200);
    let register = register(now);
    let seen = Seen { connected: Some(connected(STATUS)), events: events(LOG), ..Seen::default() };
    let told = report(&register, &seen, now);
    assert_eq!(told.attention, [""; 0]);
    let node = &told.clients[0];
    assert!(node.session.is_some());
    assert!(node.last_error.as_ref().unwrap().reason.contains("silent"));
    // The revoked one had the same name, and was another certificate.
    let names: Vec<Option<&str>> = told.strangers.iter().map(|s| s.name.as_deref()).collect();
    assert_eq!(names, [None, None, Some("burst1")]);
}

#[test]
fn what_needs_attention_is_said_in_time() {
    let made = at(1_795_273_200);
    let register = register(made);
    let after = |days: i64| {
        let now = at(made.as_second() + days * 86_400);
        let seen = Seen { connected: Some(Vec::new()), ..Seen::default() };
        report(&register, &seen, now).attention.join("\n")
    };
    assert_eq!(after(10), "");
    assert!(after(20).contains("not renewed by itself, and ends in 380 days"), "{}", after(20));
    assert!(after(340).contains("the certificate of burst1 ends soon"), "{}", after(340));
    assert!(after(401).contains("the revocation list has expired, so nobody is let in"));
    let stopped = report(&register, &Seen::default(), made).attention;
    assert!(stopped[0].contains("the server does not answer"), "{stopped:?}");
}

proptest! {
    #[test]
    fn nothing_that_a_server_says_is_too_much(text in "(CLIENT_LIST|HEADER|[0-9]{1,20}|,|\t|\n|VERIFY ERROR|error=certificate revoked|CN=|serial=|\\[AF_INET\\]|/|:|'|.){0,60}") {
        let _ = (connected(&text), events(&text));
    }
}
