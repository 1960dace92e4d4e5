//! A real `stratus-monitor` on loopback.

use crate::programs::{Output, program, run};
use crate::{Browser, PASSWORD};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the monitor may take to see something.
const PATIENCE: Duration = Duration::from_mins(3);

/// The usual people.
const PEOPLE: &str = "[identity]\npassword_file = \"users.htpasswd\"\n\
    [identity.people.\"admin\"]\nadministrator = true\n";

/// Where accounting leaves what each user used.
const USAGE: &str = "[accounting]\nusage_report = \"usage.json\"\n";

/// What a monitor is started with.
#[derive(Clone, Debug, Default)]
pub struct MonitorSetup {
    /// Where its oned is.
    pub oned: String,
    /// `user:password` there instead of the usual.
    pub auth: Option<String>,
    /// Lines put into `[monitor]`.
    pub monitor: String,
    /// Sections after it.
    pub sections: String,
    /// The sections `[identity]` instead of the usual people.
    pub identity: Option<String>,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// Size of a file system of its own for the data; only the monitor sees it.
    pub small_disk: Option<&'static str>,
}

/// A monitor that runs, with the people `admin`, who administers, `alice` and `bob`.
pub struct Monitor {
    folder: TempDir,
    server: Option<Child>,
    url: String,
    setup: MonitorSetup,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl Monitor {
    /// One that looks at a cloud each second.
    pub fn of(oned: &str) -> Self {
        Self::with(MonitorSetup { oned: oned.to_owned(), ..MonitorSetup::default() })
    }

    /// One with settings of its own.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn with(setup: MonitorSetup) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let hash = run(program("stratus-repository")
            .arg("hash-password")
            .env("STRATUS_PASSWORD", PASSWORD))
        .good();
        let mut users = String::new();
        for login in ["admin", "alice", "bob"] {
            let _infallible = writeln!(users, "{login}:{}", hash.stdout.trim());
        }
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file");
        };
        write("users.htpasswd", &users);
        write("one_auth", setup.auth.as_deref().unwrap_or("oneadmin:opennebula"));
        crate::programs::private(&folder.path().join("one_auth"));
        let usual = if setup.monitor.contains("interval") { "" } else { "interval = \"1 s\"\n" };
        let site = format!(
            "[monitor]\nlisten = \"127.0.0.1:0\"\nendpoint = \"{}\"\nauth_file = \"one_auth\"\n\
             data = \"data\"\n{usual}{}\n{}\n{}\n{USAGE}",
            setup.oned,
            setup.monitor,
            setup.sections,
            setup.identity.as_deref().unwrap_or(PEOPLE)
        );
        write("site.toml", &site);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // A connection kept over a long look at pages is closed when the next request is on its way.
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let mut monitor = Self { folder, server: None, url: String::new(), setup, runtime, http };
        monitor.restart();
        monitor
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Asks it to end, and waits until it did; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.server.take()?;
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be told");
        child.wait().expect("it ends").code()
    }

    /// Starts it over the same data.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn restart(&mut self) {
        const MOUNTED: &str =
            "mkdir -p data && mount -t tmpfs -o size=\"$0\" tmpfs data && exec \"$@\"";
        self.kill();
        let log = File::options().append(true).create(true).open(self.path("monitor.log"));
        let server = self.command();
        let mut command = match self.setup.small_disk {
            None => server,
            Some(size) => {
                let mut command = crate::tool("unshare", "util-linux");
                command
                    .current_dir(self.folder.path())
                    .args(["--map-root-user", "--mount", "sh", "-c", MOUNTED, size])
                    .arg(server.get_program());
                command
            }
        };
        let mut child = command
            .args(["--config", "site.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the monitor starts");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let url = out
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        self.server = Some(child);
        self.url = url.unwrap_or_else(|| panic!("the monitor did not start:\n{}", self.log()));
    }

    /// The program, in its folder.
    pub fn command(&self) -> Command {
        let mut command = program("stratus-monitor");
        command.current_dir(self.folder.path());
        command.envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program with its site file and these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(self.command().args(["--config", "site.toml"]).args(arguments))
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Process id.
    ///
    /// # Panics
    /// It does not run.
    pub fn process(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("monitor.log")).unwrap_or_default()
    }

    /// Writes hours of history, as `installer/monitor/src/history/ring.rs` keeps it, so that there are
    /// charts to look at, and starts anew.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write_history(&mut self) {
        self.kill();
        let folder = self.path("data/history");
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("history").as_secs())
            .expect("history");
        let write = |name: &str, columns: usize, width: usize, figure: &dyn Fn(i64) -> Vec<u8>| {
            let block_bytes = 8 + columns * 60 * width;
            let mut file = vec![0; 25 * block_bytes];
            for minute in now / 60 - 20 * 60..now / 60 {
                let (number, slot) = (minute / 60, usize::try_from(minute % 60).expect("history"));
                let at = usize::try_from(number % 25).expect("history") * block_bytes;
                file[at..at + 8].copy_from_slice(&number.to_le_bytes());
                let place = at + 8 + slot * width;
                file[place..place + width].copy_from_slice(&figure(minute));
            }
            fs::write(folder.join(format!("{name}-minutes.0")), file).expect("history");
            fs::write(folder.join(format!("{name}.columns")), format!("0 0 0 {now}\n"))
                .expect("history");
        };
        write("site", 1, 16, &|minute| {
            let wave = ((minute % 300) as f32 / 47.0).sin();
            let figures = [850.0 + wave * 40.0, 6.0 + wave * 6.0, 3.0, 40.0 + wave * 5.0];
            figures.iter().flat_map(|f: &f32| (!f.to_bits()).to_le_bytes()).collect()
        });
        write("hosts", 64, 4, &|minute| {
            let busy = u8::try_from(30 + minute % 50).expect("history");
            vec![60, busy, 70, busy / 2 + 20]
        });
        self.restart();
    }

    /// Writes a report of a VPN with two burst nodes into `vpn.json`, as `stratus-vpn status --to`
    /// writes it.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write_vpn_report(&self) {
        let node = |name: &str, last: u8, more: &str| {
            format!(
                "{{\"name\":\"{name}\",\"address\":\"10.0.1.{last}\",\"mac\":\"02:00:0a:00:01:{last:02x}\",\
                 \"certificate_expires\":\"2028-11-21T10:00:00Z\",\"joined\":null,\"token_expires\":null,\
                 {more}}}"
            )
        };
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(5);
        let here = format!(
            "\"session\":{{\"since\":\"{since}\",\"peer\":\"203.0.113.7:41194\",\"received\":73400320,\
             \"sent\":1288490188,\"cipher\":\"AES-256-GCM\"}},\"last_error\":null"
        );
        let away = format!(
            "\"session\":null,\"last_error\":{{\"at\":\"{since}\",\"peer\":\"203.0.113.9:50001\",\
             \"reason\":\"the node went silent\"}}"
        );
        let report = format!(
            "{{\"running\":true,\"attention\":[\"the revocation list ends in 3 days\"],\
             \"authority_expires\":\"2036-11-21T10:00:00Z\",\"server_expires\":\"2027-11-21T10:00:00Z\",\
             \"list_expires\":\"2026-12-21T10:00:00Z\",\"clients\":[{},{}],\"strangers\":[]}}",
            node("burst1", 20, &here),
            node("burst2", 21, &away)
        );
        fs::write(self.path("vpn.json"), report).expect("a report");
    }

    /// Writes a report of usage for 14 months of these users into `usage.json`, as
    /// `stratus-accounting feed` writes it. The first uses most.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write_usage(&self, users: &[&str]) {
        let months: Vec<String> =
            (9..23).map(|n| format!("{}-{:02}", 2025 + n / 12, n % 12 + 1)).collect();
        let used = |user: usize, month: usize| {
            let machines = (10 + month * 3 + month % 4 * 5) / (user + 1);
            let hours = machines * (150 + month % 5 * 60);
            serde_json::json!({
                "machines": machines,
                "wall_seconds": hours * 3600,
                "cpu_core_milliseconds": hours * 3_600_000 * 2,
                "memory_mib_seconds": hours * 3600 * 4096,
                "disk_mib_seconds": hours * 3600 * 20_480,
            })
        };
        let user = |(place, name): (usize, &&str)| {
            let used: Vec<Value> = (0..months.len()).map(|month| used(place, month)).collect();
            serde_json::json!({ "user": name, "used": used })
        };
        let users: Vec<Value> = users.iter().enumerate().map(user).collect();
        let fed_at = jiff::Timestamp::now().as_second();
        let report = serde_json::json!({ "fed_at": fed_at, "months": months, "users": users });
        let beside = self.path("usage.new");
        fs::write(&beside, report.to_string()).expect("a report");
        fs::rename(beside, self.path("usage.json")).expect("a report");
    }

    /// Logs in on its page.
    pub fn log_in(&self, browser: &Browser, login: &str) {
        browser.goto(&format!("{}/login", self.url));
        browser.fill("input[name=login]", login);
        browser.fill("input[name=password]", PASSWORD);
        browser.click("form.stack button");
        browser.wait_for("Log out");
    }

    /// Status and text of a GET with these headers.
    ///
    /// # Panics
    /// It does not answer.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = self.http.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.expect("the monitor answers");
            let status = answer.status().as_u16();
            (status, answer.text().await.expect("a text"))
        })
    }

    /// Status and JSON, or the fault, that a login with a password gets.
    pub fn knock(&self, login: &str, password: &str, path: &str) -> (u16, String) {
        let proof = basic(login, password);
        self.get_with(path, &[("authorization", &proof), ("accept", "application/json")])
    }

    /// A page as somebody sees it.
    pub fn page(&self, login: &str, path: &str) -> (u16, String) {
        self.get_with(path, &[("authorization", &basic(login, PASSWORD)), ("accept", "text/html")])
    }

    /// The same as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self, login: &str, path: &str) -> Value {
        let headers = [("authorization", &*basic(login, PASSWORD)), ("accept", "application/json")];
        let (status, text) = self.get_with(path, &headers);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    /// Waits until a page's JSON is as wanted, and gives it.
    ///
    /// # Panics
    /// It is not, for a minute; with what it is instead.
    pub fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let shown = self.json("admin", path);
            if wanted(&shown) {
                return shown;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays\n{shown:#}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.kill();
    }
}

fn basic(login: &str, password: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}
