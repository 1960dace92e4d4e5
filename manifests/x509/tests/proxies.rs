//! Proxy certificates (RFC 3820) as openssl makes them.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod support;

use stratus_model::SignerState;
use stratus_x509::{ChainOutcome, TrustStore};
use support::{CA, Openssl, PERSON, PROXY, TODAY, instant, today};

const ALICE: &str = "/DC=org/DC=example/CN=Alice";

/// A root, Alice, and a proxy of hers.
fn site() -> Openssl {
    let openssl = Openssl::new();
    openssl.root("root", "/DC=org/DC=example/CN=Root");
    openssl.person("alice", ALICE, "root");
    openssl
}

fn judge(openssl: &Openssl, chain: &[&str]) -> ChainOutcome {
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    store.check(&openssl.chain(chain), today())
}

/// Our verdict, after openssl was asked for the same.
fn agreed(openssl: &Openssl, chain: &[&str]) -> ChainOutcome {
    let outcome = judge(openssl, chain);
    let theirs = openssl.verify(&["root"], chain, "-allow_proxy_certs", TODAY);
    assert_eq!(
        outcome.state == SignerState::Trusted,
        theirs.is_good,
        "{chain:?}: {outcome:?}; openssl: {}",
        theirs.stderr
    );
    outcome
}

fn has_reason(outcome: &ChainOutcome, part: &str) {
    assert!(outcome.reasons.iter().any(|r| r.contains(part)), "{part}: {outcome:?}");
}

#[test]
fn a_proxy_speaks_for_the_person_behind_it() {
    let openssl = site();
    openssl.proxy("proxy", &format!("{ALICE}/CN=17"), "alice");
    let outcome = agreed(&openssl, &["proxy", "alice"]);
    assert_eq!(outcome.state, SignerState::Trusted, "{outcome:?}");
    assert_eq!((outcome.identity.as_str(), outcome.proxies, outcome.limited), (ALICE, 1, false));
}

#[test]
fn a_proxy_of_a_proxy_speaks_for_the_same_person() {
    let openssl = site();
    openssl.proxy("one", &format!("{ALICE}/CN=1"), "alice");
    openssl.proxy("two", &format!("{ALICE}/CN=1/CN=2"), "one");
    let outcome = agreed(&openssl, &["two", "one", "alice"]);
    assert_eq!(outcome.state, SignerState::Trusted, "{outcome:?}");
    assert_eq!((outcome.identity.as_str(), outcome.proxies), (ALICE, 2));
}

#[test]
fn a_limited_proxy_is_told() {
    let openssl = site();
    let limited = "proxyCertInfo=critical,language:1.3.6.1.4.1.3536.1.1.1.9\n";
    openssl.certificate("limited", &format!("{ALICE}/CN=1")).extensions(limited).by("alice").make();
    // Limits are inherited: a full proxy below a limited one is limited.
    openssl.proxy("below", &format!("{ALICE}/CN=1/CN=2"), "limited");
    for chain in [&["limited", "alice"][..], &["below", "limited", "alice"]] {
        let outcome = agreed(&openssl, chain);
        assert_eq!(outcome.state, SignerState::Trusted, "{outcome:?}");
        assert!(outcome.limited && outcome.identity.as_str() == ALICE);
    }
}

#[test]
fn a_proxy_allows_no_more_proxies_than_it_says() {
    let openssl = site();
    let none = "proxyCertInfo=critical,language:id-ppl-inheritAll,pathlen:0\n";
    let one = "proxyCertInfo=critical,language:id-ppl-inheritAll,pathlen:1\n";
    let last = format!("{ALICE}/CN=1/CN=2/CN=3");
    for (name, extensions) in [("p0", none), ("p1", one)] {
        openssl
            .certificate(name, &last[..last.len() - 10])
            .extensions(extensions)
            .by("alice")
            .make();
        openssl.proxy(&format!("{name}b"), &last[..last.len() - 5], name);
        openssl.proxy(&format!("{name}c"), &last, &format!("{name}b"));
    }
    assert_eq!(agreed(&openssl, &["p0", "alice"]).state, SignerState::Trusted);
    has_reason(&agreed(&openssl, &["p0b", "p0", "alice"]), "more proxies");
    assert_eq!(agreed(&openssl, &["p1b", "p1", "alice"]).state, SignerState::Trusted);
    has_reason(&agreed(&openssl, &["p1c", "p1b", "p1", "alice"]), "more proxies");
}

