//! A client that costs little: it reads and forgets. Over TLS it makes the handshake and sends the
//! request, and then takes the encrypted bytes off the socket without decrypting them, so that a
//! shared machine measures the server.

use std::{
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

type Fault = Box<dyn Error + Send + Sync>;

/// The settings of a TLS 1.3 client that speaks AES-256-GCM only.
pub(crate) fn tls(certificate: &[u8]) -> Arc<ClientConfig> {
    read(certificate).unwrap()
}

fn read(certificate: &[u8]) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate)?)?;
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..aws_lc_rs::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Downloads `path` and says how many bytes came over the wire.
pub(crate) fn download(address: SocketAddr, tls: Option<&Arc<ClientConfig>>, path: &str) -> u64 {
    fetch(address, tls, path).unwrap()
}

fn fetch(address: SocketAddr, tls: Option<&Arc<ClientConfig>>, path: &str) -> Result<u64, Fault> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    match tls {
        None => socket.write_all(request.as_bytes())?,
        Some(config) => {
            let name = ServerName::try_from("localhost")?;
            let mut session = ClientConnection::new(Arc::clone(config), name)?;
            while session.is_handshaking() {
                session.complete_io(&mut socket)?;
            }
            session.writer().write_all(request.as_bytes())?;
            while session.wants_write() {
                session.write_tls(&mut socket)?;
            }
        }
    }
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        match socket.read(&mut buffer)? {
            0 => return Ok(total),
            read => total += read as u64,
        }
    }
}
