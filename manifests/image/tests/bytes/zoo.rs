//! Every way in which a gzip file can be wrong, and the odd ones that are right. Each case is kept
//! for ever, and every reader of the crate must judge it alike.

use crate::support::{Member, compressed, disk, verdicts};
use stratus_image::{Form, ImageError, Inspected};

const ANY: u64 = u64::MAX;

fn refused(name: &str, file: &[u8], is_right: impl Fn(&ImageError) -> bool) {
    refused_within(name, file, ANY, is_right);
}

fn refused_within(name: &str, file: &[u8], limit: u64, is_right: impl Fn(&ImageError) -> bool) {
    for (reader, verdict) in verdicts(file, limit).into_iter().enumerate() {
        match verdict {
            Err(error) if is_right(&error) => assert!(error.is_about_the_bytes(), "{name}"),
            other => panic!("{name}, reader {reader}: {other:?}"),
        }
    }
}

fn accepted(name: &str, file: &[u8], content: &[u8]) -> Inspected {
    let mut found: Vec<_> = verdicts(file, ANY)
        .into_iter()
        .enumerate()
        .map(|(reader, v)| v.unwrap_or_else(|e| panic!("{name}, reader {reader}: {e}")))
        .collect();
    let first = found.remove(0);
    for other in &found {
        assert_eq!(other, &first, "{name}");
    }
    let sha256 = stratus_image::Hasher::digest(stratus_model::Algorithm::Sha256, content);
    assert_eq!(first.content.digests, [sha256], "{name}");
    first
}

/// A member with optional fields announced by flags.
fn with(member: &Member, flags: u8, optional: &[u8]) -> Member {
    let mut changed = member.clone();
    changed.fixed[3] = flags;
    changed.optional = optional.to_vec();
    changed
}

/// The CRC-16 of a member's header as it is (RFC 1952, FHCRC).
fn header_crc(member: &Member) -> [u8; 2] {
    let mut crc = flate2::Crc::new();
    crc.update(&member.fixed);
    crc.update(&member.optional);
    [crc.sum().to_le_bytes()[0], crc.sum().to_le_bytes()[1]]
}

