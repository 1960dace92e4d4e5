//! Trials: a tiny machine through OpenNebula on one host, seen from outside at its address, and
//! everything that was made for it taken away again, whatever happened.

mod objects;

use crate::fleet::Fleet;
use objects::{Images, Names, template};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use stratus_execute::host::Host;
use stratus_execute::verify::{Tiny, Verdict};
use stratus_opennebula::{Client, Error, HostId, MachineAction, MachineId, Nic, Recovery};
use stratus_site::{HostName, Network, NetworkName, Site, Transport};
use stratus_terminal::{note, warn};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

/// How long OpenNebula may take for one step.
const STEP: Duration = Duration::from_mins(3);
/// How long the machine may take to answer once it runs: emulated ones on a busy host are slow.
const ANSWER: Duration = Duration::from_mins(2);
/// What the machine says when it will never answer.
const LOST: [&str; 5] = [
    "stratus: there is no",
    "stratus: no server",
    "stratus: the context",
    "was not taken",
    "Kernel panic",
];
/// What the machine says when frames went out and came back.
const REACHES: [&str; 2] = ["stratus: eth0 has", " answers"];

/// The trials of one run.
pub(crate) struct Trials {
    names: Names,
    hosts: BTreeMap<HostName, Arc<dyn Host>>,
    frontend: Arc<dyn Host>,
    /// Networks whose machines are to ask for their address.
    dhcp: BTreeSet<NetworkName>,
    /// Made for the first trial, used by all.
    tiny: OnceCell<Result<Tiny, Verdict>>,
    images: OnceCell<Result<Images, Verdict>>,
    /// How often the run was interrupted.
    interrupted: watch::Receiver<u8>,
}

type Trial<T> = Result<T, Verdict>;

/// What of OpenNebula's did not work.
fn failed(step: impl std::fmt::Display) -> impl FnOnce(Error) -> Verdict {
    move |error| {
        let text = format!("{step}: {error}");
        if error.is_unreachable() { Verdict::Unknown(text) } else { Verdict::NotMet(text) }
    }
}

impl Trials {
    pub(crate) fn new(site: &Site, fleet: &Fleet) -> Self {
        let served = site.networks.iter().filter(|n| is_served(n));
        Self {
            names: Names::new(),
            hosts: fleet.hosts.clone(),
            frontend: fleet.frontend(site),
            dhcp: served.map(|n| n.name.clone()).collect(),
            tiny: OnceCell::new(),
            images: OnceCell::new(),
            interrupted: interruptions(),
        }
    }

    /// Tries one machine.
    pub(crate) async fn machine(
        &self,
        client: &Client,
        host: &HostName,
        network: &NetworkName,
    ) -> Trial<()> {
        let hosts = client.hosts().await.map_err(failed("OpenNebula does not name its hosts"))?;
        let Some(place) = hosts.iter().find(|h| h.name == host.as_str()) else {
            return Err(Verdict::NotMet(format!("OpenNebula has no host {host}")));
        };
        let (tiny, images) = self.made(client).await?;
        let asks = tiny.asks_dhcp && self.dhcp.contains(network);
        let template = template(&self.names, host, network, images, asks);
        let machine = client
            .allocate_machine(&template, true)
            .await
            .map_err(failed("OpenNebula does not take a tiny machine"))?;
        let trial = Running { trials: self, client, host, machine, asks };
        let found = tokio::select! {
            found = trial.run(place.id) => found,
            () = self.interruption(1) => Err(interrupted()),
        };
        let ended = tokio::select! {
            ended = trial.end() => ended,
            () = self.interruption(2) => Err(Verdict::Unknown(format!("the tiny machine {machine} is left"))),
        };
        found.and(ended)
    }

    /// The tiny machine and its images. Nothing new is begun after an interruption.
    async fn made(&self, client: &Client) -> Trial<(&Tiny, &Images)> {
        if *self.interrupted.borrow() > 0 {
            return Err(interrupted());
        }
        let tiny = self.tiny.get_or_init(|| Tiny::make(&*self.frontend, self.names.folder())).await;
        let tiny = tiny.as_ref().map_err(Clone::clone)?;
        let images = self.images.get_or_init(|| self.names.register(client, tiny)).await;
        let images = images.as_ref().map_err(Clone::clone)?;
        for image in images.all() {
            let ready = client.wait_image_ready(image, STEP);
            let ready = tokio::select! {
                ready = ready => ready,
                () = self.interruption(1) => return Err(interrupted()),
            };
            ready.map_err(failed("OpenNebula does not copy the tiny machine's files"))?;
        }
        Ok((tiny, images))
    }

    /// Waits until the run was interrupted so often.
    async fn interruption(&self, times: u8) {
        // The sender lives as long as the task that listens: for ever.
        let _ = self.interrupted.clone().wait_for(|so_often| *so_often >= times).await;
    }

    /// Takes the images and files away.
    pub(crate) async fn finish(&self, client: &Client) {
        if !self.tiny.initialized() {
            return;
        }
        tokio::select! {
            () = self.take_away(client) => {}
            () = self.interruption(2) => {
                warn(&format!("images and files named `{}…` are left", self.names.folder()));
            }
        }
    }

