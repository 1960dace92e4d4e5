//! Is it alive, does it read, and figures for Prometheus.
//!
//! Names are those of OpenNebula's own exporter where it has them, so that its dashboards work:
//! labels are identifiers, and nobody's machine is named.

use super::App;
use super::fault::Fault;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::Write;
use stratus_monitor_state::{Group, Health, Severity};

/// `/healthz`: the process answers.
pub(super) async fn health() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// `/readyz`: the last look was good.
pub(super) async fn ready(State(app): State<App>) -> Response {
    match &app.hub.state().health {
        Health::Well => ([(header::CACHE_CONTROL, "no-store")], "ready\n").into_response(),
        Health::Starting => Fault::busy("The first look is going on.", 5).into_response(),
        Health::Away { .. } => Fault::busy("OpenNebula cannot be read.", 30).into_response(),
    }
}

/// `/metrics`.
pub(super) async fn show(State(app): State<App>) -> Response {
    let state = app.hub.state();
    let mut out = Exposition(String::new());
    let up = i64::from(state.health == Health::Well);
    out.one("opennebula_oned_state", "Whether oned could be read", up);
    out.one("stratus_monitor_read_timestamp_seconds", "When oned was last read", state.read_at);
    out.head("stratus_monitor_concerns", "What needs attention, by severity");
    for (word, severity) in [("bad", Severity::Bad), ("warn", Severity::Warn)] {
        let count = state.concerns.iter().filter(|c| c.severity == severity).count();
        out.line("stratus_monitor_concerns", "severity", word, count);
    }
    out.one("opennebula_host_total", "Hosts", state.hosts.len());
    out.one("opennebula_vm_total", "Machines that have not ended", state.machines.len());
    out.head("stratus_monitor_vms", "Machines, by state");
    for group in Group::SHOWN {
        out.line("stratus_monitor_vms", "state", group.word(), state.count(group));
    }
    hosts(&mut out, &state);
    datastores(&mut out, &state);
    out.0.push_str("# EOF\n");
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], out.0).into_response()
}

fn hosts(out: &mut Exposition, state: &stratus_monitor_state::State) {
    type Figure = fn(&stratus_monitor_state::Host) -> f64;
    let figures: [(&str, &str, Figure); 6] = [
        ("opennebula_host_state", "oned's number of the state", |h| f64::from(h.state)),
        ("opennebula_host_cpu_maximum_ratio", "Cores for machines", |h| h.cpu_max as f64 / 100.0),
        ("opennebula_host_cpu_usage_ratio", "Cores given", |h| h.cpu_given as f64 / 100.0),
        ("opennebula_host_mem_maximum_bytes", "Memory for machines", |h| {
            h.memory_max_kib as f64 * 1024.0
        }),
        ("opennebula_host_mem_usage_bytes", "Memory given", |h| h.memory_given_kib as f64 * 1024.0),
        ("opennebula_host_vms", "Machines", |h| h.machines.len() as f64),
    ];
    for (name, help, figure) in figures {
        out.head(name, help);
        for host in state.hosts.iter() {
            out.line(name, "one_host_id", host.id, figure(host));
        }
    }
}

fn datastores(out: &mut Exposition, state: &stratus_monitor_state::State) {
    type Figure = fn(&stratus_monitor_state::Datastore) -> f64;
    const MIB: f64 = 1_048_576.0;
    let figures: [(&str, &str, Figure); 4] = [
        ("opennebula_datastore_total_bytes", "Space", |d| d.total_mib as f64 * MIB),
        ("opennebula_datastore_used_bytes", "Space used", |d| d.used_mib as f64 * MIB),
        ("opennebula_datastore_free_bytes", "Space free", |d| d.free_mib as f64 * MIB),
        ("opennebula_datastore_images", "Images", |d| d.images as f64),
    ];
    out.one("opennebula_datastore_total", "Datastores", state.datastores.len());
    for (name, help, figure) in figures {
        out.head(name, help);
        for store in state.datastores.iter() {
            out.line(name, "one_datastore_id", store.id, figure(store));
        }
    }
}

struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, help: &str) {
        let _infallible = writeln!(self.0, "# TYPE {name} gauge\n# HELP {name} {help}.");
    }

    fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help);
        let _infallible = writeln!(self.0, "{name} {value}");
    }

    fn line(
        &mut self,
        name: &str,
        label: &str,
        of: impl std::fmt::Display,
        value: impl std::fmt::Display,
    ) {
        let _infallible = writeln!(self.0, "{name}{{{label}=\"{of}\"}} {value}");
    }
}
