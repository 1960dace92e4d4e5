//! Counters and gauges, as Prometheus reads them.

use crate::spool::Spool;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// Everything that is counted.
pub(crate) struct Metrics {
    requests: Family<Labels, Counter>,
    /// Bytes of bodies from the store.
    pub(crate) served: Arc<AtomicU64>,
    /// Bytes of bodies from the upstreams that went into the store.
    pub(crate) received: Arc<AtomicU64>,
}

impl Metrics {
    /// `received` is counted by the upstreams.
    pub(crate) fn new(received: Arc<AtomicU64>) -> Self {
        Self { requests: Family::default(), served: Arc::default(), received }
    }

    /// A request was answered: `hit`, `miss`, `revalidated`, `collapsed`, `stale`, `pass`, `failed`.
    pub(crate) fn request(&self, result: &'static str) {
        self.requests.get_or_create(&Labels { result }).inc();
    }

    /// How many requests were answered so.
    pub(crate) fn requests(&self, result: &'static str) -> u64 {
        self.requests.get_or_create(&Labels { result }).get()
    }

    /// The text of the metrics page, with the state of now.
    pub(crate) fn render(&self, spool: &Spool, waiting: u64) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("stratus_cache");
        registry.register("requests", "Requests by what became of them", self.requests.clone());
        let bytes = |registry: &mut Registry, name: &str, help: &str, value: u64| {
            let counter: Counter = Counter::default();
            counter.inc_by(value);
            registry.register_with_unit(name, help, Unit::Bytes, counter);
        };
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        bytes(&mut registry, "served", "Bytes served from the store", load(&self.served));
        bytes(&mut registry, "received", "Bytes received for the store", load(&self.received));
        let gauge = |registry: &mut Registry, name: &str, help: &str, value: u64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        };
        let about_waiting = "Requests that wait for the head of an answer that another asked for";
        gauge(&mut registry, "waiting_requests", about_waiting, waiting);
        gauge(&mut registry, "objects", "Objects in the store", spool.len() as u64);
        gauge(&mut registry, "occupied_bytes", "Bytes in the store", spool.occupied());
        gauge(&mut registry, "size_bytes", "Bytes that the store may take", spool.room().size);
        gauge(&mut registry, "evicted", "Objects that had to go", load(&spool.evicted));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
