//! This server beside nginx: throughput, processor time per GiB, small requests per second, memory.

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::ClientConfig;

use crate::{client, server::SMALL_BYTES, write_file};

type Fault = Box<dyn Error + Send + Sync>;

/// A running server and where it listens.
struct Server {
    name: &'static str,
    child: Child,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take()); // ours ends with its input
        if self.name.starts_with("nginx") {
            let pid = self.child.id().to_string();
            let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        }
        let _ = self.child.wait();
    }
}

/// One figure of one round.
struct Sample {
    case: &'static str,
    server: &'static str,
    per_second: f64,
    cpu: f64,
}

pub(crate) fn speed(rounds: usize, mib: usize) -> Result<(), Fault> {
    let bench = Bench::new(mib)?;
    let mut servers = [
        bench.ours()?,
        bench.nginx("nginx, sendfile", "sendfile on; access_log off;")?,
        bench.nginx("nginx, its defaults", "access_log access.log;")?,
    ];
    let mut samples = Vec::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        servers.rotate_left(1);
        for case in &CASES {
            for server in &servers {
                samples.push(bench.sample(case, server)?);
            }
        }
    }
    print!("{}", table(&samples, mib)?);
    Ok(())
}

pub(crate) fn memory(clients: usize, mib: usize) -> Result<(), Fault> {
    let bench = Bench::new(mib)?;
    for encrypted in [false, true] {
        let server = bench.ours()?;
        let before = resident(&server)?;
        let running = thread::scope(|scope| {
            let downloads: Vec<_> =
                (0..clients).map(|_| scope.spawn(|| bench.download(&server, encrypted))).collect();
            let mut peak = before;
            while downloads.iter().any(|download| !download.is_finished()) {
                let now = resident(&server).unwrap_or(before);
                peak = [0, 1].map(|kind| peak[kind].max(now[kind]));
                thread::sleep(Duration::from_millis(20));
            }
            for download in downloads {
                download.join().map_err(|_| "a download panicked")??;
            }
            Ok::<_, Fault>(peak)
        })?;
        let name = if encrypted { "TLS" } else { "plain" };
        println!(
            "{clients} x {mib} MiB, {name}: resident {} MiB before, {} MiB at most, of that file-mapped {} MiB",
            before[0] >> 10,
            running[0] >> 10,
            running[1] >> 10
        );
    }
    Ok(())
}

const CASES: [Case; 5] = [
    Case { name: "plain, 1 client", clients: 1, repeat: 4, encrypted: false },
    Case { name: "plain, 8 clients", clients: 8, repeat: 1, encrypted: false },
    Case { name: "TLS 1.3 AES-256-GCM, 1 client", clients: 1, repeat: 2, encrypted: true },
    Case { name: "TLS 1.3 AES-256-GCM, 8 clients", clients: 8, repeat: 1, encrypted: true },
    Case { name: "GET of 2 KiB, 64 connections", clients: 64, repeat: 0, encrypted: false },
];

/// What is measured. `repeat` downloads one after the other per client; 0 means small requests.
struct Case {
    name: &'static str,
    clients: usize,
    repeat: usize,
    encrypted: bool,
}

struct Bench {
    directory: tempfile::TempDir,
    tls: Arc<ClientConfig>,
    mib: usize,
}

