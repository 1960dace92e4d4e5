use super::support::*;
use http::Method;
use stratus_cache_policy::{Options, Request, decide};

#[test]
fn rfc_9111_5_2_1_what_a_client_wants_of_a_stored_response() {
    for (response, request, expected) in [
        ("max-age=3600", "Cache-Control: max-age=0", "fetched: request"),
        ("max-age=3600", "Cache-Control: max-age=1", "fetched: request"),
        ("max-age=3600", "Cache-Control: max-age=3", "fresh"),
        ("max-age=3600", "Cache-Control: max-age=x", "fresh"),
        ("max-age=3600", "Cache-Control: min-fresh=3597", "fresh"),
        ("max-age=3600", "Cache-Control: min-fresh=3598", "fetched: request"),
        ("max-age=3600", "Cache-Control: no-cache", "fetched: request"),
        ("max-age=3600", "Cache-Control: No-Cache", "fetched: request"),
        ("max-age=3600", "Cache-Control: nothing-to-see-here", "fresh"),
        // What is stored already is not what no-store speaks of.
        ("max-age=3600", "Cache-Control: no-store", "fresh"),
        ("max-age=2", "Cache-Control: max-stale=1000", "stale"),
        ("max-age=2", "Cache-Control: max-stale", "stale"),
        ("max-age=2", "Cache-Control: max-stale=1", "stale"),
        ("max-age=2", "Cache-Control: max-stale=0", "fetched: stale"),
        ("max-age=2", "Cache-Control: max-stale=x", "fetched: stale"),
        ("max-age=2", "Cache-Control: max-stale, max-age=1", "fetched: request"),
        ("max-age=2, must-revalidate", "Cache-Control: max-stale", "fetched: stale"),
        ("max-age=2, proxy-revalidate", "Cache-Control: max-stale", "fetched: stale"),
        ("s-maxage=2", "Cache-Control: max-stale", "fetched: stale"),
    ] {
        let response = format!("Cache-Control: {response}");
        assert_eq!(second("", &response, request, 3), expected, "{response} / {request}");
    }
    let aged = "Cache-Control: max-age=1500 | Age: 2000 | ETag: \"a\"";
    assert_eq!(second("", aged, "Cache-Control: max-stale=1000", 0), "stale");
}

#[test]
fn rfc_9111_5_2_1_4_a_reload_validates_what_can_be_validated() {
    for validator in ["ETag: \"a\"", "Last-Modified: {-10000}"] {
        let response = format!("Cache-Control: max-age=3600 | Date: {{0}} | {validator}");
        let found = second("", &response, "Cache-Control: no-cache", 3);
        assert_eq!(found, "revalidated: request", "{validator}");
    }
}

#[test]
fn rfc_9111_5_4_pragma() {
    let response = "Cache-Control: max-age=3600";
    for (request, expected) in [
        ("Pragma: no-cache", "fetched: request"),
        ("Pragma: unknown", "fresh"),
        ("Pragma: no-cache | Cache-Control: foo", "fresh"),
    ] {
        assert_eq!(second("", response, request, 3), expected, "{request}");
    }
    assert_eq!(second("", "Cache-Control: max-age=3600 | Pragma: no-cache", "", 3), "fresh");
}

#[test]
fn rfc_8246_2_an_immutable_response_is_not_reloaded_without_an_explicit_no_cache() {
    let response = "Cache-Control: max-age=3600, immutable | ETag: \"a\"";
    assert_eq!(second("", response, "Cache-Control: max-age=0", 3), "fresh");
    assert_eq!(second("", response, "Cache-Control: no-cache", 3), "revalidated: request");
    assert_eq!(second("", response, "", 4000), "revalidated: stale");
}

#[test]
fn rfc_9111_5_2_1_7_only_if_cached() {
    assert_eq!(words(&decided(&[], "Cache-Control: only-if-cached", 0)), "504");
    let response = "Cache-Control: max-age=10 | ETag: \"a\"";
    assert_eq!(second("", response, "Cache-Control: only-if-cached", 3), "fresh");
    assert_eq!(second("", response, "Cache-Control: only-if-cached", 30), "504");
    assert_eq!(second("", response, "Cache-Control: only-if-cached, max-stale", 30), "stale");
}

#[test]
fn a_site_may_refuse_reloads() {
    let found = stored("Cache-Control: max-age=3600");
    let options = Options { honour_reload: false, ..Options::default() };
    for request in
        ["Cache-Control: no-cache", "Cache-Control: max-age=0, min-fresh=9999", "Pragma: no-cache"]
    {
        let headers = headers(request);
        let request = Request { method: &Method::GET, headers: &headers };
        assert_eq!(words(&decide(&[&found], &request, at(3), &options)), "fresh");
    }
}

#[test]
fn rfc_9111_4_only_get_and_head_are_answered_from_the_store() {
    let found = stored("Cache-Control: max-age=3600");
    let none = headers("");
    for (method, expected) in [
        ("GET", "fresh"),
        ("HEAD", "fresh"),
        ("POST", "fetched: method"),
        ("M-SEARCH", "fetched: method"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request { method: &method, headers: &none };
        assert_eq!(words(&decide(&[&found], &request, at(3), &Options::default())), expected);
    }
}
