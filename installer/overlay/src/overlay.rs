//! The overlay as administrators change it: each change is decided by the register, its keys are
//! made and written, then the register, then the server's files.

mod bundle;
pub(crate) mod files;
mod hypervisor;
mod make;

pub use bundle::{Bundle, Form};
use make::{
    REGISTER, TLS_CRYPT, authority_file, client_file, issue_server, list_file, new_authority,
    new_serial, read_pair, write_pair,
};

use crate::Random;
use crate::folder::{Folder, FolderError};
use crate::register::{
    Client, Issued, LIST_VALIDITY, ListRecord, Register, RegisterError, VERSION, after,
};
use crate::serial::Serial;
use crate::tls_crypt::ServerKey;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use stratus_network::overlay::{NoServerAddress, Place};
use stratus_site::{HostName, MacAddress, Site, Vpn};
use stratus_x509::generate::{GenerateError, KeptAuthority, Purpose, Span};
use zeroize::Zeroizing;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The register says no.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A file cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] GenerateError),
    /// The server has no address.
    #[error(transparent)]
    Address(#[from] NoServerAddress),
    /// There is no overlay in this folder.
    #[error("there is no overlay in `{}`", .0.display())]
    Absent(PathBuf),
    /// The overlay is another site's.
    #[error("the overlay in `{}` is that of the site `{site}`", folder.display())]
    OtherSite {
        /// Where.
        folder: PathBuf,
        /// Whose.
        site: String,
    },
    /// The name is that of a host, which would get a second address.
    #[error("`{name}` is the host `{host}` of the site file")]
    OfHost {
        /// The name of the burst node.
        name: HostName,
        /// The host.
        host: HostName,
    },
    /// Burst nodes that become hosts need a bridge, and the site has none.
    #[error("the site has no bridge that a host of OpenNebula could have")]
    NoBridge,
    /// Another key of a WireGuard server's, which nobody out there knows.
    #[error("a WireGuard interface has one key, so there is no overlap: with another one these burst nodes are locked out until they have new bundles: {}", names.iter().map(HostName::as_str).collect::<Vec<_>>().join(", "))]
    LocksOut {
        /// Nodes that were given a bundle.
        names: Vec<HostName>,
    },
    /// A file that holds something else than it should.
    #[error("`{}` cannot be understood: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// No burst node has the name of a host.
pub(crate) fn not_of_hosts(site: &Site, names: &[HostName]) -> Result<(), Error> {
    let hosts = || site.nodes.iter().map(|node| &node.host).chain([&site.frontend.host]);
    for name in names {
        if let Some(host) = hosts().find(|host| host.is_like(name)) {
            return Err(Error::OfHost { name: name.clone(), host: host.clone() });
        }
    }
    Ok(())
}

/// A node that was added, or that has a new certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Its name.
    pub name: HostName,
    /// Its address.
    pub address: Ipv4Addr,
    /// The MAC address of its end of the tunnel.
    pub mac: MacAddress,
    /// Its newest certificate.
    pub serial: Serial,
    /// The end of that.
    pub expires: Timestamp,
}

/// What was made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Renewed {
    /// The revocation lists.
    pub list: bool,
    /// The server's certificate; the server must be started anew.
    pub server: bool,
    /// Files of the server that were missing or different.
    pub files: bool,
}

/// What became of an authority or a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The generation that issues now.
    pub authority: u32,
    /// Whether an older one is trusted still.
    pub overlap: bool,
}

/// An overlay that is open for changes; locked against a second administrator.
pub struct Overlay<'a> {
    folder: Folder,
    register: Register,
    site: &'a Site,
    vpn: &'a Vpn,
    place: Place,
    authorities: BTreeMap<u32, (KeptAuthority, String)>,
    software: Option<String>,
}

