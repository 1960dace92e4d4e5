use super::support::*;
use http::StatusCode;
use std::time::Duration;
use stratus_cache_policy::freshness::{Freshness, Lifetime};
use stratus_cache_policy::policy::Policy;
use stratus_cache_policy::{Exchange, Options, Storing, freshness};

/// Rows of a response without a validator, and whether it is reused three seconds later.
fn rows(rows: &[(&str, bool)]) {
    for (response, expected) in rows {
        assert_eq!(reused(response, 3), *expected, "{response}");
    }
}

#[test]
fn rfc_9111_4_2_1_max_age() {
    rows(&[
        ("X: nothing", false),
        ("Cache-Control: max-age=3600", true),
        ("Cache-Control: max-age=2", false),
        ("Cache-Control: max-age=0", false),
        ("Cache-Control: max-age=-3600", false),
        ("Cache-Control: MaX-aGe=3600", true),
        ("Cache-Control: foobar, max-age=3600", true),
        ("Cache-Control: max-age=2147483647", true),
        ("Cache-Control: max-age=2147483648", true),
        ("Cache-Control: max-age=2147483649", true),
        ("Cache-Control: max-age=99999999999", true),
        ("Cache-Control: max-age=99999999999999999999999999999999", true),
    ]);
}

#[test]
fn rfc_9111_4_2_1_a_response_is_fresh_until_its_age_is_its_lifetime() {
    assert!(reused("Cache-Control: max-age=10", 9));
    assert!(!reused("Cache-Control: max-age=10", 10));
}

#[test]
fn rfc_9111_5_2_how_max_age_may_be_written() {
    rows(&[
        ("Cache-Control: max-age=\"3600\"", true),
        ("Cache-Control: max-age=003600", true),
        ("Cache-Control: max-age='3600'", false),
        ("Cache-Control: max-age=3600.0", false),
        ("Cache-Control: max-age=3600a", false),
        ("Cache-Control: max-age=a3600", false),
        ("Cache-Control: max-age =3600", false),
        ("Cache-Control: max-age= 3600", false),
        ("Cache-Control: x=\"max-age=3600\", max-age=1", false),
        ("Cache-Control: max-age=1, x=\"max-age=3600\"", false),
        ("Cache-Control: x=\"y, max-age=3600", false),
    ]);
}

#[test]
fn rfc_9111_4_2_1_two_values_that_differ_are_stale() {
    rows(&[
        ("Cache-Control: max-age=1800, max-age=1800", true),
        ("Cache-Control: max-age=1800, max-age=1", false),
        ("Cache-Control: max-age=1 | Cache-Control: max-age=1800", false),
    ]);
}

#[test]
fn rfc_9111_5_2_2_10_s_maxage_comes_before_all_others() {
    rows(&[
        ("Cache-Control: s-maxage=3600", true),
        ("Cache-Control: max-age=3600, s-maxage=1", false),
        ("Cache-Control: s-maxage=1, max-age=3600", false),
        ("Cache-Control: max-age=3600 | Cache-Control: s-maxage=1", false),
        ("Cache-Control: max-age=1, s-maxage=3600", true),
        ("Cache-Control: max-age=0, s-maxage=3600 | Expires: {-10}", true),
        ("Cache-Control: max-age=3600, s-maxage=x", false),
    ]);
}

#[test]
fn rfc_9111_5_3_expires() {
    rows(&[
        ("Date: {0} | Expires: {2592000}", true),
        ("Date: {0} | Expires: {-2592000}", false),
        ("Date: {0} | Expires: {0}", false),
        ("Date: {400} | Expires: {300}", false),
        ("Date: {0} | Expires: 0", false),
        ("Date: {0} | Expires: {50} | Expires: {50}", true),
        ("Date: {0} | Expires: {50} | Expires: {60}", false),
        ("Expires: {10}", true),
        ("Date: foo | Expires: {10}", true),
        ("Date: {0} | Expires: Thu, 18 Aug 2050 02:01:18 UTC", false),
        ("Date: {0} | Expires: Thursday, 18-Aug-50 02:01:18 GMT", true),
        ("Date: {0} | Expires: THU, 18 AUG 2050 02:01:18 gMT", true),
    ]);
}

#[test]
fn rfc_9111_5_3_max_age_makes_expires_mean_nothing() {
    rows(&[
        ("Date: {0} | Cache-Control: max-age=3600 | Expires: {-7200}", true),
        ("Date: {0} | Cache-Control: max-age=3600 | Expires: 0", true),
        ("Date: {0} | Cache-Control: max-age=0 | Expires: {3600}", false),
    ]);
}

#[test]
fn rfc_9111_5_1_age_of_other_caches_counts() {
    rows(&[
        ("Cache-Control: max-age=3600 | Age: 7200", false),
        ("Cache-Control: max-age=3600 | Age: 2147483647", false),
        ("Cache-Control: max-age=3600 | Age: 2147483648", false),
        ("Cache-Control: max-age=3600 | Age: 99999999999999999999999", false),
        ("Date: {-10} | Expires: {10} | Age: 25", false),
        ("Date: {10} | Expires: {20} | Age: 15", false),
    ]);
}

