//! What only OpenNebula's daemon can tell of a site's promises.

use async_trait::async_trait;
use std::time::Duration;
use stratus_execute::verify::{Daemon, Verdict};
use stratus_opennebula::{Attribute, Attributes, Client, MachineAction, MachineId, Page};
use stratus_site::{HostName, NetworkName};

/// How long a host, network or machine may take to become what is promised.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client that looks.
pub(crate) struct Eyes(pub(crate) Client);

fn unknown(error: impl std::fmt::Display) -> Verdict {
    Verdict::Unknown(error.to_string())
}

#[async_trait]
impl Daemon for Eyes {
    async fn series(&self, series: &str) -> Verdict {
        match self.0.version().await {
            Ok(version) if format!("{}.{}", version.major, version.minor) == series => Verdict::Met,
            Ok(version) => Verdict::NotMet(format!(
                "the daemon is {}.{}.{}",
                version.major, version.minor, version.patch
            )),
            Err(error) => unknown(error),
        }
    }

    async fn host_monitored(&self, host: &HostName) -> Verdict {
        let hosts = match self.0.hosts().await {
            Ok(hosts) => hosts,
            Err(error) => return unknown(error),
        };
        let Some(found) = hosts.iter().find(|h| h.name == host.as_str()) else {
            return Verdict::NotMet(format!("OpenNebula has no host {host}"));
        };
        match self.0.wait_host_monitored(found.id, PATIENCE).await {
            Ok(_) => Verdict::Met,
            Err(error) => Verdict::NotMet(error.to_string()),
        }
    }

    async fn network_ready(&self, network: &NetworkName, addresses: u32) -> Verdict {
        let networks = match self.0.networks(Page::default()).await {
            Ok(networks) => networks,
            Err(error) => return unknown(error),
        };
        let Some(found) = networks.iter().find(|n| n.name == network.as_str()) else {
            return Verdict::NotMet(format!("OpenNebula has no network {network}"));
        };
        let ready = match self.0.wait_network_ready(found.id, PATIENCE).await {
            Ok(ready) => ready,
            Err(error) => return Verdict::NotMet(error.to_string()),
        };
        let has: u64 = ready.ranges.iter().map(|r| r.size).sum();
        if has >= u64::from(addresses) {
            return Verdict::Met;
        }
        Verdict::NotMet(format!("it has {has} of {addresses} addresses"))
    }

    async fn machine_boots(&self, host: &HostName, network: &NetworkName) -> Verdict {
        match self.boot(host, network).await {
            Ok(verdict) => verdict,
            Err(error) => unknown(error),
        }
    }
}

impl Eyes {
    /// A machine without a disk: the hypervisor starts it and OpenNebula gives it an address. It
    /// ends whatever is found.
    async fn boot(
        &self,
        host: &HostName,
        network: &NetworkName,
    ) -> Result<Verdict, stratus_opennebula::Error> {
        let client = &self.0;
        let Some(place) = client.hosts().await?.into_iter().find(|h| h.name == host.as_str())
        else {
            return Ok(Verdict::NotMet(format!("OpenNebula has no host {host}")));
        };
        let machine = client.allocate_machine(&tiny(host, network), true).await?;
        let verdict = match client.deploy_machine(machine, place.id, true).await {
            Err(error) => Verdict::NotMet(error.to_string()),
            Ok(()) => self.running(machine).await,
        };
        self.end(machine).await?;
        Ok(verdict)
    }

    async fn running(&self, machine: MachineId) -> Verdict {
        match self.0.wait_machine_running(machine, PATIENCE).await {
            Ok(found) if found.nics.iter().any(|n| n.ip.is_some()) => Verdict::Met,
            Ok(_) => Verdict::NotMet("the machine runs and has no address".to_owned()),
            Err(error) => Verdict::NotMet(error.to_string()),
        }
    }

    async fn end(&self, machine: MachineId) -> Result<(), stratus_opennebula::Error> {
        self.0.act(machine, MachineAction::TerminateHard).await?;
        self.0.wait_machine_done(machine, PATIENCE).await.map(drop)
    }
}

fn tiny(host: &HostName, network: &NetworkName) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in [
        ("NAME", format!("stratus-test-{}", host.short())),
        ("CPU", "0.1".to_owned()),
        ("MEMORY", "32".to_owned()),
    ] {
        attributes.push(name, Attribute::Text(value));
    }
    let nic = vec![("NETWORK".to_owned(), network.to_string())];
    attributes.push("NIC", Attribute::Vector(nic));
    attributes
}
