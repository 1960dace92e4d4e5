//! Whatever goes in comes out, however it is cut and on however many threads.

use crate::support::{Member, compressed, disk, go_on, inflated, inspect, verdicts};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use stratus_image::{
    Algorithms, ChunkVerifier, CompressOptions, Form, Hasher, ImageError, InflateOptions, Mismatch,
    SparseWriter, check, compress, inflate, measure,
};
use stratus_model::{Algorithm, Chunks, Compressed, Digest, DiskFormat, Expected};

const LIMIT: u64 = 1 << 30;

fn expected(content: &[u8], file: &[u8]) -> Expected {
    let all = |bytes: &[u8]| Algorithm::ALL.map(|a| Hasher::digest(a, bytes)).to_vec();
    let sha256 = file
        .chunks(4 << 20)
        .map(|c| Hasher::digest(Algorithm::Sha256, c).bytes().try_into().expect("32 bytes"))
        .collect();
    Expected {
        bytes: content.len() as u64,
        checksums: all(content),
        compressed: Some(Compressed {
            bytes: file.len() as u64,
            checksums: all(file),
            chunks: Some(Chunks { size: Chunks::SIZE, sha256 }),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_in_any_members_and_pieces(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 1..6),
        step in 1usize..400,
    ) {
        let content = parts.concat();
        // What looks like another kind of file is another test's business.
        prop_assume!(!content.is_empty());
        let file: Vec<u8> = parts.iter().flat_map(|part| Member::of(part).join()).collect();
        let found = inspect(&file, step, LIMIT).unwrap();
        prop_assert_eq!(&found.content.digests, &[Hasher::digest(Algorithm::Sha256, &content)]);
        prop_assert_eq!(found.gzip_members, parts.len() as u64);
        prop_assert_eq!(inflated(&file, 2, LIMIT).unwrap().0, content);
    }

    #[test]
    fn damage_anywhere_is_never_accepted_as_something_else(at: usize, flip in 1u8..=255) {
        let content = disk(200_000).split_off(180_000);
        let (good, _) = compressed(&content, 1, 1);
        let mut bad = good.clone();
        let at = at % bad.len();
        bad[at] ^= flip;
        // Bytes 4 to 9 (time, level, system) mean nothing to the content.
        for found in verdicts(&bad, LIMIT).into_iter().flatten() {
            prop_assert!((4..10).contains(&at) || (12..24).contains(&at), "byte {}", at);
            prop_assert_eq!(&found.content.digests, &[Hasher::digest(Algorithm::Sha256, &content)]);
        }
    }
}

#[test]
fn compressing_gives_the_same_bytes_on_any_number_of_threads() {
    let content = disk((5 << 20) + 12_345);
    for level in [1, 6, 9] {
        let (file, found) = compressed(&content, 1, level);
        for threads in [2, 7] {
            assert!(compressed(&content, threads, level).0 == file, "level {level}");
        }
        assert_eq!(found.gzip_members, 6);
        for threads in [1, 4] {
            let (back, inspected) = inflated(&file, threads, LIMIT).unwrap();
            assert!(back == content);
            assert_eq!(
                Some(&inspected.compressed.chunks),
                found.compressed.as_ref().map(|c| &c.chunks)
            );
        }
    }
}

#[test]
fn compressing_measures_as_measuring_does() {
    let folder = tempfile::tempdir().unwrap();
    let content = disk(9 << 20);
    let (file, made) = compressed(&content, 2, 1);
    let (raw, gz) = (folder.path().join("vm.img"), folder.path().join("named.anything"));
    fs::write(&raw, &content).unwrap();
    fs::write(&gz, &file).unwrap();
    let mut seen = 0;
    let measured = measure(&gz, &Algorithms::manifest(), &mut |done| {
        assert!(done > seen);
        seen = done;
        ControlFlow::Continue(())
    });
    assert_eq!(seen, file.len() as u64);
    let measured = measured.unwrap();
    assert_eq!(measured, made);
    let plain = measure(&raw, &Algorithms::manifest(), &mut go_on).unwrap();
    assert_eq!((plain.compressed, plain.gzip_members), (None, 0));
    assert_eq!((plain.content, plain.disk_format), (made.content.clone(), DiskFormat::Raw));
    for digest in &made.content.digests {
        assert_eq!(digest, &Hasher::digest(digest.algorithm(), &content));
    }
    let compressed = made.compressed.unwrap();
    for digest in &compressed.digests {
        assert_eq!(digest, &Hasher::digest(digest.algorithm(), &file));
    }
    let verifier = ChunkVerifier::new(&compressed.into()).unwrap();
    for (index, piece) in (0..).zip(file.chunks(4 << 20)) {
        verifier.verify(index, piece).unwrap();
    }
}

#[test]
fn an_image_of_zeros_is_cheap_and_comes_back_as_a_hole() {
    let content = vec![0; 40 << 20];
    let (file, _) = compressed(&content, 2, 6);
    assert!(file.len() < 60_000, "{}", file.len());
    let target = tempfile::NamedTempFile::new().unwrap();
    let mut writer = SparseWriter::new(target.reopen().unwrap());
    let options = InflateOptions::expecting(expected(&content, &file));
    inflate(&mut &file[..], &mut writer, &options, &mut go_on).unwrap();
    let metadata = fs::metadata(target.path()).unwrap();
    assert_eq!(metadata.len(), 40 << 20);
    assert!(metadata.blocks() < 100);
}

#[test]
fn inflating_compares_with_everything_that_is_expected() {
    let content = disk(5 << 20);
    for file in [compressed(&content, 2, 1).0, Member::of(&content).join()] {
        let good = expected(&content, &file);
        let mismatches = |expected: Expected| {
            let options = InflateOptions::expecting(expected);
            let mut target = Vec::new();
            match inflate(&mut &file[..], &mut target, &options, &mut go_on) {
                Ok(_) => Vec::new(),
                Err(ImageError::Mismatch(list)) => list.0,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(mismatches(good.clone()), []);
        for index in 0..good.checksums.len() {
            let mut wrong = good.clone();
            let algorithm = wrong.checksums[index].algorithm();
            wrong.checksums[index] = Digest::new(algorithm, &vec![1; algorithm.length()]).unwrap();
            assert!(matches!(
                &mismatches(wrong)[..],
                [Mismatch::Digest { form: Form::Content, .. }]
            ));
        }
        let mut smaller = good.clone();
        smaller.bytes -= 1;
        assert!(matches!(&mismatches(smaller)[..], [Mismatch::Larger { form: Form::Content, .. }]));
        let mut larger = good.clone();
        larger.bytes += 1;
        assert!(matches!(&mismatches(larger)[..], [Mismatch::Bytes { form: Form::Content, .. }]));
        let mut chunk = good.clone();
        chunk.compressed.as_mut().unwrap().chunks.as_mut().unwrap().sha256[0][3] ^= 1;
        assert_eq!(mismatches(chunk), [Mismatch::Chunk { first: 0, count: 1 }]);
        let mut list = good;
        list.compressed.as_mut().unwrap().chunks.as_mut().unwrap().sha256.push([0; 32]);
        assert!(matches!(&mismatches(list)[..], [Mismatch::ChunkList { .. }]));
    }
}

#[test]
fn a_file_is_checked_in_whichever_form_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let content = disk(2 << 20);
    let (file, _) = compressed(&content, 2, 1);
    let (raw, gz) = (folder.path().join("vm.img"), folder.path().join("vm.img.gz"));
    fs::write(&raw, &content).unwrap();
    fs::write(&gz, &file).unwrap();
    let good = expected(&content, &file);
    check(&raw, &good, &mut go_on).unwrap();
    check(&gz, &good, &mut go_on).unwrap();

    let mut other = content.clone();
    other[1_000_000] ^= 1;
    fs::write(&raw, &other).unwrap();
    match check(&raw, &good, &mut go_on) {
        Err(ImageError::Mismatch(list)) => {
            assert_eq!(list.0.len(), good.checksums.len());
            assert!(list.to_string().contains("the SHA-256 of the uncompressed image is "));
        }
        other => panic!("{other:?}"),
    }
    fs::OpenOptions::new().append(true).open(&gz).unwrap().write_all(b"x").unwrap();
    match check(&gz, &good, &mut go_on) {
        Err(ImageError::Mismatch(list)) => assert!(
            matches!(&list.0[..], [Mismatch::Bytes { form: Form::Compressed, .. }]),
            "{list}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_manifest_may_mean_the_gzip_file_itself() {
    let folder = tempfile::tempdir().unwrap();
    let content = disk(1 << 20);
    let file = Member::of(&content).join();
    let gz = folder.path().join("vm.img.gz");
    fs::write(&gz, &file).unwrap();
    let both = expected(&content, &file);
    let of_content = Expected { compressed: None, ..both.clone() };
    let compressed = both.compressed.unwrap();
    let of_file =
        Expected { bytes: compressed.bytes, checksums: compressed.checksums, compressed: None };
    for old in [&of_content, &of_file] {
        check(&gz, old, &mut go_on).unwrap();
        let options = InflateOptions::expecting(old.clone());
        inflate(&mut &file[..], &mut Vec::new(), &options, &mut go_on).unwrap();
    }
    // One part of each form is neither.
    let mixed = Expected { bytes: of_file.bytes, ..of_content };
    assert!(matches!(check(&gz, &mixed, &mut go_on), Err(ImageError::Mismatch(_))));
}

#[test]
fn the_caller_can_stop_at_any_time() {
    let content = disk(4 << 20);
    let (file, _) = compressed(&content, 2, 1);
    let stop_after = |limit: u64| {
        move |done| if done > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    for limit in [0, 1 << 20] {
        let options = CompressOptions::default();
        let stopped =
            compress(&mut &content[..], &mut Vec::new(), &options, &mut stop_after(limit));
        assert!(matches!(stopped, Err(ImageError::Cancelled)));
        let options = InflateOptions::up_to(LIMIT);
        let stopped = inflate(&mut &file[..], &mut Vec::new(), &options, &mut stop_after(limit));
        assert!(matches!(stopped, Err(ImageError::Cancelled)));
    }
}

#[test]
fn a_target_that_fails_is_told_as_such() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let content = disk(8 << 20);
    let (file, _) = compressed(&content, 2, 1);
    let made = compress(&mut &content[..], &mut Full, &CompressOptions::default(), &mut go_on);
    assert!(matches!(made, Err(ImageError::Write(_))));
    let got = inflate(&mut &file[..], &mut Full, &InflateOptions::up_to(LIMIT), &mut go_on);
    assert!(matches!(got, Err(ImageError::Write(_))));
}

#[test]
fn what_is_no_image_is_not_compressed() {
    for (content, what) in [(&b""[..], "empty"), (b"PK\x03\x04", "a zip archive")] {
        let error =
            compress(&mut &content[..], &mut Vec::new(), &CompressOptions::default(), &mut go_on)
                .unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}
