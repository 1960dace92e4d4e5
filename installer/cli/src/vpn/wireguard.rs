//! What `stratus-vpn` does where `vpn.mode` is `wireguard`. What decides is in
//! `stratus_overlay::wireguard`.

use super::failures::failed;
use super::look::{day, new_table, show, write};
use super::{Options, counted, save, site, tell_init, to_add};
use crate::site_file;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;
use stratus_overlay::wireguard::register::Register;
use stratus_overlay::wireguard::running::{self, RunningError};
use stratus_overlay::wireguard::{Added, Form, Overlay, is_connected, report};
use stratus_overlay::{Error, register, system_random};
use stratus_site::{HostName, VpnMode};
use stratus_terminal::{Exit, Failure, note, print_json, print_line, warn};

/// Whether the overlay is WireGuard's: by the site file, and where that does not tell by what is there.
pub fn is_chosen(options: &Options) -> bool {
    let vpn = site_file::as_written(&options.config).ok().and_then(|(site, _)| site.vpn);
    vpn.map_or_else(
        || Register::is_in(&options.directory) && !register::Register::is_in(&options.directory),
        |vpn| vpn.mode == VpnMode::WireGuard,
    )
}

/// Opens the overlay, lets `change` change it, and has the server take over what became of it;
/// whether one runs.
fn with<T>(
    options: &Options,
    change: impl FnOnce(&mut Overlay<'_>, Timestamp) -> Result<T, Error>,
) -> Result<(T, bool)> {
    let (site, vpn) = site(options)?;
    let place = options.place()?;
    let mut overlay = Overlay::open(&options.directory, (&site, &vpn), place).map_err(failed)?;
    let changed = change(&mut overlay, Timestamp::now()).map_err(failed)?;
    Ok((changed, told(&overlay)?))
}

/// Whether a server runs, which then knows what the register says.
fn told(overlay: &Overlay<'_>) -> Result<bool> {
    match overlay.take_over() {
        Ok(()) => Ok(true),
        Err(error) if error.is_absence() => Ok(false),
        Err(error @ RunningError::Foreign) => {
            warn(&format!("{error}; it was left alone"));
            Ok(false)
        }
        Err(error) => {
            let message = "the register is changed, but the running server does not know it";
            let failure = Failure::new(Exit::Unreachable, message).because(error);
            Err(failure.hint("restart it: `systemctl restart stratus-vpn-server`").into())
        }
    }
}

/// `init`: makes the server's key and files.
pub fn init(options: &Options) -> Result<Exit> {
    let (site, vpn) = site(options)?;
    let now = Timestamp::now();
    let (mut overlay, new) =
        Overlay::init(&options.directory, (&site, &vpn), options.place()?, now, &mut system_random)
            .map_err(failed)?;
    overlay.maintain().map_err(failed)?;
    told(&overlay)?;
    if options.json {
        let key = overlay.register().server.public_key;
        print_json(&serde_json::json!({ "new": new, "public_key": key }))?;
    } else {
        tell_init(options, new);
    }
    Ok(Exit::Done)
}

/// `add`: puts nodes in; without names those of the site file that are missing.
pub fn add(options: &Options, names: &[HostName]) -> Result<Exit> {
    let (_, vpn) = site(options)?;
    let (added, _) = with(options, |overlay, now| {
        let known = &overlay.register().nodes;
        let wanted = to_add(&vpn, names, |name| known.contains_key(name));
        overlay.add(&wanted, now, &mut system_random)
    })?;
    shown(options, &added, "added")
}

/// `renew`: new keys for nodes; without names everything follows the register again.
pub fn renew(options: &Options, names: &[HostName]) -> Result<Exit> {
    if names.is_empty() {
        let (files, running) = with(options, |overlay, _| overlay.maintain())?;
        if options.json {
            print_json(&serde_json::json!({ "files": files, "running": running }))?;
        } else if running {
            note("the running server has what the register says; WireGuard's keys do not end");
        }
        return Ok(Exit::Done);
    }
    let (renewed, _) = with(options, |overlay, now| overlay.renew(names, now, &mut system_random))?;
    note("the keys that the nodes have count no more; give them new bundles");
    shown(options, &renewed, "renewed")
}

fn shown(options: &Options, nodes: &[Added], what: &str) -> Result<Exit> {
    if options.json {
        print_json(&nodes)?;
        return Ok(Exit::Done);
    }
    for node in nodes {
        print_line(&format!("{}\t{}\t{}", node.name, node.address, node.public_key))?;
    }
    note(&format!("{} {what}", counted(nodes.len())));
    Ok(Exit::Done)
}

/// What became of a node's session.
#[derive(Serialize)]
struct Revoked<'a> {
    name: &'a HostName,
    session_ended: bool,
}

