//! A value as a page or as JSON, whichever the reader asks for.
//!
//! Tera escapes every value; the templates hold no logic beyond showing.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use std::sync::LazyLock;
use tera::{Context, Tera};

/// Nothing but our own files, no frames, no plug-ins.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.add_raw_templates([
        ("base.html", include_str!("../../templates/base.html")),
        ("charts.html", include_str!("../../templates/charts.html")),
        ("drawings.html", include_str!("../../templates/drawings.html")),
        ("overview.html", include_str!("../../templates/overview.html")),
        ("hosts.html", include_str!("../../templates/hosts.html")),
        ("host.html", include_str!("../../templates/host.html")),
        ("vms.html", include_str!("../../templates/vms.html")),
        ("vm.html", include_str!("../../templates/vm.html")),
        ("networks.html", include_str!("../../templates/networks.html")),
        ("network.html", include_str!("../../templates/network.html")),
        ("images.html", include_str!("../../templates/images.html")),
        ("burst.html", include_str!("../../templates/burst.html")),
        ("users.html", include_str!("../../templates/users.html")),
        ("usage.html", include_str!("../../templates/usage.html")),
        ("usage_user.html", include_str!("../../templates/usage_user.html")),
        ("events.html", include_str!("../../templates/events.html")),
        ("login.html", include_str!("../../templates/login.html")),
        ("account.html", include_str!("../../templates/account.html")),
        ("problem.html", include_str!("../../templates/problem.html")),
    ])
    .expect("the templates are part of the program and a test renders each");
    tera
});

/// What every page shows around its content.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    site: String,
    login: Option<String>,
    administrator: bool,
    here: &'static str,
    /// What is wrong with reading the site; empty where nothing is.
    banner: String,
    /// When the state is from.
    taken: String,
}

impl Frame {
    /// The frame of a page; `here` is its place in the menu.
    pub(crate) fn of(app: &App, caller: &Caller, here: &'static str) -> Self {
        let state = app.hub.state();
        let known = caller.person.is_some();
        Self {
            site: app.settings.title.clone(),
            login: caller.person.as_ref().map(|p| p.login.clone()),
            administrator: caller.person.as_ref().is_some_and(|p| p.administrator),
            here,
            banner: if known { crate::status::banner(&state) } else { String::new() },
            taken: if known && state.at > 0 {
                crate::figures::moment(state.at)
            } else {
                String::new()
            },
        }
    }
}

/// Whether the reader would rather have a page: JSON only where it is asked for before HTML.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    match (accept.find("text/html"), accept.find("application/json")) {
        (Some(html), Some(json)) => html < json,
        (None, Some(_)) => false,
        _ => true,
    }
}

/// Whether a failure is told as a page: to those who name HTML. Programs that name nothing get JSON.
pub(crate) fn wants_fault_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && wants_page(headers)
}

/// A value as page or JSON.
pub(crate) fn show(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    (here, template): (&'static str, &str),
    data: &impl Serialize,
) -> Result<Response, Fault> {
    if wants_page(headers) {
        return page(&Frame::of(app, caller, here), template, data);
    }
    let mut response = Json(data).into_response();
    private(&mut response);
    Ok(response)
}

/// A value as a page.
pub(crate) fn page(
    frame: &Frame,
    template: &str,
    data: &impl Serialize,
) -> Result<Response, Fault> {
    let mut context = Context::new();
    context.insert("site", &frame.site);
    context.insert("login", &frame.login);
    context.insert("administrator", &frame.administrator);
    context.insert("here", frame.here);
    context.insert("banner", &frame.banner);
    context.insert("taken", &frame.taken);
    context.insert("version", env!("CARGO_PKG_VERSION"));
    context.insert("p", data);
    let text = TEMPLATES
        .render(template, &context)
        .map_err(|e| Fault::internal(format!("{template}: {e:?}")))?;
    let mut response = Html(text).into_response();
    let policy = HeaderValue::from_static(CONTENT_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    private(&mut response);
    Ok(response)
}

fn private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie"));
}

/// A name as lists show it: of a bounded length.
pub(crate) fn short(name: &str, most: usize) -> String {
    let mut kept: String = name.chars().take(most).collect();
    if kept.len() < name.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        let accept = |text: &'static str| {
            wants_page(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]))
        };
        assert!(accept("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(accept("*/*"));
        assert!(!accept("application/json"));
        assert!(!accept("application/json, text/html"));
        assert!(wants_page(&HeaderMap::new()));
    }

    #[test]
    fn every_template_is_well_formed() {
        assert!(TEMPLATES.get_template_names().count() >= 15);
    }
}