#[test]
fn a_proxy_signed_by_somebody_else_is_refused() {
    let openssl = site();
    openssl.person("mallory", "/DC=org/DC=example/CN=Mallory", "root");
    // The same names as Alice's, another key.
    openssl.root("false-root", "/DC=org/DC=example/CN=Root");
    openssl.person("false-alice", ALICE, "false-root");
    openssl.proxy("forged", &format!("{ALICE}/CN=1"), "false-alice");
    let outcome = agreed(&openssl, &["forged", "alice"]);
    assert_eq!(outcome.state, SignerState::Untrusted);
    has_reason(&outcome, "signature");
    assert_eq!(agreed(&openssl, &["forged", "false-alice"]).state, SignerState::Untrusted);
    // Mallory signs a proxy that has Alice's name.
    openssl.proxy("borrowed", &format!("{ALICE}/CN=1"), "mallory");
    let outcome = judge(&openssl, &["borrowed", "mallory"]);
    assert_eq!(outcome.state, SignerState::Untrusted);
    has_reason(&outcome, "one CN more");
}

#[test]
fn proxies_are_signed_as_well_as_certificates() {
    let openssl = site();
    openssl.line("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    openssl.line("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key");
    for (person, digests) in [
        ("alice", &["sha256", "sha384", "sha512"][..]),
        ("rsa", &["sha256", "sha384", "sha512"]),
        ("p521", &["sha256", "sha384", "sha512"]),
    ] {
        openssl.person(person, ALICE, "root");
        for digest in digests {
            let subject = format!("{ALICE}/CN={digest}");
            let order = openssl.certificate("proxy", &subject).extensions(PROXY);
            order.digest(digest).by(person).make();
            let outcome = agreed(&openssl, &["proxy", person]);
            assert_eq!(outcome.state, SignerState::Trusted, "{person} {digest}: {outcome:?}");
        }
    }
    for person in ["alice", "rsa"] {
        let subject = format!("{ALICE}/CN=sha1");
        let order = openssl.certificate("proxy", &subject).extensions(PROXY);
        order.digest("sha1").by(person).make();
        assert_eq!(judge(&openssl, &["proxy", person]).state, SignerState::Untrusted, "{person}");
    }
}

#[test]
fn a_proxy_is_named_like_its_issuer_and_one_cn_more() {
    let openssl = site();
    for (name, subject) in [
        ("same", ALICE.to_owned()),
        ("other", "/DC=org/DC=example/CN=Bob/CN=1".to_owned()),
        ("two-more", format!("{ALICE}/CN=1/CN=2")),
        ("not-cn", format!("{ALICE}/OU=1")),
        ("shorter", "/DC=org/DC=example/CN=1".to_owned()),
        ("joined", format!("{ALICE}/CN=1+OU=x")),
    ] {
        openssl.proxy(name, &subject, "alice");
        let outcome = agreed(&openssl, &[name, "alice"]);
        assert_eq!(outcome.state, SignerState::Untrusted, "{name}");
        has_reason(&outcome, "one CN more");
    }
}

#[test]
fn a_proxy_without_its_person_is_refused() {
    let openssl = site();
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "alice");
    has_reason(&judge(&openssl, &["proxy"]), "ends with a proxy");
    has_reason(&judge(&openssl, &["proxy", "root"]), "did not issue it");
}

#[test]
fn a_proxy_of_an_expired_person_is_expired() {
    let openssl = site();
    openssl
        .certificate("late", ALICE)
        .valid("20250101000000Z", "20260501000000Z")
        .by("root")
        .make();
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "late");
    let outcome = agreed(&openssl, &["proxy", "late"]);
    assert_eq!((outcome.state, outcome.identity.as_str()), (SignerState::Expired, ALICE));
}

#[test]
fn an_expired_proxy_is_expired_and_still_tells_its_person() {
    let openssl = site();
    let order = |name| openssl.certificate(name, "/DC=org/DC=example/CN=Alice/CN=1");
    order("proxy").extensions(PROXY).valid("20260530000000Z", "20260531000000Z").by("alice").make();
    let outcome = agreed(&openssl, &["proxy", "alice"]);
    assert_eq!(outcome.state, SignerState::Expired, "{outcome:?}");
    assert_eq!((outcome.identity.as_str(), outcome.proxies), (ALICE, 1));
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    let then = store.check(&openssl.chain(&["proxy", "alice"]), instant("20260530120000Z"));
    assert_eq!(then.state, SignerState::Trusted, "{then:?}");
}

