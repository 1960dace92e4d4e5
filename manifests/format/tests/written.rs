//! What is written: one byte form, read back the same, accepted by the XSD.

mod programs;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use stratus_manifest::deprecation::{self, Deprecation};
use stratus_manifest::{WriteError, read, write};
use stratus_model::{
    Algorithm, Chunks, Compressed, Compression, Digest, DiskFormat, Endorsement, Endorser,
    Identifier, Manifest, Minimum, Subject,
};

fn part() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._+~-]{0,12}"
}

/// Text as people write it: any script, markup characters, no control characters, trimmed.
fn line() -> impl Strategy<Value = String> {
    r#"[^\p{C}\p{Z}]([^\p{C}\p{Z}]|[ <>&"']){0,20}[^\p{C}\p{Z}]"#
}

fn prose() -> impl Strategy<Value = String> {
    r"[^\p{C}\p{Z}]([^\p{C}\p{Z}]|[ \n\t<>&]){0,40}[^\p{C}\p{Z}]"
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000).prop_map(|s| Timestamp::from_second(s).expect("in range"))
}

fn compressed() -> impl Strategy<Value = Compressed> {
    (1u64..10_000, any::<[u8; 32]>(), 1u64..5_000, any::<bool>()).prop_map(
        |(bytes, digest, size, listed)| {
            let count = usize::try_from(bytes.div_ceil(size)).expect("small");
            let chunks = Chunks { size, sha256: vec![digest; count] };
            Compressed {
                bytes,
                checksums: vec![Digest::sha256(digest)],
                chunks: listed.then_some(chunks),
            }
        },
    )
}

fn endorsement() -> impl Strategy<Value = Endorsement> {
    (time(), line(), line(), proptest::option::of("[a-z.]{1,9}@[a-z.]{1,9}")).prop_map(
        |(created, subject, issuer, email)| Endorsement {
            created: Some(created),
            endorser: Endorser {
                subject: Some(Subject::new(subject)),
                issuer: Some(Subject::new(issuer)),
                email,
            },
        },
    )
}

prop_compose! {
    fn needed()(
        created in time(), kind in "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,2}", version in part(), arch in part(),
        user in line(), os in part(), osversion in part(), qcow2: bool, bytes in 1u64..,
        sha256: [u8; 32], sha512: Option<[u8; 32]>, sha1: Option<[u8; 20]>,
    ) -> Manifest {
        let mut checksums = vec![Digest::sha256(sha256)];
        checksums.extend(sha512.map(|d| Digest::new(Algorithm::Sha512, &[d, d].concat()).expect("64 bytes")));
        checksums.extend(sha1.map(|d| Digest::new(Algorithm::Sha1, &d).expect("20 bytes")));
        Manifest {
            created: Some(created), kind: Some(kind), version: Some(version), arch: Some(arch),
            user: Some(user), os: Some(os), osversion: Some(osversion),
            compression: Some(Compression::Gz),
            format: Some(if qcow2 { DiskFormat::Qcow2 } else { DiskFormat::Raw }),
            bytes: Some(bytes), checksums, identifier: sha1.map(Identifier::from_sha1),
            ..Manifest::empty()
        }
    }
}

