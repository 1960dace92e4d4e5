//! Signatures: by gpg, with a key that is made when it is first needed, and checked by gpgv.

use crate::error::Error;
use crate::files;
use crate::programs::{GPG, GPGCONF, GPGV};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who a key that we make is of.
const NAME: &str = "Stratus packages";

/// The key that signs directories of packages; its agent ends with it.
pub struct Signer {
    home: PathBuf,
    public: String,
}

impl Signer {
    /// The key in this folder, which is made if there is none. It never expires, and has no
    /// passphrase: its folder is for its owner alone.
    pub fn of(home: &Path) -> Result<Self, Error> {
        files::make_folder(home)?;
        fs::set_permissions(home, PermissionsExt::from_mode(0o700)).map_err(Error::file(home))?;
        let mut signer = Self { home: home.to_owned(), public: String::new() };
        let what = "the key that signs packages";
        let list = |signer: &Self| {
            GPG.output(what, signer.gpg().args(["--list-secret-keys", "--with-colons"]))
        };
        if !list(&signer)?.lines().any(|line| line.starts_with("sec:")) {
            // RSA: every rpm that is in use knows it.
            let make = ["--passphrase", "", "--quick-generate-key", NAME, "rsa3072", "sign", "0"];
            GPG.output(what, signer.gpg().args(make))?;
        }
        signer.public = GPG.output(what, signer.gpg().args(["--armor", "--export"]))?;
        files::write(&home.join("key.asc"), signer.public.as_bytes())?;
        Ok(signer)
    }

    /// Its public half (ASCII armour).
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Signs a file: `--clearsign` or `--detach-sign`.
    pub(crate) fn sign(&self, how: &str, from: &Path, to: &Path) -> Result<(), Error> {
        let new = to.with_extension("new~");
        let mut gpg = self.gpg();
        gpg.args(["--yes", "--armor", "--digest-algo", "SHA256", how, "--output"])
            .arg(&new)
            .arg(from);
        GPG.output(&to.display().to_string(), &mut gpg)?;
        fs::rename(&new, to).map_err(Error::file(to))
    }

    fn gpg(&self) -> Command {
        let mut gpg = GPG.command();
        gpg.args(["--batch", "--quiet", "--homedir"]).arg(&self.home);
        gpg
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // The agent that gpg started; it would stay.
        let _ = GPGCONF.command().arg("--homedir").arg(&self.home).args(["--kill", "all"]).output();
    }
}

/// Checks a detached signature with this key and no other.
pub(crate) fn check(key: &str, signature: &Path, file: &Path) -> Result<(), Error> {
    let ring = keyring(key).ok_or_else(|| {
        Error::untrusted(signature, "the key that should sign it is no OpenPGP key in ASCII armour")
    })?;
    let work = tempfile::tempdir().map_err(Error::file(Path::new("a temporary folder")))?;
    let place = work.path().join("key.gpg");
    files::write(&place, &ring)?;
    let mut gpgv = GPGV.command();
    gpgv.arg("--homedir").arg(work.path()).arg("--keyring").arg(&place).arg(signature).arg(file);
    match GPGV.output("", &mut gpgv) {
        Ok(_) => Ok(()),
        Err(Error::Program { said, .. }) => Err(Error::untrusted(
            file,
            format!("no good signature by the key that is trusted\n{said}"),
        )),
        Err(error) => Err(error),
    }
}

/// The fingerprint of a key, for people to compare.
pub fn fingerprint(key: &Path) -> Result<String, Error> {
    let home = tempfile::tempdir().map_err(Error::file(key))?;
    let mut gpg = GPG.command();
    gpg.args(["--batch", "--quiet", "--homedir"]).arg(home.path());
    gpg.args(["--show-keys", "--with-colons"]).arg(key);
    let said = GPG.output(&key.display().to_string(), &mut gpg)?;
    let line = said.lines().find_map(|line| line.strip_prefix("fpr:"));
    let fingerprint = line.and_then(|line| line.split(':').find(|field| !field.is_empty()));
    fingerprint.map(str::to_owned).ok_or_else(|| Error::untrusted(key, "there is no key in it"))
}

/// A key without its armour, as gpgv reads it.
fn keyring(armoured: &str) -> Option<Vec<u8>> {
    let (_, rest) = armoured.split_once("-----BEGIN PGP PUBLIC KEY BLOCK-----")?;
    let (body, _) = rest.split_once("-----END PGP PUBLIC KEY BLOCK-----")?;
    // Headers such as `Comment:` end with an empty line; the last line is a checksum.
    let body = body.trim_start_matches(['\r', ' ']).strip_prefix('\n')?;
    let mut lines = body.lines().map(str::trim).peekable();
    while lines.next_if(|line| line.contains(": ")).is_some() {}
    let text: String = lines.filter(|line| !line.is_empty() && !line.starts_with('=')).collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off_whatever_headers_it_has() {
        let of = |head: &str| {
            format!(
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\n{head}\naGVs\nbG8=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
            )
        };
        assert_eq!(keyring(&of("")).unwrap(), b"hello");
        assert_eq!(keyring(&of("Version: 1\nComment: a: b\n")).unwrap(), b"hello");
        assert!(keyring("no key").is_none());
        assert!(keyring("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\naGVs").is_none());
    }
}
