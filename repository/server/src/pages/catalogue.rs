//! The catalogue: search form and result.

use super::{Frame, render};
use crate::error::ApiError;
use axum::response::Response;
use serde::Serialize;
use stratus_model::ByteCount;
use stratus_repository_api::search::{ApplianceSummary, Page, SearchQuery, StatusFilter, Validity};

/// What the catalogue shows.
pub(crate) struct Catalogue<'a> {
    pub(crate) query: &'a SearchQuery,
    pub(crate) page: &'a Page,
    /// Why the query could not be used.
    pub(crate) fault: Option<String>,
}

#[derive(Serialize)]
struct QueryView {
    q: String,
    os: String,
    arch: String,
    r#type: String,
    status: &'static str,
    sort: String,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
}

const SORTS: [Choice; 6] = [
    Choice { value: "-published", label: "newest first" },
    Choice { value: "published", label: "oldest first" },
    Choice { value: "name", label: "name" },
    Choice { value: "-name", label: "name, reversed" },
    Choice { value: "-size", label: "largest first" },
    Choice { value: "size", label: "smallest first" },
];

#[derive(Serialize)]
struct Row {
    page: String,
    name: String,
    title: String,
    size: String,
    endorser: String,
    published: String,
    published_day: String,
    status: &'static str,
    status_class: &'static str,
}

/// The catalogue as a page.
pub(crate) fn catalogue(frame: &Frame, shown: &Catalogue<'_>) -> Result<Response, ApiError> {
    let mut context = frame.context();
    let query = shown.query;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    context.insert(
        "query",
        &QueryView {
            q: text(&query.q),
            os: text(&query.os),
            arch: text(&query.arch),
            r#type: text(&query.kind),
            status: query.status.name(),
            sort: query.sort.to_string(),
        },
    );
    context.insert("statuses", &StatusFilter::ALL.map(StatusFilter::name));
    context.insert("sorts", &SORTS);
    context.insert("fault", &shown.fault);
    context.insert("appliances", &shown.page.appliances.iter().map(row).collect::<Vec<_>>());
    context.insert("searched", &(*query != SearchQuery::default()));
    let first = SearchQuery { after: None, ..query.clone() };
    context.insert("first_page", &query.after.as_ref().map(|_| address(&first, None)));
    context
        .insert("next_page", &shown.page.next.as_deref().map(|next| address(&first, Some(next))));
    render("catalogue.html", &context)
}

/// The address of a page of the result. A cursor comes from the search itself and needs no escaping
/// beyond what it has.
fn address(first: &SearchQuery, after: Option<&str>) -> String {
    let mut query = first.to_query();
    if let Some(after) = after {
        let separator = if query.is_empty() { "" } else { "&" };
        query = format!("{query}{separator}after={after}");
    }
    format!("/?{query}")
}

fn row(a: &ApplianceSummary) -> Row {
    let (status, status_class) = status(a.status);
    Row {
        page: format!("/appliances/{}", a.path),
        name: a.name.clone(),
        title: a.title.clone().unwrap_or_default(),
        size: ByteCount(a.compressed_bytes).to_string(),
        endorser: a.email.clone().or_else(|| a.endorser.clone()).unwrap_or_default(),
        published: a.published.to_string(),
        published_day: a.published.strftime("%Y-%m-%d").to_string(),
        status,
        status_class,
    }
}

/// A state as a word, and the class that colours it.
pub(super) fn status(validity: Validity) -> (&'static str, &'static str) {
    match validity {
        Validity::Valid => ("valid", "good"),
        Validity::Expired => ("expired", "warn"),
        Validity::Deprecated => ("deprecated", "warn"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_catalogue_says_what_to_do_next() {
        let frame =
            Frame { site: "S".into(), login: None, here: "catalogue", base_url: String::new() };
        let page = Page { total: 0, appliances: Vec::new(), next: None };
        let shown = Catalogue { query: &SearchQuery::default(), page: &page, fault: None };
        assert!(catalogue(&frame, &shown).is_ok());
    }
}
