//! The origin, the caches before it, and what the kernel says they used.

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use stratus_tests::{program, run, tool};

/// A server that runs; it ends when dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    child: Child,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

pub(crate) const OURS: &str = "stratus-cache";
pub(crate) const NGINX: &str = "nginx proxy_cache";

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn started(child: Child, name: &'static str, plain: SocketAddr, folder: &Path) -> Server {
    let begun = Instant::now();
    while TcpStream::connect(plain).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{name} does not listen on {plain}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    Server { name, child, plain, tls: None, folder: folder.to_owned() }
}

fn nginx(name: &'static str, folder: &Path, plain: SocketAddr, http: &str) -> Server {
    let (root, port) = (folder.display(), plain.port());
    let config = folder.join(format!("{port}.conf"));
    let text = format!(
        "user root; worker_processes auto; daemon off; pid {root}/{port}.pid;\n\
         error_log {root}/{port}.log; worker_rlimit_nofile 65536;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; sendfile on; default_type application/octet-stream;\n{http} }}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = tool("nginx", "nginx-light");
    command.arg("-p").arg(folder).arg("-c").arg(&config);
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    started(child, name, plain, folder)
}

/// Serves the files of a folder: below `/slow/` with 100 MiB/s for each connection, below `/sum/`
/// with a digest that `digest` is the encoding of.
pub(crate) fn origin(folder: &Path, digest: Option<&str>) -> Server {
    let plain = free_address();
    let root = folder.display();
    let kept = "add_header Cache-Control \"public, max-age=31536000\";";
    let mut http = format!(
        "server {{ listen {plain}; root {root}; {kept}\n\
         location /slow/ {{ alias {root}/; limit_rate 100m; {kept} }}\n"
    );
    if let Some(digest) = digest {
        let sum = format!("add_header Repr-Digest \"sha-256=:{digest}:\";");
        writeln!(http, "location /sum/ {{ alias {root}/; {kept} {sum} }}").unwrap();
    }
    http += "}";
    nginx("origin", folder, plain, &http)
}

/// `stratus-cache` with an empty store before an origin, with TLS as well.
pub(crate) fn ours(folder: &Path, origin: &Server) -> Server {
    certificate(folder);
    let (plain, tls) = (free_address(), free_address());
    let site = |listen: SocketAddr, directory: &str, tls: &str| {
        format!(
            "[cache]\nlisten = \"{listen}\"\ndirectory = \"{directory}\"\nsize = \"100 GiB\"\n{tls}\n\
             [[cache.upstreams]]\nprefix = \"/\"\nurl = \"http://{}\"\n",
            origin.plain
        )
    };
    let encrypted = "tls_certificate = \"server.crt\"\ntls_key = \"server.key\"\n";
    fs::write(folder.join("plain.toml"), site(plain, "spool", "")).unwrap();
    fs::write(folder.join("tls.toml"), site(tls, "spool-tls", encrypted)).unwrap();
    let mut server = started(spawn(folder, "plain.toml"), OURS, plain, folder);
    server.tls = Some(tls);
    server
}

/// The same with TLS, as a server of its own.
pub(crate) fn ours_encrypted(server: &Server) -> Server {
    let child = spawn(&server.folder, "tls.toml");
    started(child, OURS, server.tls.unwrap(), &server.folder)
}

fn spawn(folder: &Path, site: &str) -> Child {
    let log = fs::File::create(folder.join(format!("{site}.log"))).unwrap();
    let mut command: Command = program("stratus-cache");
    let mut child = command
        .current_dir(folder)
        .args(["--config", site])
        .env("STRATUS_LOG", "warn")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "the cache did not start; see {site}.log");
    child
}

fn certificate(folder: &Path) {
    if folder.join("server.key").exists() {
        return;
    }
    let arguments = ["--server", "localhost", "--server", "127.0.0.1", "--out", "server"];
    run(program("stratus-generate-cert").current_dir(folder).args(arguments)).good();
}

/// nginx as a cache, set up as well as it can be: one request upstream for all, however long.
pub(crate) fn peer(folder: &Path, origin: &Server) -> Server {
    certificate(folder);
    let (plain, tls) = (free_address(), free_address());
    let http = format!(
        "proxy_cache_path {root}/nginx-store levels=1:2 keys_zone=k:64m max_size=100g inactive=1d;\n\
         server {{ listen {plain}; listen {tls} ssl; ssl_certificate server.crt;\n\
         ssl_certificate_key server.key; ssl_protocols TLSv1.3;\n\
         location / {{ proxy_pass http://{upstream}; proxy_cache k; proxy_http_version 1.1;\n\
         proxy_cache_lock on; proxy_cache_lock_timeout 1h; proxy_cache_lock_age 1h;\n\
         proxy_max_temp_file_size 0; }} }}",
        root = folder.display(),
        upstream = origin.plain
    );
    let mut server = nginx(NGINX, folder, plain, &http);
    server.tls = Some(tls);
    server
}

impl Server {
    /// User and system time until now, from proc(5)'s `stat` (100 ticks a second).
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks = |process: PathBuf| -> u64 {
            let stat = fs::read_to_string(process.join("stat")).unwrap();
            let (_, after_name) = stat.rsplit_once(')').unwrap();
            let times = after_name.split_whitespace().skip(11).take(2);
            times.map(|field| field.parse::<u64>().unwrap()).sum()
        };
        self.processes().into_iter().map(ticks).sum::<u64>() as f64 / 100.0
    }

    /// The process and its children: nginx's workers are children.
    fn processes(&self) -> Vec<PathBuf> {
        let process = self.child.id();
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        let all = children.split_whitespace().map(str::to_owned).chain([process.to_string()]);
        all.map(|process| Path::new("/proc").join(process)).collect()
    }

    /// The most memory it had resident, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    }

    /// A number of the cache's own status.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let url = format!("http://{}/-/cache/status.json", self.plain);
        let text = run(tool("curl", "curl").args(["-s", &url])).good().stdout;
        let status: Value = serde_json::from_str(&text).unwrap();
        status[name].as_u64().unwrap()
    }

    /// Ends it and starts it again over the same store; answers how long it took to listen.
    pub(crate) fn restarted(mut self) -> (Self, Duration) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
        let begun = Instant::now();
        self.child = spawn(&self.folder, "plain.toml");
        (self, begun.elapsed())
    }
}

/// A file of bytes that do not repeat.
pub(crate) fn file(path: &Path, mib: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = std::io::BufWriter::new(fs::File::create(path).unwrap());
    for _ in 0..mib << 17 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::io::Write::write_all(&mut out, &state.to_le_bytes()).unwrap();
    }
}
