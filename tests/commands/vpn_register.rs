//! `stratus-vpn register` and the bundles of nodes that become hosts, against a server's management
//! interface and OpenNebula's simulator, or the real oned that `STRATUS_TEST_ONED` names.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "vpn_register/machine.rs"]
mod machine;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use stratus_opennebula::{Attributes, Client, Host, HostState, HttpTransport, Session, Update};
use stratus_overlay::Serial;
use stratus_tests::oned::{Delays, Oned, Real, Settings};
use stratus_tests::{Output, program, run};

const KEY: &str = "CojKrhBuua1luXF1afih+72NKSn6/1iKhej9JsKiXVa";
const FRONTEND_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrontend oneadmin@front\n";
/// What many clouds take.
const USER_DATA: usize = 16 << 10;

/// A site with two burst nodes, of which the first becomes a host.
struct Site {
    folder: tempfile::TempDir,
    burst: String,
    connected: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A name that nobody else has: a real oned may have hosts of its own.
        let burst = format!("stratus-test-{}-burst", std::process::id());
        let text = format!(
            "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\naddress = \"10.50.0.1\"\n\
             [nodes]\nhosts = [\"node1.example.org\"]\nbridge = \"br0\"\n[networks.private]\n\
             base = \"10.50.0.0/16\"\nfirst = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n[vpn]\n\
             endpoint = \"vpn.example.org\"\nrange = \"10.50.1.0-10.50.1.255\"\n\
             nodes = [{{ name = \"{burst}\", register = true }}, \"other\"]\n"
        );
        fs::write(folder.path().join("site.toml"), text).unwrap();
        fs::write(folder.path().join("frontend.pub"), FRONTEND_KEY).unwrap();
        fs::write(folder.path().join("hosts"), "127.0.0.1 localhost\n").unwrap();
        let site = Self { folder, burst, connected: Arc::default() };
        site.vpn(&["init"]).good();
        site.vpn(&["add"]).good();
        fs::create_dir(site.path("vpn/joined")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn vpn(&self, arguments: &[&str]) -> Output {
        let mut command = program("stratus-vpn");
        command.args(arguments);
        command.arg("--config").arg(self.path("site.toml"));
        command.arg("--directory").arg(self.path("vpn"));
        command.arg("--runtime").arg(self.path("run"));
        run(&mut command)
    }

    fn bundle(&self, form: &str) -> Output {
        let key = self.path("frontend.pub");
        let key = key.to_str().unwrap();
        self.vpn(&["bundle", &self.burst, "--as", form, "--frontend-key", key])
    }

    fn register(&self, oned: &str, more: &[&str]) -> Output {
        let own = ["one_auth", "hosts", "known_hosts"].map(|name| self.path(name));
        let [auth, hosts, known] = own.each_ref().map(|path| path.to_str().unwrap());
        let places =
            ["--endpoint", oned, "--auth", auth, "--hosts-file", hosts, "--known-hosts", known];
        self.vpn(&[&["register"], &places[..], more].concat())
    }

    /// A look in which `register` does this.
    #[track_caller]
    fn changes(&self, oned: &str, wanted: &[&str]) {
        let out = self.register(oned, &["--json"]).good();
        let done: Value = serde_json::from_str(&out.stdout).unwrap();
        let wanted: Vec<String> =
            wanted.iter().map(|what| format!("host {} {what}", self.burst)).collect();
        assert_eq!(done["changes"], Value::from(wanted), "{out:?}");
    }

    fn connect(&self, names: &[&str]) {
        *self.connected.lock().unwrap() = names.iter().map(|&name| name.to_owned()).collect();
    }

    /// The newest certificate of the node.
    fn serial(&self) -> Serial {
        let list: Value =
            serde_json::from_str(&self.vpn(&["list", "--json"]).good().stdout).unwrap();
        let clients = list["clients"].as_array().unwrap().iter();
        let own = clients.into_iter().find(|client| client["name"] == *self.burst).unwrap();
        let newest = own["certificates"].as_array().unwrap().last().unwrap();
        newest["serial"].as_str().unwrap().parse().unwrap()
    }

    /// OpenVPN asks about a machine with this password.
    fn joins(&self, password: &str) {
        let file = self.path("password");
        fs::write(&file, format!("{}\n{password}\n", self.burst)).unwrap();
        let mut command = program("stratus-vpn");
        command.arg("verify").arg(self.path("vpn/server/join")).arg(self.path("vpn/joined"));
        command.arg(file).envs([("untrusted_ip", "203.0.113.9"), ("untrusted_port", "1")]);
        command.env("tls_serial_0", self.serial().number().to_string());
        run(command.env("common_name", &self.burst)).good();
    }

    /// The server's management interface.
    fn serve(&self) {
        fs::create_dir_all(self.path("run")).unwrap();
        let listener = UnixListener::bind(self.path("run/management.sock")).unwrap();
        let connected = self.connected.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.write_all(b">INFO:OpenVPN Management Interface Version 5\r\n").unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for line in lines.map_while(Result::ok) {
                    let text = match &*line {
                        "status 3" => status(&connected.lock().unwrap()) + "END\n",
                        kill if kill.starts_with("kill ") => {
                            "ERROR: common name not found\n".to_owned()
                        }
                        _ => "END\n".to_owned(),
                    };
                    let _gone = stream.write_all(text.as_bytes());
                }
            }
        });
    }
}

