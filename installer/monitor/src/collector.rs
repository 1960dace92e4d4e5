//! The collector: one look at the site after another.
//!
//! A look reads the hosts and the machines each time, and what changes seldom (networks,
//! datastores, images, users) every fourth time. Machines come in pages of [`PAGE`]: by ranges of
//! identifiers once they are known, so that machines that come and go between two pages move none
//! over an edge; by offset the first time. The times of a machine's steps are only in its full
//! body: that is asked for once, and again when the machine changed.
//!
//! A look that fails leaves the state as it was and says so; the next is tried after a wait that
//! doubles each time, with jitter, up to five minutes.

mod pages;

use crate::probes::Probes;
use pages::{Asked, page_list};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stratus_monitor_state::scan::ScanError;
use stratus_monitor_state::{
    Machine, Observation, State, Stay, read_datastores, read_hosts, read_images, read_machines,
    read_networks, read_stays, read_users,
};
use stratus_opennebula::xmlrpc::Value;
use stratus_opennebula::{Client, Error, HttpTransport, Limits, Session};

/// Machines on a page; oned's own default.
pub const PAGE: usize = 2000;
/// Machines whose full bodies are asked for in one call, and in one look.
const FULL: (usize, usize) = (200, 2000);
/// Every so many looks the pools that change seldom are read.
const SELDOM: u32 = 4;
/// Bounds of one call: a page of machines is about 8 MB.
const LIMITS: Limits = Limits { time: Duration::from_mins(1), answer_bytes: 64 << 20 };
/// The longest wait after failed looks.
const LONGEST: Duration = Duration::from_mins(5);
/// The wall clock may differ from the steady one by so much.
const STEP: i64 = 20;

/// Reads the site.
#[derive(Debug)]
pub struct Collector {
    client: Client,
    probes: Probes,
    looks: u32,
    clock: Option<(i64, Instant)>,
}

/// Why a pool could not be read.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Call(#[from] Error),
    #[error("the answer of `{method}` is not what oned writes: {source}")]
    Text { method: &'static str, source: ScanError },
    #[error("reading was interrupted")]
    Interrupted,
}

impl Collector {
    /// A collector of oned at `endpoint`, with credentials of the form `user:password`.
    pub fn new(
        endpoint: &str,
        credentials: &secrecy::SecretString,
        probes: Probes,
    ) -> Result<Self, Error> {
        let transport = Arc::new(HttpTransport::new(endpoint)?);
        let session = Session::from_auth_file(credentials)?;
        let client = Client::new(transport, session).with_limits(LIMITS);
        Ok(Self { client, probes, looks: 0, clock: None })
    }

    /// One look. `at` is the wall clock, in seconds since 1970.
    pub async fn look(&mut self, before: &State, at: i64) -> Observation {
        let clock_is_steady = self.clock_is_steady(at);
        let seldom = self.looks.is_multiple_of(SELDOM);
        let mut seen = Observation { at, clock_is_steady, ..Observation::default() };
        match self.opennebula(before, seldom, &mut seen).await {
            // What failed after all may have to be asked for seldom: next time again.
            Err(error) => {
                seen.fault = Some(told(&error));
                self.looks = 0;
            }
            Ok(()) => self.looks = self.looks.wrapping_add(1),
        }
        self.probes.look(&mut seen).await;
        seen
    }

    async fn opennebula(
        &self,
        before: &State,
        seldom: bool,
        seen: &mut Observation,
    ) -> Result<(), LookError> {
        seen.hosts = Some(self.read("one.hostpool.info", Vec::new(), read_hosts).await?);
        seen.machines = Some(self.machines(&before.machines).await?);
        let wanted = before.stays_to_ask(FULL.1);
        seen.stays = self.stays(&wanted).await?;
        if seldom {
            let all = || vec![Value::from(-2), Value::from(-1), Value::from(-1)];
            seen.networks = Some(self.read("one.vnpool.info", all(), read_networks).await?);
            let stores = self.read("one.datastorepool.info", Vec::new(), read_datastores);
            seen.datastores = Some(stores.await?);
            seen.images = Some(self.read("one.imagepool.info", all(), read_images).await?);
            seen.users = Some(self.read("one.userpool.info", Vec::new(), read_users).await?);
        }
        Ok(())
    }

    /// All machines that have not ended.
    async fn machines(&self, known: &[Machine]) -> Result<Vec<Machine>, LookError> {
        let mut all: Vec<Machine> = Vec::with_capacity(known.len());
        let mut asked = page_list(known.iter().map(|m| m.id));
        while let Some(page) = asked.next() {
            let (first, last) = page.parameters();
            let not_done = -1;
            let parameters = [-2, first, last, not_done].map(Value::from).to_vec();
            let more = self.read("one.vmpool.info", parameters, read_machines).await?;
            if let Asked::Offset(_) = page {
                asked.found(more.len());
            }
            all.extend(more);
        }
        Ok(all)
    }

    /// The full bodies of some machines; those that ended meanwhile are not among them.
    async fn stays(&self, wanted: &[i32]) -> Result<Vec<(i32, Vec<Stay>)>, LookError> {
        let mut all = Vec::new();
        for part in wanted.chunks(FULL.0) {
            let ids: Vec<String> = part.iter().map(ToString::to_string).collect();
            let parameters = vec![Value::from(ids.join(",")), Value::from(true)];
            all.extend(self.read("one.vmpool.infoset", parameters, read_stays).await?);
        }
        Ok(all)
    }

    /// Reads a pool; the text is taken apart away from the threads that serve.
    async fn read<T: Send + 'static>(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
        read: fn(&str) -> Result<Vec<T>, ScanError>,
    ) -> Result<Vec<T>, LookError> {
        let text = self.client.document(method, parameters).await?;
        let work = tokio::task::spawn_blocking(move || read(&text));
        let read = work.await.map_err(|_| LookError::Interrupted)?;
        read.map_err(|source| LookError::Text { method, source })
    }

    /// Whether the wall clock went as the steady one did since the last look.
    fn clock_is_steady(&mut self, at: i64) -> bool {
        let now = Instant::now();
        let steady = self.clock.is_none_or(|(wall, then)| {
            let passed = i64::try_from(now.duration_since(then).as_secs()).unwrap_or(i64::MAX);
            (at - wall - passed).abs() <= STEP
        });
        self.clock = Some((at, now));
        steady
    }
}

/// An error with its causes, in a line.
fn told(error: &LookError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.trim_end_matches('.').to_owned()
}

/// How long to wait after so many failed looks; `random` is from 0 to 1.
pub fn wait(interval: Duration, failures: u32, random: f64) -> Duration {
    if failures == 0 {
        return interval;
    }
    let doubled = interval.saturating_mul(1 << failures.min(10)).min(LONGEST.max(interval));
    doubled.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let interval = Duration::from_secs(30);
        assert_eq!(wait(interval, 0, 0.5), interval);
        assert_eq!(wait(interval, 1, 1.0), Duration::from_mins(1));
        assert_eq!(wait(interval, 1, 0.0), Duration::from_secs(30));
        assert_eq!(wait(interval, 40, 1.0), LONGEST);
        let hourly = Duration::from_hours(1);
        assert_eq!(wait(hourly, 3, 1.0), hourly, "never more often than asked for, nor less");
    }
}