impl Bench {
    fn new(mib: usize) -> Result<Bench, Fault> {
        let directory = tempfile::Builder::new().prefix("stratus-serve-").tempdir()?;
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(directory.path().join("server.crt"), pair.cert.pem())?;
        fs::write(directory.path().join("server.key"), pair.signing_key.serialize_pem())?;
        fs::write(directory.path().join("small"), vec![b'x'; SMALL_BYTES])?;
        write_file(&directory.path().join("file"), mib)?;
        // nginx gives up root, and its workers must still get in.
        Command::new("chmod").args(["-R", "a+rX"]).arg(directory.path()).status()?;
        Ok(Bench { tls: client::tls(pair.cert.pem().as_bytes())?, directory, mib })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn ours(&self) -> Result<Server, Fault> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args([self.path("file"), PathBuf::from("1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let (plain, tls) = line.trim().split_once(' ').ok_or("the server did not start")?;
        Ok(Server { name: "stratus-serve", child, plain: plain.parse()?, tls: tls.parse()? })
    }

    /// nginx with one worker; `settings` go into its `http` block.
    fn nginx(&self, name: &'static str, settings: &str) -> Result<Server, Fault> {
        let (plain, tls) = (free_address()?, free_address()?);
        let root = self.directory.path().display();
        let config = self.path(&format!("{}.conf", plain.port()));
        fs::write(
            &config,
            format!(
                "worker_processes 1; daemon off; pid {root}/{port}.pid; error_log {root}/{port}.log;\n\
                 events {{ worker_connections 1024; }}\n\
                 http {{ {settings}\n server {{ listen {plain}; listen {tls} ssl; root {root};\n\
                 ssl_certificate server.crt; ssl_certificate_key server.key;\n\
                 ssl_protocols TLSv1.3; }} }}\n",
                port = plain.port()
            ),
        )?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(self.directory.path())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("cannot start nginx (apt-get install nginx-light): {error}")
            })?;
        let server = Server { name, child, plain, tls };
        let started = Instant::now();
        while std::net::TcpStream::connect(plain).is_err() {
            if started.elapsed() > Duration::from_secs(5) {
                return Err(format!("nginx does not listen on {plain}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn download(&self, server: &Server, encrypted: bool) -> Result<(), Fault> {
        let (address, tls) =
            if encrypted { (server.tls, Some(&self.tls)) } else { (server.plain, None) };
        let came = client::download(address, tls, "/file")?;
        if came < (self.mib as u64) << 20 {
            return Err(format!("{} sent {came} bytes", server.name).into());
        }
        Ok(())
    }

    fn sample(&self, case: &Case, server: &Server) -> Result<Sample, Fault> {
        let (cpu, started) = (cpu_seconds(server)?, Instant::now());
        let amount = if case.repeat == 0 {
            small_requests(server, case.clients)?
        } else {
            thread::scope(|scope| {
                let clients: Vec<_> = (0..case.clients)
                    .map(|_| {
                        scope.spawn(|| {
                            (0..case.repeat).try_for_each(|_| self.download(server, case.encrypted))
                        })
                    })
                    .collect();
                clients
                    .into_iter()
                    .try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
            })?;
            (case.clients * case.repeat * self.mib) as f64 / 1024.0
        };
        let wall = started.elapsed().as_secs_f64();
        let cpu = (cpu_seconds(server)? - cpu) / amount;
        Ok(Sample { case: case.name, server: server.name, per_second: amount / wall, cpu })
    }
}

/// How many requests `wrk` got answered in three seconds, in millions (so that the table's units
/// are of the same size).
fn small_requests(server: &Server, connections: usize) -> Result<f64, Fault> {
    let url = format!("http://{}/small", server.plain);
    let output = Command::new("wrk")
        .args(["-t1", "-d3s", &format!("-c{connections}"), &url])
        .output()
        .map_err(|error| format!("cannot start wrk (apt-get install wrk): {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains(" requests in ")).ok_or("no count")?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("{}: {text}", server.name).into());
    }
    let count: f64 = line.split_whitespace().next().ok_or("no count")?.parse()?;
    Ok(count / 1e6)
}

fn free_address() -> Result<SocketAddr, Fault> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The process and its children: nginx's worker is a child.
fn processes(server: &Server) -> Vec<PathBuf> {
    let pid = server.child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let all = children.split_whitespace().map(str::to_owned).chain([pid.to_string()]);
    all.map(|pid| Path::new("/proc").join(pid)).collect()
}

/// User and system time of the server until now, from `/proc/PID/stat` (100 ticks a second).
fn cpu_seconds(server: &Server) -> Result<f64, Fault> {
    let mut ticks = 0_u64;
    for process in processes(server) {
        let stat = fs::read_to_string(process.join("stat"))?;
        let (_, after_name) = stat.rsplit_once(')').ok_or("no name in stat")?;
        for field in after_name.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
    }
    Ok(ticks as f64 / 100.0)
}

/// KiB resident, and of these KiB of mapped files, from `/proc/PID/status`.
fn resident(server: &Server) -> Result<[u64; 2], Fault> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id()))?;
    let field = |name: &str| -> Result<u64, Fault> {
        let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such field")?;
        Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
    };
    Ok([field("VmRSS:")?, field("RssFile:")?])
}

fn table(samples: &[Sample], mib: usize) -> Result<String, Fault> {
    let mut text = format!(
        "A file of {mib} MiB in the page cache, one worker each; medians (lowest to highest).\n\
         Units: GiB, or for the last rows a million requests.\n\n\
         | case | server | units per second | CPU seconds per unit | CPU, of nginx with sendfile |\n\
         |---|---|---|---|---|\n"
    );
    let values = |case: &str, server: &str, of: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples
            .iter()
            .filter(|sample| sample.case == case && sample.server == server)
            .map(of)
            .collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    for case in &CASES {
        let (nginx, ..) = values(case.name, "nginx, sendfile", |sample| sample.cpu);
        for server in ["stratus-serve", "nginx, sendfile", "nginx, its defaults"] {
            let (speed, slowest, fastest) = values(case.name, server, |sample| sample.per_second);
            let (cpu, least, most) = values(case.name, server, |sample| sample.cpu);
            writeln!(
                text,
                "| {} | {server} | {speed:.3} ({slowest:.3} to {fastest:.3}) | {cpu:.3} ({least:.3} to {most:.3}) | {:.2} |",
                case.name,
                cpu / nginx
            )?;
        }
    }
    Ok(text)
}
