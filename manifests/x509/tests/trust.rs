//! What a site trusts: bundles and grid directories, compared with `openssl verify`.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod support;

use std::fs;
use stratus_model::SignerState::{self, Expired, Trusted, Untrusted};
use stratus_x509::{Certificate, ChainOutcome, TrustError, TrustStore};
use support::{CA, Openssl, PERSON, TODAY, instant, today};

const ROOT: &str = "/DC=org/DC=example/CN=Root";
const MID: &str = "/DC=org/DC=example/CN=Intermediate";
const ALICE: &str = "/DC=org/DC=example/OU=people/CN=Alice";

fn judge(openssl: &Openssl, roots: &[&str], chain: &[&str], day: &str) -> ChainOutcome {
    let store = TrustStore::from_pem(&openssl.bundle(roots)).unwrap();
    store.check(&openssl.chain(chain), instant(day))
}

/// A chain, what we say of it, and whether openssl says the same.
struct Row {
    roots: &'static [&'static str],
    chain: &'static [&'static str],
    ours: SignerState,
    /// Why openssl, asked without a purpose, says something else.
    differs: Option<&'static str>,
}

fn row(roots: &'static [&'static str], chain: &'static [&'static str], ours: SignerState) -> Row {
    Row { roots, chain, ours, differs: None }
}

impl Row {
    fn unlike_openssl(self, reason: &'static str) -> Self {
        Self { differs: Some(reason), ..self }
    }
}

