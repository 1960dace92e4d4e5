//! What bundles of nodes bring that become hosts of OpenNebula.

use crate::vpn::BundleChoice;
use anyhow::Result;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use stratus_overlay::Form;
use stratus_plan::burst::{FromFrontend, node_program, signing_key_files};
use stratus_site::{Site, Vpn};
use stratus_terminal::{Exit, Failure, warn};

/// Longest file that goes into a bundle, bytes.
const LONGEST: u64 = 64 << 10;

/// The program that makes the node a node of OpenNebula, where the site file wants that.
pub(in crate::vpn) fn software(
    site: &Site,
    vpn: &Vpn,
    choice: &BundleChoice<'_>,
) -> Result<Option<String>> {
    let name = choice.name;
    if !vpn.registered().any(|node| node.name == *name) {
        return Ok(None);
    }
    if choice.form == Form::Ovpn {
        warn(&format!(
            "a file for openvpn alone makes no host of OpenNebula; `--as cloud-init` or `--as context` makes `{name}` one"
        ));
        return Ok(None);
    }
    let public = choice.frontend_key;
    let public_key = read(public)?.ok_or_else(|| missing(&public.display().to_string()))?;
    let signing_key = signing_key(site)?;
    let from = FromFrontend { public_key: &public_key, signing_key: signing_key.as_deref() };
    Ok(Some(node_program(site, from)))
}

/// As this front-end has it itself.
fn signing_key(site: &Site) -> Result<Option<String>> {
    if site.packages.offline.is_some() || site.packages.opennebula_key.is_none() {
        return Ok(None);
    }
    let files = signing_key_files();
    for file in &files {
        if let Some(key) = read(Path::new(file))? {
            return Ok(Some(key));
        }
    }
    Err(missing(&files.join("` or `")).into())
}

fn missing(file: &str) -> Failure {
    let message = format!("there is no `{file}`, which a host of OpenNebula needs from here");
    Failure::new(Exit::Failed, message).hint("`stratus-install apply` sets the front-end up")
}

fn read(path: &Path) -> Result<Option<String>> {
    let shown = path.display();
    let wrong = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot read `{shown}`")).because(error)
    };
    match fs::metadata(path) {
        Ok(there) if there.len() > LONGEST => {
            Err(Failure::new(Exit::Failed, format!("`{shown}` is longer than {LONGEST} bytes"))
                .into())
        }
        Ok(_) => Ok(Some(fs::read_to_string(path).map_err(wrong)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error).into()),
    }
}
