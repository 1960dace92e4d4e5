//! The overlay of burst nodes: what `stratus-vpn` does. What decides is in `stratus-overlay`.

mod failures;
mod hosts;
mod look;
pub mod wireguard;

pub use hosts::{Places, forget, register};
pub use look::{list, status};

use crate::site_file;
use anyhow::{Result, anyhow};
use failures::failed;
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use stratus_network::overlay::Place;
use stratus_overlay::joined::{Attempt, decide};
use stratus_overlay::management::{Management, ManagementError};
use stratus_overlay::{Bundle, Form, Overlay, system_random};
use stratus_site::{HostName, Site, Vpn};
use stratus_terminal::{AtomicFile, Exit, Failure, note, print_json, print_line, warn};

/// Options of every task.
#[derive(Clone, Debug)]
pub struct Options {
    /// The site file.
    pub config: PathBuf,
    /// The folder of the overlay.
    pub directory: PathBuf,
    /// The folder of the management socket.
    pub runtime: PathBuf,
    /// Account and group of the server.
    pub account: (String, String),
    /// Whether data is printed as JSON.
    pub json: bool,
}

impl Options {
    /// Where the server has its things.
    fn place(&self) -> Result<Place> {
        let text = |path: PathBuf| {
            let shown = path.display().to_string();
            // OpenVPN and systemd read lines of text.
            let plain = |c: char| !c.is_control() && !c.is_whitespace();
            if path.is_absolute() && path.to_str().is_some_and(|t| t.chars().all(plain)) {
                return Ok(shown);
            }
            let message = format!("`{shown}` must be an absolute path without blanks");
            Err(Failure::usage(message))
        };
        let own = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Failed, "cannot find out where this program is").because(error)
        })?;
        Ok(Place {
            server: text(self.directory.join("server"))?,
            names: text(self.directory.join("names"))?,
            runtime: text(self.runtime.clone())?,
            joined: text(self.directory.join("joined"))?,
            account: self.account.clone(),
            verifier: text(own)?,
        })
    }

    fn notes(&self) -> PathBuf {
        self.directory.join("joined")
    }

    fn socket(&self) -> PathBuf {
        self.runtime.join("management.sock")
    }
}

/// Reads the site file, which must have an overlay.
fn site(options: &Options) -> Result<(Site, Vpn)> {
    let (site, _) = site_file::as_written(&options.config)?;
    let vpn = site.vpn.clone().ok_or_else(|| {
        let message = format!("`{}` has no section [vpn]", options.config.display());
        Failure::usage(message).hint(
            "it needs `endpoint` and `range`; `stratus-config --keys --section vpn` lists all keys",
        )
    })?;
    Ok((site, vpn))
}