/// `Expired` means that the chain was right once. An old proxy of nobody never was.
#[test]
fn an_expired_proxy_of_an_unknown_person_is_untrusted() {
    let openssl = site();
    openssl.root("false-root", "/DC=org/DC=example/CN=Root");
    openssl.person("false-alice", ALICE, "false-root");
    let order = openssl.certificate("proxy", "/DC=org/DC=example/CN=Alice/CN=1");
    order.extensions(PROXY).valid("20260530000000Z", "20260531000000Z").by("false-alice").make();
    assert_eq!(judge(&openssl, &["proxy", "false-alice"]).state, SignerState::Untrusted);
}

/// RFC 3820 section 3.8: an independent proxy has no rights of its issuer, and a language that is not
/// understood gives none.
#[test]
fn a_proxy_that_inherits_nothing_speaks_for_nobody() {
    let openssl = site();
    for (name, extension) in [
        ("independent", "proxyCertInfo=critical,language:id-ppl-independent\n"),
        ("unknown", "proxyCertInfo=critical,language:1.2.3.4.5,policy:text:may read\n"),
        ("any", "proxyCertInfo=critical,language:id-ppl-anyLanguage,policy:text:may read\n"),
    ] {
        let subject = format!("{ALICE}/CN={name}");
        openssl.certificate(name, &subject).extensions(extension).by("alice").make();
        let outcome = judge(&openssl, &[name, "alice"]);
        assert_eq!(outcome.state, SignerState::Untrusted, "{name}");
        has_reason(&outcome, "does not inherit");
    }
}

#[test]
fn extensions_that_a_proxy_must_not_have_are_refused() {
    let openssl = site();
    for (name, more) in [
        ("authority", "basicConstraints=critical,CA:TRUE\n"),
        ("names", "subjectAltName=DNS:www.example.org\n"),
        ("other-names", "issuerAltName=DNS:www.example.org\n"),
        ("unknown", "1.2.3.4=critical,ASN1:NULL\n"),
    ] {
        let subject = format!("{ALICE}/CN={name}");
        let extensions = format!("{PROXY}{more}");
        openssl.certificate(name, &subject).extensions(&extensions).by("alice").make();
        assert_eq!(agreed(&openssl, &[name, "alice"]).state, SignerState::Untrusted, "{name}");
    }
    let soft = PROXY.replace("proxyCertInfo=critical,", "proxyCertInfo=");
    openssl.certificate("soft", &format!("{ALICE}/CN=1")).extensions(&soft).by("alice").make();
    has_reason(&judge(&openssl, &["soft", "alice"]), "not critical");
}

#[test]
fn a_person_who_may_not_sign_makes_no_proxies() {
    let openssl = site();
    let mute = PERSON.replace("digitalSignature", "keyEncipherment");
    openssl.certificate("mute", ALICE).extensions(&mute).by("root").make();
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "mute");
    has_reason(&agreed(&openssl, &["proxy", "mute"]), "may not sign");
}

/// The proxy's own key made the signature, so its own usage counts too.
#[test]
fn a_proxy_that_may_not_sign_is_refused() {
    let openssl = site();
    let mute = PROXY.replace("digitalSignature", "keyEncipherment");
    openssl.certificate("mute", &format!("{ALICE}/CN=1")).extensions(&mute).by("alice").make();
    has_reason(&judge(&openssl, &["mute", "alice"]), "does not allow signatures");
    // The same where Alice is trusted as herself.
    let store = TrustStore::from_pem(&openssl.bundle(&["alice"])).unwrap();
    let outcome = store.check(&openssl.chain(&["mute", "alice"]), today());
    has_reason(&outcome, "does not allow signatures");
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "alice");
    let outcome = store.check(&openssl.chain(&["proxy", "alice"]), today());
    assert_eq!((outcome.state, outcome.identity.as_str()), (SignerState::Trusted, ALICE));
}

#[test]
fn an_authority_makes_no_proxies() {
    let openssl = site();
    openssl.certificate("chief", ALICE).extensions(CA).by("root").make();
    openssl.proxy("proxy", &format!("{ALICE}/CN=1"), "chief");
    has_reason(&judge(&openssl, &["proxy", "chief"]), "certificate authority");
}

#[test]
fn proxies_of_the_old_kind_are_refused() {
    let openssl = site();
    for name in ["proxy", "limited proxy"] {
        openssl.person("old", &format!("{ALICE}/CN={name}"), "alice");
        has_reason(&agreed(&openssl, &["old", "alice"]), "old kind");
    }
}
