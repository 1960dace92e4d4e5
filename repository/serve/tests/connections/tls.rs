//! Certificates: replaced while serving, broken ones kept out, clients with and without one.

use std::{fs, sync::Arc, time::Duration};

use axum::{Extension, Router, routing::get};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs::default_provider,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use stratus_serve::{Limits, Peer, TlsError, TlsFiles};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{Pki, Running, replace, soon};

async fn connect(
    pki: &Pki,
    server: &Running,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pki.ca.as_bytes()).expect("PEM")).expect("a CA");
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(server.tls).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, socket))
        .await
        .expect("a handshake")
}

/// The certificate that the server shows now.
async fn shown(pki: &Pki, server: &Running) -> Vec<u8> {
    let stream = connect(pki, server, &[&TLS13], &[]).await;
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

fn router() -> Router {
    let who = async |Extension(peer): Extension<Peer>| {
        let certificate = peer.client_certificate.unwrap_or_default();
        format!("{} {} {certificate:?}", peer.address.ip(), peer.tls)
    };
    Router::new().route("/", get(who))
}

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let pki = Pki::new();
    let server = Running::start(router(), Limits::default(), pki.files());
    for (version, number) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        for (offered, chosen) in [
            (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
            (&["http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let stream = connect(&pki, &server, &[version], offered).await;
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(number));
            assert_eq!(session.alpn_protocol(), chosen);
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_restart_and_a_broken_one_is_not() {
    let pki = Pki::new();
    let files = pki.files();
    let limits = Limits { tls_refresh: Duration::from_hours(1), ..Limits::default() };
    let server = Running::start(router(), limits, Arc::clone(&files));
    let first = shown(&pki, &server).await;
    assert!(!files.refresh().expect("nothing changed"));

    let second = pki.write_server();
    assert_ne!(first, second);
    assert_eq!(shown(&pki, &server).await, first, "nobody looked yet");
    assert!(files.refresh().expect("a good pair"));
    assert_eq!(shown(&pki, &server).await, second);

    let certificate = pki.path("server.crt");
    let (stranger, key, _) = pki.issue("localhost");
    replace(&certificate, stranger.as_bytes()); // without its key
    let error = files.refresh().expect_err("a pair that does not fit");
    assert!(matches!(error, TlsError::Pair { .. }), "{error}");
    assert!(error.to_string().contains("server.key"), "{error}");
    assert!(!files.refresh().expect("reported once, not again"));
    assert_eq!(shown(&pki, &server).await, second, "the old pair stays");

    replace(&certificate, b"not a certificate");
    let error = files.reload().expect_err("no PEM");
    assert!(error.to_string().contains("server.crt"), "{error}");
    fs::remove_file(&certificate).expect("removed");
    assert!(matches!(files.refresh(), Err(TlsError::Read { .. })));
    assert_eq!(shown(&pki, &server).await, second, "the old pair stays");

    replace(&certificate, stranger.as_bytes());
    replace(&pki.path("server.key"), key.as_bytes());
    assert!(files.refresh().expect("a good pair again"));
    assert_ne!(shown(&pki, &server).await, second);
}

#[tokio::test]
async fn the_server_notices_a_renewed_certificate_by_itself() {
    let pki = Pki::new();
    let limits = Limits { tls_refresh: Duration::from_millis(20), ..Limits::default() };
    let server = Running::start(router(), limits, pki.files());
    let renewed = pki.write_server();
    soon("the new certificate", async { while shown(&pki, &server).await != renewed {} }).await;
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let pki = Pki::new();
    let (certificate, key) = (pki.path("server.crt"), pki.path("server.key"));
    let load = |certificate, key, ca| TlsFiles::load(certificate, key, ca).expect_err("refused");
    let missing = pki.path("missing");
    assert!(load(&missing, &key, None).to_string().contains("missing"));
    let swapped = load(&key, &certificate, None).to_string();
    assert!(swapped.contains("server.key") && swapped.contains("a certificate"), "{swapped}");
    let empty = pki.path("empty");
    replace(&empty, b"");
    assert!(load(&certificate, &key, Some(&empty)).to_string().contains("empty"));
    let large = pki.path("large");
    fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("sparse");
    assert!(load(&large, &key, None).to_string().contains("large"));
}

#[tokio::test]
async fn a_client_certificate_is_optional_and_shown_to_the_handler() {
    let pki = Pki::new();
    let ca = pki.path("ca.pem");
    let files = TlsFiles::load(&pki.path("server.crt"), &pki.path("server.key"), Some(&ca));
    let server = Running::start(router(), Limits::default(), files.expect("good files"));
    let ask = async |client: reqwest::ClientBuilder| {
        let answer = client.build().expect("a client").get(server.tls_url("/")).send().await?;
        answer.text().await
    };
    let identity = |pki: &Pki| {
        let (certificate, key, der) = pki.issue("alice");
        let pem = certificate + &key;
        (reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity"), der)
    };
    assert_eq!(ask(pki.client()).await.expect("anonymous"), "127.0.0.1 true []");
    let (alice, der) = identity(&pki);
    for client in [pki.client(), pki.client().http1_only()] {
        let answer = ask(client.identity(alice.clone())).await.expect("known");
        assert_eq!(answer, format!("127.0.0.1 true {der:?}"));
    }
    let (stranger, _) = identity(&Pki::new());
    ask(pki.client().identity(stranger)).await.expect_err("not from our CA");
}

#[tokio::test]
async fn a_plain_request_on_the_tls_port_harms_nobody() {
    let pki = Pki::new();
    let server = Running::start(router(), Limits::default(), pki.files());
    let socket = crate::support::send(server.tls, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = crate::support::read_to_end(socket).await;
    assert!(!answer.starts_with(b"HTTP"), "no plain answer on an encrypted port");
    assert!(!shown(&pki, &server).await.is_empty());
}
