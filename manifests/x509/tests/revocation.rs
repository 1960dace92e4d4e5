//! Revocation lists as openssl makes them.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod support;

use stratus_model::SignerState::{self, Revoked, Trusted, Untrusted};
use stratus_x509::{ChainOutcome, RevocationPolicy, TrustStore};
use support::{CA, Openssl, TODAY, today};

const ROOT: &str = "/DC=org/DC=example/CN=Root";
const ALICE: &str = "/DC=org/DC=example/CN=Alice";
const BOB: &str = "/DC=org/DC=example/CN=Bob";
const VERSION_2: &str = "authorityKeyIdentifier=keyid";
const PAST: (&str, &str) = ("20260401000000Z", "20260501000000Z");
const NOW: (&str, &str) = ("20260501000000Z", "20260701000000Z");
const FUTURE: (&str, &str) = ("20260701000000Z", "20260801000000Z");

/// A root, Alice and Bob.
fn site() -> Openssl {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.person("alice", ALICE, "root");
    openssl.person("bob", BOB, "root");
    openssl
}

/// A bundle of a root and lists.
fn bundle(openssl: &Openssl, lists: &[&[u8]]) -> TrustStore {
    TrustStore::from_pem(&[&openssl.bundle(&["root"]), &lists.concat()[..]].concat()).unwrap()
}

fn judge(openssl: &Openssl, store: &TrustStore, chain: &[&str]) -> ChainOutcome {
    let outcome = store.check(&openssl.chain(chain), today());
    assert_eq!(outcome.identity.as_str(), openssl.get(chain[0]).subject().as_str());
    outcome
}

fn state(openssl: &Openssl, store: &TrustStore, chain: &[&str]) -> SignerState {
    judge(openssl, store, chain).state
}

/// What openssl says when a list of every authority is asked for.
fn theirs(openssl: &Openssl, chain: &[&str], lists: &[&[u8]]) -> bool {
    openssl.write("lists", lists.concat());
    openssl.verify(&["root"], chain, "-crl_check_all -CRLfile lists", TODAY).is_good
}

#[test]
fn lists_of_both_versions_and_in_both_forms_revoke() {
    let openssl = site();
    openssl.revoke("alice", "root", "");
    for (version, extensions) in [("1", ""), ("2", VERSION_2)] {
        let pem = openssl.list("root", extensions, NOW.0, NOW.1);
        let text = openssl.line("crl -in root.crl -noout -text");
        assert!(String::from_utf8_lossy(&text).contains(&format!("Version {version} ")));
        let der = openssl.line("crl -in root.crl -outform DER");
        let hash = openssl.line("x509 -in root.crt -noout -hash");
        let hash = String::from_utf8(hash).unwrap().trim().to_owned();
        for list in [pem.clone(), der] {
            let files =
                [(format!("{hash}.0"), openssl.bundle(&["root"])), (format!("{hash}.r0"), list)];
            let (store, warnings) = TrustStore::from_grid_files(files).unwrap();
            assert_eq!(warnings, Vec::<String>::new());
            let outcome = judge(&openssl, &store, &["alice"]);
            assert_eq!(outcome.state, Revoked, "{outcome:?}");
            assert!(outcome.reasons[0].contains(ALICE), "{outcome:?}");
            assert_eq!(state(&openssl, &store, &["bob"]), Trusted);
        }
        assert!(!theirs(&openssl, &["alice"], &[&pem]) && theirs(&openssl, &["bob"], &[&pem]));
        let store = bundle(&openssl, &[&pem]);
        assert_eq!(state(&openssl, &store, &["alice"]), Revoked);
        assert_eq!(state(&openssl, &store, &["bob"]), Trusted);
    }
}

#[test]
fn a_revocation_counts_whenever_the_endorsement_was_made() {
    let openssl = site();
    openssl.revoke("alice", "root", "keyCompromise");
    let store = bundle(&openssl, &[&openssl.fresh_list("root")]);
    let then = support::instant("20250201000000Z");
    let outcome = store.check_endorsement(&openssl.chain(&["alice"]), Some(then), today());
    assert_eq!(outcome.state, Revoked);
}

