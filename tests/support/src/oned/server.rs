//! The simulator as a server: HTTP as the stock xmlrpc-c speaks it, one call a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stratus_opennebula::xmlrpc::{Value, read_call, write_fault, write_response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::drivers;
use super::life;
use super::methods;
use super::settings::Settings;
use super::state::{Kind, State};

/// Bytes of one call.
const MAX_CALL: usize = 16 * 1024 * 1024;
/// Time for one call to come in.
const CALL_TIME: Duration = Duration::from_secs(30);
/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(10);
/// Between two probes of the hosts.
const PROBE: Duration = Duration::from_millis(500);

/// A simulator that runs in this process until it is dropped.
pub struct Oned {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Oned {
    /// Starts one on loopback, and returns when it answers.
    pub async fn start(settings: Settings) -> Self {
        let (ready, address) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            serve(settings, |address| {
                // Whoever started it may be gone already.
                let _gone = ready.send(address);
            })
            .await
            .expect("the simulator runs");
        });
        Self { address: address.await.expect("the simulator listens"), task }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/RPC2", self.address)
    }
}

impl Drop for Oned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    settings: Settings,
    state: Mutex<State>,
}

/// Runs a simulator; `ready` hears where it listens.
pub async fn serve(settings: Settings, ready: impl FnOnce(SocketAddr)) -> Result<(), String> {
    let state = match State::load(&settings.database)? {
        Some(state) => state,
        None => State::new(&settings.oneadmin, now()),
    };
    state.save(&settings.database)?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|e| format!("{} cannot be listened on: {e}", settings.listen))?;
    ready(listener.local_addr().map_err(|e| e.to_string())?);
    let shared = Arc::new(Shared { settings, state: Mutex::new(state) });
    let work = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let shared = shared.clone();
            tokio::spawn(async move {
                // A client that goes away is no concern of oned.
                let _gone = connection(stream, &shared).await;
            });
        }
    };
    tokio::select! {
        failed = live(&shared) => failed,
        () = work => Ok(()),
    }
}

/// Does what is due, for ever; ends if the state cannot be written.
async fn live(shared: &Arc<Shared>) -> Result<(), String> {
    let mut well: Vec<String> = Vec::new();
    let mut next_probe = tokio::time::Instant::now();
    loop {
        if let Some(probe) = &shared.settings.probe
            && tokio::time::Instant::now() >= next_probe
        {
            well = probed(shared, probe).await;
            next_probe = tokio::time::Instant::now() + PROBE;
        }
        let probed = shared.settings.probe.is_some().then_some(&well[..]);
        let mut state = shared.state.lock().await;
        if life::step(&mut state, &shared.settings, now(), probed) {
            state.save(&shared.settings.database)?;
        }
        if shared.settings.drivers {
            for job in drivers::due(&mut state, now()) {
                tokio::spawn(drive(shared.clone(), job));
            }
        }
        drop(state);
        tokio::time::sleep(STEP).await;
    }
}

async fn drive(shared: Arc<Shared>, job: drivers::Job) {
    let outcome = job.work().await;
    let mut state = shared.state.lock().await;
    job.done(&mut state, outcome, now());
    if let Err(problem) = state.save(&shared.settings.database) {
        eprintln!("oned: {problem}");
    }
}

/// The hosts that wait for monitoring and pass the probe.
async fn probed(shared: &Shared, probe: &str) -> Vec<String> {
    let waiting: Vec<String> = {
        let state = shared.state.lock().await;
        state.objects(Kind::Host).filter(|h| h.due != 0).map(|h| h.name.clone()).collect()
    };
    let mut well = Vec::new();
    for host in waiting {
        let mut command = tokio::process::Command::new("sh");
        command.arg("-c").arg(probe).env("HOST", &host).kill_on_drop(true);
        command.stdin(std::process::Stdio::null());
        let done = tokio::time::timeout(Duration::from_secs(20), command.status()).await;
        if matches!(done, Ok(Ok(status)) if status.success()) {
            well.push(host);
        }
    }
    well
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let read = tokio::time::timeout(CALL_TIME, read_request(&mut stream)).await;
    let Ok(Some((head, body))) = read else { return Ok(()) };
    let (status, kind, text) = if !head.starts_with("POST ") {
        ("405 Method Not Allowed", "text/html", page(405))
    } else if head.split(' ').nth(1) != Some("/RPC2") {
        ("404 Not Found", "text/html", page(404))
    } else {
        ("200 OK", "text/xml; charset=utf-8", answer(shared, &body).await)
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-type: {kind}\r\nContent-length: {}\r\nConnection: close\r\n\
         Server: Xmlrpc-c_Abyss/simulated\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn page(status: u16) -> String {
    format!(
        "<HTML><HEAD><TITLE>Error {status}</TITLE></HEAD><BODY><H1>Error {status}</H1></BODY></HTML>"
    )
}

async fn answer(shared: &Shared, body: &[u8]) -> String {
    let call = match read_call(body) {
        Ok(call) => call,
        Err(problem) => {
            let text = "Call XML not a proper XML-RPC call.  Call is not valid XML.";
            return write_fault(-503, &format!("{text}  {problem}"));
        }
    };
    let mut state = shared.state.lock().await;
    life::step(
        &mut state,
        &shared.settings,
        now(),
        shared.settings.probe.as_ref().map(|_| &[][..]),
    );
    let answer = methods::answer(&mut state, &shared.settings, now(), call);
    if let Err(problem) = state.save(&shared.settings.database) {
        return write_fault(-500, &problem);
    }
    drop(state);
    match answer {
        Err((code, message)) => write_fault(code, &message),
        Ok(value) => {
            let text = write_response(&value);
            match &value {
                // The fifth element of a failure is an `i8`, whatever its size.
                Value::Array(items) if items.len() == 4 => text.replace(
                    "</data></array></value></param>",
                    "<value><i8>-1</i8></value>\r\n</data></array></value></param>",
                ),
                _ => text,
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 || bytes.len() > MAX_CALL {
            return None;
        }
        bytes.extend_from_slice(&piece[..read]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length: usize = length.unwrap_or(0);
    let mut body = bytes[end..].to_vec();
    while body.len() < length && length <= MAX_CALL {
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 {
            return None;
        }
        body.extend_from_slice(&piece[..read]);
    }
    (body.len() >= length).then_some((head, body))
}
