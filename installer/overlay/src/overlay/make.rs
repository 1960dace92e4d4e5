//! Keys and certificates made and written, and the names of their files.

use super::Error;
use super::files::{block, text};
use crate::Random;
use crate::folder::Folder;
use crate::register::{Authority, Issued, Register, after};
use crate::serial::Serial;
use jiff::Timestamp;
use stratus_network::overlay::SERVER_NAME;
use stratus_site::Vpn;
use stratus_x509::generate::{Generated, KeptAuthority, Purpose, Span};
use zeroize::Zeroizing;

pub(super) const REGISTER: &str = "pki/register.json";
pub(super) const TLS_CRYPT: &str = "pki/tls-crypt-v2.key";

pub(super) fn authority_file(generation: u32) -> String {
    format!("pki/authority-{generation}.pem")
}

pub(super) fn list_file(number: u64) -> String {
    format!("pki/list-{number}.pem")
}

pub(super) fn server_file(serial: Serial) -> String {
    format!("pki/server-{serial}.pem")
}

pub(super) fn client_file(serial: Serial) -> String {
    format!("pki/clients/{serial}.pem")
}

pub(super) fn new_serial(random: Random<'_>) -> Serial {
    let mut bytes = [0; 16];
    random(&mut bytes);
    Serial::from_random(bytes)
}

pub(super) fn new_authority(
    generation: u32,
    vpn: &Vpn,
    now: Timestamp,
    random: Random<'_>,
) -> Result<(Authority, Generated), Error> {
    let serial = new_serial(random);
    let (from, to) = (now, after(now, vpn.ca_validity));
    // Different names for different authorities: a certificate then names its own one.
    let mark: String = serial.to_string().chars().take(8).collect();
    let name = format!("stratus-vpn authority {generation} {mark}");
    let span = Span { serial: serial.number(), from, to };
    let pem = KeptAuthority::make(&name, span)?;
    Ok((Authority { generation, serial, from, to }, pem))
}

/// The server's certificate, from the authority that it has in the register.
pub(super) fn issue_server(
    folder: &mut Folder,
    register: &Register,
    kept: &KeptAuthority,
    vpn: &Vpn,
    now: Timestamp,
    random: Random<'_>,
) -> Result<Issued, Error> {
    let generation = register.server.authority;
    let (from, mut to) = register.span(vpn.certificate_validity, now);
    if let Some(own) = register.authorities.iter().find(|a| a.generation == generation) {
        to = to.min(own.to);
    }
    let serial = new_serial(random);
    let span = Span { serial: serial.number(), from, to };
    let pair = kept.issue(SERVER_NAME, Purpose::Server, span)?;
    write_pair(folder, &server_file(serial), &pair)?;
    Ok(Issued { serial, authority: generation, from, to, handed: None })
}

pub(super) fn write_pair(folder: &mut Folder, name: &str, pair: &Generated) -> Result<(), Error> {
    let text = Zeroizing::new(format!("{}{}", pair.cert_pem, *pair.key_pem));
    folder.write(name, 0o600, text.as_bytes())?;
    Ok(())
}

pub(super) fn read_pair(folder: &Folder, name: &str) -> Result<Generated, Error> {
    let text = text(folder, name)?;
    let part = |kind| {
        block(&text, kind).ok_or_else(|| Error::Unreadable {
            path: folder.path(name),
            problem: format!("it has no {kind}"),
        })
    };
    Ok(Generated {
        cert_pem: part("CERTIFICATE")?.to_owned(),
        key_pem: Zeroizing::new(part("PRIVATE KEY")?.to_owned()),
    })
}
