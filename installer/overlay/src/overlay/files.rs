//! Reading and writing what an overlay consists of.

use super::make::{REGISTER, TLS_CRYPT, authority_file, list_file, read_pair, server_file};
use super::{Error, Overlay};
use crate::derived::{Material, hosts, server_files};
use crate::folder::{self, Folder};
use crate::register::{Register, VERSION};
use crate::tls_crypt::ServerKey;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use stratus_x509::generate::{KeptAuthority, List, Revoked};
use zeroize::Zeroizing;

impl Register {
    /// Whether there is one.
    pub fn is_in(root: &Path) -> bool {
        root.join(REGISTER).is_file()
    }

    /// Reads the register of an overlay. Nobody is waited for: it changes all at once.
    pub fn load(root: &Path) -> Result<Self, Error> {
        let path = root.join(REGISTER);
        let Some(content) = folder::read(&path)? else {
            return Err(Error::Absent(root.to_owned()));
        };
        let unreadable = |problem: String| Error::Unreadable { path: path.clone(), problem };
        let register: Self =
            serde_json::from_slice(&content).map_err(|error| unreadable(error.to_string()))?;
        if register.version != VERSION {
            return Err(unreadable(format!("it has the form {}", register.version)));
        }
        if register.authorities.is_empty() {
            return Err(unreadable("it has no authority".to_owned()));
        }
        let issuer = register.server.authority;
        if !register.authorities.iter().any(|authority| authority.generation == issuer) {
            return Err(unreadable(format!(
                "it has no authority {issuer}, which the server's is of"
            )));
        }
        Ok(register)
    }
}

impl Overlay<'_> {
    pub(super) fn tls_crypt(&self) -> Result<ServerKey, Error> {
        let text = text(&self.folder, TLS_CRYPT)?;
        ServerKey::from_pem(&text).map_err(|error| Error::Unreadable {
            path: self.folder.path(TLS_CRYPT),
            problem: error.to_string(),
        })
    }

    pub(super) fn commit(&mut self) -> Result<(), Error> {
        self.commit_counting().map(|_| ())
    }

    /// Keys are written already; now the register, and what follows from it. Whether a file of the
    /// server changed.
    pub(super) fn commit_counting(&mut self) -> Result<bool, Error> {
        self.folder.sync()?;
        write_register(&mut self.folder, REGISTER, &self.register)?;
        let changed = self.derive()?;
        self.forget()?;
        self.folder.sync()?;
        Ok(changed)
    }

    /// The server's files.
    fn derive(&mut self) -> Result<bool, Error> {
        let server = read_pair(&self.folder, &server_file(self.register.server.serial))?;
        let material = Material {
            authorities: self.authority_certificates(),
            lists: text(&self.folder, &list_file(self.register.list.number))?.to_string(),
            server_certificate: server.cert_pem,
            server_key: server.key_pem,
            tls_crypt: text(&self.folder, TLS_CRYPT)?,
        };
        let files = server_files(self.site, self.vpn, &self.place, &self.register, &material)?;
        let mut changed = false;
        let mut kept: BTreeMap<&str, BTreeSet<String>> =
            BTreeMap::from([("server/ccd", BTreeSet::new()), ("server/join", BTreeSet::new())]);
        for file in files {
            changed |=
                self.folder.write(&format!("server/{}", file.name), file.mode, &file.content)?;
            if let Some((folder, name)) = file.name.split_once('/')
                && let Some(names) = kept.get_mut(format!("server/{folder}").as_str())
            {
                names.insert(name.to_owned());
            }
        }
        let addresses = self.register.clients.iter().map(|(name, c)| (name, c.address));
        self.folder.write("names/hosts", 0o644, hosts(addresses).as_bytes())?;
        self.folder.sync()?;
        for (folder, names) in kept {
            self.folder.keep_only(folder, &names)?;
        }
        Ok(changed)
    }

    pub(super) fn authority_certificates(&self) -> String {
        let trusted = self.register.authorities.iter();
        trusted.map(|authority| self.authorities[&authority.generation].1.as_str()).collect()
    }

    /// Keys that nothing names any more.
    fn forget(&mut self) -> Result<(), Error> {
        let mut names: BTreeSet<String> =
            ["register.json", "lock", "tls-crypt-v2.key", "clients", "wireguard"]
                .map(str::to_owned)
                .into_iter()
                .collect();
        let bare = |name: String| name.trim_start_matches("pki/").to_owned();
        names.extend(self.register.authorities.iter().map(|a| bare(authority_file(a.generation))));
        names.insert(bare(list_file(self.register.list.number)));
        names.insert(bare(server_file(self.register.server.serial)));
        self.folder.keep_only("pki", &names)?;
        let clients = self.register.serials().iter().map(|s| format!("{s}.pem")).collect();
        self.folder.keep_only("pki/clients", &clients)?;
        Ok(())
    }
}

/// The revocation lists of all authorities, one after the other.
pub(super) fn lists(
    register: &Register,
    authorities: &BTreeMap<u32, (KeptAuthority, String)>,
) -> Result<String, Error> {
    let mut all = String::new();
    for authority in &register.authorities {
        let own = register.revoked.iter().filter(|r| r.authority == authority.generation);
        let revoked: Vec<Revoked> =
            own.map(|r| Revoked { serial: r.serial.number(), at: r.at }).collect();
        let list = List {
            number: register.list.number,
            from: register.list.from,
            to: register.list.to,
            revoked: &revoked,
        };
        all += &authorities[&authority.generation].0.revocation_list(list)?;
    }
    Ok(all)
}

/// Writes a register, which from then on is what counts.
pub(crate) fn write_register(
    folder: &mut Folder,
    name: &str,
    register: &impl Serialize,
) -> Result<(), Error> {
    let mut content = serde_json::to_vec_pretty(register).map_err(|error| Error::Unreadable {
        path: folder.path(name),
        problem: error.to_string(),
    })?;
    content.push(b'\n');
    folder.write(name, 0o600, &content)?;
    Ok(folder.sync()?)
}

/// A file that must be there, as text.
pub(crate) fn text(folder: &Folder, name: &str) -> Result<Zeroizing<String>, Error> {
    let wrong =
        |problem: &str| Error::Unreadable { path: folder.path(name), problem: problem.to_owned() };
    let content = folder.read(name)?.ok_or_else(|| wrong("it is missing"))?;
    let text = std::str::from_utf8(&content).map_err(|_| wrong("it is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A block of PEM by its kind, with its two marks.
pub(super) fn block<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let start = text.find(&begin)?;
    let length = text[start..].find(&end)? + end.len();
    let rest = &text[start + length..];
    // With the end of its last line.
    let line = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    Some(&text[start..start + length + line])
}
