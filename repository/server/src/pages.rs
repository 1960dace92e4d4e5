//! The pages for people: what each shows, made from the same values that the API answers with.
//!
//! Tera escapes every value; the templates hold no logic beyond showing. Nothing here decides who
//! may see or do a thing.

mod appliance;
mod catalogue;

pub(crate) use appliance::appliance;
pub(crate) use catalogue::{Catalogue, catalogue};

use crate::error::ApiError;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use std::sync::LazyLock;
use stratus_model::ByteCount;
use stratus_repository_api::listing::Listing;
use stratus_repository_api::problem::Problem;
use tera::{Context, Tera};

/// Nothing but our own files, no frames, no plug-ins.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.add_raw_templates([
        ("base.html", include_str!("../templates/base.html")),
        ("catalogue.html", include_str!("../templates/catalogue.html")),
        ("appliance.html", include_str!("../templates/appliance.html")),
        ("files.html", include_str!("../templates/files.html")),
        ("login.html", include_str!("../templates/login.html")),
        ("upload.html", include_str!("../templates/upload.html")),
        ("account.html", include_str!("../templates/account.html")),
        ("problem.html", include_str!("../templates/problem.html")),
    ])
    .expect("the templates are part of the program and a test renders each");
    tera
});

/// What every page shows.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Name of the site.
    pub(crate) site: String,
    /// Who is logged in.
    pub(crate) login: Option<String>,
    /// Which entry of the menu is current.
    pub(crate) here: &'static str,
    /// The server as people reach it, without a slash at the end.
    pub(crate) base_url: String,
}

impl Frame {
    fn context(&self) -> Context {
        let mut context = Context::new();
        context.insert("site", &self.site);
        context.insert("login", &self.login);
        context.insert("here", self.here);
        context.insert("version", env!("CARGO_PKG_VERSION"));
        context
    }
}

/// Whether the client would rather read a page: it names HTML, and JSON not before it.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let place = |name: &str| accept.find(name);
    match (place("text/html"), place("application/json")) {
        (Some(html), Some(json)) => html < json,
        (Some(_), None) => true,
        _ => false,
    }
}

fn render(template: &str, context: &Context) -> Result<Response, ApiError> {
    let text = TEMPLATES
        .render(template, context)
        .map_err(|e| ApiError::internal(format!("{template}: {e:?}")))?;
    let mut response = Html(text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie"));
    Ok(response)
}

#[derive(Serialize)]
struct Crumb {
    href: String,
    label: String,
}

/// The folders above a path, from the root of the tree.
fn crumbs(path: &str) -> Vec<Crumb> {
    let mut found = vec![Crumb { href: "/images/".to_owned(), label: "images".to_owned() }];
    let mut href = "/images/".to_owned();
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        href = format!("{href}{segment}/");
        found.push(Crumb { href: href.clone(), label: segment.to_owned() });
    }
    found
}

#[derive(Serialize)]
struct FileRow {
    href: String,
    name: String,
    size: String,
    modified: String,
}

/// A folder of the tree.
pub(crate) fn files(frame: &Frame, listing: &Listing) -> Result<Response, ApiError> {
    let folders = listing.folders.iter().map(|f| FileRow {
        href: f.href.clone(),
        name: format!("{}/", f.name),
        size: String::new(),
        modified: String::new(),
    });
    let files = listing.files.iter().map(|f| FileRow {
        href: f.href.clone(),
        name: f.name.clone(),
        size: ByteCount(f.bytes).to_string(),
        modified: f.modified.strftime("%Y-%m-%d %H:%M").to_string(),
    });
    let mut context = frame.context();
    context.insert("folder", &listing.path);
    let mut above = crumbs(&listing.path);
    above.pop();
    context.insert("crumbs", &above);
    context.insert("entries", &folders.chain(files).collect::<Vec<_>>());
    render("files.html", &context)
}

/// The login form, after a failure with its sentence.
pub(crate) fn login(frame: &Frame, next: &str, fault: Option<&str>) -> Result<Response, ApiError> {
    let mut context = frame.context();
    context.insert("next", next);
    context.insert("fault", &fault);
    render("login.html", &context)
}

/// The upload form.
pub(crate) fn upload(frame: &Frame) -> Result<Response, ApiError> {
    let url = &frame.base_url;
    let commands = format!(
        "stratus-build-manifest vm.img.gz --type base --os ubuntu --os-version 24.04 --arch x86_64 \\\n    --version 1.0 --user \"Your name\" --title \"Ubuntu 24.04 base\" -o vm.xml\nstratus-sign-manifest vm.xml --cert your.crt --key your.key\nstratus-upload-image vm.img.gz vm.xml --repository {url} --user your-login"
    );
    let mut context = frame.context();
    context.insert("commands", &commands);
    render("upload.html", &context)
}

/// A token as the account page lists it.
#[derive(Debug, Serialize)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) note: String,
    pub(crate) scopes: String,
    pub(crate) expires: String,
    pub(crate) used: String,
}

/// What the account page shows.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) groups: String,
    pub(crate) subjects: String,
    pub(crate) tokens: Vec<TokenRow>,
    /// A token just made; shown this once.
    pub(crate) secret: Option<String>,
    pub(crate) fault: Option<String>,
}

/// A person's own page.
pub(crate) fn account(frame: &Frame, account: &Account) -> Result<Response, ApiError> {
    let mut context = frame.context();
    context.insert("groups", &account.groups);
    context.insert("subjects", &account.subjects);
    context.insert("tokens", &account.tokens);
    context.insert("secret", &account.secret);
    context.insert("fault", &account.fault);
    render("account.html", &context)
}

/// An error as a page.
pub(crate) fn problem(frame: &Frame, problem: &Problem) -> Result<Response, ApiError> {
    let mut context = frame.context();
    context.insert("problem", &problem.title);
    let mut sentences: Vec<String> = problem.detail.iter().cloned().collect();
    sentences.extend(problem.reasons.iter().cloned());
    context.insert("detail", &sentences.join(" "));
    render("problem.html", &context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_repository_api::problem::ProblemKind;

    fn frame() -> Frame {
        Frame { site: "Site".into(), login: None, here: "files", base_url: "https://x".into() }
    }

    #[test]
    fn every_simple_page_renders() {
        for page in [
            files(&frame(), &Listing::default()),
            login(&frame(), "/", Some("Wrong.")),
            upload(&frame()),
            account(&frame(), &Account::default()),
            problem(&frame(), &Problem::new(ProblemKind::NotFound)),
        ] {
            assert!(page.is_ok(), "{page:?}");
        }
    }

    #[test]
    fn a_page_is_for_those_who_ask_for_html() {
        let accept = |text: &'static str| {
            wants_page(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]))
        };
        assert!(accept("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!accept("*/*"));
        assert!(!accept("application/json, text/html"));
        assert!(!wants_page(&HeaderMap::new()));
    }
}
