//! Every byte of a chain, changed: nothing panics, and nothing changed is trusted.
//!
//! All bytes of a certificate are either signed, or the signature, or say how it was made (the outer
//! algorithm must be the inner one), or lengths and tags around them, which DER allows in one way
//! only. So no single change may pass.

mod support;

use stratus_model::SignerState;
use stratus_x509::{Certificate, Credential, TrustStore};
use support::{Openssl, today};

const CHANGES: [u8; 4] = [0x01, 0x20, 0x80, 0xff];

fn never_trusted(store: &TrustStore, chain: &[Vec<u8>], position: usize) {
    assert_eq!(store.check(chain, today()).state, SignerState::Trusted);
    for at in 0..chain[position].len() {
        for change in CHANGES {
            let mut changed = chain.to_vec();
            changed[position][at] ^= change;
            let outcome = store.check(&changed, today());
            assert_ne!(
                outcome.state,
                SignerState::Trusted,
                "certificate {position}, byte {at}, {change:#x}"
            );
            assert!(!outcome.reasons.is_empty());
        }
    }
}

#[test]
fn a_changed_certificate_is_not_trusted() {
    let openssl = Openssl::new();
    openssl.root("root", "/CN=Root");
    openssl.intermediate("mid", "/CN=Mid", "root");
    openssl.person("alice", "/CN=Alice", "mid");
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    let chain = openssl.chain(&["alice", "mid"]);
    never_trusted(&store, &chain, 0);
    never_trusted(&store, &chain, 1);
}

#[test]
fn a_changed_proxy_is_not_trusted() {
    let openssl = Openssl::new();
    openssl.root("root", "/CN=Root");
    openssl.person("alice", "/CN=Alice", "root");
    openssl.proxy("proxy", "/CN=Alice/CN=1", "alice");
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    let chain = openssl.chain(&["proxy", "alice"]);
    never_trusted(&store, &chain, 0);
    never_trusted(&store, &chain, 1);
}

/// The site trusts these bytes; others are others, whatever they are signed with.
#[test]
fn a_changed_copy_of_a_trusted_certificate_is_not_trusted() {
    let openssl = Openssl::new();
    openssl.certificate("alice", "/CN=Alice").make();
    let store = TrustStore::from_pem(&openssl.bundle(&["alice"])).unwrap();
    never_trusted(&store, &openssl.chain(&["alice"]), 0);
}

#[test]
fn a_changed_or_cut_certificate_does_not_panic() {
    let openssl = Openssl::new();
    openssl.root("root", "/DC=org/O=Example+OU=Joined/CN=Root/emailAddress=ca@example.org");
    let root = openssl.get("root");
    for at in 0..root.der().len() {
        assert!(Certificate::from_der(&root.der()[..at]).is_err());
        for change in CHANGES {
            let mut changed = root.der().to_vec();
            changed[at] ^= change;
            if let Ok(read) = Certificate::from_der(&changed) {
                assert_ne!(read, root);
                let _ = TrustStore::from_grid_files([("0.0".to_owned(), changed)]);
            }
        }
    }
}

#[test]
fn a_changed_or_cut_key_file_does_not_panic() {
    let openssl = Openssl::new();
    openssl.certificate("alice", "/CN=Alice").make();
    openssl.line(
        "pkcs12 -export -in alice.crt -inkey alice.key -iter 1 -out alice.p12 -passout pass:x",
    );
    let (file, password) = (openssl.read("alice.p12"), "x".into());
    assert!(Credential::from_pkcs12(&file, &password).is_ok());
    for at in 0..file.len() {
        assert!(Credential::from_pkcs12(&file[..at], &password).is_err());
        let mut changed = file.clone();
        changed[at] ^= 0x01;
        let _ = Credential::load_bytes(&changed, Some(&password));
    }
    let pem = [openssl.read("alice.crt"), openssl.read("alice.key")].concat();
    for at in 0..pem.len() {
        let _ = Credential::load_bytes(&pem[..at], None);
        let mut changed = pem.clone();
        changed[at] ^= 0x01;
        let _ = Credential::load_bytes(&changed, None);
    }
}