/// Opens the overlay, lets `change` change it, and makes anew what is due.
fn with<T>(
    options: &Options,
    change: impl FnOnce(&mut Overlay<'_>, Timestamp) -> Result<T, stratus_overlay::Error>,
) -> Result<T> {
    let (site, vpn) = site(options)?;
    let now = Timestamp::now();
    let mut overlay =
        Overlay::open(&options.directory, (&site, &vpn), options.place()?).map_err(failed)?;
    let changed = change(&mut overlay, now).map_err(failed)?;
    let renewed = overlay.maintain(now, &mut system_random).map_err(failed)?;
    if renewed.server {
        note(
            "the server's certificate was renewed; `stratus-vpn renew --restart` lets the server read it",
        );
    }
    Ok(changed)
}

/// `init`: makes the authority and the server's files.
pub fn init(options: &Options) -> Result<Exit> {
    let (site, vpn) = site(options)?;
    let now = Timestamp::now();
    let (mut overlay, new) =
        Overlay::init(&options.directory, (&site, &vpn), options.place()?, now, &mut system_random)
            .map_err(failed)?;
    let renewed = overlay.maintain(now, &mut system_random).map_err(failed)?;
    if options.json {
        print_json(&serde_json::json!({
            "new": new,
            "renewed": renewed,
            "authority_expires": overlay.register().issuing().to,
        }))?;
    } else {
        tell_init(options, new);
    }
    Ok(Exit::Done)
}

/// What `init` tells people.
fn tell_init(options: &Options, new: bool) {
    let folder = options.directory.display();
    if new {
        note(&format!("the overlay is in `{folder}`; what is in `{folder}/pki` must stay secret"));
        note("next: `stratus-vpn add NAME`, `stratus-vpn bundle NAME --as cloud-init`");
    } else {
        note(&format!("there is an overlay in `{folder}` already; its server's files are right"));
    }
}

/// `add`: puts nodes in; without names those of the site file that are missing.
pub fn add(options: &Options, names: &[HostName]) -> Result<Exit> {
    let (_, vpn) = site(options)?;
    let added = with(options, |overlay, now| {
        let known = &overlay.register().clients;
        let wanted = to_add(&vpn, names, |name| known.contains_key(name));
        overlay.add(&wanted, now, &mut system_random)
    })?;
    shown(options, &added, "added")
}

/// Who is to be added: those that are named, or those of the site file that are not known.
fn to_add(vpn: &Vpn, names: &[HostName], known: impl Fn(&HostName) -> bool) -> Vec<HostName> {
    match names {
        [] => {
            vpn.nodes.iter().map(|node| &node.name).filter(|&name| !known(name)).cloned().collect()
        }
        names => names.to_vec(),
    }
}

/// `renew`: new certificates for nodes; without names what is due for the overlay itself.
pub fn renew(options: &Options, names: &[HostName], restart: bool) -> Result<Exit> {
    if names.is_empty() {
        let (site, vpn) = site(options)?;
        let mut overlay =
            Overlay::open(&options.directory, (&site, &vpn), options.place()?).map_err(failed)?;
        let renewed = overlay.maintain(Timestamp::now(), &mut system_random).map_err(failed)?;
        drop(overlay);
        if options.json {
            print_json(&renewed)?;
        }
        if renewed.list {
            note("the revocation list was renewed");
        }
        if renewed.server {
            note("the server's certificate was renewed");
            restarted(restart)?;
        }
        return Ok(Exit::Done);
    }
    let renewed = with(options, |overlay, now| overlay.renew(names, now, &mut system_random))?;
    note("the certificates that the nodes have count on until they end; give them new bundles");
    shown(options, &renewed, "renewed")
}

fn shown(options: &Options, nodes: &[stratus_overlay::Added], what: &str) -> Result<Exit> {
    if options.json {
        print_json(&nodes)?;
        return Ok(Exit::Done);
    }
    for node in nodes {
        print_line(&format!("{}\t{}\t{}", node.name, node.address, node.mac))?;
    }
    note(&format!("{} {what}", counted(nodes.len())));
    Ok(Exit::Done)
}

fn counted(count: usize) -> String {
    if count == 1 { "1 burst node".to_owned() } else { format!("{count} burst nodes") }
}

/// What became of a node's session.
#[derive(Serialize)]
struct Revoked<'a> {
    name: &'a HostName,
    session_ended: bool,
}

/// `revoke`: takes nodes out and ends their sessions.
pub fn revoke(options: &Options, names: &[HostName]) -> Result<Exit> {
    with(options, |overlay, now| overlay.revoke(names, now))?;
    let mut server = match Management::connect(&options.socket()) {
        Ok(server) => Some(server),
        Err(error @ ManagementError::NotRunning(_)) => {
            note(&format!("no session is to be ended: {error}"));
            None
        }
        Err(error) => return Err(not_ended(error).into()),
    };
    let mut revoked = Vec::with_capacity(names.len());
    for name in names {
        let session_ended = match &mut server {
            Some(server) => server.kill(name.as_str()).map_err(not_ended)?,
            None => false,
        };
        revoked.push(Revoked { name, session_ended });
        if !options.json {
            let ended = if session_ended { ", its session was ended" } else { "" };
            note(&format!("`{name}` was revoked{ended}"));
        }
    }
    if options.json {
        print_json(&revoked)?;
    }
    Ok(Exit::Done)
}

fn not_ended(error: ManagementError) -> Failure {
    let message = "the certificates are revoked, but a session may go on";
    Failure::new(Exit::Unreachable, message)
        .because(error)
        .hint("restart the server: `systemctl restart stratus-vpn-server`")
}