fn status(connected: &[String]) -> String {
    let mut text = "HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tBytes Received\tBytes Sent\tConnected Since (time_t)\tData Channel Cipher\n".to_owned();
    for name in connected {
        text += &format!("CLIENT_LIST\t{name}\t203.0.113.9:1\t1\t2\t1795251600\tAES-256-GCM\n");
    }
    text
}

/// The script and the join token of user-data.
fn unpacked(user_data: &str) -> (String, String) {
    assert!(user_data.contains("encoding: gz+b64\n"), "{user_data}");
    let encoded = user_data.lines().find_map(|line| line.trim().strip_prefix("content: ")).unwrap();
    let packed = STANDARD.decode(encoded).unwrap();
    let mut script = String::new();
    GzDecoder::new(&*packed).read_to_string(&mut script).unwrap();
    let (_, rest) = script.split_once("grep -qs '^").unwrap();
    let token = rest.split_once("\\.'").unwrap().0.to_owned();
    (script, token)
}

/// The program that makes the machine a node, within the script.
fn node_program(script: &str) -> &str {
    let (_, rest) = script.split_once("/stratus-node.new <<'END-OF-STRATUS-NODE'\n").unwrap();
    rest.split_once("END-OF-STRATUS-NODE\n").unwrap().0
}

#[test]
fn a_bundle_makes_a_node_of_any_system_and_is_small() {
    let site = Site::new();
    let missing =
        site.vpn(&["bundle", &site.burst, "--as", "cloud-init", "--frontend-key", "/none"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(
        missing.stderr.contains("`stratus-install apply` sets the front-end up"),
        "{missing:?}"
    );

    let user_data = site.bundle("cloud-init").good().stdout;
    println!("user-data of a node that becomes a host: {} bytes", user_data.len());
    assert!(user_data.len() < USER_DATA, "{} bytes", user_data.len());
    let (script, _) = unpacked(&user_data);
    let check = |name: &str, text: &str| {
        let file = site.path(name);
        fs::write(&file, text).unwrap();
        run(Command::new("sh").arg("-n").arg(&file)).good();
    };
    check("script.sh", &script);
    let program = node_program(&script);
    check("node.sh", program);
    assert!(program.contains(FRONTEND_KEY.trim()), "{program}");

    // The other forms, and nodes that are to be none.
    let context = site.bundle("context").good().stdout;
    assert!(context.contains("START_SCRIPT_BASE64 = \""), "{context}");
    let alone = site.bundle("ovpn").good();
    assert!(alone.stderr.contains("makes no host of OpenNebula"), "{}", alone.stderr);
    assert!(!alone.stdout.contains("ifconfig-noexec"));
    let other = site.vpn(&["bundle", "other", "--as", "cloud-init"]).good().stdout;
    assert!(other.contains("encoding: b64\n"), "{other}");
}

/// oned, and what has to be kept for it to run.
struct Bench {
    url: String,
    auth: String,
    _simulator: Option<Oned>,
}

impl Bench {
    async fn start(site: &Site) -> Self {
        let bench = match Real::named() {
            Some(Real { url, auth }) => Self { url, auth, _simulator: None },
            None => {
                let auth = "oneadmin:opennebula".to_owned();
                let oned = Oned::start(Settings {
                    listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
                    database: site.path("one.db"),
                    oneadmin: auth.clone(),
                    delays: Delays::default(),
                    probe: None,
                    drivers: false,
                })
                .await;
                Self { url: oned.url(), auth, _simulator: Some(oned) }
            }
        };
        fs::write(site.path("one_auth"), format!("{}\n", bench.auth)).unwrap();
        bench
    }

    fn client(&self) -> Client {
        let session = Session::from_auth_file(&self.auth.clone().into()).unwrap();
        Client::new(Arc::new(HttpTransport::new(&self.url).unwrap()), session)
    }

    async fn host(&self, name: &str) -> Option<Host> {
        self.client().hosts().await.unwrap().into_iter().find(|host| host.name == name)
    }

    async fn state(&self, name: &str) -> Option<HostState> {
        self.host(name).await.map(|host| host.state)
    }

    /// Sets when a session was missed first, as if time had passed.
    async fn away_since(&self, name: &str, since: &str) {
        let host = self.host(name).await.unwrap();
        let note = Attributes::new().with("STRATUS_VPN_AWAY", since);
        self.client().update_host(host.id, &note, Update::Merge).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_node_is_a_host_while_it_is_connected() {
    let site = Site::new();
    let oned = Bench::start(&site).await;
    let (burst, url) = (site.burst.clone(), oned.url.clone());

    // Nobody answers: nothing is known of sessions, and nothing is done.
    let out = site.register(&url, &[]);
    assert_eq!(out.code, 5, "{out:?}");
    assert!(out.stderr.contains("no host was changed"), "{}", out.stderr);
    site.serve();
    site.changes(&url, &[]);
    assert!(site.text("hosts").contains(&format!("10.50.1.0 {burst}\n")), "{}", site.text("hosts"));

    // One that told no key is named, and is no host.
    let (_, token) = unpacked(&site.bundle("cloud-init").good().stdout);
    site.joins(&format!("{token}.{}", "s".repeat(43)));
    site.connect(&[&burst, "other"]);
    let out = site.register(&url, &[]).good();
    assert!(out.stderr.contains("told no key of its ssh server"), "{}", out.stderr);
    assert_eq!(oned.state(&burst).await, None);

    // A new bundle, whose machine tells one.
    let (_, token) = unpacked(&site.bundle("cloud-init").good().stdout);
    site.joins(&format!("{token}.{}.{KEY}", "s".repeat(43)));
    site.changes(&url, &["is made"]);
    site.changes(&url, &[]);
    let host = oned.host(&burst).await.unwrap();
    assert_eq!((&*host.im_mad, &*host.vm_mad), ("kvm", "kvm"));
    assert_eq!(host.attributes.text("STRATUS_VPN"), Some("lab"));
    assert_eq!(oned.host("other").await, None);
    let known = site.text("known_hosts");
    assert!(
        known.contains(&format!("{burst},10.50.1.0 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{KEY}\n")),
        "{known}"
    );

    // It leaves and comes back.
    site.connect(&["other"]);
    site.changes(&url, &["has no session; offline soon unless it comes back"]);
    site.changes(&url, &[]);
    oned.away_since(&burst, "1").await;
    site.changes(&url, &["is put offline"]);
    assert_eq!(oned.state(&burst).await, Some(HostState::Offline));
    site.changes(&url, &[]);
    site.connect(&[&burst]);
    site.changes(&url, &["is enabled", "has a session again"]);
    assert_ne!(oned.state(&burst).await, Some(HostState::Offline));

    // OpenNebula is away.
    let closed = "http://127.0.0.1:9/RPC2";
    assert_eq!(site.register(closed, &[]).code, 5);

    // Revoked, it goes, with its name and key.
    site.vpn(&["revoke", &burst]).good();
    site.connect(&[]);
    site.changes(&url, &["is deleted: it is no burst node any more"]);
    assert_eq!(site.text("hosts"), "127.0.0.1 localhost\n");
    assert!(!site.path("known_hosts").exists());
    let gone = async {
        while oned.host(&burst).await.is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let minute = std::time::Duration::from_mins(1);
    tokio::time::timeout(minute, gone).await.expect("a deleted host goes within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_host_is_left_alone() {
    let mut site = Site::new();
    site.burst += "-taken";
    let text = site.text("site.toml").replace("-burst\"", "-burst-taken\"");
    fs::write(site.path("site.toml"), text).unwrap();
    site.vpn(&["add"]).good();
    let oned = Bench::start(&site).await;
    let (burst, url) = (site.burst.clone(), oned.url.clone());
    let client = oned.client();
    let id = client.allocate_host(&burst, "dummy", "dummy", None).await.unwrap();
    site.serve();
    let (_, token) = unpacked(&site.bundle("cloud-init").good().stdout);
    site.joins(&format!("{token}.{}.{KEY}", "s".repeat(43)));
    for connected in [vec![&*burst], vec![]] {
        site.connect(&connected);
        let out = site.register(&url, &["--json"]).good();
        let done: Value = serde_json::from_str(&out.stdout).unwrap();
        assert_eq!(done["changes"], Value::Array(Vec::new()));
        assert_eq!(done["attention"][0]["name"], *burst);
        assert!(out.stderr.contains("it is left alone"), "{}", out.stderr);
    }
    site.vpn(&["revoke", &burst]).good();
    site.changes(&url, &[]);
    let host = client.host(id).await.unwrap();
    assert_eq!((&*host.im_mad, host.attributes.text("STRATUS_VPN")), ("dummy", None));
    client.delete_host(id).await.unwrap();

    // Names and keys go by themselves, for whoever takes the overlay away.
    site.vpn(&["add"]).good();
    site.register(&url, &[]).good();
    assert!(site.text("hosts").contains("BEGIN STRATUS burst-nodes"));
    site.register(&url, &["--forget"]).good();
    assert_eq!(site.text("hosts"), "127.0.0.1 localhost\n");
}