fn compare(openssl: &Openssl, rows: &[Row]) {
    let mut faults = Vec::new();
    for Row { roots, chain, ours, differs } in rows {
        let outcome = judge(openssl, roots, chain, TODAY);
        let theirs = openssl.verify(roots, chain, "", TODAY);
        let agree = (outcome.state == Trusted) == theirs.is_good;
        if outcome.state != *ours || agree == differs.is_some() {
            faults.push(format!(
                "{chain:?} under {roots:?}: expected {ours:?}, differs {differs:?}\n  ours: {:?} {:?}\n  openssl: {} {}",
                outcome.state, outcome.reasons, theirs.is_good, theirs.stderr.trim()
            ));
        }
        assert_eq!(outcome.state == Trusted, outcome.reasons.is_empty(), "{chain:?}: {outcome:?}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn chains_lead_to_a_root() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.root("other", "/DC=org/DC=example/CN=Other Root");
    openssl.intermediate("mid", MID, "root");
    openssl.intermediate("mid2", "/DC=org/DC=example/CN=Second", "mid");
    openssl.intermediate("mid3", "/DC=org/DC=example/CN=Third", "mid2");
    openssl.person("direct", ALICE, "root");
    openssl.person("alice", ALICE, "mid");
    openssl.person("deep", ALICE, "mid3");
    compare(
        &openssl,
        &[
            row(&["root"], &["direct"], Trusted),
            row(&["root"], &["direct", "root"], Trusted),
            row(&["root"], &["alice", "mid"], Trusted),
            row(&["root"], &["alice", "mid", "root"], Trusted),
            row(&["root", "mid"], &["alice"], Trusted),
            row(&["mid", "root"], &["alice"], Trusted),
            row(&["root"], &["deep", "mid3", "mid2", "mid"], Trusted),
            row(&["root"], &["deep", "mid", "mid3", "mid2"], Trusted),
            row(&["other", "root"], &["alice", "mid", "mid2"], Trusted),
            row(&["root"], &["alice"], Untrusted),
            row(&["root"], &["deep", "mid3", "mid"], Untrusted),
            row(&["other"], &["alice", "mid", "root"], Untrusted),
            row(&["other"], &["direct"], Untrusted),
        ],
    );
}

#[test]
fn only_authorities_make_authorities() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    for (name, extensions) in [
        ("ca-false", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\n"),
        ("no-constraints", "keyUsage=critical,keyCertSign\n"),
        ("no-cert-sign", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n"),
        ("no-usage", "basicConstraints=critical,CA:TRUE\n"),
        ("not-critical", "basicConstraints=CA:TRUE\nkeyUsage=keyCertSign\n"),
        ("version-1", ""),
    ] {
        openssl.certificate(name, MID).extensions(extensions).by("root").make();
        openssl.person(&format!("{name}-alice"), ALICE, name);
    }
    let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n";
    openssl.certificate("mute-root", ROOT).extensions(extensions).make();
    openssl.person("under-mute", ALICE, "mute-root");
    openssl.certificate("old-root", ROOT).extensions("").make();
    openssl.person("under-old", ALICE, "old-root");
    openssl.person("person", "/DC=org/DC=example/CN=Person", "root");
    openssl.person("under-person", ALICE, "person");
    compare(
        &openssl,
        &[
            row(&["root"], &["ca-false-alice", "ca-false"], Untrusted),
            row(&["root"], &["no-constraints-alice", "no-constraints"], Untrusted),
            row(&["root"], &["no-cert-sign-alice", "no-cert-sign"], Untrusted),
            row(&["root"], &["no-usage-alice", "no-usage"], Trusted),
            row(&["root"], &["not-critical-alice", "not-critical"], Trusted),
            row(&["root"], &["version-1-alice", "version-1"], Untrusted),
            row(&["mute-root"], &["under-mute"], Untrusted),
            row(&["old-root"], &["under-old"], Trusted),
            row(&["root"], &["under-person", "person"], Untrusted),
        ],
    );
}

#[test]
fn paths_are_no_longer_than_allowed() {
    let openssl = Openssl::new();
    let (none, one) =
        (CA.replace("CA:TRUE", "CA:TRUE,pathlen:0"), CA.replace("CA:TRUE", "CA:TRUE,pathlen:1"));
    openssl.root("root", ROOT);
    for (name, extensions) in [("none", &none), ("one", &one)] {
        openssl.certificate(name, MID).extensions(extensions).by("root").make();
        openssl.person(&format!("{name}-alice"), ALICE, name);
        let below = format!("{name}-below");
        openssl.intermediate(&below, "/DC=org/DC=example/CN=Below", name);
        openssl.person(&format!("{below}-alice"), ALICE, &below);
        let root = format!("{name}-root");
        openssl.certificate(&root, ROOT).extensions(extensions).make();
        openssl.person(&format!("{root}-alice"), ALICE, &root);
        let mid = format!("{root}-mid");
        openssl.intermediate(&mid, MID, &root);
        openssl.person(&format!("{mid}-alice"), ALICE, &mid);
    }
    // A new key of the same authority, certified by its old one.
    openssl.intermediate("none-root-new", ROOT, "none-root");
    openssl.person("new-alice", ALICE, "none-root-new");
    compare(
        &openssl,
        &[
            row(&["root"], &["none-alice", "none"], Trusted),
            row(&["root"], &["none-below-alice", "none-below", "none"], Untrusted),
            row(&["root"], &["one-below-alice", "one-below", "one"], Trusted),
            row(&["none-root"], &["none-root-alice"], Trusted),
            row(&["none-root"], &["none-root-mid-alice", "none-root-mid"], Untrusted),
            row(&["one-root"], &["one-root-mid-alice", "one-root-mid"], Trusted),
            row(&["none-root"], &["new-alice", "none-root-new"], Trusted),
        ],
    );
}

#[test]
fn time_counts_for_every_certificate_of_the_chain() {
    let openssl = Openssl::new();
    let (past, future) =
        (("20250101000000Z", "20260501000000Z"), ("20260701000000Z", "20300101000000Z"));
    openssl.root("root", ROOT);
    openssl.intermediate("mid", MID, "root");
    for (word, (from, to)) in [("past", past), ("future", future)] {
        openssl.certificate(&format!("{word}-alice"), ALICE).valid(from, to).by("mid").make();
        let mid = format!("{word}-mid");
        openssl.certificate(&mid, MID).extensions(CA).valid(from, to).by("root").make();
        openssl.person(&format!("{mid}-alice"), ALICE, &mid);
        let root = format!("{word}-root");
        openssl.certificate(&root, ROOT).extensions(CA).valid(from, to).make();
        openssl.person(&format!("{root}-alice"), ALICE, &root);
    }
    compare(
        &openssl,
        &[
            row(&["root"], &["past-alice", "mid"], Expired),
            row(&["root"], &["past-mid-alice", "past-mid"], Expired),
            row(&["past-root"], &["past-root-alice"], Expired),
            row(&["root"], &["future-alice", "mid"], Expired),
            row(&["root"], &["future-mid-alice", "future-mid"], Expired),
            row(&["future-root"], &["future-root-alice"], Expired),
        ],
    );
    let outcome = judge(&openssl, &["root"], &["past-mid-alice", "past-mid"], TODAY);
    assert!(outcome.reasons[0].contains("CN=Intermediate"), "{outcome:?}");
    assert!(outcome.reasons[0].contains("2026-05-01"), "{outcome:?}");
    assert_eq!(outcome.identity.as_str(), ALICE);
}

/// A chain that was never right is untrusted, however old it is.
#[test]
fn an_old_chain_of_nobody_is_untrusted_and_not_expired() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.root("false-root", ROOT);
    let old = ("20250101000000Z", "20260501000000Z");
    openssl.certificate("old", ALICE).valid(old.0, old.1).by("false-root").make();
    openssl.certificate("alone", ALICE).valid(old.0, old.1).make();
    compare(
        &openssl,
        &[
            row(&["root"], &["old", "false-root"], Untrusted),
            row(&["root"], &["old"], Untrusted),
            row(&["root"], &["alone"], Untrusted),
        ],
    );
}

/// Authorities are renewed with the same key and the same name; sites keep both certificates.
#[test]
fn an_expired_root_does_not_stand_in_the_way_of_its_successor() {
    let openssl = Openssl::new();
    let old = ("20150101000000Z", "20250601000000Z");
    openssl.certificate("old", ROOT).extensions(CA).valid(old.0, old.1).make();
    openssl.certificate("new", ROOT).key("old").extensions(CA).make();
    openssl.person("alice", ALICE, "old");
    compare(
        &openssl,
        &[
            row(&["old", "new"], &["alice"], Trusted),
            row(&["new", "old"], &["alice"], Trusted),
            row(&["old"], &["alice"], Expired),
        ],
    );
}

#[test]
fn authorities_of_one_name_are_told_apart_by_their_keys() {
    let openssl = Openssl::new();
    openssl.root("one", ROOT);
    openssl.root("two", ROOT);
    openssl.person("alice", ALICE, "one");
    openssl.person("bob", "/DC=org/DC=example/OU=people/CN=Bob", "two");
    openssl.intermediate("mid-one", MID, "one");
    openssl.certificate("mid-two", MID).key("mid-one").extensions(CA).by("two").make();
    openssl.person("carol", "/DC=org/DC=example/OU=people/CN=Carol", "mid-one");
    compare(
        &openssl,
        &[
            row(&["one", "two"], &["alice"], Trusted),
            row(&["two", "one"], &["alice"], Trusted),
            row(&["one", "two"], &["bob"], Trusted),
            row(&["one"], &["bob"], Untrusted),
            row(&["one"], &["bob", "two"], Untrusted),
            // One key, certified by both.
            row(&["two"], &["carol", "mid-two"], Trusted),
            row(&["two"], &["carol", "mid-two", "mid-one"], Trusted),
            row(&["two"], &["carol", "mid-one"], Untrusted),
        ],
    );
    // openssl takes the first certificate of that name only; we try both.
    let outcome = judge(&openssl, &["two"], &["carol", "mid-one", "mid-two"], TODAY);
    assert_eq!(outcome.state, Trusted, "{outcome:?}");
}

#[test]
fn what_is_critical_must_be_understood() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    let (hard, soft) = ("1.2.3.4=critical,ASN1:NULL\n", "1.2.3.4=ASN1:NULL\n");
    for (word, extension) in [("hard", hard), ("soft", soft)] {
        let person = format!("{PERSON}{extension}");
        openssl.certificate(word, ALICE).extensions(&person).by("root").make();
        let authority = format!("{CA}{extension}");
        let mid = format!("{word}-mid");
        openssl.certificate(&mid, MID).extensions(&authority).by("root").make();
        openssl.person(&format!("{mid}-alice"), ALICE, &mid);
        let root = format!("{word}-root");
        openssl.certificate(&root, ROOT).extensions(&authority).make();
        openssl.person(&format!("{root}-alice"), ALICE, &root);
    }
    compare(
        &openssl,
        &[
            row(&["root"], &["soft"], Trusted),
            row(&["root"], &["soft-mid-alice", "soft-mid"], Trusted),
            row(&["soft-root"], &["soft-root-alice"], Trusted),
            row(&["root"], &["hard"], Untrusted),
            row(&["root"], &["hard-mid-alice", "hard-mid"], Untrusted),
            row(&["hard-root"], &["hard-root-alice"], Untrusted),
        ],
    );
}

#[test]
fn name_constraints_hold() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    let dns = format!("{CA}nameConstraints=critical,permitted;DNS:example.org\n");
    let email = format!("{CA}nameConstraints=critical,permitted;email:example.org\n");
    let folder = format!(
        "{CA}nameConstraints=critical,permitted;dirName:people\n[people]\n0.DC=org\n1.DC=example\nOU=people\n"
    );
    for (name, extensions) in [("dns", &dns), ("email", &email), ("folder", &folder)] {
        openssl.certificate(name, MID).extensions(extensions).by("root").make();
        for (word, host) in [("in", "example.org"), ("out", "example.com")] {
            let extensions = format!("{PERSON}subjectAltName=DNS:www.{host},email:alice@{host}\n");
            let subject = if word == "in" { ALICE } else { "/DC=com/CN=Alice" };
            let alice = format!("{name}-{word}");
            openssl.certificate(&alice, subject).extensions(&extensions).by(name).make();
        }
    }
    let not_known =
        "constraints on mail addresses and folders of names are not understood, so nobody passes";
    compare(
        &openssl,
        &[
            row(&["root"], &["dns-in", "dns"], Trusted),
            row(&["root"], &["dns-out", "dns"], Untrusted),
            row(&["root"], &["email-in", "email"], Untrusted).unlike_openssl(not_known),
            row(&["root"], &["email-out", "email"], Untrusted),
            row(&["root"], &["folder-in", "folder"], Untrusted).unlike_openssl(not_known),
            row(&["root"], &["folder-out", "folder"], Untrusted),
        ],
    );
}

