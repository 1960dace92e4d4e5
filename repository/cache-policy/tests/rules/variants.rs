use super::support::*;
use stratus_cache_policy::decide::select;
use stratus_cache_policy::{Options, Stored, decide, freshen};

const LASTING: &str = "Cache-Control: max-age=5000 | Date: {0}";

fn rows(vary: &str, rows: &[(&str, &str, &str)]) {
    let response = format!("{LASTING} | Vary: {vary}");
    for (first, next, expected) in rows {
        assert_eq!(second(first, &response, next, 3), *expected, "{vary}: {first} / {next}");
    }
}

#[test]
fn rfc_9111_4_1_the_named_fields_must_be_the_same() {
    rows(
        "Foo",
        &[
            ("Foo: 1", "Foo: 1", "fresh"),
            ("Foo: 1", "Foo: 2", "fetched: vary-miss"),
            ("Foo: 1", "", "fetched: vary-miss"),
            ("", "Foo: 1", "fetched: vary-miss"),
            ("", "", "fresh"),
            ("Foo: 1 | Other: 2", "Foo: 1 | Other: 3", "fresh"),
            ("Foo: 1, 2", "Foo: 1 | Foo: 2", "fresh"),
            ("Foo: 1,2", "Foo: 1, 2", "fresh"),
        ],
    );
    rows(
        "Foo, Bar, Baz",
        &[
            ("Foo: 1 | Bar: a | Baz: 7", "Baz: 7 | Bar: a | Foo: 1", "fresh"),
            ("Foo: 1 | Bar: a | Baz: 7", "Foo: 2 | Bar: a | Baz: 7", "fetched: vary-miss"),
            ("Foo: 1 | Bar: a | Baz: 7", "Foo: 1 | Baz: 7 | Bar: abcde", "fetched: vary-miss"),
            ("Foo: 1 | Bar: a | Baz: 7", "", "fetched: vary-miss"),
            ("Foo: 1 | Baz: 7", "Foo: 1 | Baz: 7", "fresh"),
        ],
    );
    rows(
        "Accept-Language",
        &[
            ("Accept-Language: en, de", "Accept-Language: de, en", "fresh"),
            ("Accept-Language: en, de", "Accept-Language: eN ,   De", "fresh"),
            ("Accept-Language: en, de", "Accept-Language: fr", "fetched: vary-miss"),
        ],
    );
}

#[test]
fn rfc_9111_4_1_several_variants_live_side_by_side_and_the_youngest_fits_first() {
    let vary = |date: &str| format!("Cache-Control: max-age=5000 | Vary: Foo | Date: {date}");
    let old = stored_for("Foo: 1", &vary("{-100}"));
    let young = stored_for("Foo: 1", &vary("{-50}"));
    let other = stored_for("Foo: 2", &vary("{0}"));
    let which = |request: &str| match decided(&[&old, &other, &young], request, 3) {
        stratus_cache_policy::Decision::Serve(serve) => serve.which,
        decision => panic!("{decision:?}"),
    };
    assert_eq!((which("Foo: 1"), which("Foo: 2")), (2, 1));
    // The date of the origin counts before the time of arrival.
    let update = headers("Date: {-100}");
    let late = freshen(&old, &update, &update, exchange(2), &Options::default()).stored;
    let order = |stored: &[&Stored]| select(stored, &headers("Foo: 1"), &Options::default());
    assert_eq!((order(&[&young, &late]), order(&[&old, &late])), (Some(0), Some(1)));
    assert!(old.same_variant(&young) && !old.same_variant(&other));
}

#[test]
fn rfc_9211_2_2_nothing_stored_is_another_miss() {
    assert_eq!(words(&decided(&[], "", 0)), "fetched: uri-miss");
}

#[test]
fn a_site_may_select_by_the_language_that_is_preferred() {
    let response = format!("{LASTING} | Vary: Accept-Language, Foo | Content-Language: de");
    let found = stored_for("Accept-Language: en, de", &response);
    let choose = |request: &str, select_by_language| {
        let headers = headers(request);
        let request =
            stratus_cache_policy::Request { method: &http::Method::GET, headers: &headers };
        let options = Options { select_by_language, ..Options::default() };
        words(&decide(&[&found], &request, at(3), &options))
    };
    assert_eq!(choose("Accept-Language: fr;q=0.5, de;q=1.0", false), "fetched: vary-miss");
    assert_eq!(choose("Accept-Language: fr;q=0.5, de;q=1.0", true), "fresh");
    assert_eq!(choose("Accept-Language: fr, de;q=0.5", true), "fetched: vary-miss");
    assert_eq!(choose("Accept-Language: de | Foo: 1", true), "fetched: vary-miss");
}
