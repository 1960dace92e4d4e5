//! The TLS files that a section names, looked at before anything is started.

use std::fs::File;
use std::path::Path;
use stratus_sections::Section;
use stratus_serve::{TlsError, TlsFiles};

/// Notes whatever is wrong with the files behind `tls_certificate`, `tls_key` and `tls_client_ca`.
pub fn look_at_tls(
    section: &Section<'_>,
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) {
    let named = [
        ("tls_certificate", Some(certificate)),
        ("tls_key", Some(key)),
        ("tls_client_ca", client_ca),
    ];
    let mut unreadable = false;
    for (name, path) in named.iter().filter_map(|(name, path)| Some((*name, (*path)?))) {
        if let Err(source) = File::open(path) {
            unreadable = true;
            let error = TlsError::Read { path: path.to_owned(), source };
            section.complain_because(name, &error, None);
        }
    }
    if unreadable {
        return;
    }
    if let Err(error) = TlsFiles::load(certificate, key, client_ca) {
        section.complain_because(key_of(&error, key, client_ca), &error, None);
    }
}

/// The key of the section that the error is about.
fn key_of(error: &TlsError, key: &Path, client_ca: Option<&Path>) -> &'static str {
    match error {
        TlsError::ClientCa { .. } => "tls_client_ca",
        TlsError::Pair { .. } => "tls_key",
        TlsError::Read { path, .. } | TlsError::Pem { path, .. } if path == key => "tls_key",
        TlsError::Read { path, .. } | TlsError::Pem { path, .. }
            if Some(path.as_path()) == client_ca =>
        {
            "tls_client_ca"
        }
        _ => "tls_certificate",
    }
}