#[test]
fn purposes_and_algorithms() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    for (name, more) in [
        ("client", "extendedKeyUsage=clientAuth\n"),
        ("code", "extendedKeyUsage=codeSigning\n"),
        ("mail", "extendedKeyUsage=emailProtection\n"),
        ("server", "extendedKeyUsage=serverAuth\n"),
        ("both", "extendedKeyUsage=serverAuth,clientAuth\n"),
        ("other", "extendedKeyUsage=timeStamping\n"),
    ] {
        let extensions = format!("{PERSON}{more}");
        openssl.certificate(name, ALICE).extensions(&extensions).by("root").make();
    }
    for (name, usage) in [
        ("encipher", "keyUsage=critical,keyEncipherment\n"),
        ("commit", "keyUsage=critical,nonRepudiation\n"),
        ("any", "basicConstraints=CA:FALSE\n"),
    ] {
        openssl.certificate(name, ALICE).extensions(usage).by("root").make();
    }
    openssl.certificate("version-1", ALICE).extensions("").by("root").make();
    openssl.intermediate("authority", ALICE, "root");
    for (name, line) in [
        ("rsa", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key"),
        ("short", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.key"),
        ("p384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key"),
        ("p521", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key"),
    ] {
        openssl.line(line);
        openssl.root(name, ROOT);
        openssl.person(&format!("{name}-alice"), ALICE, name);
    }
    openssl.certificate("sha1", ALICE).digest("sha1").by("root").make();
    openssl.certificate("sha512", ALICE).digest("sha512").by("rsa").make();
    let purpose = "we ask for a purpose that fits signing";
    compare(
        &openssl,
        &[
            row(&["root"], &["client"], Trusted),
            row(&["root"], &["code"], Trusted),
            row(&["root"], &["mail"], Trusted),
            row(&["root"], &["both"], Trusted),
            row(&["root"], &["server"], Untrusted).unlike_openssl(purpose),
            row(&["root"], &["other"], Untrusted).unlike_openssl(purpose),
            row(&["root"], &["encipher"], Untrusted).unlike_openssl(purpose),
            row(&["root"], &["commit"], Trusted),
            row(&["root"], &["any"], Trusted),
            row(&["root"], &["version-1"], Untrusted)
                .unlike_openssl("certificates of version 1 are for old roots only"),
            row(&["root"], &["authority"], Untrusted)
                .unlike_openssl("an authority signs certificates and no manifests"),
            row(&["rsa"], &["rsa-alice"], Trusted),
            row(&["rsa"], &["sha512"], Trusted),
            row(&["p384"], &["p384-alice"], Trusted),
            row(&["p521"], &["p521-alice"], Trusted),
            row(&["short"], &["short-alice"], Untrusted)
                .unlike_openssl("RSA below 2048 bits is not accepted"),
            row(&["root"], &["sha1"], Untrusted).unlike_openssl("SHA-1 is not accepted"),
        ],
    );
}

/// Names are compared byte by byte; openssl folds case and spaces.
#[test]
fn names_are_compared_as_they_are_written() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.certificate("shout", "/DC=org/DC=example/CN=ROOT").key("root").extensions(CA).make();
    openssl.line("pkey -in root.key -out shout.key");
    openssl.person("alice", ALICE, "shout");
    compare(
        &openssl,
        &[row(&["root"], &["alice"], Untrusted)
            .unlike_openssl("authorities write their name in one way")],
    );
}

#[test]
fn a_single_certificate_can_be_trusted_as_itself() {
    let openssl = Openssl::new();
    openssl.certificate("alice", ALICE).make();
    openssl.certificate("twin", ALICE).make();
    openssl.certificate("old", ALICE).valid("20250101000000Z", "20260501000000Z").make();
    openssl.root("root", ROOT);
    openssl.person("bob", "/CN=Bob", "root");
    openssl.certificate("below", "/CN=Below").by("alice").make();
    compare(
        &openssl,
        &[
            row(&["alice"], &["alice"], Trusted),
            row(&["root", "alice"], &["alice"], Trusted),
            row(&["alice"], &["twin"], Untrusted),
            row(&["root"], &["alice"], Untrusted),
            row(&["old"], &["old"], Expired),
            row(&["alice"], &["below", "alice"], Untrusted),
            row(&["bob"], &["bob"], Trusted).unlike_openssl(
                "openssl needs `-partial_chain` to begin trust anywhere but at a root",
            ),
        ],
    );
}

#[test]
fn chains_that_are_none_are_refused() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.person("alice", ALICE, "root");
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    let alice = openssl.get("alice").der().to_vec();
    let mut longer = alice.clone();
    longer.push(0);
    for chain in [
        vec![],
        vec![Vec::new()],
        vec![b"no certificate".to_vec()],
        vec![longer],
        vec![alice[..alice.len() - 1].to_vec()],
        vec![alice.clone(); 11],
        vec![alice, b"no certificate".to_vec()],
    ] {
        let outcome = store.check(&chain, today());
        assert_eq!(outcome.state, Untrusted);
        assert_eq!(outcome.reasons.len(), 1);
    }
}