prop_compose! {
    fn manifest()(
        base in needed(), compressed in proptest::option::of(compressed()),
        title in proptest::option::of(line()), description in proptest::option::of(prose()),
        comments in proptest::collection::vec(prose(), 0..3), valid in proptest::option::of(time()),
        locations in proptest::collection::vec("https?://[a-z]{1,9}/[a-z0-9/?&=%.]{0,20}", 0..3),
        hypervisors in proptest::collection::vec("[a-z][a-z0-9-]{0,5}", 0..3),
        bus in proptest::option::of("[a-z]{1,6}"), cpu: Option<u16>, memory in proptest::option::of(1u64..),
        replaces in proptest::collection::vec(any::<[u8; 20]>(), 0..3),
        deprecated in proptest::option::of(prose()), endorsement in proptest::option::of(endorsement()),
    ) -> Manifest {
        let minimum = cpu.map(|n| Minimum { cpu: Some(u32::from(n) + 1), memory_mib: memory, disk_mib: None });
        Manifest {
            compressed, title, description, comments, valid, locations, hypervisors, bus, minimum,
            replaces: replaces.into_iter().map(|r| Identifier::from_sha1(r).to_string()).collect(),
            deprecated, endorsement, ..base
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(manifest in manifest()) {
        let text = write(&manifest).unwrap();
        prop_assert!(!text.contains('\r') && text.ends_with("</manifest>\n"));
        prop_assert_eq!(read(text.as_bytes()).unwrap().into_unverified_manifest(), manifest.clone());
        prop_assert_eq!(write(&manifest).unwrap(), text);
    }

    #[test]
    fn no_document_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = read(&bytes) {
            prop_assert!(!error.problems().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A document changed in one place is refused with a place inside it, or read.
    #[test]
    fn a_bent_document_is_refused_with_its_place(at in 0usize..2000, junk in "[<>/&\"a\u{e9}]{1,3}") {
        let good = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/valid-format-1/document.xml")).unwrap();
        let at = (0..=at.min(good.len())).rev().find(|i| good.is_char_boundary(*i)).unwrap();
        let bent = format!("{}{junk}{}", &good[..at], &good[at..]);
        if let Err(error) = read(bent.as_bytes()) {
            let lines = u32::try_from(bent.lines().count()).unwrap();
            for problem in error.problems() {
                prop_assert!((1..=lines + 1).contains(&problem.line), "{problem}");
            }
        }
    }
}

#[test]
fn xmllint_accepts_what_is_written() {
    let folder = programs::Folder::new("written");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let files: Vec<_> = (0..24)
        .map(|number| {
            let manifest = manifest().new_tree(&mut runner).unwrap().current();
            folder.write(&format!("{number}.xml"), &write(&manifest).unwrap())
        })
        .collect();
    programs::xmllint_schema(&files);
}

#[test]
fn the_form_is_the_documented_one() {
    let good = include_str!("../testdata/valid-format-1/document.xml");
    let manifest = read(good.as_bytes()).unwrap().into_unverified_manifest();
    let written = write(&manifest).unwrap();
    // The example was written by hand with other line breaks inside the base64 only.
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(plain(&written), plain(good));
    insta::assert_snapshot!(written);
}

#[test]
fn characters_that_xml_cannot_hold_are_refused_by_field() {
    let good = include_str!("../testdata/valid-format-1-minimal/document.xml");
    let manifest = read(good.as_bytes()).unwrap().into_unverified_manifest();
    for (character, position) in [('\u{1}', 4), ('\u{fffe}', 4), ('\u{9b}', 4), ('\r', 4)] {
        let user = Some(format!("ab {character}c"));
        assert_eq!(
            write(&Manifest { user, ..manifest.clone() }),
            Err(WriteError::Character { field: "user", character, position })
        );
    }
}

#[test]
fn an_incomplete_manifest_is_not_written() {
    let error = write(&Manifest::empty()).unwrap_err().to_string();
    assert!(error.contains("a manifest has <checksum>, and this one has none"), "{error}");
    let good = include_str!("../testdata/valid-format-1-minimal/document.xml");
    let mut manifest = read(good.as_bytes()).unwrap().into_unverified_manifest();
    manifest.kind = Some("../etc".to_owned());
    assert!(write(&manifest).unwrap_err().to_string().contains("found `../etc`"));
}

#[test]
fn a_document_beyond_the_limit_is_refused_unread() {
    let huge = " ".repeat(stratus_manifest::SIZE_LIMIT + 1);
    let error = read(huge.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), stratus_manifest::ReadErrorKind::TooLarge);
}

#[test]
fn a_deprecation_reads_back_and_fits_the_schema() {
    let manifest = read(include_bytes!("../testdata/valid-format-1/document.xml")).unwrap();
    let manifest = manifest.into_unverified_manifest();
    let now = "2026-11-21T10:00:00Z".parse().unwrap();
    let name = manifest.coordinates().unwrap().name();
    let mut statement = Deprecation::of(&manifest, name, "resolver is <broken> & old".into(), now);
    statement.replaced_by = Some("ubuntu-24.04-x86_64-base-1.1".into());
    let folder = programs::Folder::new("deprecation");
    let mut files = Vec::new();
    for (file, identifier, sha256) in
        [("both.xml", true, true), ("id.xml", true, false), ("sha.xml", false, true)]
    {
        let statement = Deprecation {
            identifier: statement.identifier.filter(|_| identifier),
            sha256: statement.sha256.clone().filter(|_| sha256),
            ..statement.clone()
        };
        let text = deprecation::write(&statement).unwrap();
        let back = deprecation::read(text.as_bytes()).unwrap().into_unverified_deprecation();
        assert_eq!(back, statement);
        assert!(back.concerns(&manifest));
        files.push(folder.write(file, &text));
    }
    programs::xmllint_schema(&files);
    let nameless = Deprecation { identifier: None, sha256: None, ..statement.clone() };
    assert!(
        deprecation::write(&nameless).unwrap_err().to_string().contains("<identifier> or <sha256>")
    );
    let other = Deprecation { sha256: Some(Digest::sha256([1; 32])), ..statement };
    assert!(!other.concerns(&manifest), "one of two names differs");
}