/// What a bundle is to be.
#[derive(Clone, Copy, Debug)]
pub struct BundleChoice<'a> {
    /// The node.
    pub name: &'a HostName,
    /// The form.
    pub form: Form,
    /// What the way to the endpoint carries, bytes.
    pub path_mtu: u16,
    /// How long a join token may be used.
    pub token_validity: Duration,
    /// Where to; standard output where absent.
    pub output: Option<&'a Path>,
    /// The file with the key that the front-end logs in with on a node that becomes a host.
    pub frontend_key: &'a Path,
}

/// `bundle`: what a node boots from.
pub fn bundle(options: &Options, choice: BundleChoice<'_>) -> Result<Exit> {
    let (own, vpn) = site(options)?;
    let software = hosts::software(&own, &vpn, &choice)?;
    let bundle: Bundle = with(options, |overlay, now| {
        if let Some(software) = software {
            overlay.bring(software);
        }
        overlay.bundle(
            choice.name,
            choice.form,
            choice.path_mtu,
            choice.token_validity,
            now,
            &mut system_random,
        )
    })?;
    if let Some(output) = choice.output {
        save(output, &bundle.text)?;
    }
    if options.json {
        let text = choice.output.is_none().then_some(bundle.text.as_str());
        print_json(&serde_json::json!({
            "name": choice.name,
            "bundle": text,
            "token_expires": bundle.token_expires,
            "certificate_expires": bundle.certificate_expires,
        }))?;
    } else if choice.output.is_none() {
        print_line(bundle.text.trim_end())?;
    }
    match bundle.token_expires {
        Some(end) => note(&format!("the join token lets one machine in, once, until {end}")),
        None => warn("whoever has this file is the node; it has no join token"),
    }
    Ok(Exit::Done)
}

/// Writes a bundle to a file that only its owner may read.
fn save(output: &Path, text: &str) -> Result<()> {
    let written = AtomicFile::create_private(output).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.commit()
    });
    written.map_err(|error| {
        let message = format!("cannot write `{}`", output.display());
        Failure::new(Exit::Failed, message).because(error).into()
    })
}

/// What is to be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The server's key and certificate.
    Server,
    /// A new authority beside the old one.
    Begin,
    /// The old authority goes.
    Finish {
        /// Also while nodes have certificates of the old one only.
        force: bool,
    },
}

/// `rotate`: exchanges keys.
pub fn rotate(options: &Options, rotation: Rotation, restart: bool) -> Result<Exit> {
    let rotated = with(options, |overlay, now| match rotation {
        Rotation::Server => overlay.rotate_server(now, &mut system_random),
        Rotation::Begin => overlay.rotate_authority(now, &mut system_random),
        Rotation::Finish { force } => overlay.finish_authority(force, now, &mut system_random),
    })?;
    if options.json {
        print_json(&rotated)?;
    }
    match rotation {
        Rotation::Server => note("the server has a new key; nodes notice nothing"),
        Rotation::Begin => note(
            "both authorities are trusted now. Next: a new bundle for each node, then `stratus-vpn rotate ca --finish`",
        ),
        Rotation::Finish { .. } => note("the old authority is gone"),
    }
    restarted(restart)?;
    Ok(Exit::Done)
}

/// The server reads its certificate and authorities when it starts.
fn restarted(restart: bool) -> Result<()> {
    if !restart {
        note("the server must be started anew: `systemctl restart stratus-vpn-server`");
        return Ok(());
    }
    let mut command = Command::new("systemctl");
    let ran = command.args(["try-restart", "stratus-vpn-server.service"]).status();
    let failure = Failure::new(Exit::Failed, "the server could not be started anew");
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failure.because(anyhow!("systemctl ended with {status}")).into()),
        Err(error) => Err(failure.because(error).into()),
    }
}

/// `verify`: OpenVPN asks whether a machine may join. OpenVPN takes exit code 2 as "later", so the
/// answer is 0 or 1.
pub fn verify(invitations: &Path, notes: &Path, password_file: &Path) -> Exit {
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    let peer = format!("{}:{}", said("untrusted_ip"), said("untrusted_port"));
    let (serial, common_name) = (said("tls_serial_0"), said("common_name"));
    let attempt =
        Attempt { serial: &serial, common_name: &common_name, peer: &peer, password_file };
    match decide(invitations, notes, attempt, Timestamp::now()) {
        Ok(()) => Exit::Done,
        Err(error) => {
            note(&format!("{common_name} at {peer} is not let in: {error}"));
            Exit::Failed
        }
    }
}
