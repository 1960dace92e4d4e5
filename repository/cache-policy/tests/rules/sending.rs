use super::support::*;
use http::{StatusCode, Version};
use stratus_cache_policy::{
    CacheStatus, Decision, Forward, Pseudonym, from_store, from_upstream, is_loop, to_upstream,
};

fn ours() -> Pseudonym {
    Pseudonym::new("cache1.site").unwrap()
}

fn answer(response: &str, request: &str, seconds: i64) -> (StatusCode, http::HeaderMap) {
    let found = stored(response);
    let Decision::Serve(serve) = decided(&[&found], request, seconds) else { panic!() };
    from_store(&found, &serve, &CacheStatus::hit("cache1.site", serve.ttl_seconds), &ours())
}

#[test]
fn rfc_9111_4_an_answer_from_the_store_has_its_age_and_its_own_date() {
    let (status, fields) = answer("Cache-Control: max-age=100 | Date: {0} | Age: 30 | A: 1", "", 3);
    assert_eq!(status, StatusCode::OK);
    let expected = "Cache-Control: max-age=100 | Date: {0} | Age: 33 | A: 1 | Via: 1.1 cache1.site \
                    | Cache-Status: cache1.site; hit; ttl=67";
    assert_eq!(fields, headers(expected));
}

#[test]
fn rfc_9110_15_4_5_a_304_has_what_the_client_s_cache_needs() {
    let response = "Cache-Control: max-age=100 | ETag: \"a\" | Vary: Foo | Expires: {9} | Date: {0} \
                    | Content-Location: /c | Content-Type: text/plain | Content-Length: 3 | A: 1";
    let (status, fields) = answer(response, "If-None-Match: \"a\"", 3);
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    let expected = "Cache-Control: max-age=100 | ETag: \"a\" | Vary: Foo | Expires: {9} | Date: {0} \
                    | Content-Location: /c | Age: 3 | Via: 1.1 cache1.site \
                    | Cache-Status: cache1.site; hit; ttl=97";
    assert_eq!(fields, headers(expected));
}

#[test]
fn rfc_9110_7_6_a_request_goes_on_without_the_fields_of_its_hop() {
    let request = headers(
        "Host: repo | Connection: a, close | A: 1 | B: 2 | TE: trailers | Via: 1.0 other \
         | Cookie: c | If-None-Match: \"x\" | CDN-Loop: other",
    );
    let expected = "Host: repo | B: 2 | Via: 1.0 other | Via: 2 cache1.site | Cookie: c \
                    | If-None-Match: \"x\" | CDN-Loop: other | CDN-Loop: cache1.site";
    assert_eq!(to_upstream(&request, Version::HTTP_2, &ours()), headers(expected));
}

#[test]
fn an_answer_from_upstream_is_passed_on() {
    let response = headers("Connection: x | X: 1 | Age: 7 | Cache-Status: up; hit | Via: 1.1 up");
    let mut status = CacheStatus::forwarded("cache1.site", Forward::UriMiss);
    status.stored = true;
    let expected = "Age: 7 | Date: {0} | Via: 1.1 up | Via: 1.1 cache1.site \
                    | Cache-Status: up; hit, cache1.site; stored; fwd=uri-miss";
    let found = from_upstream(&response, Version::HTTP_11, at(0), &status, &ours());
    assert_eq!(found, headers(expected));
}

#[test]
fn rfc_8586_2_a_request_that_was_here_before_is_a_loop() {
    for (request, expected) in [
        ("Via: 1.1 cache1.site", true),
        ("Via: 1.0 other, HTTP/1.1 CACHE1.site (comment, x)", true),
        ("Via: 1.1 other | Via: 1.1\tcache1.site", true),
        ("CDN-Loop: other, cache1.site; v=1", true),
        ("Via: 1.1 other (cache1.site)", false),
        ("Via: cache1.site", false),
        ("CDN-Loop: other; cdn=cache1.site", false),
        ("X: cache1.site", false),
    ] {
        assert_eq!(is_loop(&headers(request), &ours()), expected, "{request}");
    }
    assert!(is_loop(&to_upstream(&headers(""), Version::HTTP_11, &ours()), &ours()));
    assert!(Pseudonym::new("a b").is_err() && Pseudonym::new("").is_err());
}
