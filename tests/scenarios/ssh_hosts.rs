//! Hosts behind a real sshd: what goes wrong has a name, and what goes right is quick.
//!
//! Each test listens on a port of its own and hands every connection to `sshd -i`, so that it holds
//! the socket and can cut it.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stratus_execute::drive::{Attention, run, run_well};
use stratus_execute::error::{HostError, Trouble};
use stratus_execute::host::{Deadlines, Heard, Work};
use stratus_execute::ssh::{HostKeys, Ssh, Way, learned_keys};
use stratus_site::{Ssh as Settings, Sudo};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// An ssh server on loopback.
struct Server {
    folder: TempDir,
    port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

fn keygen(file: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(file);
    assert!(keygen.status().unwrap().success());
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    fn start() -> Self {
        assert!(
            Path::new(SSHD).is_file(),
            "{SSHD} is missing; `cargo xtask setup` installs openssh-server"
        );
        // sshd of root wants this folder of its own.
        let _ = std::fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        keygen(&at("host_key"));
        keygen(&at("user_key"));
        std::fs::copy(at("user_key.pub"), at("authorized")).unwrap();
        std::fs::create_dir(at("bin")).unwrap();
        let config = format!(
            "HostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             PrintMotd no\nSetEnv HOME={0} PATH={0}/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
            folder.path().display()
        );
        std::fs::write(at("sshd_config"), config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (config, log, held) = (at("sshd_config"), at("sshd.log"), open.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                held.lock().unwrap().push(connection.try_clone().unwrap());
                let output = OwnedFd::from(connection.try_clone().unwrap());
                let mut sshd = Command::new(SSHD)
                    .args(["-i", "-f"])
                    .arg(&config)
                    .arg("-E")
                    .arg(&log)
                    .stdin(Stdio::from(OwnedFd::from(connection)))
                    .stdout(Stdio::from(output))
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                std::thread::spawn(move || sshd.wait());
            }
        });
        Self { folder, port, open }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> Settings {
        Settings {
            user: Some(user()),
            port: Some(self.port),
            key: Some(self.at("user_key")),
            jump_host: None,
            sudo: Sudo::Never,
            parallel: 4,
            connect_timeout: Duration::from_secs(10),
            step_timeout: Duration::from_mins(1),
        }
    }

    fn host_with(&self, settings: Settings, learn: bool) -> Ssh {
        let keys = HostKeys { file: self.at("known_hosts"), learn };
        let name = "node1.example.org".parse().unwrap();
        let hosts = [(name, Some([127, 0, 0, 1].into()))];
        let way = Way::with_user_file(settings, keys, &hosts, &self.at("no_config")).unwrap();
        Ssh::new("node1.example.org".parse().unwrap(), Arc::new(way))
    }

    /// A host whose key is believed.
    fn host(&self) -> Ssh {
        self.host_with(self.settings(), true)
    }

    fn known(&self) -> String {
        std::fs::read_to_string(self.at("known_hosts")).unwrap_or_default()
    }

    fn cut(&self) {
        for connection in self.open.lock().unwrap().drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }

    /// A stand-in for a program of the host.
    fn program(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        let file = self.at("bin").join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cut();
    }
}

fn work(script: &str) -> Work {
    Work {
        what: "a step".into(),
        script: script.into(),
        payload: Vec::new(),
        deadlines: Deadlines::silent_for(Duration::from_mins(1)),
        stdout_limit: 1 << 20,
    }
}

async fn trouble(host: &Ssh, work: &Work) -> HostError {
    run(host, work, &Attention::none()).await.expect_err("the host did its work")
}

#[tokio::test]
async fn an_unknown_key_is_refused_learned_once_and_shown() {
    let server = Server::start();
    let strict = server.host_with(server.settings(), false);
    let error = trouble(&strict, &work("true")).await;
    assert_eq!(error.trouble, Trouble::KeyUnknown, "{error}");
    assert!(error.cure().contains("--learn-host-keys"));
    assert_eq!(server.known(), "");
    run_well(&server.host(), &work("true"), &Attention::none()).await.unwrap();
    let learned = learned_keys("", &server.known());
    let shown = Command::new("ssh-keygen").arg("-lf").arg(server.at("host_key.pub")).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert_eq!(learned.len(), 1);
    assert_eq!(learned[0].host, "node1.example.org");
    assert!(shown.contains(&learned[0].fingerprint), "{shown}");
    let strict = server.host_with(server.settings(), false);
    run_well(&strict, &work("true"), &Attention::none()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_file_and_line_even_when_learning() {
    let server = Server::start();
    keygen(&server.at("other"));
    let other = std::fs::read_to_string(server.at("other.pub")).unwrap();
    let known = format!("# a comment\nnode1.example.org {other}");
    std::fs::write(server.at("known_hosts"), &known).unwrap();
    for learn in [false, true] {
        let error = trouble(&server.host_with(server.settings(), learn), &work("true")).await;
        let expected = Trouble::KeyChanged { file: server.at("known_hosts"), line: Some(2) };
        assert_eq!(error.trouble, expected, "{error}");
        assert!(error.cure().contains("sed -i 2d"), "{}", error.cure());
    }
    assert_eq!(server.known(), known);
}

#[tokio::test]
async fn a_refused_login_says_so() {
    let server = Server::start();
    std::fs::write(server.at("authorized"), "").unwrap();
    let error = trouble(&server.host(), &work("true")).await;
    assert!(matches!(error.trouble, Trouble::Authentication(_)), "{error}");
    assert!(error.to_string().starts_with("node1.example.org: the login was refused"));
}

#[tokio::test]
async fn a_host_without_sshd_is_not_reachable() {
    let server = Server::start();
    let settings = Settings { port: Some(1), ..server.settings() };
    let error = trouble(&server.host_with(settings, true), &work("true")).await;
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_sudo_that_asks_is_a_sentence_and_not_a_wait() {
    let server = Server::start();
    server.program("sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let settings = Settings { sudo: Sudo::Always, ..server.settings() };
    let error = trouble(&server.host_with(settings, true), &work("true")).await;
    assert_eq!(
        error.to_string(),
        format!("node1.example.org: sudo asks {} for a password", user())
    );
    assert!(error.cure().contains("NOPASSWD"));
}

#[tokio::test]
async fn sudo_that_does_not_ask_is_used() {
    let server = Server::start();
    server.program("sudo", "[ \"$1 $2\" = '-n --' ] && shift; shift; STRATUS_SUDO=yes exec \"$@\"");
    let settings = Settings { sudo: Sudo::Always, ..server.settings() };
    let host = server.host_with(settings, true);
    let mut work = work("printf '%s %s' \"$STRATUS_SUDO\" \"$(cat)\"");
    work.payload = b"its payload".into();
    let output = run_well(&host, &work, &Attention::none()).await.unwrap();
    assert_eq!(output.stdout, b"yes its payload");
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_names_the_step_and_the_next_run_connects_anew() {
    let server = Server::start();
    let host = server.host();
    let heard = |heard: Heard| {
        if heard == Heard::Doing("apt-get install x".into()) {
            server.cut();
        }
    };
    let attention = Attention { heard: &heard, abort: None };
    let hangs = work("printf '\\001doing apt-get install x\\n' >&2\nexec sleep 30");
    let error = run(&host, &hangs, &attention).await.expect_err("it was not cut");
    let expected = Trouble::Broken { command: "apt-get install x".into() };
    assert_eq!(error.trouble, expected, "{error}");
    run_well(&host, &work("true"), &Attention::none()).await.unwrap();
}

#[tokio::test]
async fn a_hanging_command_is_named_and_ended_on_the_host() {
    let server = Server::start();
    let host = server.host();
    let number = server.at("number");
    let script = format!(
        "sleep 300 & echo $! > '{}'\nprintf '\\001doing waiting for a lock\\n' >&2\nwait",
        number.display()
    );
    let mut hangs = work(&script);
    hangs.deadlines.silence = Duration::from_secs(5);
    let told = trouble(&host, &hangs).await.to_string();
    assert!(told.starts_with("node1.example.org: nothing heard for "), "{told}");
    assert!(told.ends_with(" s: waiting for a lock"), "{told}");
    let number = std::fs::read_to_string(number).unwrap();
    let gone = async {
        while Path::new("/proc").join(number.trim()).join("exe").read_link().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.expect("the command still runs");
}

#[tokio::test]
async fn many_programs_share_a_connection_and_bytes_arrive_as_they_are() {
    let server = Server::start();
    let host = server.host();
    let mut sums = work("sha256sum");
    sums.payload = (0..3_000_000_u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
    let mut here = Command::new("sha256sum");
    let mut here = here.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut here.stdin.take().unwrap(), &sums.payload).unwrap();
    let expected = here.wait_with_output().unwrap().stdout;
    let attention = Attention::none();
    let (a, b) = tokio::join!(run_well(&host, &sums, &attention), async {
        let mut outputs = Vec::new();
        for number in 0..20 {
            let echo = work(&format!("echo {number}; exit 0"));
            outputs.push(run_well(&host, &echo, &attention).await.unwrap().stdout);
        }
        outputs
    });
    assert_eq!(a.unwrap().stdout, expected);
    assert_eq!(b[19], b"19\n");
    assert_eq!(server.open.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_command_gives_its_status_and_last_lines() {
    let server = Server::start();
    let failing = work("echo 'E: no such package' >&2; exit 100");
    let error = run_well(&server.host(), &failing, &Attention::none()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "node1.example.org: failed with status 100: a step\nE: no such package"
    );
}

#[tokio::test]
async fn the_last_words_of_a_program_are_never_lost() {
    let server = Server::start();
    let host = server.host();
    let attention = Attention::none();
    // Different lengths: ssh sends what was said in one packet or several.
    let padding = |number: usize| "x".repeat(number * 37 % 5000);
    for number in 0..200 {
        let last = format!("{} {number}", padding(number));
        let says = work(&format!("printf '%s' '{last}'; printf '%s' '{last}' >&2; exit 3"));
        let output = run(&host, &says, &attention).await.unwrap();
        assert_eq!(output.status, 3, "{number}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), last, "{number}");
        assert_eq!(output.stderr.trim_end_matches('\n'), last, "{number}");
    }
    assert_eq!(server.open.lock().unwrap().len(), 1);
}
