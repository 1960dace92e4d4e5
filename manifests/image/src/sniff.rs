//! What a file is, by its first bytes.
//!
//! A raw disk has no magic number of its own, so everything that is not known to be something else
//! counts as raw. What is known: qcow2 (QEMU's `docs/interop/qcow2.rst`), which is fine; tar
//! archives, compressed files and other people's disk formats, which are refused by name; and
//! ISO 9660, whose bytes are a disk like any other and which is only noted.

use crate::ImageError;
use stratus_model::DiskFormat;

/// Where ISO 9660 puts `CD001`: the second byte of sector 16.
const ISO_AT: u64 = 32_769;
const ISO_MAGIC: &[u8; 5] = b"CD001";
const HEAD: usize = 512;

/// First bytes of files that are no disk image for us: offset, bytes, name.
const FOREIGN: [(usize, &[u8], &str); 18] = [
    (0, b"\x1f\x8b\x08", "a gzip file"),
    (4, b"1AY&SY", "a bzip2 file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (0, b"\x04\x22\x4d\x18", "an LZ4 file"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"KDMV", "a VMDK disk image"),
    (0, b"COWD", "an old VMDK disk image"),
    (0, b"# Disk DescriptorFile", "the description of a VMDK disk image, without its data"),
    (64, b"\x7f\x10\xda\xbe", "a VDI disk image"),
    (0, b"vhdxfile", "a VHDX disk image"),
    (0, b"conectix", "a VHD disk image"),
    (0, b"QED\0", "a QED disk image"),
    (0, b"WithouFreSpacExt", "a Parallels disk image"),
    (0, b"WithoutFreeSpace", "a Parallels disk image"),
];

/// What was seen in the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Layout of the disk.
    pub disk_format: DiskFormat,
    /// Whether it is also a bootable or plain ISO 9660 file system (a CD image).
    pub iso9660: bool,
}

/// The name of what a file is, if it is one of the kinds that are refused.
pub(crate) fn foreign(head: &[u8]) -> Option<&'static str> {
    FOREIGN
        .iter()
        .find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
        .map(|(_, _, name)| *name)
}

/// What stands where a gzip file should begin, as the end of "this is not a gzip file but …".
pub(crate) fn foreign_file(head: &[u8]) -> Option<&'static str> {
    match head.get(..HEAD) {
        _ if foreign(head).is_some() => foreign(head),
        _ if qcow2_version(head).is_some() => Some("a qcow2 image that is not compressed"),
        Some(block) if is_tar(block) => Some("a tar archive"),
        _ => None,
    }
}

/// Collects the few bytes of the content that tell what it is, while they pass by.
#[derive(Debug)]
pub(crate) struct Sniffer {
    head: [u8; HEAD],
    iso: [u8; ISO_MAGIC.len()],
    seen: u64,
    judged: bool,
}

impl Sniffer {
    pub(crate) fn new() -> Self {
        Self { head: [0; HEAD], iso: [0; 5], seen: 0, judged: false }
    }

    /// Takes the next bytes; refuses as soon as the first 512 are there.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        if self.seen < HEAD as u64 {
            copy_overlap(&mut self.head, 0, bytes, self.seen);
        }
        if self.seen < ISO_AT + 5 {
            copy_overlap(&mut self.iso, ISO_AT, bytes, self.seen);
        }
        self.seen += bytes.len() as u64;
        if !self.judged && self.seen >= HEAD as u64 {
            self.judged = true;
            judge(&self.head)?;
        }
        Ok(())
    }

    /// The verdict, once all bytes have passed.
    pub(crate) fn finish(self) -> Result<Seen, ImageError> {
        let head = &self.head[..usize::try_from(self.seen).unwrap_or(HEAD).min(HEAD)];
        if !self.judged {
            judge(head)?;
        }
        let disk_format =
            if qcow2_version(head).is_some() { DiskFormat::Qcow2 } else { DiskFormat::Raw };
        Ok(Seen { disk_format, iso9660: self.iso == *ISO_MAGIC })
    }
}

/// Copies the part of `bytes` (which lie at `bytes_at`) that falls into `window` (at `window_at`).
fn copy_overlap(window: &mut [u8], window_at: u64, bytes: &[u8], bytes_at: u64) {
    let start = window_at.max(bytes_at);
    let end = (window_at + window.len() as u64).min(bytes_at + bytes.len() as u64);
    if start < end {
        let index = |at: u64, base: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
        window[index(start, window_at)..index(end, window_at)]
            .copy_from_slice(&bytes[index(start, bytes_at)..index(end, bytes_at)]);
    }
}

fn judge(head: &[u8]) -> Result<(), ImageError> {
    if let Some(found) = foreign(head) {
        return Err(ImageError::WrongContent { found });
    }
    if is_tar(head) {
        return Err(ImageError::TarInside);
    }
    match qcow2_version(head) {
        None => Ok(()),
        Some(2 | 3) => whole_qcow2(head),
        Some(_) => Err(ImageError::WrongContent {
            found: "a QEMU copy-on-write disk image of an unknown version",
        }),
    }
}

fn be32(head: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?))
}