#[test]
fn a_revoked_authority_takes_its_people_with_it() {
    let openssl = site();
    openssl.intermediate("mid", "/DC=org/DC=example/CN=Intermediate", "root");
    openssl.person("carol", "/DC=org/DC=example/CN=Carol", "mid");
    let chain = ["carol", "mid"];
    let (root, mid) = (openssl.fresh_list("root"), openssl.fresh_list("mid"));
    let store = bundle(&openssl, &[&root, &mid]).with_revocation(RevocationPolicy::Require);
    assert_eq!(state(&openssl, &store, &chain), Trusted);
    assert!(theirs(&openssl, &chain, &[&root, &mid]));
    openssl.revoke("mid", "root", "CACompromise");
    let root = openssl.fresh_list("root");
    let store = bundle(&openssl, &[&root, &mid]);
    let outcome = judge(&openssl, &store, &chain);
    assert_eq!(outcome.state, Revoked);
    assert!(outcome.reasons[0].contains("CN=Intermediate"), "{outcome:?}");
    assert!(!theirs(&openssl, &chain, &[&root, &mid]));
}

#[test]
fn where_lists_are_required_each_authority_needs_one_that_is_up_to_date() {
    let openssl = site();
    openssl.intermediate("mid", "/DC=org/DC=example/CN=Intermediate", "root");
    openssl.person("carol", "/DC=org/DC=example/CN=Carol", "mid");
    let list = |days: (&str, &str)| openssl.list("root", VERSION_2, days.0, days.1);
    let (past, now, future) = (list(PAST), list(NOW), list(FUTURE));
    for (lists, chain, ours, reason) in [
        (vec![&now], &["bob"][..], Trusted, ""),
        (vec![], &["bob"], Untrusted, "there is no revocation list"),
        (vec![&past], &["bob"], Untrusted, "out of date"),
        (vec![&future], &["bob"], Untrusted, "future"),
        (vec![&past, &now], &["bob"], Trusted, ""),
        (vec![&now, &past], &["bob"], Trusted, ""),
        (
            vec![&now],
            &["carol", "mid"],
            Untrusted,
            "no revocation list of `/DC=org/DC=example/CN=Inter",
        ),
    ] {
        let lists: Vec<&[u8]> = lists.into_iter().map(Vec::as_slice).collect();
        let store = bundle(&openssl, &lists).with_revocation(RevocationPolicy::Require);
        let outcome = judge(&openssl, &store, chain);
        assert_eq!(outcome.state, ours, "{reason}: {outcome:?}");
        assert!(outcome.reasons.iter().all(|r| r.contains(reason)), "{reason}: {outcome:?}");
        assert_eq!(outcome.reasons.is_empty(), reason.is_empty());
        assert_eq!(theirs(&openssl, chain, &lists), ours == Trusted, "{reason}");
    }
}

/// Without the rule, a list that is too old is told and does not stop anybody.
#[test]
fn where_lists_are_not_required_an_old_one_is_a_remark() {
    let openssl = site();
    let past = openssl.list("root", VERSION_2, PAST.0, PAST.1);
    let store = bundle(&openssl, &[&past]);
    let outcome = judge(&openssl, &store, &["bob"]);
    assert_eq!(outcome.state, Trusted);
    assert!(outcome.reasons[0].contains("out of date"), "{outcome:?}");
    assert_eq!(state(&openssl, &bundle(&openssl, &[]), &["bob"]), Trusted);
}

#[test]
fn an_old_list_still_revokes() {
    let openssl = site();
    openssl.revoke("alice", "root", "superseded");
    let past = openssl.list("root", VERSION_2, PAST.0, PAST.1);
    assert_eq!(state(&openssl, &bundle(&openssl, &[&past]), &["alice"]), Revoked);
}

