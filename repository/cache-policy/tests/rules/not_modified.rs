use super::support::*;
use stratus_cache_policy::decide::without_conditions;
use stratus_cache_policy::{
    Conditions, Decision, Options, Stored, Updated, freshen, identified_by_304, serve_validated,
};

fn conditions(response: &str) -> Option<(String, String)> {
    match decided(&[&stored(response)], "", 10) {
        Decision::Revalidate { conditions, .. } => {
            let text = |value: Option<http::HeaderValue>| {
                value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
            };
            Some((text(conditions.if_none_match), text(conditions.if_modified_since)))
        }
        Decision::Fetch(_) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc_9111_4_3_1_stored_validators_are_sent_as_they_came() {
    let pair = |tag: &str, date: &str| Some((tag.to_owned(), date.to_owned()));
    for (response, expected) in [
        ("ETag: \"abcdef\"", pair("\"abcdef\"", "")),
        ("ETag: W/\"abcdef\"", pair("W/\"abcdef\"", "")),
        ("Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", pair("", "Wed, 01 Jan 2020 00:00:00 GMT")),
        (
            "ETag: \"a\" | Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT",
            pair("\"a\"", "Wed, 01 Jan 2020 00:00:00 GMT"),
        ),
        ("ETag: abcdef", None),
        ("X: y", None),
    ] {
        assert_eq!(
            conditions(&format!("Cache-Control: max-age=2 | {response}")),
            expected,
            "{response}"
        );
    }
}

#[test]
fn rfc_9111_4_3_1_our_conditions_take_the_place_of_the_client_s() {
    let conditions = Conditions::of(&stored("ETag: \"a\"")).unwrap();
    let client = "If-None-Match: \"b\" | If-Modified-Since: {0} | If-Match: * | If-Unmodified-Since: {0} \
                  | If-Range: \"b\" | Range: bytes=0-1 | Abc: 123";
    let mut sent = headers(client);
    conditions.apply(&mut sent);
    assert_eq!(sent, headers("If-None-Match: \"a\" | Abc: 123"));
    let mut sent = headers(client);
    without_conditions(&mut sent);
    assert_eq!(sent, headers("Abc: 123"));
}

#[test]
fn rfc_9111_5_2_2_4_no_cache_is_validated_at_each_use() {
    for directives in ["no-cache", "max-age=10000, no-cache", "max-age=10000, No-CaChE"] {
        let response = format!("Cache-Control: {directives} | ETag: \"a\"");
        assert_eq!(second("", &response, "", 0), "revalidated: stale", "{directives}");
    }
}

#[test]
fn rfc_9111_5_2_2_2_must_revalidate_is_served_while_fresh() {
    let response = "Cache-Control: max-age=2, must-revalidate | ETag: \"a\"";
    assert_eq!(second("", response, "", 0), "fresh");
    assert_eq!(second("", response, "", 3), "revalidated: stale");
}

fn identified(stored: &[&Stored], response: &str) -> Vec<usize> {
    identified_by_304(stored, 0, &headers(response), at(10))
}

#[test]
fn rfc_9111_4_3_4_which_stored_responses_a_304_is_about() {
    let with = |response: &str, date: &str| stored(&format!("{response} | Date: {date}"));
    let tagged = with("ETag: \"a\"", "{0}");
    let younger = with("ETag: \"a\"", "{5}");
    let other = with("ETag: \"b\" | Last-Modified: {-9}", "{0}");
    let weak = with("ETag: W/\"a\"", "{1}");
    let all = [&tagged, &younger, &other, &weak];
    for (response, expected) in [
        ("ETag: \"a\"", &[0, 1][..]),
        ("ETag: \"c\"", &[]),
        ("ETag: W/\"a\"", &[1]),
        ("Last-Modified: {-9}", &[2]),
        ("Last-Modified: {-8}", &[]),
        ("X: y", &[0]),
    ] {
        assert_eq!(identified(&all, response), expected, "{response}");
    }
    assert_eq!(identified(&[], "X: y"), &[] as &[usize]);
}

fn updated(response: &str, not_modified: &str) -> Updated {
    let (update, request) = (headers(not_modified), headers("Foo: 1"));
    freshen(&stored(response), &update, &request, exchange(10), &Options::default())
}

fn value(updated: &Updated, name: &str) -> String {
    let values: Vec<_> = updated.stored.headers().get_all(name).iter().collect();
    values.iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn rfc_9111_3_2_which_fields_a_304_changes() {
    for (name, old, new, expected) in [
        ("Test-Header", "A", "B", "B"),
        ("X-Test-Header", "A", "B", "B"),
        ("Content-Foo", "A", "B", "B"),
        ("X-Content-Foo", "A", "B", "B"),
        ("Cache-Control", "max-age=1", "max-age=3600", "max-age=3600"),
        ("Content-Type", "text/plain", "text/plain;charset=utf-8", "text/plain;charset=utf-8"),
        ("Content-Location", "/foo", "/bar", "/bar"),
        ("Expires", "{0}", "{100}", "Fri, 20 Nov 2026 10:01:40 GMT"),
        ("Set-Cookie", "a=b", "a=c", "a=c"),
        // The stored bytes do not change, and neither does what describes them.
        ("Content-Length", "36", "10", "36"),
        ("Content-Encoding", "A", "B", "A"),
        ("Content-Range", "A", "B", "A"),
        // Fields of the hop are not stored now either.
        ("Keep-Alive", "A", "B", ""),
        ("Upgrade", "A", "B", ""),
    ] {
        let found = updated(
            &format!("ETag: \"a\" | {name}: {old}"),
            &format!("ETag: \"a\" | {name}: {new}"),
        );
        assert_eq!(value(&found, name), expected, "{name}");
    }
    let found = updated("ETag: \"a\" | X: 1 | X: 2 | Y: 3", "X: 4 | X: 5 | Z: 6 | Connection: z");
    assert_eq!([value(&found, "x"), value(&found, "y"), value(&found, "z")], ["4 | 5", "3", ""]);
    // The connection of the 304 is not the one on which the stored field came.
    let found = updated("ETag: \"a\" | X: 1", "X: 2 | Connection: x");
    assert_eq!(value(&found, "x"), "1");
}

#[test]
fn rfc_9111_4_3_4_a_304_makes_the_response_young_again() {
    let found =
        updated("Cache-Control: max-age=5 | Age: 3 | Date: {0} | ETag: \"a\"", "ETag: \"a\"");
    assert!(found.keep);
    assert_eq!((found.stored.date(), found.stored.received_at()), (at(10), at(10)));
    assert_eq!(words(&decided(&[&found.stored], "", 14)), "fresh");
    let found = updated("Cache-Control: max-age=5 | ETag: \"a\"", "Date: {8} | Age: 1");
    assert_eq!(found.stored.date(), at(8));
    assert_eq!(value(&found, "age"), "1");
}

#[test]
fn rfc_9111_3_a_304_may_forbid_to_keep_the_response() {
    for (update, keep) in [
        ("Cache-Control: max-age=9", true),
        ("Cache-Control: no-store", false),
        ("Cache-Control: private", false),
        ("Vary: *", false),
        ("Vary: Foo", true),
    ] {
        assert_eq!(
            updated("Cache-Control: max-age=5 | ETag: \"a\"", update).keep,
            keep,
            "{update}"
        );
    }
    let found = updated("Cache-Control: max-age=50 | ETag: \"a\"", "Vary: Foo").stored;
    assert_eq!(words(&decided(&[&found], "Foo: 1", 14)), "fresh");
    assert_eq!(words(&decided(&[&found], "", 14)), "fetched: vary-miss");
}

#[test]
fn rfc_9111_4_3_2_after_validation_the_client_s_condition_is_judged() {
    let found =
        updated("Last-Modified: {-3000} | Cache-Control: max-age=2", "Last-Modified: {-3000}");
    for (request, expected) in [
        ("If-Modified-Since: {-3000}", "stale 304"),
        ("If-Modified-Since: {-4000}", "stale"),
        ("", "stale"),
    ] {
        let headers = headers(request);
        let request =
            stratus_cache_policy::Request { method: &http::Method::GET, headers: &headers };
        let serve = serve_validated(0, &found.stored, &request, at(10), &Options::default());
        // `stale` stands for every state but fresh.
        assert_eq!(served(&serve), expected);
        assert_eq!((serve.age.as_secs(), serve.ttl_seconds), (0, 2));
    }
}