    async fn take_away(&self, client: &Client) {
        self.names.remove_images(client, STEP).await;
        let folder = self.names.folder();
        if let Err(Verdict::Unknown(why) | Verdict::NotMet(why)) =
            Tiny::clear(&*self.frontend, folder).await
        {
            warn(&format!("`{folder}` is left on the front-end: {why}"));
        }
    }
}

/// Whether the front-end's DHCP service knows the network: it has no interface of a tagged one.
fn is_served(network: &Network) -> bool {
    network.dhcp.is_some() && matches!(network.transport, Transport::Bridge(_))
}

fn interrupted() -> Verdict {
    Verdict::Unknown("the run was interrupted".to_owned())
}

/// Counts Ctrl-C and orders to end: after the first, what was made is taken away before the end; the
/// second ends that too.
fn interruptions() -> watch::Receiver<u8> {
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        if let Ok(mut end) = signal(SignalKind::terminate()) {
            for times in 1..=2 {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = end.recv() => {}
                }
                if times == 1 {
                    note("taking away what was made; again to end at once");
                }
                sender.send_replace(times);
            }
        }
        sender.closed().await;
    });
    receiver
}

/// A machine that OpenNebula has.
struct Running<'a> {
    trials: &'a Trials,
    client: &'a Client,
    host: &'a HostName,
    machine: MachineId,
    asks: bool,
}

impl Running<'_> {
    async fn run(&self, place: HostId) -> Trial<()> {
        let (client, host) = (self.client, self.host);
        let deployed = client.deploy_machine(self.machine, place, true).await;
        deployed
            .map_err(failed(format!("OpenNebula does not place the tiny machine on {host}")))?;
        let running = client.wait_machine_running(self.machine, STEP).await;
        let running = match running {
            Ok(running) => running,
            Err(error) => {
                let verdict = failed(format!("the tiny machine does not start on {host}"))(error);
                return Err(self.with_console(verdict).await);
            }
        };
        let Some((nic, address)) = running.nics.iter().find_map(|n| Some((n, n.ip?))) else {
            return Err(Verdict::NotMet("OpenNebula gave the tiny machine no address".to_owned()));
        };
        self.answers(nic, address).await
    }

    /// The machine is seen at its address: from the front-end, from its host, or, in a network where
    /// neither is, by what it says of the gateway.
    async fn answers(&self, nic: &Nic, address: IpAddr) -> Trial<()> {
        let frontend = &self.trials.frontend;
        let node = self.trials.hosts.get(self.host);
        let begun = Instant::now();
        loop {
            let mut told = Vec::new();
            for host in [Some(frontend), node].into_iter().flatten() {
                match Tiny::answers(&**host, address, &nic.mac).await {
                    Ok(()) => return self.leased(nic, address).await,
                    Err(Verdict::NotMet(why) | Verdict::Unknown(why)) => told.push(why),
                    Err(Verdict::Met) => {}
                }
            }
            let console = self.console().await;
            if REACHES.iter().all(|word| console.contains(word)) {
                return self.leased(nic, address).await;
            }
            if begun.elapsed() >= ANSWER || LOST.iter().any(|word| console.contains(word)) {
                let seconds = begun.elapsed().as_secs();
                let text = format!("it runs, but after {seconds} s: {}", told.join("; "));
                return Err(self.with_console(Verdict::NotMet(text)).await);
            }
        }
    }

    async fn leased(&self, nic: &Nic, address: IpAddr) -> Trial<()> {
        if !self.asks {
            return Ok(());
        }
        Tiny::was_leased(&*self.trials.frontend, address, &nic.mac).await
    }

    fn console_file(&self) -> String {
        self.trials.names.console(self.host)
    }

    async fn console(&self) -> String {
        let Some(node) = self.trials.hosts.get(self.host) else { return String::new() };
        // Without a console the other looks still stand.
        Tiny::console(&**node, &self.console_file()).await.unwrap_or_default()
    }

    async fn with_console(&self, verdict: Verdict) -> Verdict {
        let console = self.console().await;
        let console = match console.trim() {
            "" => "its console is empty".to_owned(),
            said => format!("its console:\n{said}"),
        };
        match verdict {
            Verdict::Met => Verdict::Met,
            Verdict::NotMet(why) => Verdict::NotMet(format!("{why}; {console}")),
            Verdict::Unknown(why) => Verdict::Unknown(format!("{why}; {console}")),
        }
    }

    /// Ends the machine and waits until it is gone from its host.
    async fn end(&self) -> Trial<()> {
        let (client, machine) = (self.client, self.machine);
        if client.act(machine, MachineAction::TerminateHard).await.is_err() {
            // A machine in the middle of a step cannot be ended, only deleted.
            let deleted = client.recover(machine, Recovery::Delete).await;
            deleted.map_err(failed(format!("the tiny machine {machine} cannot be removed")))?;
        }
        let done = client.wait_machine_done(machine, STEP).await;
        if let Some(node) = self.trials.hosts.get(self.host) {
            let file = self.console_file();
            if Tiny::clear(&**node, &file).await.is_err() {
                warn(&format!("`{file}` is left on {}", self.host));
            }
        }
        done.map(drop).map_err(failed(format!("the tiny machine {machine} does not end")))
    }
}
