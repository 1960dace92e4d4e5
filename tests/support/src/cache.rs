//! A real `stratus-cache` on loopback.

use crate::programs::{Output, program, run};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a cache may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a cache is started with.
#[derive(Clone, Debug, Default)]
pub struct CacheSetup {
    /// Where its upstream is.
    pub upstream: String,
    /// Lines put into `[cache]`; of those that a test needs other than usual.
    pub cache: String,
    /// Lines put into its `[[cache.upstreams]]`.
    pub upstream_lines: String,
    /// The address to listen on; a port that the system chooses by default.
    pub listen: Option<String>,
    /// Size of a file system of its own for the spool, as `mount` takes it; only the cache sees it.
    pub small_disk: Option<&'static str>,
}

/// A cache that runs. Its spool is `spool` in a folder that goes when this is dropped.
pub struct Cache {
    folder: TempDir,
    server: Option<Child>,
    url: String,
    setup: CacheSetup,
}

impl Cache {
    /// Starts one in front of an origin, with short times.
    pub fn before(upstream: &str) -> Self {
        Self::with(CacheSetup { upstream: upstream.to_owned(), ..CacheSetup::default() })
    }

    /// Starts one with settings of its own.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn with(setup: CacheSetup) -> Self {
        let mut cache = Self::prepared(setup);
        cache.restart();
        cache
    }

    /// Makes its folder, and does not start it.
    ///
    /// # Panics
    /// There is no temporary folder.
    pub fn prepared(setup: CacheSetup) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let cache = Self { folder, server: None, url: String::new(), setup };
        cache.write_settings();
        cache
    }

    /// Writes the site file.
    fn write_settings(&self) {
        let CacheSetup { upstream, cache, upstream_lines, listen, .. } = &self.setup;
        let listen = listen.as_deref().unwrap_or("127.0.0.1:0");
        let mut usual = String::new();
        for (key, value) in [("size", "\"1 GiB\""), ("free", "0"), ("scrub_every", "0")] {
            if !cache.lines().any(|line| line.starts_with(key)) {
                usual += &format!("{key} = {value}\n");
            }
        }
        let mut times = String::new();
        for (key, value) in [("stall_time", "\"10 s\""), ("head_time", "\"10 s\"")] {
            if !upstream_lines.lines().any(|line| line.starts_with(key)) {
                times += &format!("{key} = {value}\n");
            }
        }
        let site = format!(
            "[cache]\nlisten = \"{listen}\"\ndirectory = \"spool\"\n{usual}{cache}\n\
             [[cache.upstreams]]\nprefix = \"/\"\nurl = \"{upstream}\"\n{times}{upstream_lines}\n"
        );
        fs::write(self.path("site.toml"), site).expect("a site file");
    }

    /// Ends the cache as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            child.kill().expect("the cache can be killed");
            child.wait().expect("the cache ends");
        }
    }

    /// Asks the cache to end, and waits until it did.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.server.take()?;
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .expect("the cache can be told");
        child.wait().expect("the cache ends").code()
    }

    /// Starts the cache over the same spool; ends a running one first.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn restart(&mut self) {
        self.kill();
        let mut child = self.spawn();
        let out = child.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        self.server = Some(child);
        self.url = url.unwrap_or_else(|| panic!("the cache did not start:\n{}", self.log()));
    }

    /// Starts the program, and does not wait for it.
    ///
    /// # Panics
    /// It cannot be started at all.
    pub fn spawn(&self) -> Child {
        const MOUNTED: &str =
            "mkdir -p spool && mount -t tmpfs -o size=\"$0\" tmpfs spool && exec \"$@\"";
        let log = File::options().append(true).create(true).open(self.path("cache.log"));
        let server = program("stratus-cache");
        let mut command = match self.setup.small_disk {
            None => server,
            Some(size) => {
                let mut command = crate::tool("unshare", "util-linux");
                command
                    .args(["--map-root-user", "--mount", "sh", "-c", MOUNTED, size])
                    .arg(server.get_program());
                command
            }
        };
        command
            .current_dir(self.folder.path())
            .args(["--config", "site.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the cache starts")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, for sockets.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Process id of the cache.
    ///
    /// # Panics
    /// It does not run.
    pub fn process(&self) -> u32 {
        self.server.as_ref().expect("the cache runs").id()
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The spool as the cache sees it, wherever it is mounted.
    pub fn spool(&self) -> PathBuf {
        match self.setup.small_disk {
            None => self.path("spool"),
            Some(_) => PathBuf::from(format!("/proc/{}/cwd/spool", self.process())),
        }
    }

    /// What the cache logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("cache.log")).unwrap_or_default()
    }

    /// `stratus-cache … <arguments> --json` about this cache.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        let mut command: Command = program("stratus-cache");
        command.current_dir(self.folder.path());
        // A spool in a mount namespace is only seen from there.
        if self.setup.small_disk.is_some() {
            let site = fs::read_to_string(self.path("site.toml")).expect("the site file");
            let seen = site.replace("\"spool\"", &format!("\"{}\"", self.spool().display()));
            fs::write(self.path("seen.toml"), seen).expect("a site file");
            command.arg("--config").arg(self.path("seen.toml"));
        } else {
            command.args(["--config", "site.toml"]);
        }
        run(command.arg("--json").args(arguments))
    }

    /// What `stratus-cache status|list|… --json` says.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn told(&self, arguments: &[&str]) -> serde_json::Value {
        let out = self.ask(arguments).good();
        serde_json::from_str(&out.stdout).expect("JSON")
    }

    /// Bytes received from the upstream for the store, and bytes served from it.
    pub fn traffic(&self) -> (u64, u64) {
        let status = self.told(&["status"]);
        let number = |key: &str| status[key].as_u64().expect("a number");
        (number("received"), number("served"))
    }

    /// Waits until the object that is listed first is as wanted.
    ///
    /// # Panics
    /// It is not, for a while.
    #[track_caller]
    pub fn until_first(&self, wanted: impl Fn(&serde_json::Value) -> bool) {
        let begun = Instant::now();
        loop {
            let listed = self.told(&["list"]);
            if wanted(&listed[0]) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{listed}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until nothing is under way: no transfer, no reader, no file held that has no name.
    ///
    /// # Panics
    /// Something goes on.
    #[track_caller]
    pub fn rests(&self) {
        let begun = Instant::now();
        while let Some(busy) = self.busy() {
            assert!(begun.elapsed() < PATIENCE, "{busy}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let strays = self.strays();
        assert!(strays.is_empty(), "{strays:?}");
    }

    /// What goes on, if anything.
    fn busy(&self) -> Option<String> {
        let nameless: Vec<PathBuf> = self
            .files()
            .into_iter()
            .filter(|f| f.to_string_lossy().ends_with("(deleted)"))
            .collect();
        if !nameless.is_empty() {
            return Some(format!("files without names are open: {nameless:?}"));
        }
        let listed = self.told(&["list"]);
        let objects = listed.as_array().cloned().unwrap_or_default();
        let busy = objects.iter().find(|o| o["state"] == "filling" || o["readers"] != 0);
        busy.map(ToString::to_string)
    }

    /// What the cache has open.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = format!("/proc/{}/fd", self.process());
        let entries = fs::read_dir(folder).expect("the cache runs").map_while(Result::ok);
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
    }

    /// Waits until every client is gone.
    ///
    /// # Panics
    /// One stays.
    #[track_caller]
    pub fn is_left(&self) {
        let begun = Instant::now();
        while self.connections() > 0 {
            assert!(begun.elapsed() < PATIENCE, "clients stay:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Connections of clients.
    fn connections(&self) -> usize {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.process()));
        let port = self.address().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let local = format!(":{:04X}", port.expect("a port"));
        // Columns: number, local address, remote address, state; 01 is established.
        let is_open = |line: &&str| {
            let mut columns = line.split_whitespace().skip(1);
            let (here, _, state) = (columns.next(), columns.next(), columns.next());
            here.is_some_and(|here| here.ends_with(&local)) && state == Some("01")
        };
        table.expect("the cache runs").lines().filter(is_open).count()
    }

    /// The files of all objects in the spool.
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let Ok(folders) = fs::read_dir(self.spool().join("objects")) else { return found };
        for folder in folders.map_while(Result::ok) {
            let Ok(entries) = fs::read_dir(folder.path()) else { continue };
            found.extend(entries.map_while(Result::ok).map(|entry| entry.path()));
        }
        found.sort();
        found
    }

    /// Files in the spool that belong to no object.
    fn strays(&self) -> Vec<PathBuf> {
        let files = self.objects();
        let has = |path: &Path, ending| files.contains(&path.with_extension(ending));
        files.iter().filter(|f| !(has(f, "log") && has(f, "data"))).cloned().collect()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.kill();
    }
}
