//! The servers under test, and what the kernel says they used.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use stratus_tests::{Appliance, Repository, Setup, tool};

/// A server that runs, whoever owns it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) process: u32,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) image: String,
    pub(crate) manifest: String,
}

/// A repository that listens with and without TLS.
pub(crate) fn repository() -> Repository {
    Repository::with(Setup {
        repository: "listen_plain = \"127.0.0.1:0\"\n".to_owned(),
        ..Setup::default()
    })
}

pub(crate) fn ours(repository: &Repository, appliance: &Appliance) -> Server {
    let address = |url: &str| {
        let (_, port) = url.rsplit_once(':').unwrap();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    };
    Server {
        name: "stratus-repository",
        process: repository.process(),
        plain: address(repository.plain_url()),
        tls: address(repository.url()),
        image: appliance.image_path(),
        manifest: appliance.manifest_path(),
    }
}

/// nginx with a worker for each core; ended with its process when dropped.
pub(crate) struct Nginx {
    child: Child,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let master = rustix::process::Pid::from_child(&self.child);
        // Its workers end with it, after what they are sending.
        let _ = rustix::process::kill_process(master, rustix::process::Signal::QUIT);
        let _ = self.child.wait();
    }
}

/// nginx over the files of `folder`; `settings` go into its `http` block.
pub(crate) fn nginx(
    folder: &Path,
    name: &'static str,
    settings: &str,
    appliance: &Appliance,
) -> (Nginx, Server) {
    let (plain, tls) = (free_address(), free_address());
    let root = folder.display();
    let config = folder.join(format!("{}.conf", plain.port()));
    let port = plain.port();
    let text = format!(
        "user root; worker_processes auto; daemon off; pid {root}/{port}.pid; error_log {root}/{port}.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ {settings}\n server {{ listen {plain}; listen {tls} ssl; root {root};\n\
         ssl_certificate server.crt; ssl_certificate_key server.key; ssl_protocols TLSv1.3; }} }}\n"
    );
    fs::write(&config, text).unwrap();
    let child = tool("nginx", "nginx-light")
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while TcpStream::connect(plain).is_err() {
        assert!(started.elapsed() < Duration::from_secs(5), "nginx does not listen on {plain}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let file = |path: &Path| format!("/{}", path.strip_prefix(folder).unwrap().display());
    let server = Server {
        name,
        process: child.id(),
        plain,
        tls,
        image: file(&appliance.image),
        manifest: file(&appliance.manifest),
    };
    (Nginx { child }, server)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The process and its children: nginx's workers are children.
fn processes(process: u32) -> Vec<PathBuf> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let all = children.split_whitespace().map(str::to_owned).chain([process.to_string()]);
    all.map(|process| Path::new("/proc").join(process)).collect()
}

/// User and system time of a server until now, from proc(5)'s `stat` (100 ticks a second).
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let ticks = |process: PathBuf| -> u64 {
        let stat = fs::read_to_string(process.join("stat")).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let times = after_name.split_whitespace().skip(11).take(2);
        times.map(|field| field.parse::<u64>().unwrap()).sum()
    };
    processes(process).into_iter().map(ticks).sum::<u64>() as f64 / 100.0
}

/// KiB of a line of proc(5)'s `status`.
pub(crate) fn kib(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
