//! A running server, its certificates, and clients for it.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use stratus_serve::{Answers, Bound, Drained, Limits, Listen, ServeError, TlsFiles, serve};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for an event that must come.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// A CA in a directory of its own, with `server.crt` and `server.key` of `localhost`.
pub(crate) struct Pki {
    pub(crate) directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) ca: String,
}

impl Pki {
    pub(crate) fn new() -> Pki {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test CA");
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a CA").pem();
        let pki = Pki {
            directory: tempfile::tempdir().expect("a directory"),
            issuer: Issuer::new(params, key),
            ca,
        };
        pki.write_server();
        fs::write(pki.path("ca.pem"), &pki.ca).expect("written");
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Certificate and key, both PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String, Vec<u8>) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem(), certificate.der().to_vec())
    }

    /// A new server certificate in place of the old one; its DER.
    pub(crate) fn write_server(&self) -> Vec<u8> {
        let (certificate, key, der) = self.issue("localhost");
        replace(&self.path("server.key"), key.as_bytes());
        replace(&self.path("server.crt"), certificate.as_bytes());
        der
    }

    pub(crate) fn files(&self) -> Arc<TlsFiles> {
        TlsFiles::load(&self.path("server.crt"), &self.path("server.key"), None)
            .expect("good files")
    }

    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        let ca = reqwest::Certificate::from_pem(self.ca.as_bytes()).expect("the CA's PEM");
        reqwest::Client::builder().no_proxy().tls_certs_only([ca])
    }
}

/// As certbot does it: written beside, renamed into place.
pub(crate) fn replace(path: &Path, content: &[u8]) {
    let beside = path.with_extension("new");
    fs::File::create(&beside).and_then(|mut file| file.write_all(content)).expect("written");
    fs::rename(&beside, path).expect("renamed");
}

/// A server with one plain and one TLS listener.
pub(crate) struct Running {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<Result<Drained, ServeError>>,
}

impl Running {
    pub(crate) fn start(
        answers: impl Into<Answers>,
        limits: Limits,
        files: Arc<TlsFiles>,
    ) -> Running {
        let bind = |tls| {
            let address = "127.0.0.1:0".parse().expect("an address");
            Bound::bind(&Listen { address, tls }).expect("a free port")
        };
        let (plain, tls) = (bind(None), bind(Some(files)));
        let addresses = (plain.local_addr(), tls.local_addr());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(vec![plain, tls], answers.into(), limits, async {
            let _ = stopped.await;
        }));
        Running { plain: addresses.0, tls: addresses.1, stop: Some(stop), task }
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let stop = self.stop.take().expect("stopped once");
        stop.send(()).expect("the server waits for it");
    }

    pub(crate) async fn stop(mut self) -> Drained {
        self.begin_shutdown();
        soon("the end of the server", self.task).await.expect("no panic").expect("it ran")
    }

    pub(crate) fn plain_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.plain)
    }

    pub(crate) fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls.port())
    }
}

/// Sends `text` on a new plain connection.
pub(crate) async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(text.as_bytes()).await.expect("sent");
    socket
}

/// Everything until the other side closes; a reset counts as closed.
pub(crate) async fn read_to_end(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let read = async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..read]);
        }
    };
    soon("the end of the stream", read).await;
    all
}

/// Bytes whose values tell their place.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

pub(crate) fn file(content: &[u8]) -> Arc<fs::File> {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(content).expect("written");
    Arc::new(file)
}
