//! Our lines in files that others have lines in too.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;
use stratus_terminal::AtomicFile;

/// The name of our block, marked as the installer marks its own.
pub(super) const BLOCK: &str = "burst-nodes";
/// Largest file that is read, bytes.
const LARGEST: u64 = 16 << 20;

/// Replaces our block of a file, which keeps its owner and permissions; without lines there is no
/// block, and a file with nothing else goes.
pub(super) fn put_block(path: &Path, lines: &str) -> io::Result<()> {
    let there = match fs::metadata(path) {
        Ok(there) if there.len() > LARGEST => return Err(io::Error::other("it is too large")),
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let old = if there.is_some() { fs::read(path)? } else { Vec::new() };
    let old = String::from_utf8(old).map_err(io::Error::other)?;
    let new = with_block(&old, lines).map_err(io::Error::other)?;
    if new == old {
        return Ok(());
    }
    if new.is_empty() {
        return fs::remove_file(path);
    }
    let mut file = AtomicFile::create_private(path)?;
    file.write_all(new.as_bytes())?;
    let mode = there.as_ref().map_or(0o644, |there| there.permissions().mode() & 0o7777);
    if let Some(there) = &there {
        fchown(file.as_file(), Some(there.uid()), Some(there.gid()))?;
    }
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.commit()
}

/// A text with these lines as its block, at its place or at the end. A beginning without an end is
/// refused: it would eat the rest.
fn with_block(text: &str, lines: &str) -> Result<String, String> {
    let (begin, end) = (format!("# BEGIN STRATUS {BLOCK}"), format!("# END STRATUS {BLOCK}"));
    let marks = |mark: &str| text.lines().filter(|line| *line == mark).count();
    let (begins, ends) = (marks(&begin), marks(&end));
    if begins != ends || begins > 1 {
        return Err(format!(
            "`{begin}` stands there {begins} times and `{end}` {ends} times; mend it so that there is one of each, or none"
        ));
    }
    let ours = if lines.is_empty() { String::new() } else { format!("{begin}\n{lines}{end}\n") };
    let (mut new, mut inside) = (String::new(), false);
    for line in text.lines() {
        if line == begin {
            inside = true;
            new += &ours;
        } else if line == end && inside {
            inside = false;
        } else if !inside {
            new += line;
            new.push('\n');
        }
    }
    if inside {
        return Err(format!("`{end}` stands before `{begin}`"));
    }
    if begins == 0 && ours.is_empty() {
        return Ok(text.to_owned());
    }
    if begins == 0 {
        new += &ours;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_come_and_go_and_others_stay() {
        let old = "127.0.0.1 localhost\n::1 localhost";
        let with = with_block(old, "10.0.0.1 a\n").unwrap();
        assert_eq!(
            with,
            "127.0.0.1 localhost\n::1 localhost\n# BEGIN STRATUS burst-nodes\n10.0.0.1 a\n# END STRATUS burst-nodes\n"
        );
        let more = with_block(&format!("{with}later\n"), "10.0.0.2 b\n").unwrap();
        assert!(more.contains("10.0.0.2 b\n# END STRATUS burst-nodes\nlater\n"), "{more}");
        assert!(!more.contains("10.0.0.1 a"));
        assert_eq!(with_block(&with, "").unwrap(), format!("{old}\n"));
        // Not even the end of its last line.
        assert_eq!(with_block(old, "").unwrap(), old);
        for broken in [
            "# BEGIN STRATUS burst-nodes\n",
            "# END STRATUS burst-nodes\n# BEGIN STRATUS burst-nodes\n",
        ] {
            assert!(with_block(broken, "x\n").is_err(), "{broken}");
        }
    }

    #[test]
    fn a_file_keeps_its_permissions_and_goes_when_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        put_block(&file, "").unwrap();
        assert!(!file.exists());
        put_block(&file, "a ssh-ed25519 AAAA\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        put_block(&file, "b ssh-ed25519 AAAA\n").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        put_block(&file, "").unwrap();
        assert!(!file.exists());
    }
}
