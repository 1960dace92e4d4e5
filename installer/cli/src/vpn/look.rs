//! Looking at the overlay: the register, the server, its errors.

use super::Options;
use super::failures::failed;
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use std::path::Path;
use stratus_overlay::joined;
use stratus_overlay::management::{Management, ManagementError};
use stratus_overlay::register::{Handed, Register};
use stratus_overlay::status::{ClientReport, Report, Seen, connected, events, report};
use stratus_terminal::{AtomicFile, Exit, Failure, note, print_json, print_line, warn};

/// `list`: the register.
pub fn list(options: &Options) -> Result<Exit> {
    let register = Register::load(&options.directory).map_err(failed)?;
    if options.json {
        let clients = register.clients.iter().map(|(name, client)| {
            serde_json::json!({
                "name": name,
                "address": client.address,
                "mac": client.mac,
                "added": client.added,
                "certificates": client.certificates.iter().map(|c| serde_json::json!({
                    "serial": c.serial,
                    "authority": c.authority,
                    "from": c.from,
                    "expires": c.to,
                })).collect::<Vec<_>>(),
            })
        });
        let clients: Vec<_> = clients.collect();
        print_json(&serde_json::json!({ "clients": clients, "revoked": register.revoked }))?;
        return Ok(Exit::Done);
    }
    let mut table = new_table(&["NAME", "ADDRESS", "MAC", "CERTIFICATE UNTIL", "GIVEN OUT"]);
    for (name, client) in &register.clients {
        let newest = client.certificates.last();
        let given = newest.and_then(|c| c.handed.as_ref()).map_or("-", |handed| match handed {
            Handed::Alone => "alone",
            Handed::WithToken(_) => "with a token",
        });
        table.add_row([
            name.to_string(),
            client.address.to_string(),
            client.mac.to_string(),
            newest.map_or_else(|| "-".to_owned(), |c| day(c.to)),
            given.to_owned(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(Exit::Done)
}

/// `status`: who is connected, and what needs attention; printed, or as JSON into the file `to`, for
/// those who may not look themselves. Exit code 5 where the server does not answer; the register is
/// shown all the same.
pub fn status(options: &Options, to: Option<&Path>) -> Result<Exit> {
    let register = Register::load(&options.directory).map_err(failed)?;
    let mut seen = notes(options, &register)?;
    let asked = ask(options, &mut seen);
    let report = report(&register, &seen, Timestamp::now());
    match to {
        Some(file) => write(&report, file)?,
        None if options.json => print_json(&report)?,
        None => show(&report, "CONNECTED SINCE")?,
    }
    match asked {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let failure = Failure::new(Exit::Unreachable, "the server was not seen");
            Err(failure.because(error).into())
        }
    }
}

pub(super) fn write(report: &Report, file: &Path) -> Result<()> {
    let text = serde_json::to_vec(report)?;
    AtomicFile::write(file, &text).map_err(|error| {
        let message = format!("cannot write `{}`", file.display());
        Failure::new(Exit::Failed, message).because(error).into()
    })
}

pub(super) fn ask(options: &Options, seen: &mut Seen) -> Result<(), ManagementError> {
    let mut server = Management::connect(&options.socket())?;
    seen.connected = Some(connected(&server.status()?));
    seen.events = events(&server.log()?);
    Ok(())
}

/// What the server noted about join tokens.
pub(super) fn notes(options: &Options, register: &Register) -> Result<Seen> {
    let mut seen = Seen::default();
    let folder = options.notes();
    for certificate in register.clients.values().flat_map(|client| &client.certificates) {
        if matches!(certificate.handed, Some(Handed::WithToken(_))) {
            let serial = certificate.serial;
            let machine = joined::machine(&folder, serial).map_err(|e| failed(e.into()))?;
            seen.joined.extend(machine.map(|machine| (serial, machine)));
            let refused = joined::refused(&folder, serial).map_err(|e| failed(e.into()))?;
            seen.refused.extend(refused.map(|refused| (serial, refused)));
        }
    }
    Ok(seen)
}

/// Prints a report; `since` is what the beginning of a session is called.
pub(super) fn show(report: &Report, since: &str) -> Result<()> {
    for sentence in &report.attention {
        warn(sentence);
    }
    let head = ["NAME", "ADDRESS", since, "FROM", "IN", "OUT", "CERTIFICATE UNTIL", "LAST ERROR"];
    let mut table = new_table(&head);
    for client in &report.clients {
        table.add_row(row(client));
    }
    print_line(&table.to_string())?;
    if !report.strangers.is_empty() {
        note("not let in:");
    }
    for stranger in report.strangers.iter().take(20) {
        let peer = stranger.trouble.peer.as_deref().unwrap_or("somebody");
        let name = stranger.name.as_deref().map(|name| format!(", as {name}")).unwrap_or_default();
        let (at, reason) = (minute(stranger.trouble.at), &stranger.trouble.reason);
        note(&format!("  {at}  {peer}{name}: {reason}"));
    }
    Ok(())
}

fn row(client: &ClientReport) -> Vec<String> {
    let absent = || "-".to_owned();
    let session = client.session.as_ref();
    let error = client.last_error.as_ref();
    vec![
        client.name.to_string(),
        client.address.to_string(),
        session.map_or_else(absent, |s| minute(s.since)),
        session.map_or_else(absent, |s| s.peer.clone()),
        session.map_or_else(absent, |s| bytes(s.received)),
        session.map_or_else(absent, |s| bytes(s.sent)),
        client.certificate_expires.map_or_else(absent, day),
        error.map_or_else(absent, |e| format!("{}: {}", minute(e.at), e.reason)),
    ]
}

pub(super) fn new_table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.to_vec());
    table
}

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}