#[test]
fn rfc_9111_5_1_of_a_list_the_first_age_counts_and_an_invalid_one_does_not() {
    rows(&[
        ("Cache-Control: max-age=3600 | Age: abc", true),
        ("Cache-Control: max-age=3600 | Age: -7200", true),
        ("Cache-Control: max-age=3600 | Age: 7200.0", true),
        ("Cache-Control: max-age=3600 | Age: 7200;foo=bar", true),
        ("Cache-Control: max-age=3600 | Age: 7200, 0", false),
        ("Cache-Control: max-age=3600 | Age: 0, 7200", true),
        ("Cache-Control: max-age=3600 | Age: 7200 | Age: 0", false),
        ("Cache-Control: max-age=3600 | Age: 0 | Age: 7200", true),
        ("Cache-Control: max-age=3600 | Age: 0, 0", true),
        ("Cache-Control: max-age=9999 | Age: 3600 | Age: 3600", true),
    ]);
}

#[test]
fn rfc_9111_4_2_3_age_from_date_from_age_and_from_the_time_on_the_way() {
    let seconds = |response: &str, exchange: Exchange, now: i64| {
        let Storing::Store(found) = storing("", 200, response, &Options::default()) else {
            panic!("{response}")
        };
        // The exchange is part of what is stored; a sidecar sets it here.
        let mut written = serde_json::to_value(&*found).unwrap();
        written["requested_at"] = exchange.requested_at.to_string().into();
        written["received_at"] = exchange.received_at.to_string().into();
        let found = serde_json::from_value(written).unwrap();
        freshness::age(&found, at(now)).as_secs()
    };
    let slow = Exchange { requested_at: at(-5), received_at: at(0) };
    let lasting = "Cache-Control: max-age=99999";
    for (response, exchange, now, expected) in [
        ("Date: {0}", exchange(0), 0, 0),
        ("Date: {0}", exchange(0), 30, 30),
        ("Date: {-7}", exchange(0), 30, 37),
        ("Date: {0} | Age: 30", exchange(0), 3, 33),
        ("Date: {-7} | Age: 30", exchange(0), 3, 33),
        ("Date: {-70} | Age: 30", exchange(0), 3, 73),
        ("Date: {0}", slow, 3, 8),
        ("Date: {0} | Age: 30", slow, 3, 38),
        // A fast clock at the origin, or our own clock set back, makes nothing younger than it is.
        ("Date: {50}", exchange(0), 3, 3),
        ("Date: {0}", exchange(0), -100, 0),
    ] {
        let found = seconds(&format!("{lasting} | {response}"), exchange, now);
        assert_eq!(found, expected, "{response}");
    }
}

fn lifetime(status: u16, response: &str, options: &Options) -> Option<Lifetime> {
    let Storing::Store(stored) = storing("", status, response, options) else { return None };
    let policy = Policy::of(stored.headers(), options);
    Some(Freshness::of(&stored, &policy, at(0), options).lifetime)
}

#[test]
fn rfc_9111_4_2_2_a_tenth_of_the_time_since_the_last_change_for_some_status_codes() {
    let guessed = Some(Lifetime::Heuristic(Duration::from_mins(144)));
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        let response = "Date: {0} | Last-Modified: {-86400}";
        assert_eq!(lifetime(status, response, &Options::default()), guessed, "{status}");
    }
    for status in [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599] {
        let response = "Date: {0} | Last-Modified: {-86400}";
        assert_eq!(lifetime(status, response, &Options::default()), None, "{status}");
        let public = format!("{response} | Cache-Control: public");
        assert_eq!(lifetime(status, &public, &Options::default()), guessed, "{status}");
    }
}

#[test]
fn rfc_9111_4_2_2_guesses_have_a_cap_and_can_be_turned_off() {
    let response = "Date: {0} | Last-Modified: {-31536000}";
    let day = Some(Lifetime::Heuristic(Duration::from_hours(24)));
    assert_eq!(lifetime(200, response, &Options::default()), day);
    let off = Options { heuristic_percent: 0, ..Options::default() };
    assert_eq!(lifetime(200, response, &off), Some(Lifetime::Unknown));
    let future = "Date: {0} | Last-Modified: {100}";
    assert_eq!(lifetime(200, future, &Options::default()), Some(Lifetime::Unknown));
}

#[test]
fn an_error_without_a_lifetime_is_remembered_as_long_as_the_site_says() {
    let site = Options { negative_lifetime: Some(Duration::from_secs(5)), ..Options::default() };
    let negative = Some(Lifetime::Negative(Duration::from_secs(5)));
    for status in [404, 405, 410, 414, 501] {
        assert_eq!(lifetime(status, "Date: {0}", &site), negative, "{status}");
    }
    let explicit = |seconds| Some(Lifetime::Explicit(Duration::from_secs(seconds)));
    assert_eq!(lifetime(404, "Cache-Control: max-age=9", &site), explicit(9));
    for status in [200, 301, 400, 403, 500, 503] {
        assert_eq!(lifetime(status, "Date: {0}", &site), None, "{status}");
    }
    assert_eq!(lifetime(404, "Date: {0}", &Options::default()), None);
}

#[test]
fn rfc_9110_15_every_final_status_is_reused_while_it_is_fresh() {
    for status in
        [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599]
    {
        let options = Options::default();
        let Storing::Store(found) = storing("", status, "Cache-Control: max-age=100000", &options)
        else {
            panic!("{status}")
        };
        assert_eq!(found.status(), StatusCode::from_u16(status).unwrap());
        assert_eq!(words(&decided(&[&found], "", 3)), "fresh");
        let stale = "Date: {0} | Expires: {-5000} | Last-Modified: {-100000}";
        let Storing::Store(found) = storing("", status, stale, &options) else {
            panic!("{status}")
        };
        assert_eq!(words(&decided(&[&found], "", 3)), "revalidated: stale");
    }
}