#[test]
fn a_bundle_without_certificates_is_no_trust() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    for text in [&b""[..], b"nothing\n", &openssl.read("root.key")] {
        assert_eq!(TrustStore::from_pem(text).unwrap_err(), TrustError::Empty);
    }
    let broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert!(matches!(TrustStore::from_pem(broken), Err(TrustError::Certificate(_))));
    assert_eq!(TrustStore::from_grid_files([]).unwrap_err(), TrustError::Empty);
}

#[test]
fn an_endorsement_is_judged_then_and_now() {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl
        .certificate("alice", ALICE)
        .valid("20260101000000Z", "20260901000000Z")
        .by("root")
        .make();
    let store = TrustStore::from_pem(&openssl.bundle(&["root"])).unwrap();
    let judge = |then: &str, now: &str| {
        let outcome =
            store.check_endorsement(&openssl.chain(&["alice"]), Some(instant(then)), instant(now));
        assert_eq!(outcome.state == Trusted, outcome.reasons.is_empty(), "{outcome:?}");
        outcome.state
    };
    assert_eq!(judge("20260201000000Z", TODAY), Trusted);
    assert_eq!(judge("20251201000000Z", TODAY), Expired);
    assert_eq!(judge("20260201000000Z", "20261001000000Z"), Expired);
    assert_eq!(judge("20260601000400Z", TODAY), Trusted);
    assert_eq!(judge("20260601000600Z", TODAY), Untrusted);
    assert_eq!(judge("20261001000000Z", "20261101000000Z"), Expired);
}

