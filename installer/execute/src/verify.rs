//! Looks whether a site keeps its promises: each from the host where it matters, all at once.

mod tiny;

use crate::drive::{Attention, run};
use crate::host::{Deadlines, Host, Work};
use crate::scripts::quote;
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stratus_plan::promise::{Check, Promise};
use stratus_site::{HostName, NetworkName};
pub use tiny::Tiny;

/// What a look at a promise gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Met,
    /// It is not; why.
    NotMet(String),
    /// It could not be looked at; why.
    Unknown(String),
}

/// A promise and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Result {
    /// The promise.
    pub promise: Promise,
    /// The verdict.
    pub verdict: Verdict,
}

/// What only OpenNebula's daemon can tell.
#[async_trait::async_trait]
pub trait Daemon: Send + Sync {
    /// oned answers and is of this series.
    async fn series(&self, series: &str) -> Verdict;
    /// oned sees the host and monitors it.
    async fn host_monitored(&self, host: &HostName) -> Verdict;
    /// The virtual network is ready and has so many addresses.
    async fn network_ready(&self, network: &NetworkName, addresses: u32) -> Verdict;
    /// A tiny machine starts on the host, answers at an address of the network, and ends.
    async fn machine_boots(&self, host: &HostName, network: &NetworkName) -> Verdict;
    /// Takes away what the looks made; nothing is looked at afterwards.
    async fn finish(&self);
}

/// Looks at all promises, `parallel` at once; the results are in their order. Exit code of `verify`:
/// 1 unless all are met.
pub async fn verify(
    promises: &[Promise],
    hosts: &BTreeMap<HostName, Arc<dyn Host>>,
    daemon: &dyn Daemon,
    parallel: usize,
) -> Vec<Result> {
    let look = |promise: &Promise| {
        let promise = promise.clone();
        async move {
            let verdict = look(&promise, hosts, daemon).await;
            Result { promise, verdict }
        }
    };
    let looks: Vec<_> = promises.iter().map(look).collect();
    let results = stream::iter(looks).buffered(parallel.max(1)).collect().await;
    daemon.finish().await;
    results
}

async fn look(
    promise: &Promise,
    hosts: &BTreeMap<HostName, Arc<dyn Host>>,
    daemon: &dyn Daemon,
) -> Verdict {
    let script = match &promise.check {
        Check::OneAnswers { series } => return daemon.series(series).await,
        Check::HostMonitored { host } => return daemon.host_monitored(host).await,
        Check::NetworkReady { network, addresses } => {
            return daemon.network_ready(network, *addresses).await;
        }
        Check::MachineBoots { host, network } => return daemon.machine_boots(host, network).await,
        Check::ShareRoundTrip { path, with } => {
            return share_round_trip(promise, path, with, hosts).await;
        }
        Check::UnitActive { unit } => script("unit_active", &[unit]),
        Check::PortAnswers { host, port } => script("port_answers", &[host, &port.to_string()]),
        Check::HttpAnswers { url, ca } => {
            script("http_answers", &[url.as_str(), ca.as_deref().unwrap_or_default()])
        }
        Check::BridgeUp { bridge, interface } => {
            script("bridge_up", &[bridge, interface.as_deref().unwrap_or_default()])
        }
        Check::InterfaceUp { interface } => script("interface_up", &[interface]),
        Check::FramesCross { bridge, to } => script("frames_cross", &[bridge, &to.to_string()]),
        Check::Listens { protocol, port } => script("listens", &[protocol, &port.to_string()]),
        Check::OverlayCounts => script("overlay_counts", &[]),
        Check::SshTrust { user, to } => script("ssh_trust", &[user, to.as_str()]),
        Check::LibvirtAnswers { user } => script("libvirt_answers", &[user]),
    };
    match ask(&promise.from, &promise.text, script, hosts).await {
        Ok(_) => Verdict::Met,
        Err(verdict) => verdict,
    }
}

fn script(function: &str, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|w| quote(w)).collect();
    format!("{}{function} {}", include_str!("verify.sh"), words.join(" "))
}

/// What a look prints on a host: status 0 is met, 1 is not, anything else is not known.
async fn ask(
    from: &HostName,
    what: &str,
    script: String,
    hosts: &BTreeMap<HostName, Arc<dyn Host>>,
) -> std::result::Result<String, Verdict> {
    let Some(host) = hosts.get(from) else {
        return Err(Verdict::Unknown(format!("there is no way to {from}")));
    };
    told(&**host, what, script, Vec::new()).await
}

/// The same of a host at hand.
async fn told(
    host: &dyn Host,
    what: &str,
    script: String,
    payload: Vec<u8>,
) -> std::result::Result<String, Verdict> {
    let work = Work {
        what: what.to_owned(),
        script,
        payload,
        deadlines: Deadlines::silent_for(Duration::from_mins(1)),
        stdout_limit: 64 << 10,
    };
    let output = run(host, &work, &Attention::none()).await;
    let output = output.map_err(|e| Verdict::Unknown(e.to_string()))?;
    let said = || format!("{}: {}", host.name(), output.stderr.trim());
    match output.status {
        0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        1 => Err(Verdict::NotMet(said())),
        _ => Err(Verdict::Unknown(said())),
    }
}

/// Each writes a file of its own and reads the other's; both are taken away.
async fn share_round_trip(
    promise: &Promise,
    path: &str,
    with: &HostName,
    hosts: &BTreeMap<HostName, Arc<dyn Host>>,
) -> Verdict {
    let pair = [&promise.from, with];
    let mut said = [String::new(), String::new()];
    for (text, host) in said.iter_mut().zip(pair) {
        match ask(host, &promise.text, script("share_write", &[path, host.as_str()]), hosts).await {
            Ok(written) => written.trim().clone_into(text),
            Err(verdict) => return verdict,
        }
    }
    let mut verdict = Verdict::Met;
    for (reader, (writer, text)) in
        [(with, (&promise.from, &said[0])), (&promise.from, (with, &said[1]))]
    {
        let words = [path, writer.as_str(), text.as_str()];
        if let Err(other) = ask(reader, &promise.text, script("share_read", &words), hosts).await
            && verdict == Verdict::Met
        {
            verdict = other;
        }
    }
    for host in pair {
        let clean = script("share_clean", &[path, host.as_str()]);
        // What cannot be removed does not change the verdict.
        let _ = ask(host, &promise.text, clean, hosts).await;
    }
    verdict
}
