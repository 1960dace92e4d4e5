use super::support::*;
use http::StatusCode;
use stratus_cache_policy::{HeadOutcome, Options, after_head};

fn outcome(stored_text: &str, status: u16, head: &str) -> HeadOutcome {
    let none = headers("");
    after_head(
        &stored(stored_text),
        StatusCode::from_u16(status).unwrap(),
        &headers(head),
        &none,
        exchange(10),
        &Options::default(),
    )
}

const STORED: &str = "Cache-Control: max-age=2 | Template-A: 1 | ETag: \"a\" | Last-Modified: {-9} | Content-Length: 3";

#[test]
fn rfc_9111_4_3_5_a_head_of_the_same_response_updates_it() {
    let HeadOutcome::Updated(found) = outcome(
        STORED,
        200,
        "Cache-Control: max-age=1000 | Content-Length: 3 | ETag: \"a\" | B: 2",
    ) else {
        panic!()
    };
    assert_eq!(words(&decided(&[&found.stored], "", 500)), "fresh");
    assert_eq!(found.stored.headers()["template-a"], "1");
    assert_eq!(found.stored.headers()["b"], "2");
}

#[test]
fn rfc_9111_4_3_5_a_head_of_another_response_makes_it_invalid() {
    for head in ["Content-Length: 4", "ETag: \"b\"", "Last-Modified: {-8}"] {
        assert_eq!(outcome(STORED, 200, head), HeadOutcome::Invalidated, "{head}");
    }
    let untagged = "Cache-Control: max-age=2";
    assert_eq!(outcome(untagged, 200, "ETag: \"a\""), HeadOutcome::Invalidated);
}

#[test]
fn rfc_9111_4_3_5_only_a_200_says_something_about_the_stored_200() {
    for status in [304, 404, 410, 500] {
        let head = "Cache-Control: max-age=1000 | Template-A: 2";
        assert_eq!(outcome(STORED, status, head), HeadOutcome::Unchanged, "{status}");
    }
}
