use super::support::*;
use http::{Method, StatusCode};
use stratus_cache_policy::{Options, Refusal, Request, Response, Storing, partial, store};

const FRESH: &str = "Cache-Control: max-age=3600";

#[test]
fn rfc_9111_3_only_answers_to_get_are_stored() {
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "M-SEARCH"] {
        let (none, response) = (headers(""), headers(FRESH));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request { method: &method, headers: &none };
        let response = Response { status: StatusCode::OK, headers: &response };
        let found = store(&request, &response, exchange(0), &Options::default());
        assert_eq!(found, Storing::Dont(Refusal::Method), "{method}");
    }
}

#[test]
fn rfc_9111_3_only_final_answers_to_everybody_are_stored() {
    for status in [100, 102, 103, 304, 412, 416] {
        assert_eq!(refusal("", status, FRESH), Some(Refusal::Status), "{status}");
    }
}

#[test]
fn rfc_9111_3_directives_that_forbid_storing() {
    for (request, response, expected) in [
        ("", "Cache-Control: no-store, max-age=3600", Refusal::NoStore),
        ("", "Cache-Control: nO-StOrE | Expires: {1000}", Refusal::NoStore),
        ("", "Cache-Control: max-age=9, x=\"y, no-store", Refusal::NoStore),
        ("", "Cache-Control: private, max-age=3600", Refusal::Private),
        ("", "Cache-Control: max-age=3600, private=\"a, not a name\"", Refusal::Private),
        ("", "Cache-Control: max-age=3600, private=\"etag\"", Refusal::Private),
        ("Cache-Control: no-store", FRESH, Refusal::RequestNoStore),
        ("", "Cache-Control: max-age=3600 | Vary: *", Refusal::VaryStar),
        ("", "Cache-Control: no-cache, max-age=3600", Refusal::NoUse),
        ("", "Cache-Control: max-age=0", Refusal::NoUse),
        ("", "X: y", Refusal::NoUse),
    ] {
        assert_eq!(refusal(request, 200, response), Some(expected), "{request} {response}");
    }
}

#[test]
fn rfc_9111_3_a_stale_response_is_of_use_if_it_can_be_validated_or_served_stale() {
    for response in [
        "Cache-Control: no-cache | ETag: \"a\"",
        "Cache-Control: max-age=0 | Last-Modified: {-10}",
        "Cache-Control: max-age=0, stale-if-error=60",
        "Cache-Control: max-age=0, stale-while-revalidate=60",
        "ETag: W/\"a\"",
    ] {
        assert_eq!(refusal("", 200, response), None, "{response}");
    }
    for response in ["ETag: a", "Last-Modified: yesterday", "ETag: \"a\" | ETag: \"b\""] {
        assert_eq!(refusal("", 200, response), Some(Refusal::NoUse), "{response}");
    }
}

#[test]
fn rfc_9111_3_without_a_lifetime_the_status_must_allow_a_guess() {
    for status in [201, 302, 400, 403, 500, 599] {
        let response = "ETag: \"a\"";
        assert_eq!(refusal("", status, response), Some(Refusal::NotCacheable), "{status}");
        assert_eq!(refusal("", status, "ETag: \"a\" | Expires: 0"), None, "{status}");
    }
}

#[test]
fn rfc_9111_5_2_2_3_must_understand_takes_the_place_of_no_store() {
    let response = "Cache-Control: max-age=3600, no-store, must-understand";
    assert_eq!(refusal("", 200, response), None);
    assert_eq!(refusal("", 599, response), Some(Refusal::NotUnderstood));
    assert_eq!(refusal("Cache-Control: no-store", 200, response), Some(Refusal::RequestNoStore));
}

#[test]
fn rfc_9111_7_3_set_cookie_is_stored_unless_the_site_says_no() {
    let response = "Cache-Control: max-age=3600 | Set-Cookie: a=b";
    assert_eq!(refusal("", 200, response), None);
    let strict = Options { store_set_cookie: false, ..Options::default() };
    assert_eq!(storing("", 200, response, &strict), Storing::Dont(Refusal::SetCookie));
}

