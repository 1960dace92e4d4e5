//! The overlay on disk: each change is decided by the register, its keys are written, then the
//! register, then the server's files. Which of them a running server takes over is its own matter.

use super::PublicKey;
use super::keys::{key_pair, secret};
use super::register::{Made, Node, Register, VERSION};
use super::running::{self, RunningError};
use crate::Random;
use crate::derived::hosts;
use crate::folder::{self, Folder};
use crate::overlay::files::{text, write_register};
use crate::overlay::{Error, not_of_hosts};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use stratus_network::overlay::wireguard::{
    NodeKeys, Peer, QUICK, SETTINGS, client, join_script, quick, settings,
};
use stratus_network::overlay::{Place, cloud_init, context};
use stratus_site::{HostName, Site, Vpn};
use zeroize::Zeroizing;

const REGISTER: &str = "pki/wireguard/register.json";
const CLIENTS: &str = "pki/wireguard/clients";

/// The form of a bundle. Whoever has it is the node: WireGuard knows no join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One file for wg-quick.
    Conf,
    /// User-data for cloud-init.
    CloudInit,
    /// The CONTEXT section of an OpenNebula template.
    Context,
}

/// A node that was added, or that has a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Its name.
    pub name: HostName,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its key.
    pub public_key: PublicKey,
}

impl Register {
    /// Reads the register of an overlay. Nobody is waited for: it changes all at once.
    ///
    /// # Errors
    /// There is none, or it cannot be read or understood.
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
        Ok(register)
    }

    /// Whether there is one.
    pub fn is_in(root: &Path) -> bool {
        root.join(REGISTER).is_file()
    }
}

/// An overlay that is open for changes; locked against a second administrator.
pub struct Overlay<'a> {
    folder: Folder,
    register: Register,
    /// The server's key before anything was changed.
    opened_with: PublicKey,
    site: &'a Site,
    vpn: &'a Vpn,
    place: Place,
}

