//! TLS from files, replaced while running.
//!
//! A certificate is renewed by somebody else (certbot, the site's CA): the files change, and we
//! follow. [`TlsFiles`] holds the configuration made from the files; new connections use the
//! newest good one, running ones keep theirs. A pair that does not fit together or does not parse
//! (for instance because only one of the two files has been written yet) is reported and the old
//! one stays in use.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
    pem::{self, PemObject},
};

/// A certificate file of more bytes is not one.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A certificate chain, its key, and the CA of client certificates: three PEM files and the TLS
/// configuration made from them. TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
pub struct TlsFiles {
    paths: Paths,
    config: ArcSwap<ServerConfig>,
    /// What the files were when they were last read, whether that went well or not.
    seen: Mutex<Option<Stamps>>,
}

#[derive(Debug)]
struct Paths {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

/// Why the files do not make a TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not PEM, or has no section of the kind that is needed.
    #[error("{} has no usable PEM section with {expected}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the reader said.
        source: pem::Error,
    },
    /// Certificate and key are not usable, or not for each other.
    #[error("the certificate {} and the key {} cannot be used together", certificate.display(), key.display())]
    Pair {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the TLS library said.
        source: rustls::Error,
    },
    /// The CA of the client certificates is not usable.
    #[error("{} is not usable as CA of client certificates: {reason}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The TLS library refused the settings.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

impl TlsFiles {
    /// Reads the files: a chain (leaf first), its key (PKCS#8, PKCS#1 or SEC1, not encrypted), and
    /// optionally the CA certificates (and CRLs, in the same file) of client certificates.
    ///
    /// With `client_ca`, clients are asked for a certificate and may come without; one that is not
    /// from this CA, or revoked, fails the handshake (RFC 8446, section 4.4.2.4).
    pub fn load(
        certificate: &Path,
        key: &Path,
        client_ca: Option<&Path>,
    ) -> Result<Arc<TlsFiles>, TlsError> {
        let paths = Paths {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_ca: client_ca.map(Path::to_owned),
        };
        let seen = Stamps::of(&paths);
        let config = ArcSwap::from(read(&paths)?);
        Ok(Arc::new(TlsFiles { paths, config, seen: Mutex::new(Some(seen)) }))
    }

    /// Reads the files again, for new connections. On error the old pair stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let stamps = Stamps::of(&self.paths);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamps);
        self.config.store(read(&self.paths)?);
        Ok(())
    }

    /// Reads the files again if one of them has changed since they were last read, and says
    /// whether it did. The server calls it every few seconds. A broken change is reported once, not
    /// at every call; on error the old pair stays in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let stamps = Stamps::of(&self.paths);
        let unchanged = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|seen| *seen == stamps);
        if unchanged { Ok(false) } else { self.reload().map(|()| true) }
    }

    /// The certificate's file, for messages.
    pub fn certificate(&self) -> &Path {
        &self.paths.certificate
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// What tells one version of a file from the next without reading it: a file renamed into place
/// has another inode, one written in place another time. `None` is a file that is not there.
#[derive(Debug, PartialEq, Eq)]
struct Stamps([Option<(u64, u64, i64, i64)>; 3]);

impl Stamps {
    /// Taken before the files are read, so that a write in between shows as a change afterwards.
    fn of(paths: &Paths) -> Stamps {
        let stamp = |path: &Path| {
            let is = fs::metadata(path).ok()?;
            Some((is.ino(), is.size(), is.mtime(), is.mtime_nsec()))
        };
        Stamps([
            stamp(&paths.certificate),
            stamp(&paths.key),
            paths.client_ca.as_deref().and_then(stamp),
        ])
    }
}

fn read(paths: &Paths) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = sections::<CertificateDer<'static>>(&paths.certificate, "a certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(&paths.key)?).map_err(|source| {
        let expected = "a private key (PKCS#8, PKCS#1 or SEC1, not encrypted)";
        TlsError::Pem { path: paths.key.clone(), expected, source }
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Setup)?;
    let builder = match &paths.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|source| TlsError::Pair {
        certificate: paths.certificate.clone(),
        key: paths.key.clone(),
        source,
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // New tickets with every reload: a session that a revoked client certificate opened cannot be
    // resumed past the CRL that revokes it.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    Ok(Arc::new(config))
}

fn client_verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |reason: String| TlsError::ClientCa { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in sections::<CertificateDer<'static>>(path, "a CA certificate")? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let crls = CertificateRevocationListDer::pem_slice_iter(&bytes(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(format!("a CRL in it cannot be read: {error}")))?;
    // A CA without a CRL in the file revokes nothing; one with a CRL is believed.
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(crls)
        .allow_unknown_revocation_status()
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(error.to_string()))
}

fn sections<T: PemObject>(path: &Path, expected: &'static str) -> Result<Vec<T>, TlsError> {
    let broken = |source| TlsError::Pem { path: path.to_owned(), expected, source };
    let found = T::pem_slice_iter(&bytes(path)?).collect::<Result<Vec<T>, _>>().map_err(broken)?;
    if found.is_empty() { Err(broken(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let error = |source| TlsError::Read { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(error)?.len();
    if length > MAX_FILE_BYTES {
        return Err(error(io::Error::other(format!(
            "{length} bytes are more than a certificate file has"
        ))));
    }
    fs::read(path).map_err(error)
}
