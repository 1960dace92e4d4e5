//! Waiting for what oned does after it has answered.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::error::Error;
use crate::ids::{HostId, ImageId, MachineId, NetworkId};
use crate::objects::{Host, Image, Machine, VirtualNetwork};
use crate::states::{HostState, ImageState, MachineState, NetworkState};

/// First pause between two looks; each pause is longer than the one before, up to `LAST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// What a look at an object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is what was waited for.
    Ready,
    /// Not yet: its state, and oned's explanation if there is one.
    NotYet {
        /// The state.
        state: String,
        /// oned's explanation, or empty.
        detail: String,
    },
    /// It will never be: the same.
    Never {
        /// The state.
        state: String,
        /// oned's explanation, or empty.
        detail: String,
    },
}

impl Look {
    fn not_yet(state: impl ToString, detail: Option<&str>) -> Self {
        Self::NotYet { state: state.to_string(), detail: detail.unwrap_or_default().to_owned() }
    }

    fn never(state: impl ToString, detail: Option<&str>) -> Self {
        Self::Never { state: state.to_string(), detail: detail.unwrap_or_default().to_owned() }
    }
}

/// oned's explanation as the end of a sentence, if there is one.
fn shown_detail(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

impl Client {
    /// Looks at an object until it is ready, or until `patience` is over: then the error names
    /// the last state. An error of a look that may pass (no connection) is waited out too.
    pub async fn wait_ready<T, F>(
        &self,
        object: &str,
        wanted: &'static str,
        patience: Duration,
        mut read: impl FnMut() -> F,
        judge: impl Fn(&T) -> Look,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let start = Instant::now();
        let deadline = start + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let (state, detail, last) = match read().await {
                Ok(found) => match judge(&found) {
                    Look::Ready => return Ok(found),
                    Look::NotYet { state, detail } => (state, detail, false),
                    Look::Never { state, detail } => (state, detail, true),
                },
                Err(error) if error.is_unreachable() && Instant::now() < deadline => {
                    ("not reachable".to_owned(), error.to_string(), false)
                }
                Err(error) => return Err(error),
            };
            if last || Instant::now() >= deadline {
                return Err(Error::NotReady {
                    endpoint: self.endpoint().into(),
                    object: object.into(),
                    state: state.into(),
                    wanted,
                    waited: start.elapsed(),
                    detail: shown_detail(&detail).into(),
                });
            }
            sleep_until(deadline.min(Instant::now() + pause)).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// Waits until a network has its address ranges.
    pub async fn wait_network_ready(
        &self,
        id: NetworkId,
        patience: Duration,
    ) -> Result<VirtualNetwork, Error> {
        let name = format!("network {id}");
        self.wait_ready(
            &name,
            "READY",
            patience,
            || self.network(id),
            |net| match net.state {
                NetworkState::Ready => Look::Ready,
                NetworkState::Error | NetworkState::Done => {
                    Look::never(net.state, net.attributes.text("ERROR"))
                }
                other => Look::not_yet(other, None),
            },
        )
        .await
    }

    /// Waits until an image has been copied into its datastore.
    pub async fn wait_image_ready(&self, id: ImageId, patience: Duration) -> Result<Image, Error> {
        let name = format!("image {id}");
        self.wait_ready(
            &name,
            "READY",
            patience,
            || self.image(id),
            |image| match image.state {
                ImageState::Ready | ImageState::Used | ImageState::UsedPersistent => Look::Ready,
                ImageState::Error => Look::never(image.state, image.error()),
                other => Look::not_yet(other, None),
            },
        )
        .await
    }

    /// Waits until oned monitors a host. A host in ERROR is looked at again: oned tries again.
    pub async fn wait_host_monitored(&self, id: HostId, patience: Duration) -> Result<Host, Error> {
        let name = format!("host {id}");
        self.wait_ready(
            &name,
            "MONITORED",
            patience,
            || self.host(id),
            |host| match host.state {
                HostState::Monitored | HostState::MonitoringMonitored => Look::Ready,
                HostState::Disabled | HostState::MonitoringDisabled | HostState::Offline => {
                    Look::never(host.state, None)
                }
                other => Look::not_yet(other, host.attributes.text("ERROR")),
            },
        )
        .await
    }

    /// Waits until a machine runs. A machine whose step failed will not, and is told at once.
    pub async fn wait_machine_running(
        &self,
        id: MachineId,
        patience: Duration,
    ) -> Result<Machine, Error> {
        let name = format!("machine {id}");
        self.wait_ready(
            &name,
            "RUNNING",
            patience,
            || self.machine(id),
            |machine| {
                if machine.is_running() {
                    Look::Ready
                } else if machine.lcm_state.is_failure() || machine.state == MachineState::Done {
                    Look::never(machine.state_words(), machine.error())
                } else {
                    Look::not_yet(machine.state_words(), machine.sched_message())
                }
            },
        )
        .await
    }

    /// Waits until a machine has ended.
    pub async fn wait_machine_done(
        &self,
        id: MachineId,
        patience: Duration,
    ) -> Result<Machine, Error> {
        let name = format!("machine {id}");
        self.wait_ready(
            &name,
            "DONE",
            patience,
            || self.machine(id),
            |machine| {
                if machine.state == MachineState::Done {
                    Look::Ready
                } else {
                    Look::not_yet(machine.state_words(), machine.error())
                }
            },
        )
        .await
    }

    /// Waits until oned says that an object is missing: deletions end after the answer.
    pub async fn wait_gone<T, F>(
        &self,
        object: &str,
        patience: Duration,
        mut read: impl FnMut() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let look = || {
            let answer = read();
            async move {
                match answer.await {
                    Ok(_) => Ok(false),
                    Err(error) if error.is_missing() => Ok(true),
                    Err(error) => Err(error),
                }
            }
        };
        self.wait_ready(object, "gone", patience, look, |gone| {
            if *gone { Look::Ready } else { Look::not_yet("still there", None) }
        })
        .await
        .map(|_| ())
    }
}
