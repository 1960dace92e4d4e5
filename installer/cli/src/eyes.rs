//! What only OpenNebula's daemon can tell of a site's promises.

use crate::fleet::Fleet;
use crate::trial::Trials;
use async_trait::async_trait;
use std::time::Duration;
use stratus_execute::verify::{Daemon, Verdict};
use stratus_opennebula::{Client, Page};
use stratus_site::{HostName, NetworkName, Site};

/// How long a host, network or machine may take to become what is promised.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client that looks.
pub(crate) struct Eyes {
    client: Client,
    trials: Trials,
}

impl Eyes {
    pub(crate) fn new(client: Client, site: &Site, fleet: &Fleet) -> Self {
        Self { client, trials: Trials::new(site, fleet) }
    }
}

fn unknown(error: impl std::fmt::Display) -> Verdict {
    Verdict::Unknown(error.to_string())
}

#[async_trait]
impl Daemon for Eyes {
    async fn series(&self, series: &str) -> Verdict {
        match self.client.version().await {
            Ok(version) if format!("{}.{}", version.major, version.minor) == series => Verdict::Met,
            Ok(version) => Verdict::NotMet(format!(
                "the daemon is {}.{}.{}",
                version.major, version.minor, version.patch
            )),
            Err(error) => unknown(error),
        }
    }

    async fn host_monitored(&self, host: &HostName) -> Verdict {
        let hosts = match self.client.hosts().await {
            Ok(hosts) => hosts,
            Err(error) => return unknown(error),
        };
        let Some(found) = hosts.iter().find(|h| h.name == host.as_str()) else {
            return Verdict::NotMet(format!("OpenNebula has no host {host}"));
        };
        match self.client.wait_host_monitored(found.id, PATIENCE).await {
            Ok(_) => Verdict::Met,
            Err(error) => Verdict::NotMet(error.to_string()),
        }
    }

    async fn network_ready(&self, network: &NetworkName, addresses: u32) -> Verdict {
        let networks = match self.client.networks(Page::default()).await {
            Ok(networks) => networks,
            Err(error) => return unknown(error),
        };
        let Some(found) = networks.iter().find(|n| n.name == network.as_str()) else {
            return Verdict::NotMet(format!("OpenNebula has no network {network}"));
        };
        let ready = match self.client.wait_network_ready(found.id, PATIENCE).await {
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
        match self.trials.machine(&self.client, host, network).await {
            Ok(()) => Verdict::Met,
            Err(verdict) => verdict,
        }
    }

    async fn finish(&self) {
        self.trials.finish(&self.client).await;
    }
}
