//! The burst nodes, as the VPN's report tells.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{short, show};
use crate::figures::{bytes, lasts, moment};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use stratus_monitor_state::{Burst, Vpn};

#[derive(Default, Serialize)]
struct Page {
    /// Whether a VPN is watched at all.
    watched: bool,
    /// What is wrong with its report; empty where nothing is.
    fault: String,
    running: bool,
    taken: String,
    attention: Vec<String>,
    nodes: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    name: String,
    address: String,
    connected: bool,
    /// For how long.
    lasts: String,
    peer: String,
    received: String,
    sent: String,
    certificate: String,
    error: String,
}

/// `GET /burst`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let page = state.vpn.as_deref().map(|vpn| page(vpn, state.at)).unwrap_or_default();
    show(&app, &caller, &headers, ("burst", "burst.html"), &page)
}

fn page(vpn: &Vpn, now: i64) -> Page {
    Page {
        watched: true,
        fault: vpn.fault.clone().unwrap_or_default(),
        running: vpn.running,
        taken: if vpn.at > 0 { moment(vpn.at) } else { String::new() },
        attention: vpn.attention.iter().map(|told| short(told, 300)).collect(),
        nodes: vpn.nodes.iter().map(|n| node(n, now)).collect(),
    }
}

fn node(node: &Burst, now: i64) -> Node {
    let session = node.session.as_ref();
    let day = |at: i64| moment(at).chars().take(10).collect();
    Node {
        name: short(&node.name, 80),
        address: node.address.clone(),
        connected: session.is_some(),
        lasts: session.map(|s| lasts(now - s.since)).unwrap_or_default(),
        peer: session.map(|s| short(&s.peer, 60)).unwrap_or_default(),
        received: session.map(|s| bytes(s.received)).unwrap_or_default(),
        sent: session.map(|s| bytes(s.sent)).unwrap_or_default(),
        certificate: if node.certificate_ends > 0 {
            day(node.certificate_ends)
        } else {
            String::new()
        },
        error: node
            .error
            .as_ref()
            .map(|(at, why)| format!("{}: {}", moment(*at), short(why, 200)))
            .unwrap_or_default(),
    }
}
