//! A site to account for: a oned, a site file, a folder for the ledger.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use stratus_tests::oned::{Delays, Oned, Settings};
use stratus_tests::{Output, program, run, tool};

pub(crate) const AUTH: &str = "oneadmin:opennebula";

pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) oned: Oned,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            database: folder.path().join("one.db"),
            oneadmin: AUTH.to_owned(),
            delays: Delays::default(),
            probe: None,
            drivers: false,
        };
        let oned = Oned::start(settings).await;
        let site = Self { folder, oned };
        site.auth(AUTH);
        std::fs::create_dir(site.path().join("ledger")).unwrap();
        site.endpoint(&site.oned.url());
        site
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn auth(&self, auth: &str) {
        let file = self.path().join("one.secret");
        std::fs::write(&file, format!("{auth}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) fn endpoint(&self, url: &str) {
        let text = format!(
            "[site]\nname = \"example\"\n[monitor]\nendpoint = \"{url}\"\n\
             auth_file = \"one.secret\"\n[accounting]\nsite_name = \"EXAMPLE-SITE\"\n\
             ledger = \"ledger/ledger.db\"\ncompute_service = \"cloud.example.org\"\n\
             global_user_name = \"/O=Example/CN=#user#\"\nfqan = \"/vo.example.org/#group#\"\n\
             benchmark_type = \"HEPscore23\"\nbenchmark = \"14.5\"\n"
        );
        std::fs::write(self.path().join("site.toml"), text).unwrap();
    }

    /// What oned's history is from now on.
    pub(crate) fn play(&self, answer: &str) {
        // Whole at once: a feed may read it at any time.
        let new = self.path().join("histories.new");
        std::fs::write(&new, answer).unwrap();
        std::fs::rename(new, self.path().join("histories.xml")).unwrap();
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = program("stratus-accounting");
        command.args(arguments.split_whitespace());
        command.arg("--config").arg(self.path().join("site.toml"));
        command
    }

    pub(crate) fn accounting(&self, arguments: &str) -> Output {
        run(&mut self.command(arguments))
    }

    /// The same at another time, such as `+24h`.
    pub(crate) fn accounting_later(&self, shift: &str, arguments: &str) -> Output {
        let command = self.command(arguments);
        let mut shifted = tool("faketime", "faketime");
        shifted.args(["-f", shift]).arg(command.get_program()).args(command.get_args());
        run(&mut shifted)
    }

    pub(crate) fn report(&self, arguments: &str) -> serde_json::Value {
        let out = self.accounting(&format!("report --format json {arguments}")).good();
        serde_json::from_str(&out.stdout).unwrap()
    }
}
