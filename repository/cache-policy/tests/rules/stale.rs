use super::support::*;
use http::{Method, StatusCode};
use std::time::Duration;
use stratus_cache_policy::{Failure, Options, Request, Storing, on_error};

fn stale(status: u16, response: &str, request: &str, failure: Failure, options: &Options) -> bool {
    let Storing::Store(found) = storing("", status, response, options) else { return false };
    let headers = headers(request);
    let request = Request { method: &Method::GET, headers: &headers };
    on_error(0, &found, &request, failure, at(10), options).is_some()
}

fn explicit_only() -> Options {
    Options { stale_if_error: Duration::ZERO, ..Options::default() }
}

fn status(code: u16) -> Failure {
    Failure::Status(StatusCode::from_u16(code).unwrap())
}

#[test]
fn rfc_5861_4_stale_if_error() {
    for (directives, failure, expected) in [
        ("max-age=2, stale-if-error=60", Failure::Network, true),
        ("max-age=2, stale-if-error=60", status(500), true),
        ("max-age=2, stale-if-error=60", status(502), true),
        ("max-age=2, stale-if-error=60", status(503), true),
        ("max-age=2, stale-if-error=60", status(504), true),
        ("max-age=2, stale-if-error=60", status(404), false),
        ("max-age=2, stale-if-error=60", status(501), false),
        ("max-age=2, stale-if-error=8", status(503), false),
        ("max-age=2, stale-if-error=9", status(503), true),
        ("max-age=2, stale-if-error=x", status(503), false),
        ("max-age=2", Failure::Network, false),
    ] {
        let response = format!("Cache-Control: {directives}");
        let found = stale(200, &response, "", failure, &explicit_only());
        assert_eq!(found, expected, "{directives} {failure:?}");
    }
    let request = "Cache-Control: stale-if-error=60";
    assert!(stale(200, "Cache-Control: max-age=2", request, status(503), &explicit_only()));
}

#[test]
fn the_site_s_default_counts_where_the_response_is_silent() {
    let options = Options::default();
    assert!(stale(200, "Cache-Control: max-age=2", "", Failure::Network, &options));
    assert!(!stale(
        200,
        "Cache-Control: max-age=2, stale-if-error=0",
        "",
        Failure::Network,
        &options
    ));
    let short = Options { stale_if_error: Duration::from_secs(8), ..options };
    assert!(!stale(200, "Cache-Control: max-age=2", "", Failure::Network, &short));
}

#[test]
fn rfc_9111_4_2_4_directives_that_forbid_stale_responses() {
    for directives in [
        "max-age=2, must-revalidate",
        "max-age=2, proxy-revalidate",
        "max-age=2, s-maxage=2",
        "s-maxage=2, stale-if-error=60",
        "max-age=2, no-cache",
        "max-age=20, no-cache, stale-if-error=60",
    ] {
        let response = format!("Cache-Control: {directives} | ETag: \"a\"");
        let request = "Cache-Control: stale-if-error=60, max-stale";
        for failure in [Failure::Network, status(503)] {
            assert!(!stale(200, &response, request, failure, &Options::default()), "{directives}");
        }
    }
}

#[test]
fn a_fresh_response_answers_a_reload_that_fails() {
    let response = "Cache-Control: max-age=100, must-revalidate";
    assert!(stale(200, response, "Cache-Control: no-cache", Failure::Network, &Options::default()));
}

#[test]
fn a_stored_failure_does_not_stand_in_for_another() {
    for code in [500, 502, 503, 504] {
        let response = "Cache-Control: max-age=2, stale-if-error=60";
        assert!(!stale(code, response, "", status(503), &Options::default()), "{code}");
    }
    assert!(stale(404, "Cache-Control: max-age=2", "", status(503), &Options::default()));
}

#[test]
fn rfc_5861_3_stale_while_revalidate() {
    for (directives, seconds, expected) in [
        ("max-age=1, stale-while-revalidate=3600", 0, "fresh"),
        ("max-age=1, stale-while-revalidate=3600", 3, "stale, revalidated"),
        ("max-age=1, stale-while-revalidate=4", 4, "stale, revalidated"),
        ("max-age=1, stale-while-revalidate=4", 5, "revalidated: stale"),
        ("max-age=1, stale-while-revalidate=x", 3, "revalidated: stale"),
        ("max-age=1, stale-while-revalidate=60, must-revalidate", 3, "revalidated: stale"),
        ("s-maxage=1, stale-while-revalidate=60", 3, "revalidated: stale"),
    ] {
        let response = format!("Cache-Control: {directives} | ETag: \"abc\"");
        assert_eq!(second("", &response, "", seconds), expected, "{directives} {seconds}");
    }
    let response = "Cache-Control: max-age=1, stale-while-revalidate=3600";
    assert_eq!(second("", response, "Cache-Control: no-cache", 3), "fetched: request");
}
