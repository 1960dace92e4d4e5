//! A host without a machine: programs take a while and end as the test says.

use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stratus_execute::error::{HostError, Trouble};
use stratus_execute::host::{Deadlines, Host, Running};
use stratus_execute::journal::{Journal, NotKept, Record};
use stratus_execute::run::{Event, Run, Stop};
use stratus_plan::plan::{HostPlan, Plan, Planned, Stage, State};
use stratus_plan::step::{Access, Step};
use stratus_site::HostName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::{mpsc, watch};

/// What a simulated program does.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Ends with this status and these outputs.
    Ends(i32, &'static str, &'static str),
    /// Says this on standard error, and then nothing, for ever.
    Hangs(&'static str),
    /// The connection breaks.
    Breaks,
    /// The host does not answer at all.
    Unreachable,
}

type Behaviour = Arc<dyn Fn(&str) -> Does + Send + Sync>;

pub(crate) struct Simulated {
    name: HostName,
    latency: Duration,
    behaviour: Behaviour,
    pub programs: Mutex<Vec<String>>,
}

impl Simulated {
    pub(crate) fn new(
        name: &str,
        latency: Duration,
        behaviour: impl Fn(&str) -> Does + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.parse().unwrap(),
            latency,
            behaviour: Arc::new(behaviour),
            programs: Mutex::new(Vec::new()),
        })
    }
}

#[async_trait::async_trait]
impl Host for Simulated {
    fn name(&self) -> &HostName {
        &self.name
    }

    async fn start(&self, script_bytes: usize) -> Result<Running, HostError> {
        let (stdin, mut input) = duplex(64 << 10);
        let (mut out, stdout) = duplex(64 << 10);
        let (mut err, stderr) = duplex(64 << 10);
        if let Does::Unreachable = (self.behaviour)("") {
            return Err(Trouble::Unreachable("connection refused".into()).of(&self.name));
        }
        let (latency, behaviour, name) = (self.latency, self.behaviour.clone(), self.name.clone());
        // The input is read here, so that the behaviour sees the program.
        let exit = async move {
            let mut program = vec![0; script_bytes];
            let whole = input.read_exact(&mut program).await;
            tokio::time::sleep(latency).await;
            let program = String::from_utf8_lossy(&program).into_owned();
            if whole.is_err() {
                return Ok(0);
            }
            match behaviour(&program) {
                Does::Ends(status, said, complained) => {
                    let _ = out.write_all(said.as_bytes()).await;
                    let _ = err.write_all(complained.as_bytes()).await;
                    Ok(status)
                }
                Does::Hangs(said) => {
                    let _ = err.write_all(said.as_bytes()).await;
                    std::future::pending().await
                }
                Does::Breaks | Does::Unreachable => {
                    Err(Trouble::Broken { command: String::new() }.of(&name))
                }
            }
        };
        // As a real one it goes on whether or not somebody waits for its end.
        let task = tokio::spawn(exit);
        let exit = async move { task.await.unwrap() };
        Ok(Running {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            exit: exit.boxed(),
            keep: Box::new(()),
        })
    }

    async fn renew(&self) {
        self.programs.lock().unwrap().push("renewed".into());
    }
}

/// A journal in memory that may break after so many records.
#[derive(Default)]
pub(crate) struct Memory {
    pub records: Mutex<Vec<Record>>,
    pub room: Option<usize>,
}

#[async_trait::async_trait]
impl Journal for Memory {
    async fn keep(&self, record: &Record) -> Result<(), NotKept> {
        let mut records = self.records.lock().unwrap();
        if self.room.is_some_and(|room| records.len() >= room) {
            return Err(NotKept("no space left on device".into()));
        }
        records.push(record.clone());
        Ok(())
    }
}

pub(crate) struct Scene {
    pub run: Run,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub stop: watch::Sender<Stop>,
}

/// A run on these hosts.
pub(crate) fn run_on(hosts: &[Arc<dyn Host>], journal: Arc<dyn Journal>) -> Scene {
    let (sender, events) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(Stop::No);
    let by_name = |h: &Arc<dyn Host>| (h.name().clone(), h.clone());
    let run = Run {
        hosts: hosts.iter().map(by_name).collect::<BTreeMap<_, _>>(),
        parallel: 10,
        deadlines: Deadlines {
            remark: Duration::from_secs(20),
            silence: Duration::from_mins(1),
            total: Duration::from_mins(10),
        },
        root: String::new(),
        who: "ann@desk".into(),
        what: "apply".into(),
        now: || jiff::Timestamp::UNIX_EPOCH,
        journal,
        events: sender,
        offline: None,
        stop: stopped,
    };
    Scene { run, events, stop }
}

pub(crate) fn planned(id: &str, after: &[(&str, &str)]) -> Planned {
    let name = |(host, id): &(&str, &str)| (host.parse().unwrap(), (*id).to_owned());
    Planned {
        id: id.into(),
        stage: Stage::OpenNebula,
        step: Step::Directory { path: format!("/srv/{id}"), access: Access::root(0o755) },
        reason: "The site wants it.".into(),
        state: State::Change(vec!["made".into()]),
        after: after.iter().map(name).collect(),
    }
}

pub(crate) fn plan(hosts: Vec<(&str, Vec<Planned>)>) -> Plan {
    let host = |(name, steps): (&str, Vec<Planned>)| HostPlan {
        host: name.parse().unwrap(),
        roles: [].into(),
        steps: Ok(steps),
    };
    Plan { fingerprint: "0".into(), hosts: hosts.into_iter().map(host).collect() }
}