/// `revoke`: takes nodes out, also of the running server.
pub fn revoke(options: &Options, names: &[HostName]) -> Result<Exit> {
    let before = running::dump();
    let (keys, running) = with(options, |overlay, _| overlay.revoke(names))?;
    if !running {
        note("no session is to be ended: no server of this overlay runs");
    }
    let now = Timestamp::now();
    let mut revoked = Vec::with_capacity(names.len());
    for (name, key) in names.iter().zip(keys) {
        let peer = before.as_ref().ok().and_then(|dump| dump.peers.get(&key));
        let heard = peer.and_then(|peer| peer.handshake);
        let session_ended = running && heard.is_some_and(|at| is_connected(at, now));
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

/// `bundle`: what a node boots from, for a path that carries so many bytes.
pub fn bundle(
    options: &Options,
    name: &HostName,
    (form, path_mtu): (Form, u16),
    output: Option<&Path>,
) -> Result<Exit> {
    let (text, _) = with(options, |overlay, now| overlay.bundle(name, form, path_mtu, now))?;
    if let Some(output) = output {
        save(output, &text)?;
    }
    if options.json {
        let text = output.is_none().then_some(text.as_str());
        print_json(&serde_json::json!({ "name": name, "bundle": text }))?;
    } else if output.is_none() {
        print_line(text.trim_end())?;
    }
    warn("whoever has this bundle is the node: WireGuard has no join tokens");
    Ok(Exit::Done)
}

/// `rotate server`: another key, and every bundle that is out there is void.
pub fn rotate(options: &Options, force: bool) -> Result<Exit> {
    let (names, _) =
        with(options, |overlay, now| overlay.rotate_server(force, now, &mut system_random))?;
    if options.json {
        print_json(&serde_json::json!({ "locked_out": names }))?;
    }
    note("the server has a new key");
    if !names.is_empty() {
        let (count, names) = (counted(names.len()), shown_names(&names));
        note(&format!("{count} locked out until there is a new bundle: {names}"));
    }
    Ok(Exit::Done)
}

fn shown_names(names: &[HostName]) -> String {
    names.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// `list`: the register.
pub fn list(options: &Options) -> Result<Exit> {
    let register = Register::load(&options.directory).map_err(failed)?;
    if options.json {
        let clients = register.nodes.iter().map(|(name, node)| {
            serde_json::json!({
                "name": name,
                "address": node.address,
                "mac": node.mac,
                "added": node.added,
                "public_key": node.key.public_key,
                "key_made": node.key.at,
                "handed": node.handed,
            })
        });
        print_json(&serde_json::json!({ "clients": clients.collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let mut table = new_table(&["NAME", "ADDRESS", "PUBLIC KEY", "ADDED", "GIVEN OUT"]);
    for (name, node) in &register.nodes {
        table.add_row([
            name.to_string(),
            node.address.to_string(),
            node.key.public_key.to_string(),
            day(node.added),
            node.handed.map_or_else(|| "-".to_owned(), day),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(Exit::Done)
}

/// `status`: who was heard lately, and what needs attention; as the other one otherwise.
pub fn status(options: &Options, to: Option<&Path>) -> Result<Exit> {
    let register = Register::load(&options.directory).map_err(failed)?;
    let dump = running::dump();
    let report = report(&register, dump.as_ref().ok(), Timestamp::now());
    match to {
        Some(file) => write(&report, file)?,
        None if options.json => print_json(&report)?,
        None => show(&report, "LAST HANDSHAKE")?,
    }
    dump.map(|_| Exit::Done).map_err(|error: RunningError| {
        Failure::new(Exit::Unreachable, "the server was not seen").because(error).into()
    })
}