/// A foreign file and one of ours, each with the places where its parts begin.
fn files() -> [(Vec<u8>, &'static str); 2] {
    let content = disk(3 << 20);
    [(Member::of(&content).join(), "one member"), (compressed(&content, 2, 1).0, "our members")]
}

#[test]
fn cut_off_anywhere() {
    for (file, kind) in files() {
        let trailer = file.len() - 8;
        for at in
            [1, 2, 5, 9, 10, 11, 23, 24, 100, file.len() / 2, trailer, trailer + 3, trailer + 7]
        {
            refused(
                &format!("{kind} cut at {at}"),
                &file[..at],
                |e| matches!(e, ImageError::Truncated { at: found } if *found == at as u64),
            );
        }
    }
}

#[test]
fn padded_with_zeros() {
    for (file, kind) in files() {
        let end = file.len() as u64;
        for zeros in [1, 7, 512, 100_000] {
            let padded = [&file[..], &vec![0; zeros]].concat();
            refused(kind, &padded, |e| matches!(e, ImageError::Padded { at } if *at == end));
        }
    }
}

#[test]
fn something_after_the_end() {
    for (file, kind) in files() {
        let end = file.len() as u64;
        for tail in
            [&b"\n"[..], b"trailing text that is longer than a header of ours", b"\x1f\x8c\x08"]
        {
            refused(
                kind,
                &[&file[..], tail].concat(),
                |e| matches!(e, ImageError::TrailingGarbage { at } if *at == end),
            );
        }
        // The first two bytes of a member are a member cut off.
        refused(
            kind,
            &[&file[..], &[0x1f, 0x8b]].concat(),
            |e| matches!(e, ImageError::Truncated { at } if *at == end + 2),
        );
    }
}

#[test]
fn wrong_crc() {
    let mut member = Member::of(b"some content");
    member.crc ^= 1;
    let file = member.join();
    let end = file.len() as u64;
    refused(
        "first member",
        &file,
        |e| matches!(e, ImageError::BadCrc { member: 1, offset } if *offset == end),
    );
    let second = [Member::of(b"before").join(), file].concat();
    refused("second member", &second, |e| matches!(e, ImageError::BadCrc { member: 2, .. }));

    let (mut ours, _) = compressed(&disk(3 << 20), 2, 1);
    let crc_at = ours.len() - 8;
    ours[crc_at] ^= 0x80;
    refused("ours", &ours, |e| matches!(e, ImageError::BadCrc { member: 3, .. }));
}

#[test]
fn wrong_length_in_the_trailer() {
    let mut member = Member::of(b"some content");
    member.length += 1;
    refused("foreign", &member.join(), |e| matches!(e, ImageError::Corrupt { member: 1, .. }));
    let (mut ours, _) = compressed(&disk(1 << 20), 2, 1);
    let length_at = ours.len() - 4;
    ours[length_at] ^= 1;
    refused("ours", &ours, |e| matches!(e, ImageError::Corrupt { member: 1, .. }));
}

#[test]
fn broken_data() {
    let mut member = Member::of(&disk(200_000));
    // Block type 3 does not exist (RFC 1951 section 3.2.3).
    member.data[0] = 0b111;
    refused("block type", &member.join(), |e| matches!(e, ImageError::Corrupt { member: 1, .. }));
    let (mut ours, _) = compressed(&disk(2 << 20), 2, 1);
    ours[24] = 0b111;
    refused("ours", &ours, |e| matches!(e, ImageError::Corrupt { member: 1, .. }));
}

#[test]
fn broken_headers() {
    let member = Member::of(b"content");
    let rule = |e: &ImageError| matches!(e, ImageError::Corrupt { member: 1, .. });
    let mut method = member.clone();
    method.fixed[2] = 7;
    refused("compression method", &method.join(), rule);
    refused("reserved flag", &with(&member, 0x20, b"").join(), rule);
    refused("header CRC", &with(&member, 2, b"\x00\x00").join(), rule);
    let endless = [&with(&member, 8, b"").fixed[..], &vec![b'n'; 70_000]].concat();
    refused("endless name", &endless, rule);
}

#[test]
fn lengths_of_our_own_that_are_lies() {
    let content = disk(2 << 20);
    let (file, _) = compressed(&content, 1, 1);
    let first = u32::from_le_bytes(file[16..20].try_into().unwrap());
    let change = |at: usize, value: u32| {
        let mut changed = file.clone();
        changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
        changed
    };
    // Whoever follows the lengths and whoever inflates it all must both refuse it, though the data
    // themselves are good.
    for (name, changed) in [
        ("member one byte short", change(16, first - 1)),
        ("member one byte long", change(16, first + 1)),
        ("content short", change(20, (1 << 20) - 1)),
        ("member without content", change(20, 0)),
        ("member of header size", change(16, 24)),
        ("huge content", change(20, u32::MAX)),
        ("huge member", change(16, u32::MAX)),
    ] {
        refused(name, &changed, |e| matches!(e, ImageError::Corrupt { member: 1, .. }));
    }
    // A member that reaches past the end of the file: cut off for one reader, a lie for the other.
    refused("past the end", &change(16, 2_000_000), |e| {
        matches!(e, ImageError::Corrupt { member: 1, .. } | ImageError::Truncated { .. })
    });
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = Member::of(&vec![0; 20 << 20]).join();
    assert!(bomb.len() < 30_000);
    let large = |limit: u64| move |e: &ImageError| matches!(e, ImageError::TooLarge { form: Form::Content, limit: l } if *l == limit);
    for limit in [0, 1, 1 << 20, (20 << 20) - 1] {
        refused_within("one member", &bomb, limit, large(limit));
    }
    let many: Vec<u8> = Member::of(&[0; 1000]).join().repeat(1000);
    refused_within("many members", &many, 500_000, large(500_000));
    let (ours, _) = compressed(&vec![0; 8 << 20], 2, 9);
    refused_within("ours", &ours, 5 << 20, large(5 << 20));
    for verdict in verdicts(&bomb, 20 << 20) {
        assert_eq!(verdict.unwrap().content.bytes, 20 << 20, "the limit itself is allowed");
    }
}

#[test]
fn a_tar_archive_inside() {
    let mut tar = vec![0; 10_240];
    tar[..6].copy_from_slice(b"vm.img");
    tar[257..265].copy_from_slice(b"ustar  \0");
    refused("one member", &Member::of(&tar).join(), |e| matches!(e, ImageError::TarInside));
    let split: Vec<u8> = tar.chunks(100).flat_map(|part| Member::of(part).join()).collect();
    refused("over many members", &split, |e| matches!(e, ImageError::TarInside));
}

#[test]
fn another_kind_of_file_inside() {
    let found = |what: &'static str| move |e: &ImageError| matches!(e, ImageError::WrongContent { found } if *found == what);
    let inside = |magic: &[u8]| Member::of(&[magic, &[0; 1000]].concat()).join();
    refused("gzip", &Member::of(&Member::of(b"x").join()).join(), found("a gzip file"));
    refused("xz", &inside(b"\xfd7zXZ\0"), found("an xz file"));
    refused("VMDK", &inside(b"KDMV"), found("a VMDK disk image"));
}

#[test]
fn a_qcow2_image_over_another_file() {
    let mut header = vec![0; 1024];
    header[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    header[15] = 1;
    refused("backing", &Member::of(&header).join(), |e| matches!(e, ImageError::NotWhole { .. }));
}

#[test]
fn nothing_at_all_and_nothing_inside() {
    refused("no bytes", b"", |e| matches!(e, ImageError::Empty(Form::Compressed)));
    let empty = Member::of(b"").join();
    for members in [1, 3, 5000] {
        refused("no content", &empty.repeat(members), |e| {
            matches!(e, ImageError::Empty(Form::Content))
        });
    }
}

#[test]
fn no_gzip_at_all() {
    for file in [&b"PK\x03\x04 and more"[..], b"plain text", b"\x1f", b"\x8b\x1f", b"\0\0\0\0"] {
        refused("not gzip", file, |e| {
            matches!(e, ImageError::NotGzip { .. })
                || (file.len() == 1 && matches!(e, ImageError::Truncated { at: 1 }))
        });
    }
}

#[test]
fn what_is_odd_but_right_is_accepted() {
    let content = disk(300_000);
    let one = Member::of(&content);
    let extra = b"\x08\0AB\x04\0\x01\x02\x03\x04";
    assert_eq!(accepted("extra field", &with(&one, 4, extra).join(), &content).gzip_members, 1);
    accepted("empty extra field", &with(&one, 4, b"\0\0").join(), &content);
    accepted("broken extra field", &with(&one, 4, b"\x03\0ABC").join(), &content);
    accepted("name", &with(&one, 8, b"vm.img\0").join(), &content);
    accepted("comment", &with(&one, 16, b"made by hand\0").join(), &content);
    let mut all = with(&one, 0x1f, b"\x06\0AB\x02\0\x01\x02vm.img\0comment\0");
    let crc = header_crc(&all);
    all.optional.extend(crc);
    accepted("every field and a header CRC", &all.join(), &content);
    let mut dated = one.clone();
    dated.fixed[4..].copy_from_slice(&[1, 2, 3, 4, 2, 11]);
    accepted("time, level, system", &dated.join(), &content);
}

#[test]
fn several_members_are_one_file() {
    let content = disk(300_000);
    let tiny: Vec<u8> = content.chunks(50).flat_map(|part| Member::of(part).join()).collect();
    assert_eq!(accepted("tiny members", &tiny, &content).gzip_members, 6000);
    let empty = Member::of(b"").join();
    let between = [&empty[..], &Member::of(&content).join(), &empty, &empty].concat();
    assert_eq!(accepted("empty members between", &between, &content).gzip_members, 4);
    let twice = [content.clone(), content.clone()].concat();
    let (ours, _) = compressed(&content, 1, 1);
    let foreign = Member::of(&content).join();
    assert_eq!(
        accepted("ours, then foreign", &[&ours[..], &foreign].concat(), &twice).gzip_members,
        2
    );
    assert_eq!(
        accepted("foreign, then ours", &[&foreign[..], &ours].concat(), &twice).gzip_members,
        2
    );
}
