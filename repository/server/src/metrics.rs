//! Counters and gauges, as Prometheus reads them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// What a request was for, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) route: &'static str,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    problems: Family<KindLabels, Counter>,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) published: Counter,
    appliances: Gauge,
    staged: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("stratus_repository");
        let requests = Family::default();
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let seconds = Family::new_with_constructor(histogram);
        let problems = Family::default();
        let (received, sent, published) =
            (Counter::default(), Counter::default(), Counter::default());
        let (appliances, staged) = (Gauge::default(), Gauge::default());
        registry.register("requests", "Requests by route, method and status", requests.clone());
        registry.register_with_unit(
            "request",
            "Time until the answer began",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register("problems", "Requests that failed, by kind", problems.clone());
        registry.register_with_unit(
            "received",
            "Image bytes taken in",
            Unit::Bytes,
            received.clone(),
        );
        registry.register_with_unit(
            "sent",
            "Image bytes offered for download",
            Unit::Bytes,
            sent.clone(),
        );
        registry.register("published", "Appliances published since the start", published.clone());
        registry.register("appliances", "Appliances in the index", appliances.clone());
        registry.register_with_unit(
            "staged",
            "Bytes of unfinished uploads",
            Unit::Bytes,
            staged.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            problems,
            received,
            sent,
            published,
            appliances,
            staged,
        }
    }

    pub(crate) fn request(&self, labels: RequestLabels, took: Duration) {
        self.seconds
            .get_or_create(&RouteLabels { route: labels.route })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn problem(&self, kind: &'static str) {
        self.problems.get_or_create(&KindLabels { kind }).inc();
    }

    /// The text of `/metrics`, with the state of now.
    pub(crate) fn render(
        &self,
        appliances: usize,
        staged_bytes: u64,
    ) -> Result<String, std::fmt::Error> {
        self.appliances.set(i64::try_from(appliances).unwrap_or(i64::MAX));
        self.staged.set(i64::try_from(staged_bytes).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