impl<'a> Overlay<'a> {
    /// Makes an overlay, or opens the one that is there; true where it is new.
    ///
    /// # Errors
    /// As [`Overlay::open`].
    pub fn init(
        root: &Path,
        (site, vpn): (&'a Site, &'a Vpn),
        place: Place,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<(Self, bool), Error> {
        let mut folder = open_folder(root)?;
        if folder.read(REGISTER)?.is_some() {
            drop(folder);
            return Ok((Self::open(root, (site, vpn), place)?, false));
        }
        let register = Register {
            version: VERSION,
            site: site.general.name.clone(),
            server: new_server(&mut folder, now, random)?,
            nodes: BTreeMap::new(),
        };
        let mut overlay = Self::of(folder, register, (site, vpn), place);
        overlay.commit()?;
        Ok((overlay, true))
    }

    /// Opens an overlay.
    ///
    /// # Errors
    /// There is none, it is another site's, its register cannot be read, or somebody else is at work.
    pub fn open(
        root: &Path,
        (site, vpn): (&'a Site, &'a Vpn),
        place: Place,
    ) -> Result<Self, Error> {
        // Not made here: a folder that was mistyped stays absent.
        if !Register::is_in(root) {
            return Err(Error::Absent(root.to_owned()));
        }
        let folder = open_folder(root)?;
        let register = Register::load(root)?;
        if register.site != site.general.name {
            return Err(Error::OtherSite { folder: root.to_owned(), site: register.site });
        }
        Ok(Self::of(folder, register, (site, vpn), place))
    }

    fn of(
        folder: Folder,
        register: Register,
        (site, vpn): (&'a Site, &'a Vpn),
        place: Place,
    ) -> Self {
        let opened_with = register.server.public_key;
        Self { folder, register, opened_with, site, vpn, place }
    }

    /// The register as it is now.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// Has the running server take over what the register says. The overlay is locked meanwhile, so
    /// nobody brings back what somebody else just took out.
    ///
    /// # Errors
    /// None runs, or `wg` fails.
    pub fn take_over(&self) -> Result<(), RunningError> {
        let keys = [self.opened_with, self.register.server.public_key];
        running::take_over(&self.folder.path(&format!("server/{SETTINGS}")), keys)
    }

    /// Puts nodes in, all or none.
    ///
    /// # Errors
    /// A name is taken or a host's, or no address is free; or a file cannot be written.
    pub fn add(
        &mut self,
        names: &[HostName],
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Vec<Added>, Error> {
        not_of_hosts(self.site, names)?;
        let mut register = self.register.clone();
        for name in names {
            let address = register.place(self.vpn, name)?;
            let key = new_node(&mut self.folder, now, random)?;
            register.add(name.clone(), address, self.site.frontend.mac_prefix, key);
        }
        self.register = register;
        self.commit()?;
        self.shown(names)
    }

    /// Gives nodes new keys. Those that they have count no more: a peer has one.
    ///
    /// # Errors
    /// A name is unknown, or a file cannot be written.
    pub fn renew(
        &mut self,
        names: &[HostName],
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Vec<Added>, Error> {
        let mut register = self.register.clone();
        for name in names {
            let node = register.node_mut(name)?;
            (node.key, node.handed) = (new_node(&mut self.folder, now, random)?, None);
        }
        self.register = register;
        self.commit()?;
        self.shown(names)
    }

    /// Takes nodes out, and tells their keys. A running server is to be told.
    ///
    /// # Errors
    /// A name is unknown, or a file cannot be written.
    pub fn revoke(&mut self, names: &[HostName]) -> Result<Vec<PublicKey>, Error> {
        let mut register = self.register.clone();
        let gone: Result<Vec<Node>, _> = names.iter().map(|name| register.revoke(name)).collect();
        let keys = gone?.into_iter().map(|node| node.key.public_key).collect();
        self.register = register;
        self.commit()?;
        Ok(keys)
    }

    /// Makes a bundle, with the keys that the node has: any number of times.
    ///
    /// # Errors
    /// The name is unknown, or a file cannot be read or written.
    pub fn bundle(
        &mut self,
        name: &HostName,
        form: Form,
        path_mtu: u16,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, Error> {
        let node = self.register.node_mut(name)?;
        node.handed = Some(now);
        let (address, key) = (node.address, node.key.public_key);
        // Before the bundle leaves: what it needs is known to the server.
        self.commit()?;
        let (private_key, preshared_key) = self.node_keys(key)?;
        let server_key = self.register.server.public_key.to_string();
        let keys = NodeKeys {
            private_key: &private_key,
            preshared_key: &preshared_key,
            server_key: &server_key,
        };
        let profile = Zeroizing::new(client(self.site, self.vpn, keys, address, path_mtu));
        if form == Form::Conf {
            return Ok(profile);
        }
        let script = Zeroizing::new(join_script(&profile, name));
        Ok(Zeroizing::new(match form {
            Form::Context => context(&script, name),
            Form::CloudInit | Form::Conf => cloud_init(&script, name),
        }))
    }

    /// Gives the server another key. Without `force` it is refused while somebody was given the one
    /// that it has.
    ///
    /// # Errors
    /// Nodes would be locked out, or a file cannot be written.
    pub fn rotate_server(
        &mut self,
        force: bool,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Vec<HostName>, Error> {
        let names = self.register.handed();
        if !names.is_empty() && !force {
            return Err(Error::LocksOut { names });
        }
        self.register.server = new_server(&mut self.folder, now, random)?;
        for node in self.register.nodes.values_mut() {
            node.handed = None;
        }
        self.commit()?;
        Ok(names)
    }

    /// Puts the server's files right; whether one was not.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn maintain(&mut self) -> Result<bool, Error> {
        self.commit()
    }

    fn shown(&self, names: &[HostName]) -> Result<Vec<Added>, Error> {
        let of = |name: &HostName| {
            let node = self.register.node(name)?;
            let (address, public_key) = (node.address, node.key.public_key);
            Ok(Added { name: name.clone(), address, public_key })
        };
        names.iter().map(of).collect()
    }

    /// Keys are written already; now the register, and what follows from it. Whether a file of the
    /// server changed.
    fn commit(&mut self) -> Result<bool, Error> {
        self.folder.sync()?;
        write_register(&mut self.folder, REGISTER, &self.register)?;
        let changed = self.derive()?;
        self.forget()?;
        self.folder.sync()?;
        Ok(changed)
    }

    /// The server's files, and the names for the site's name service.
    fn derive(&mut self) -> Result<bool, Error> {
        let mut keys = Vec::with_capacity(self.register.nodes.len());
        for node in self.register.nodes.values() {
            let (_, preshared) = self.node_keys(node.key.public_key)?;
            keys.push((node.address, node.key.public_key.to_string(), preshared));
        }
        let peers: Vec<Peer<'_>> = keys
            .iter()
            .map(|(address, public_key, preshared_key)| Peer {
                address: *address,
                public_key,
                preshared_key,
            })
            .collect();
        let private = text(&self.folder, &server_file(self.register.server.public_key))?;
        let settings = Zeroizing::new(settings(self.vpn, private.trim_end(), &peers));
        let quick = quick(self.vpn, &self.place)?;
        let mut changed = false;
        for (name, content) in [(SETTINGS, settings.as_str()), (QUICK, &quick)] {
            changed |= self.folder.write(&format!("server/{name}"), 0o600, content.as_bytes())?;
        }
        let addresses = self.register.nodes.iter().map(|(name, node)| (name, node.address));
        self.folder.write("names/hosts", 0o644, hosts(addresses).as_bytes())?;
        self.folder.sync()?;
        Ok(changed)
    }

    /// Keys that nothing names any more.
    fn forget(&mut self) -> Result<(), Error> {
        let bare = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut names: BTreeSet<String> = [REGISTER, CLIENTS].map(|p| bare(p.to_owned())).into();
        names.insert(bare(server_file(self.register.server.public_key)));
        self.folder.keep_only("pki/wireguard", &names)?;
        let nodes = self.register.nodes.values();
        let names = nodes.map(|node| bare(node_file(node.key.public_key))).collect();
        self.folder.keep_only(CLIENTS, &names)?;
        Ok(())
    }

    /// A node's private key, and the one that it shares with the server.
    fn node_keys(&self, key: PublicKey) -> Result<(Zeroizing<String>, Zeroizing<String>), Error> {
        let file = node_file(key);
        let both = text(&self.folder, &file)?;
        let line = |text: &str| Zeroizing::new(text.to_owned());
        match both.lines().collect::<Vec<_>>().as_slice() {
            [private, shared] => Ok((line(private), line(shared))),
            _ => Err(Error::Unreadable {
                path: self.folder.path(&file),
                problem: "it does not have two keys".to_owned(),
            }),
        }
    }
}

fn open_folder(root: &Path) -> Result<Folder, Error> {
    Ok(Folder::with(root, &[("pki/wireguard", 0o700), (CLIENTS, 0o700)])?)
}

fn server_file(key: PublicKey) -> String {
    format!("pki/wireguard/server-{}.key", key.file_name())
}

fn node_file(key: PublicKey) -> String {
    format!("{CLIENTS}/{}.keys", key.file_name())
}

fn new_server(folder: &mut Folder, now: Timestamp, random: Random<'_>) -> Result<Made, Error> {
    let pair = key_pair(bytes(random));
    let content = Zeroizing::new(format!("{}\n", *pair.private));
    folder.write(&server_file(pair.public), 0o600, content.as_bytes())?;
    Ok(Made { public_key: pair.public, at: now })
}

fn new_node(folder: &mut Folder, now: Timestamp, random: Random<'_>) -> Result<Made, Error> {
    let (pair, shared) = (key_pair(bytes(random)), secret(&bytes(random)));
    let content = Zeroizing::new(format!("{}\n{}\n", *pair.private, *shared));
    folder.write(&node_file(pair.public), 0o600, content.as_bytes())?;
    Ok(Made { public_key: pair.public, at: now })
}

fn bytes(random: Random<'_>) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(bytes.as_mut());
    bytes
}