#[test]
fn a_grid_directory_with_lists_asks_for_them() {
    let openssl = site();
    openssl.intermediate("mid", "/DC=org/DC=example/CN=Intermediate", "root");
    openssl.person("carol", "/DC=org/DC=example/CN=Carol", "mid");
    let files = |lists: Vec<(&str, Vec<u8>)>| {
        let mut files = vec![("0a0b0c0d.0".to_owned(), openssl.bundle(&["root"]))];
        files.extend(lists.into_iter().map(|(name, list)| (name.to_owned(), list)));
        TrustStore::from_grid_files(files).unwrap()
    };
    let (store, _) = files(vec![]);
    assert_eq!(state(&openssl, &store, &["carol", "mid"]), Trusted);
    let (root, mid) = (openssl.fresh_list("root"), openssl.fresh_list("mid"));
    let (store, _) = files(vec![("0a0b0c0d.r0", root.clone())]);
    assert_eq!(state(&openssl, &store, &["bob"]), Trusted);
    assert_eq!(state(&openssl, &store, &["carol", "mid"]), Untrusted);
    let (store, _) = files(vec![("0a0b0c0d.r0", root), ("0a0b0c0d.r1", mid)]);
    assert_eq!(state(&openssl, &store, &["carol", "mid"]), Trusted);
    // A broken list is a warning, and as good as none.
    let (store, warnings) = files(vec![("0a0b0c0d.r0", b"not a list".to_vec())]);
    assert!(warnings.len() == 1 && warnings[0].contains("0a0b0c0d.r0"), "{warnings:?}");
    assert_eq!(state(&openssl, &store, &["bob"]), Untrusted);
}

#[test]
fn lists_of_somebody_else_say_nothing() {
    let openssl = site();
    openssl.root("twin", ROOT);
    openssl.root("other", "/DC=org/DC=example/CN=Other");
    // The twin and the other one revoke Bob's number.
    for issuer in ["twin", "other"] {
        openssl.revoke("bob", issuer, "");
        let list = openssl.fresh_list(issuer);
        let store = bundle(&openssl, &[&list]);
        assert_eq!(state(&openssl, &store, &["bob"]), Trusted, "{issuer}");
        let outcome = judge(&openssl, &store.with_revocation(RevocationPolicy::Require), &["bob"]);
        assert_eq!(outcome.state, Untrusted, "{issuer}");
        let reason = if issuer == "twin" { "was not made by it" } else { "there is no" };
        assert!(outcome.reasons[0].contains(reason), "{outcome:?}");
        assert!(!theirs(&openssl, &["bob"], &[&list]));
    }
}

#[test]
fn a_forged_list_neither_revokes_nor_clears() {
    let openssl = site();
    openssl.fresh_list("root");
    let list = openssl.line("crl -in root.crl -outform DER");
    for at in 0..list.len() {
        let mut forged = list.clone();
        forged[at] ^= 0x01;
        let files = [
            ("0a0b0c0d.0".to_owned(), openssl.bundle(&["root"])),
            ("0a0b0c0d.r0".to_owned(), forged),
        ];
        let (store, _) = TrustStore::from_grid_files(files).unwrap();
        assert_eq!(state(&openssl, &store, &["bob"]), Untrusted, "byte {at}");
    }
}

#[test]
fn the_reason_of_a_revocation_does_not_matter() {
    let openssl = site();
    // An entry that takes a certificate off the list belongs on delta lists, which are not used.
    for reason in ["keyCompromise", "certificateHold", "removeFromCRL", "cessationOfOperation"] {
        openssl.write("root.index", "");
        openssl.revoke("alice", "root", reason);
        let list = openssl.fresh_list("root");
        assert_eq!(state(&openssl, &bundle(&openssl, &[&list]), &["alice"]), Revoked, "{reason}");
    }
}

#[test]
fn a_list_about_a_part_of_the_certificates_is_not_enough() {
    let openssl = site();
    for extensions in [
        "issuingDistributionPoint=critical,@part\n[part]\nonlyCA=TRUE\n",
        "deltaCRL=critical,ASN1:INTEGER:1\n",
        "1.2.3.4=critical,ASN1:NULL\n",
    ] {
        let extensions = extensions.replace("deltaCRL", "2.5.29.27");
        let part = openssl.list("root", &extensions, NOW.0, NOW.1);
        let store = bundle(&openssl, &[&part]).with_revocation(RevocationPolicy::Require);
        assert_eq!(state(&openssl, &store, &["bob"]), Untrusted, "{extensions}");
        let whole = openssl.fresh_list("root");
        let store = bundle(&openssl, &[&part, &whole]).with_revocation(RevocationPolicy::Require);
        assert_eq!(state(&openssl, &store, &["bob"]), Trusted, "{extensions}");
    }
}

