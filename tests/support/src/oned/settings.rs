//! How the simulator runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stratus_opennebula::Attributes;

/// How long what oned does later takes.
#[derive(Clone, Debug)]
pub struct Delays {
    /// Until a network is ready.
    pub network: Duration,
    /// Until a host is monitored, if no probe is set.
    pub host: Duration,
    /// Until an image is copied.
    pub image: Duration,
    /// Until a machine is placed, and until it runs or ends.
    pub machine: Duration,
    /// Until a deleted object is gone.
    pub deletion: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        let short = Duration::from_millis(100);
        Self { network: short, host: short, image: short, machine: short, deletion: short }
    }
}

/// Where the simulator listens and keeps things.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 asks the system for one.
    pub listen: SocketAddr,
    /// Where it keeps its state.
    pub database: PathBuf,
    /// `user:password` of oneadmin, used when the state is new.
    pub oneadmin: String,
    /// How long things take.
    pub delays: Delays,
    /// A shell command with the host's name in `$HOST`: a host is monitored once it succeeds.
    pub probe: Option<String>,
    /// Whether images are really copied and machines really started, by ssh and libvirt.
    pub drivers: bool,
}

impl Settings {
    /// Reads `etc/one/oned.conf` and `var/lib/one/.one/one_auth` below a root, as the packages
    /// install them. Environment: `ONED_SIMULATOR_DELAY_MS`, `ONED_SIMULATOR_PROBE`,
    /// `ONED_SIMULATOR_DRIVERS` (`yes`).
    pub fn below(
        root: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let conf = root.join("etc/one/oned.conf");
        let auth = root.join("var/lib/one/.one/one_auth");
        let text = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|e| format!("{} cannot be read: {e}", path.display()))
        };
        let (listen, oneadmin) = (listen(&text(&conf)?)?, text(&auth)?.trim().to_owned());
        if !oneadmin.contains(':') {
            return Err(format!("{} is not of the form `user:password`", auth.display()));
        }
        let mut delays = Delays::default();
        if let Some(delay) = environment("ONED_SIMULATOR_DELAY_MS") {
            let delay = delay.parse().map_err(|_| "ONED_SIMULATOR_DELAY_MS is no number")?;
            let delay = Duration::from_millis(delay);
            delays = Delays {
                network: delay,
                host: delay,
                image: delay,
                machine: delay,
                deletion: delay,
            };
        }
        let database = root.join("var/lib/one/one.db");
        let probe = environment("ONED_SIMULATOR_PROBE");
        let drivers = environment("ONED_SIMULATOR_DRIVERS").as_deref() == Some("yes");
        Ok(Self { listen, database, oneadmin, delays, probe, drivers })
    }
}

fn listen(conf: &str) -> Result<SocketAddr, String> {
    let conf = Attributes::from_syntax(conf).map_err(|e| format!("oned.conf: {e}"))?;
    let port = match conf.text("PORT") {
        Some(port) => port.parse().map_err(|_| format!("oned.conf: PORT {port} is no port"))?,
        None => 2633,
    };
    let address = match conf.text("LISTEN_ADDRESS") {
        Some(address) => address
            .parse()
            .map_err(|_| format!("oned.conf: LISTEN_ADDRESS {address} is no address"))?,
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    Ok(SocketAddr::new(address, port))
}
