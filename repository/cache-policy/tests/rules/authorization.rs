use super::support::*;
use stratus_cache_policy::Refusal;

#[test]
fn rfc_9111_3_5_answers_to_somebody_are_stored_only_with_permission() {
    for (directives, expected) in [
        ("max-age=3600", Some(Refusal::Authorization)),
        ("max-age=3600, public", None),
        ("max-age=3600, must-revalidate", None),
        ("s-maxage=3600", None),
        ("max-age=3600, proxy-revalidate", Some(Refusal::Authorization)),
    ] {
        let response = format!("Cache-Control: {directives} | Date: {{0}}");
        assert_eq!(refusal("Authorization: Bearer x", 200, &response), expected, "{directives}");
        if expected.is_none() {
            assert_eq!(second("Authorization: Bearer x", &response, "", 3), "fresh");
        }
    }
}

#[test]
fn somebody_gets_an_answer_for_everybody_only_with_the_same_permission() {
    for (directives, expected) in [
        ("max-age=3600", "fetched: bypass"),
        ("max-age=3600, public", "fresh"),
        ("max-age=3600, must-revalidate", "fresh"),
        ("s-maxage=3600", "fresh"),
    ] {
        let response = format!("Cache-Control: {directives}");
        assert_eq!(second("", &response, "Authorization: Bearer x", 3), expected, "{directives}");
    }
}