impl<'a> Overlay<'a> {
    /// Makes an overlay, or opens the one that is there; true where it is new.
    pub fn init(
        root: &Path,
        (site, vpn): (&'a Site, &'a Vpn),
        place: Place,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<(Self, bool), Error> {
        let mut folder = Folder::open(root)?;
        if folder.read(REGISTER)?.is_some() {
            drop(folder);
            return Ok((Self::open(root, (site, vpn), place)?, false));
        }
        let mut key = Zeroizing::new([0; 128]);
        random(key.as_mut());
        folder.write(TLS_CRYPT, 0o600, ServerKey::from_random(key).pem().as_bytes())?;
        let (authority, pem) = new_authority(1, vpn, now, random)?;
        write_pair(&mut folder, &authority_file(1), &pem)?;
        let kept = KeptAuthority::from_pem(&pem)?;
        let list = ListRecord { number: 0, from: now, to: now };
        let mut register = Register {
            version: VERSION,
            site: site.general.name.clone(),
            server: Issued {
                serial: authority.serial,
                authority: 1,
                from: now,
                to: now,
                handed: None,
            },
            authorities: vec![authority],
            list,
            clients: BTreeMap::new(),
            revoked: Vec::new(),
        };
        register.server = issue_server(&mut folder, &register, &kept, vpn, now, random)?;
        let authorities = BTreeMap::from([(1, (kept, pem.cert_pem))]);
        let software = None;
        let mut overlay = Self { folder, register, site, vpn, place, authorities, software };
        overlay.new_lists(now)?;
        overlay.commit()?;
        Ok((overlay, true))
    }

    /// Opens an overlay.
    pub fn open(
        root: &Path,
        (site, vpn): (&'a Site, &'a Vpn),
        place: Place,
    ) -> Result<Self, Error> {
        // Not made here: a folder that was mistyped stays absent.
        if !root.join(REGISTER).is_file() {
            return Err(Error::Absent(root.to_owned()));
        }
        let folder = Folder::open(root)?;
        let register = Register::load(root)?;
        if register.site != site.general.name {
            return Err(Error::OtherSite { folder: root.to_owned(), site: register.site });
        }
        let mut authorities = BTreeMap::new();
        for authority in &register.authorities {
            let pem = read_pair(&folder, &authority_file(authority.generation))?;
            let kept = KeptAuthority::from_pem(&pem)?;
            authorities.insert(authority.generation, (kept, pem.cert_pem));
        }
        let software = None;
        Ok(Self { folder, register, site, vpn, place, authorities, software })
    }

    /// The register as it is now.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// Puts nodes in, all or none.
    pub fn add(
        &mut self,
        names: &[HostName],
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Vec<Added>, Error> {
        not_of_hosts(self.site, names)?;
        let before = self.register.clone();
        let mut added = Vec::with_capacity(names.len());
        for name in names {
            let done =
                self.register.place(self.vpn, name).map_err(Error::from).and_then(|address| {
                    let certificate = self.issue(name, now, random)?;
                    let prefix = self.site.frontend.mac_prefix;
                    self.register.add(name.clone(), address, prefix, certificate, now);
                    self.shown(name)
                });
            match done {
                Ok(client) => added.push(client),
                Err(error) => {
                    self.register = before;
                    return Err(error);
                }
            }
        }
        self.commit()?;
        Ok(added)
    }

    /// Gives nodes new certificates. Those that they have count on until they end.
    pub fn renew(
        &mut self,
        names: &[HostName],
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Vec<Added>, Error> {
        for name in names {
            self.register.client(name)?;
        }
        let mut renewed = Vec::with_capacity(names.len());
        for name in names {
            let certificate = self.issue(name, now, random)?;
            self.register.client_mut(name)?.certificates.push(certificate);
            renewed.push(self.shown(name)?);
        }
        self.commit()?;
        Ok(renewed)
    }

    /// Takes nodes out. Their sessions are to be ended on the server.
    pub fn revoke(&mut self, names: &[HostName], now: Timestamp) -> Result<(), Error> {
        let mut register = self.register.clone();
        for name in names {
            register.revoke(name, now)?;
        }
        self.register = register;
        self.new_lists(now)?;
        self.commit()
    }

    /// Makes anew what is due, and puts the server's files right. Every command may call it.
    pub fn maintain(&mut self, now: Timestamp, random: Random<'_>) -> Result<Renewed, Error> {
        let due = self.register.due(now);
        self.register.prune(now);
        if due.server {
            self.new_server(now, random)?;
        }
        if due.list {
            self.new_lists(now)?;
        }
        let files = self.commit_counting()?;
        Ok(Renewed { list: due.list, server: due.server, files })
    }

    /// Gives the server a new key and certificate of the same authority: clients notice nothing.
    pub fn rotate_server(&mut self, now: Timestamp, random: Random<'_>) -> Result<Rotated, Error> {
        self.new_server(now, random)?;
        self.commit()?;
        Ok(self.rotated())
    }

    /// Begins a new authority. The server trusts both from then on and keeps its certificate, so
    /// clients of the old one come in as before; those of the new one trust both as well.
    pub fn rotate_authority(
        &mut self,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Rotated, Error> {
        let generation = self.register.may_rotate()?;
        let (authority, pem) = new_authority(generation, self.vpn, now, random)?;
        write_pair(&mut self.folder, &authority_file(generation), &pem)?;
        self.register.authorities.push(authority);
        let kept = KeptAuthority::from_pem(&pem)?;
        self.authorities.insert(generation, (kept, pem.cert_pem));
        self.new_lists(now)?;
        self.commit()?;
        Ok(self.rotated())
    }

    /// Ends the older authority: the server's certificate comes from the new one, and clients of
    /// the old one are let in no more. Without `force` it is refused while there are some.
    pub fn finish_authority(
        &mut self,
        force: bool,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Rotated, Error> {
        match self.register.may_finish() {
            Err(RegisterError::NotRenewed(_)) if force => {}
            decided => decided?,
        }
        let new = self.register.issuing().generation;
        self.register.server.authority = new;
        self.new_server(now, random)?;
        self.register.finish();
        self.new_lists(now)?;
        self.commit()?;
        Ok(self.rotated())
    }

    fn rotated(&self) -> Rotated {
        Rotated {
            authority: self.register.issuing().generation,
            overlap: self.register.is_rotating(),
        }
    }

    fn shown(&self, name: &HostName) -> Result<Added, Error> {
        let Client { address, mac, certificates, .. } = self.register.client(name)?;
        // A client that was just given a certificate has one.
        let newest = certificates.last().ok_or_else(|| RegisterError::Unknown(name.clone()))?;
        let (serial, expires) = (newest.serial, newest.to);
        Ok(Added { name: name.clone(), address: *address, mac: *mac, serial, expires })
    }

    /// Makes a client's certificate and keys, and writes them; the register is the caller's.
    fn issue(
        &mut self,
        name: &HostName,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Issued, Error> {
        let generation = self.register.issuing().generation;
        let (from, to) = self.register.span(self.vpn.certificate_validity, now);
        let serial = new_serial(random);
        let span = Span { serial: serial.number(), from, to };
        let kept = &self.authorities[&generation].0;
        let pair = kept.issue(name.as_str(), Purpose::Client, span)?;
        let mut key = Zeroizing::new([0; 256]);
        random(key.as_mut());
        let wrapped = self.tls_crypt()?.client(&key, now);
        let mut text = Zeroizing::new(String::with_capacity(4096));
        for part in [pair.cert_pem.as_str(), pair.key_pem.as_str(), wrapped.as_str()] {
            text.push_str(part);
        }
        self.folder.write(&client_file(serial), 0o600, text.as_bytes())?;
        Ok(Issued { serial, authority: generation, from, to, handed: None })
    }

    fn new_server(&mut self, now: Timestamp, random: Random<'_>) -> Result<(), Error> {
        let kept = &self.authorities[&self.register.server.authority].0;
        self.register.server =
            issue_server(&mut self.folder, &self.register, kept, self.vpn, now, random)?;
        Ok(())
    }

    fn new_lists(&mut self, now: Timestamp) -> Result<(), Error> {
        let number = self.register.list.number + 1;
        self.register.list = ListRecord { number, from: now, to: after(now, LIST_VALIDITY) };
        let text = files::lists(&self.register, &self.authorities)?;
        self.folder.write(&list_file(number), 0o600, text.as_bytes())?;
        Ok(())
    }
}