fn be64(head: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(head.get(at..at + 8)?.try_into().ok()?))
}

fn qcow2_version(head: &[u8]) -> Option<u32> {
    head.starts_with(b"QFI\xfb").then(|| be32(head, 4)).flatten()
}

/// A qcow2 image that names another file would make the node read that file: refused.
///
/// `backing_file_offset` is the 8 bytes at 8; in version 3, bit 2 of the incompatible features at
/// 72 says that the data are in an external file.
fn whole_qcow2(head: &[u8]) -> Result<(), ImageError> {
    let version_3 = be32(head, 4) == Some(3);
    if be64(head, 8).is_some_and(|offset| offset != 0) {
        Err(ImageError::NotWhole { needs: "a backing file" })
    } else if version_3 && be64(head, 72).is_some_and(|features| features & 4 != 0) {
        Err(ImageError::NotWhole { needs: "an external data file" })
    } else {
        Ok(())
    }
}

/// POSIX ustar magic, or the older form: a name, octal fields and a checksum that adds up.
///
/// The header checksum is the sum of the 512 bytes with the checksum field itself as spaces
/// (POSIX.1-2017, pax, "ustar Interchange Format"). A boot sector does not satisfy it by chance.
fn is_tar(head: &[u8]) -> bool {
    if head.len() < HEAD {
        return false;
    }
    if &head[257..262] == b"ustar" {
        return true;
    }
    let sum: u64 = head
        .iter()
        .enumerate()
        .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) })
        .sum();
    head[0] != 0
        && octal(&head[148..156]) == Some(sum)
        && octal(&head[100..108]).is_some()
        && octal(&head[124..136]).is_some()
        && octal(&head[136..148]).is_some()
}

/// An octal number between spaces and zero bytes, as tar writes it.
fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let end = text.iter().position(|b| !(b'0'..=b'7').contains(b)).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let good = !digits.is_empty() && rest.iter().all(|b| matches!(b, 0 | b' '));
    good.then(|| digits.iter().fold(0, |n, d| n << 3 | u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(bytes: &[u8], step: usize) -> Result<Seen, ImageError> {
        let mut sniffer = Sniffer::new();
        bytes.chunks(step).try_for_each(|piece| sniffer.take(piece))?;
        sniffer.finish()
    }

    fn at(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 40_000];
        bytes[offset..offset + magic.len()].copy_from_slice(magic);
        bytes
    }

    #[test]
    fn foreign_kinds_are_refused_by_name_however_they_arrive() {
        for (offset, magic, name) in FOREIGN {
            for step in [1, 7, 511, 40_000] {
                match sniff(&at(offset, magic), step) {
                    Err(ImageError::WrongContent { found }) => assert_eq!(found, name),
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_qcow2_image_is_known_and_must_be_whole() {
        let header = |version: u32, backing: u64, features: u64| {
            let mut bytes = at(0, b"QFI\xfb");
            bytes[4..8].copy_from_slice(&version.to_be_bytes());
            bytes[8..16].copy_from_slice(&backing.to_be_bytes());
            bytes[72..80].copy_from_slice(&features.to_be_bytes());
            bytes
        };
        for version in [2, 3] {
            let seen = sniff(&header(version, 0, 0), 4096).unwrap();
            assert_eq!(seen.disk_format, DiskFormat::Qcow2);
        }
        // Version 2 has no feature bits there.
        assert!(sniff(&header(2, 0, 4), 4096).is_ok());
        for (bytes, needs) in
            [(header(3, 0, 4), "an external data file"), (header(2, 104, 0), "a backing file")]
        {
            assert!(
                matches!(sniff(&bytes, 100), Err(ImageError::NotWhole { needs: n }) if n == needs)
            );
        }
        assert!(matches!(sniff(&header(1, 0, 0), 9), Err(ImageError::WrongContent { .. })));
    }

    #[test]
    fn everything_else_is_raw_and_an_iso_is_noted() {
        for step in [1, 3000, 32_770, 40_000] {
            let seen = sniff(&at(32_769, b"CD001"), step).unwrap();
            assert_eq!(seen, Seen { disk_format: DiskFormat::Raw, iso9660: true });
        }
        let mut boot_sector = at(510, b"\x55\xaa");
        boot_sector[..4].copy_from_slice(&[0xeb, 0x63, 0x90, 0x10]);
        assert_eq!(
            sniff(&boot_sector, 64).unwrap(),
            Seen { disk_format: DiskFormat::Raw, iso9660: false }
        );
        assert!(sniff(b"x", 1).is_ok());
    }

    #[test]
    fn a_tar_archive_of_either_age_is_refused() {
        let mut header = vec![0u8; 1024];
        header[..5].copy_from_slice(b"a.img");
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(b"00000001000");
        header[136..147].copy_from_slice(b"14000000000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header[..512].iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(matches!(sniff(&header, 100), Err(ImageError::TarInside)));
        header[0] = b'b';
        assert!(sniff(&header, 100).is_ok(), "the checksum no longer adds up");
        header[257..262].copy_from_slice(b"ustar");
        assert!(matches!(sniff(&header, 512), Err(ImageError::TarInside)));
    }
}
