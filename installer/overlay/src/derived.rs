//! The server's files as they follow from the register. Pure: the keys are arguments.

use crate::register::{Handed, Register};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use stratus_network::overlay::{NoServerAddress, Place, client_directives, server_conf};
use stratus_site::{HostName, Site, Vpn};
use zeroize::Zeroizing;

use crate::token::TokenRecord;

/// A file for the server, below its folder.
pub struct ServerFile {
    /// Its path below the folder.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// Its content.
    pub content: Zeroizing<Vec<u8>>,
}

/// What the register does not hold, PEM.
pub struct Material {
    /// The certificates of all authorities.
    pub authorities: String,
    /// The revocation lists of all authorities.
    pub lists: String,
    /// The server's certificate.
    pub server_certificate: String,
    /// The server's private key.
    pub server_key: Zeroizing<String>,
    /// The server's key of the control channel.
    pub tls_crypt: Zeroizing<String>,
}

/// What the server must know to judge a join token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The node that may join.
    pub name: HostName,
    /// The token.
    pub token: TokenRecord,
}

/// All files of the server.
pub fn server_files(
    site: &Site,
    vpn: &Vpn,
    place: &Place,
    register: &Register,
    material: &Material,
) -> Result<Vec<ServerFile>, NoServerAddress> {
    let conf = server_conf(site, vpn, place)?;
    let mut files = vec![
        open("server.conf", conf.as_bytes()),
        open("ca.pem", material.authorities.as_bytes()),
        open("crl.pem", material.lists.as_bytes()),
        open("server.crt", material.server_certificate.as_bytes()),
        secret("server.key", material.server_key.as_bytes()),
        secret("tls-crypt-v2.key", material.tls_crypt.as_bytes()),
    ];
    for (name, client) in &register.clients {
        let directives = client_directives(vpn, client.address);
        files.push(open(&format!("ccd/{name}"), directives.as_bytes()));
        for certificate in &client.certificates {
            if let Some(Handed::WithToken(token)) = &certificate.handed {
                let invitation = Invitation { name: name.clone(), token: token.clone() };
                let content = serde_json::to_vec(&invitation).unwrap_or_default();
                files.push(open(&format!("join/{}", certificate.serial), &content));
            }
        }
    }
    Ok(files)
}

/// Lines of hosts(5) with every burst node, for the site's name service.
pub fn hosts<'a>(nodes: impl Iterator<Item = (&'a HostName, Ipv4Addr)>) -> String {
    let mut text = String::from("# Made by stratus-vpn; changes here are lost.\n");
    for (name, address) in nodes {
        let short = name.short();
        let short = if short == name.as_str() { "" } else { short };
        let _ = writeln!(text, "{}", format!("{address} {name} {short}").trim_end());
    }
    text
}

/// The server reads some of them after it gave its rights away: they are for everybody.
fn open(name: &str, content: &[u8]) -> ServerFile {
    ServerFile { name: name.to_owned(), mode: 0o644, content: Zeroizing::new(content.to_vec()) }
}

fn secret(name: &str, content: &[u8]) -> ServerFile {
    ServerFile { mode: 0o600, ..open(name, content) }
}
