use super::support::*;

#[test]
fn rfc_9111_4_3_2_if_none_match() {
    for (etag, asked, expected) in [
        ("\"abcdef\"", "\"abcdef\"", "fresh 304"),
        ("\"abcdef\"", "\"abcdef\", \"1234\"", "fresh 304"),
        ("\"abcdef\"", "\"1234\", \"abcdef\", \"5678\"", "fresh 304"),
        ("\"abcdef\"", "\"1234\",\"abcdef\"", "fresh 304"),
        ("\"a,b\\\"", "\"a,b\\\", \"c\"", "fresh 304"),
        ("\"abcdef\"", "W/\"abcdef\"", "fresh 304"),
        ("W/\"abcdef\"", "W/\"abcdef\"", "fresh 304"),
        ("W/\"abcdef\"", "\"abcdef\"", "fresh 304"),
        ("\"abcdef\u{fc}\"", "\"abcdef\u{fc}\"", "fresh 304"),
        ("\"abcdef\"", "*", "fresh 304"),
        ("\"abcdef\"", "\"ABCDEF\"", "fresh"),
        ("\"abcdef\"", "abcdef", "fresh"),
        ("w/\"abcdef\"", "w/\"abcdef\"", "fresh"),
        ("abcdef", "abcdef", "fresh"),
    ] {
        let response = format!("Cache-Control: max-age=100000 | ETag: {etag}");
        let found = second("", &response, &format!("If-None-Match: {asked}"), 3);
        assert_eq!(found, expected, "{etag} {asked}");
    }
    let lines = "If-None-Match: \"x\" | If-None-Match: \"abcdef\"";
    let response = "Cache-Control: max-age=100000 | ETag: \"abcdef\"";
    assert_eq!(second("", response, lines, 3), "fresh 304");
}

#[test]
fn rfc_9111_4_3_2_if_modified_since() {
    let modified = "Cache-Control: max-age=100000 | Date: {0} | Last-Modified: {-3000}";
    for (asked, expected) in [
        ("If-Modified-Since: {-3000}", "fresh 304"),
        ("If-Modified-Since: {-2000}", "fresh 304"),
        ("If-Modified-Since: {-3001}", "fresh"),
        ("If-Modified-Since: yesterday", "fresh"),
        ("If-Modified-Since: Friday, 20-Nov-26 09:10:00 GMT", "fresh 304"),
        ("If-Modified-Since: {-3000} | If-Modified-Since: {-3000}", "fresh"),
    ] {
        assert_eq!(second("", modified, asked, 3), expected, "{asked}");
    }
    // Without Last-Modified the time of the response stands in.
    let unknown = "Cache-Control: max-age=100000 | Date: {0}";
    assert_eq!(second("", unknown, "If-Modified-Since: {1}", 3), "fresh 304");
    assert_eq!(second("", unknown, "If-Modified-Since: {-3000}", 3), "fresh");
}

#[test]
fn rfc_9110_13_2_2_tags_come_before_dates() {
    let both = "Cache-Control: max-age=100000 | ETag: \"a\" | Last-Modified: {-5000}";
    for (asked, expected) in [
        ("If-None-Match: \"a\" | If-Modified-Since: {-10000}", "fresh 304"),
        ("If-None-Match: \"b\" | If-Modified-Since: {0}", "fresh"),
    ] {
        assert_eq!(second("", both, asked, 3), expected, "{asked}");
    }
}

#[test]
fn rfc_9110_13_2_1_conditions_do_not_apply_to_errors() {
    let options = stratus_cache_policy::Options::default();
    let response = "Cache-Control: max-age=100000 | ETag: \"a\"";
    let stratus_cache_policy::Storing::Store(found) = storing("", 404, response, &options) else {
        panic!()
    };
    assert_eq!(words(&decided(&[&found], "If-None-Match: \"a\"", 3)), "fresh");
}

#[test]
fn rfc_9110_13_1_1_what_the_origin_should_judge_goes_there_unless_it_holds() {
    let both = "Cache-Control: max-age=100000 | ETag: \"a\" | Last-Modified: {-5000}";
    for (asked, expected) in [
        ("If-Match: \"a\"", "fresh"),
        ("If-Match: *", "fresh"),
        ("If-Match: \"b\"", "fetched: bypass"),
        ("If-Match: W/\"a\"", "fetched: bypass"),
        ("If-Unmodified-Since: {-5000}", "fresh"),
        ("If-Unmodified-Since: {-5001}", "fetched: bypass"),
        ("If-Unmodified-Since: x", "fetched: bypass"),
    ] {
        assert_eq!(second("", both, asked, 3), expected, "{asked}");
    }
}