/// A grid directory, with the names that `openssl rehash` gives.
struct Grid<'a> {
    openssl: &'a Openssl,
    files: Vec<(String, Vec<u8>)>,
}

impl<'a> Grid<'a> {
    fn new(openssl: &'a Openssl, authorities: &[&str]) -> Self {
        let folder = openssl.path("grid");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for name in authorities {
            fs::write(folder.join(format!("{name}.pem")), openssl.bundle(&[name])).unwrap();
        }
        openssl.line("rehash grid");
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .filter(|(name, _)| name.strip_suffix(".pem").is_none())
            .collect();
        files.sort();
        Self { openssl, files }
    }

    /// With another file, named after the hash of an authority.
    fn with(mut self, authority: &str, ending: &str, text: impl AsRef<[u8]>) -> Self {
        let line = format!("x509 -noout -subject_hash -in {authority}.crt");
        let hash = String::from_utf8(self.openssl.line(&line)).unwrap();
        self.files.push((format!("{}.{ending}", hash.trim()), text.as_ref().to_vec()));
        self
    }

    fn names(&self) -> Vec<&str> {
        self.files.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn store(&self) -> (TrustStore, Vec<String>) {
        TrustStore::from_grid_files(self.files.clone()).unwrap()
    }

    fn judge(&self, chain: &[&str]) -> ChainOutcome {
        let (store, warnings) = self.store();
        assert_eq!(warnings, Vec::<String>::new());
        store.check(&self.openssl.chain(chain), today())
    }
}

fn policy(authority: &str, subjects: &str) -> String {
    format!(
        "# who may be certified\naccess_id_CA   X509    '{authority}'\npos_rights     globus  CA:sign\ncond_subjects  globus  '{subjects}'\n"
    )
}

fn grid_site() -> Openssl {
    let openssl = Openssl::new();
    openssl.root("root", ROOT);
    openssl.person("alice", ALICE, "root");
    openssl
}

#[test]
fn two_authorities_of_one_name_share_a_hash() {
    let openssl = grid_site();
    openssl.root("twin", ROOT);
    openssl.person("bob", "/DC=org/DC=example/OU=people/CN=Bob", "twin");
    let grid = Grid::new(&openssl, &["root", "twin"]);
    let names = grid.names();
    assert!(names.len() == 2 && names[0].ends_with(".0") && names[1].ends_with(".1"), "{names:?}");
    assert_eq!(names[0][..8], names[1][..8]);
    assert_eq!(grid.store().0.anchors().len(), 2);
    for person in ["alice", "bob"] {
        assert_eq!(grid.judge(&[person]).state, Trusted);
    }
}

#[test]
fn signing_policies_limit_authorities() {
    let openssl = grid_site();
    for (subjects, state) in [
        (ALICE.to_owned(), Trusted),
        (format!("\"{ALICE}\""), Trusted),
        ("\"/DC=org/DC=example/OU=people/*\"".to_owned(), Trusted),
        ("/DC=org/DC=example/*".to_owned(), Trusted),
        ("\"/C=XX/*\" \"/DC=org/*\"".to_owned(), Trusted),
        ("/C=XX/* /DC=org/*".to_owned(), Trusted),
        ("*".to_owned(), Trusted),
        (ALICE.replace("Alice", "Al?ce"), Trusted),
        ("/DC=org/DC=example/OU=hosts/*".to_owned(), Untrusted),
        ("/DC=org/DC=example/OU=people".to_owned(), Untrusted),
        (ALICE.to_lowercase(), Untrusted),
        (format!("{ALICE}/CN=*"), Untrusted),
        (String::new(), Untrusted),
    ] {
        let grid =
            Grid::new(&openssl, &["root"]).with("root", "signing_policy", policy(ROOT, &subjects));
        let outcome = grid.judge(&["alice"]);
        assert_eq!(outcome.state, state, "{subjects}: {outcome:?}");
        assert_eq!(outcome.identity.as_str(), ALICE);
        if state == Untrusted {
            assert!(outcome.reasons[0].contains("signing policy"), "{outcome:?}");
        }
    }
}

/// Where the directory says nothing of an authority, it may certify anybody.
#[test]
fn an_authority_without_a_policy_is_not_limited() {
    let openssl = grid_site();
    openssl.root("other", "/C=XX/CN=Other");
    let grid = Grid::new(&openssl, &["root"])
        .with("root", "namespaces", "TO Issuer \"/C=XX/CN=Other\" PERMIT Subject \"/C=XX/.*\"\n")
        .with("root", "info", "alias = Example\n")
        .with("other", "signing_policy", policy("/C=XX/CN=Other", "/C=XX/*"));
    assert_eq!(grid.judge(&["alice"]).state, Trusted);
}

#[test]
fn policies_hold_for_every_step_of_the_chain() {
    let openssl = grid_site();
    openssl.intermediate("mid", MID, "root");
    openssl.person("bob", "/DC=org/DC=example/OU=people/CN=Bob", "mid");
    let chain = ["bob", "mid"];
    let people = "/DC=org/DC=example/OU=people/*";
    let grid = || Grid::new(&openssl, &["root", "mid"]);
    let with = |root: &str, mid: &str| {
        grid()
            .with("root", "signing_policy", policy(ROOT, root))
            .with("mid", "signing_policy", policy(MID, mid))
            .judge(&chain)
            .state
    };
    assert_eq!(with(MID, people), Trusted);
    // The root's own limits are about what the root signs.
    assert_eq!(with(people, people), Untrusted);
    assert_eq!(with(MID, "/C=XX/*"), Untrusted);
}

/// A person who carries the authority's own name is a person all the same.
#[test]
fn a_policy_is_not_evaded_by_the_name_of_the_authority() {
    let openssl = grid_site();
    openssl.person("chief", ROOT, "root");
    // Without escapes this name reads like the authority's.
    openssl.person("lookalike", "/DC=org/DC=example\\/CN=Root", "root");
    let people = policy(ROOT, "/DC=org/DC=example/OU=people/*");
    let grid = Grid::new(&openssl, &["root"]).with("root", "signing_policy", people);
    assert_eq!(grid.judge(&["alice"]).state, Trusted);
    assert_eq!(grid.judge(&["chief"]).state, Untrusted);
    assert_eq!(grid.judge(&["lookalike"]).state, Untrusted);
}

#[test]
fn rights_that_are_not_given_are_not_there() {
    let openssl = grid_site();
    let everybody = policy(ROOT, "*");
    let judge = |text: &str| {
        Grid::new(&openssl, &["root"]).with("root", "signing_policy", text).judge(&["alice"]).state
    };
    assert_eq!(judge(&everybody), Trusted);
    assert_eq!(judge(&everybody.replace("pos_rights", "neg_rights")), Untrusted);
    assert_eq!(judge(&everybody.replace("CA:sign", "CA:nothing")), Untrusted);
    // What follows belongs to somebody else.
    let nobody = policy(ROOT, "/C=XX/*");
    let somebody = everybody.replace("access_id_CA", "access_id_USER");
    assert_eq!(judge(&format!("{nobody}{somebody}")), Untrusted);
    let rules = format!("{nobody}{everybody}");
    assert_eq!(judge(&rules), Trusted);
}

#[test]
fn policies_are_read_with_any_quotes_and_spaces() {
    let openssl = grid_site();
    for text in [
        format!(
            "access_id_CA X509 \"{ROOT}\"\npos_rights globus CA:sign\ncond_subjects globus \"/C=XX/*\"\n"
        ),
        format!(
            "access_id_CA X509 {ROOT}\npos_rights globus CA:sign\ncond_subjects globus /C=XX/*\n"
        ),
        format!(
            "\taccess_id_CA\tX509\t'{ROOT}'\r\n\tpos_rights\tglobus\tCA:sign\r\n\tcond_subjects\tglobus\t'\"/C=XX/*\"'\r\n"
        ),
    ] {
        let refused = Grid::new(&openssl, &["root"]).with("root", "signing_policy", &text);
        assert_eq!(refused.judge(&["alice"]).state, Untrusted, "{text}");
        let text = text.replace("/C=XX", "/DC=org");
        let allowed = Grid::new(&openssl, &["root"]).with("root", "signing_policy", &text);
        assert_eq!(allowed.judge(&["alice"]).state, Trusted, "{text}");
    }
}

#[test]
fn a_subject_in_a_policy_may_hold_spaces() {
    let openssl = grid_site();
    openssl.person("ann", "/DC=org/CN=Ann Lee", "root");
    for list in [
        "'\"/C=XX/*\" \"/DC=org/CN=Ann Lee\"'",
        "\"/C=XX/*\" \"/DC=org/CN=Ann Lee\"",
        "\"/DC=org/CN=Ann Lee\"",
    ] {
        let text = policy(ROOT, "@").replace("'@'", list);
        let grid = Grid::new(&openssl, &["root"]).with("root", "signing_policy", text);
        assert_eq!(grid.judge(&["ann"]).state, Trusted, "{list}");
        assert_eq!(grid.judge(&["alice"]).state, Untrusted, "{list}");
    }
}

/// Old policies write `Email`, `E` and `USERID` where openssl writes `emailAddress` and `UID`.
#[test]
fn policies_are_read_with_old_names_of_attributes() {
    let openssl = Openssl::new();
    let authority = "/C=XX/CN=Root/emailAddress=ca@example.org";
    openssl.root("root", authority);
    let alice = "/C=XX/UID=alice/emailAddress=alice@example.org";
    openssl.person("alice", alice, "root");
    for (email, uid) in [("emailAddress", "UID"), ("Email", "USERID"), ("E", "UID")] {
        let old = |name: &str| name.replace("emailAddress", email).replace("UID", uid);
        for (subjects, state) in
            [("/C=XX/UID=*/emailAddress=*@example.org", Trusted), ("/C=YY/*", Untrusted)]
        {
            let text = policy(&old(authority), &old(subjects));
            let grid = Grid::new(&openssl, &["root"]).with("root", "signing_policy", text);
            assert_eq!(grid.judge(&["alice"]).state, state, "{email} {subjects}");
        }
    }
}

/// A policy that cannot be read must not let everything pass.
#[test]
fn a_broken_policy_closes_its_authority() {
    let openssl = grid_site();
    for text in ["", "garbage\n", "<html>not found</html>\n", &policy("/C=XX/CN=Other", "*")] {
        let grid = Grid::new(&openssl, &["root"]).with("root", "signing_policy", text);
        let (store, warnings) = grid.store();
        assert!(warnings.len() == 1 && warnings[0].contains("signing_policy"), "{warnings:?}");
        assert_eq!(store.check(&openssl.chain(&["alice"]), today()).state, Untrusted, "{text}");
    }
}

#[test]
fn a_broken_file_is_a_warning_and_the_others_count() {
    let openssl = grid_site();
    let grid = Grid::new(&openssl, &["root"]).with("root", "9", "no certificate");
    let (store, warnings) = grid.store();
    assert!(warnings.len() == 1 && warnings[0].contains(".9"), "{warnings:?}");
    assert_eq!(store.check(&openssl.chain(&["alice"]), today()).state, Trusted);
}

#[test]
fn certificates_are_read_as_openssl_reads_them() {
    let openssl = grid_site();
    let alice: Certificate = openssl.get("alice");
    openssl.line("x509 -in alice.crt -outform DER -out alice.der");
    assert_eq!(Certificate::from_der(&openssl.read("alice.der")), Ok(alice.clone()));
    let shown = openssl.line("x509 -in alice.crt -noout -fingerprint -sha256");
    let shown = String::from_utf8(shown).unwrap();
    let digits: String =
        shown.trim().rsplit('=').next().unwrap().replace(':', "").to_ascii_lowercase();
    assert!(alice.fingerprint().to_string().ends_with(&digits), "{shown}");
    assert!(!alice.is_ca() && !alice.is_self_issued() && openssl.get("root").is_ca());
    assert_eq!((alice.subject().as_str(), alice.issuer().as_str()), (ALICE, ROOT));
    assert_eq!(alice.not_before(), instant("20250101000000Z"));
    assert_eq!(alice.not_after(), instant("20300101000000Z"));
}
