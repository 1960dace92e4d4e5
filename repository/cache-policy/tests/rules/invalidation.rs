use super::support::*;
use http::{Method, StatusCode, Uri};
use stratus_cache_policy::{Response, invalidated};

const TARGET: &str = "http://Repo.example/images/a/b.img?x=1";

fn found(method: &str, status: u16, response: &str) -> Vec<String> {
    let target: Uri = TARGET.parse().unwrap();
    let headers = headers(response);
    let response = Response { status: StatusCode::from_u16(status).unwrap(), headers: &headers };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    invalidated(&method, &target, &response).iter().map(Uri::to_string).collect()
}

fn same(uri: &str) -> String {
    uri.parse::<Uri>().unwrap().to_string()
}

#[test]
fn rfc_9111_4_4_an_unsafe_request_that_succeeds_invalidates_its_uri() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        for status in [200, 201, 204, 303] {
            assert_eq!(found(method, status, ""), [same(TARGET)], "{method} {status}");
        }
        for status in [100, 400, 404, 500] {
            assert_eq!(found(method, status, ""), [] as [String; 0], "{method} {status}");
        }
    }
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert_eq!(found(method, 200, "Location: /x"), [] as [String; 0], "{method}");
    }
}

#[test]
fn rfc_9111_4_4_and_the_uris_of_the_same_origin_that_it_names() {
    for (location, expected) in [
        ("/c", Some("http://repo.example/c")),
        ("c", Some("http://repo.example/images/a/c")),
        ("../c?y#z", Some("http://repo.example/images/c?y")),
        ("./", Some("http://repo.example/images/a/")),
        ("../../../../c", Some("http://repo.example/c")),
        ("?y", Some("http://repo.example/images/a/b.img?y")),
        ("//repo.example:80/c", Some("http://repo.example:80/c")),
        ("HTTP://REPO.example/c", Some("http://repo.example/c")),
        ("https://repo.example/c", None),
        ("http://repo.example:81/c", None),
        ("http://other.example/c", None),
        ("mailto:a@repo.example", None),
        ("", None),
        ("\u{e9}", None),
    ] {
        for name in ["Location", "Content-Location"] {
            let named = &found("POST", 201, &format!("{name}: {location}"))[1..];
            let expected: Vec<String> = expected.into_iter().map(str::to_lowercase).collect();
            let named: Vec<String> = named.iter().map(|uri| uri.to_lowercase()).collect();
            assert_eq!(named, expected, "{name}: {location}");
        }
    }
}
