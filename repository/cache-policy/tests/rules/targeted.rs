use super::support::*;
use stratus_cache_policy::Refusal;

#[test]
fn rfc_9213_2_2_cdn_cache_control_comes_before_cache_control_and_expires() {
    for (response, expected) in [
        ("CDN-Cache-Control: max-age=3600", true),
        ("CDN-Cache-Control: max-age=2147483648", true),
        ("CDN-Cache-Control: max-age=99999999999", true),
        ("CDN-Cache-Control: max-age=0", false),
        ("CDN-Cache-Control: max-age=3600 | Age: 7200", false),
        ("CDN-Cache-Control: foobar, max-age=3600", true),
        ("CDN-Cache-Control: max-age=3600 | Expires: {-10000}", true),
        ("CDN-Cache-Control: max-age=3600 | Expires: 0", true),
        ("CDN-Cache-Control: max-age=0 | Expires: {10000}", false),
        ("CDN-Cache-Control: foo | Expires: {10000}", false),
        ("CDN-Cache-Control: max-age=3600 | Cache-Control: max-age=1", true),
        ("CDN-Cache-Control: max-age=1 | Cache-Control: max-age=3600", false),
        ("CDN-Cache-Control: no-cache | Cache-Control: max-age=3600", false),
        ("CDN-Cache-Control: max-age=3600 | Cache-Control: no-store", true),
        ("CDN-Cache-Control: max-age=3600 | Cache-Control: private, no-cache", true),
    ] {
        assert_eq!(reused(&format!("Date: {{0}} | {response}"), 3), expected, "{response}");
    }
}

#[test]
fn rfc_9213_2_2_its_prohibitions_count_and_those_of_an_invalid_one_do_not() {
    let explicit = "Cache-Control: max-age=10000 | Expires: {10000} | Date: {0}";
    for (field, expected) in [
        ("private", Some(Refusal::Private)),
        ("no-store", Some(Refusal::NoStore)),
        ("no-store, &&&", None),
        ("", None),
    ] {
        let response = format!("{explicit} | CDN-Cache-Control: {field}");
        assert_eq!(refusal("", 200, &response), expected, "{field}");
    }
    for invalid in ["max-age=10000, &&&&&", "max-age=\"10000\""] {
        let response = format!("CDN-Cache-Control: {invalid} | Cache-Control: no-store");
        assert_eq!(refusal("", 200, &response), Some(Refusal::NoStore), "{invalid}");
    }
}

#[test]
fn rfc_9213_3_1_it_is_kept_for_caches_behind_us() {
    let found = stored("Cache-Control: max-age=10000 | CDN-Cache-Control: foo, max-age=1");
    assert_eq!(found.headers()["cdn-cache-control"], "foo, max-age=1");
}