#[test]
fn lists_signed_in_any_accepted_way_count() {
    let openssl = Openssl::new();
    openssl.line("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    for curve in ["P-256", "P-384", "P-521"] {
        let line = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:";
        openssl.line(&format!("{line}{curve} -out {curve}.key"));
    }
    for (name, digests) in [
        ("rsa", &["sha1", "sha256", "sha384", "sha512"][..]),
        ("P-256", &["sha256", "sha384", "sha512"]),
        ("P-384", &["sha256", "sha384", "sha512"]),
        ("P-521", &["sha256", "sha384", "sha512"]),
    ] {
        openssl.root(name, ROOT);
        openssl.person("alice", ALICE, name);
        openssl.person("bob", BOB, name);
        openssl.revoke("alice", name, "");
        for digest in digests {
            let list = openssl.list_over(digest, name);
            let pem = [openssl.bundle(&[name]), list].concat();
            let store = TrustStore::from_pem(&pem).unwrap();
            let store = store.with_revocation(RevocationPolicy::Require);
            assert_eq!(state(&openssl, &store, &["alice"]), Revoked, "{name} {digest}");
            assert_eq!(state(&openssl, &store, &["bob"]), Trusted, "{name} {digest}");
        }
    }
}

/// Numbers are compared as numbers of one issuer.
#[test]
fn serial_numbers_belong_to_their_issuer() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.intermediate("mid", "/DC=org/DC=example/CN=Intermediate", "root");
    openssl.certificate("alice", ALICE).by("root").serial("00FF").make();
    openssl.certificate("carol", "/DC=org/DC=example/CN=Carol").by("mid").serial("00FF").make();
    openssl.certificate("dave", "/DC=org/DC=example/CN=Dave").by("root").serial("7F").make();
    openssl.revoke("alice", "root", "");
    let (root, mid) = (openssl.fresh_list("root"), openssl.fresh_list("mid"));
    let store = bundle(&openssl, &[&root, &mid]).with_revocation(RevocationPolicy::Require);
    assert_eq!(state(&openssl, &store, &["alice"]), Revoked);
    assert_eq!(state(&openssl, &store, &["carol", "mid"]), Trusted);
    assert_eq!(state(&openssl, &store, &["dave"]), Trusted);
}

/// The list is the authority's own word; it counts although its key usage leaves lists out. openssl
/// refuses such a list, and with it everybody.
#[test]
fn a_list_counts_although_the_key_usage_of_its_authority_forgets_lists() {
    let openssl = Openssl::new();
    let usage = CA.replace(",cRLSign", "");
    openssl.certificate("root", ROOT).extensions(&usage).make();
    openssl.person("alice", ALICE, "root");
    openssl.person("bob", BOB, "root");
    openssl.revoke("alice", "root", "");
    let list = openssl.fresh_list("root");
    let store = bundle(&openssl, &[&list]);
    assert_eq!(state(&openssl, &store, &["alice"]), Revoked);
    assert_eq!(state(&openssl, &store, &["bob"]), Trusted);
    assert!(!theirs(&openssl, &["bob"], &[&list]));
}

#[test]
fn a_renewed_authority_with_its_old_key_still_revokes() {
    let openssl = site();
    openssl.certificate("renewed", ROOT).key("root").extensions(CA).make();
    openssl.revoke("alice", "root", "");
    let list = openssl.fresh_list("root");
    let pem = [openssl.bundle(&["renewed", "root"]), list].concat();
    let store = TrustStore::from_pem(&pem).unwrap();
    assert_eq!(state(&openssl, &store, &["alice"]), Revoked);
}

#[test]
fn a_proxy_of_a_revoked_person_is_revoked() {
    let openssl = site();
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "alice");
    openssl.revoke("alice", "root", "");
    let store = bundle(&openssl, &[&openssl.fresh_list("root")]);
    let outcome = store.check(&openssl.chain(&["proxy", "alice"]), today());
    assert_eq!((outcome.state, outcome.identity.as_str()), (Revoked, ALICE));
}