#[test]
fn rfc_9111_3_1_what_is_kept_of_the_fields() {
    let found = stored(
        "Cache-Control: max-age=3600, no-cache=\"b\", private=\"c, d\"
         Connection: a, keep-alive
         Keep-Alive: timeout=5
         Proxy-Authenticate: x
         Proxy-Authentication-Info: x
         Proxy-Authorization: x
         Proxy-Connection: close
         TE: trailers
         Transfer-Encoding: chunked
         Upgrade: h2c
         A: 1
         B: 2
         C: 3
         D: 4
         E: 5
         E: 6
         Content-Encoding: x
         Content-Range: x
         Content-Length: 10
         Set-Cookie: a=b
         Date: {0}",
    );
    let mut names: Vec<&str> = found.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let kept = [
        "cache-control",
        "content-encoding",
        "content-length",
        "content-range",
        "date",
        "e",
        "set-cookie",
    ];
    assert_eq!(names, kept);
    assert_eq!(found.headers().get_all("e").iter().count(), 2);
}

#[test]
fn rfc_9110_6_6_1_a_date_is_there_afterwards() {
    for response in [FRESH, "Cache-Control: max-age=3600 | Date: foo"] {
        let found = stored(response);
        assert_eq!(found.headers()["date"], "Fri, 20 Nov 2026 10:00:00 GMT");
        assert_eq!(found.date(), at(0));
    }
    assert_eq!(stored("Cache-Control: max-age=3600 | Date: {-9}").date(), at(-9));
}

#[test]
fn rfc_9111_3_3_a_part_is_stored_as_the_whole_it_belongs_to() {
    let part =
        "Cache-Control: max-age=9 | ETag: \"a\" | Content-Length: 3 | Content-Range: bytes 2-4/10";
    let Storing::Store(found) = storing("Range: bytes=2-4", 206, part, &Options::default()) else {
        panic!()
    };
    assert_eq!(found.status(), StatusCode::OK);
    assert!(!found.headers().contains_key("content-range"));
    assert!(!found.headers().contains_key("content-length"));
    for without in [
        "Cache-Control: max-age=9",
        "Cache-Control: max-age=9 | Content-Range: bytes 4-2/10",
        "Cache-Control: max-age=9 | Content-Range: bytes */10",
        "Cache-Control: max-age=9 | Content-Range: bytes 2-4/10 | Content-Range: bytes 2-4/10",
        "Cache-Control: max-age=9 | Content-Type: multipart/byteranges; boundary=x",
    ] {
        assert_eq!(refusal("", 206, without), Some(Refusal::Part), "{without}");
    }
}

#[test]
fn rfc_9111_3_4_parts_with_the_same_strong_validator_may_be_combined() {
    for (ours, theirs, same) in [
        ("ETag: \"a\"", "ETag: \"a\"", true),
        ("ETag: \"a\"", "ETag: \"b\"", false),
        ("ETag: W/\"a\"", "ETag: W/\"a\"", false),
        ("ETag: \"a\"", "Last-Modified: {-9}", false),
        ("Date: {0} | Last-Modified: {-9}", "Date: {5} | Last-Modified: {-9}", true),
        ("Date: {0} | Last-Modified: {-9}", "Date: {5} | Last-Modified: {-8}", false),
        // Changed in the same second in which it was sent: it may have changed again after that.
        ("Date: {0} | Last-Modified: {0}", "Date: {5} | Last-Modified: {0}", false),
        ("X: y", "X: y", false),
    ] {
        let found = stored(&format!("{FRESH} | {ours}"));
        let theirs = headers(theirs);
        assert_eq!(
            partial::is_same_representation(&found, &theirs, at(5)),
            same,
            "{ours} {theirs:?}"
        );
    }
}

#[test]
fn rfc_9110_13_1_5_if_range_takes_a_strong_validator() {
    let value = |response: &str| {
        let found = partial::if_range(&stored(&format!("{FRESH} | {response}")));
        found.map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(value("ETag: \"a\" | Last-Modified: {-9}").as_deref(), Some("\"a\""));
    assert_eq!(value("ETag: W/\"a\" | Last-Modified: {-9}"), None);
    assert_eq!(
        value("Date: {0} | Last-Modified: {-9}").as_deref(),
        Some("Fri, 20 Nov 2026 09:59:51 GMT")
    );
    assert_eq!(value("Date: {0} | Last-Modified: {0}"), None);
}

#[test]
fn a_head_larger_than_a_sidecar_is_not_stored() {
    let long = format!("{FRESH} | X: {}", "x".repeat(200_000));
    assert_eq!(refusal("", 200, &long), Some(Refusal::TooLarge));
    let many = format!("{FRESH}{}", " | X: y".repeat(600));
    assert_eq!(refusal("", 200, &many), Some(Refusal::TooLarge));
}
