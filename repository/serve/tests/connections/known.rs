//! Answers that are known before the router is asked.

use axum::{Router, body::Body, routing::any};
use http::{HeaderMap, Method, Response, Version};
use stratus_serve::{Answers, AtOnce, Limits};

use crate::support::{Pki, Running, soon};

/// Whatever has the field `X-Known` is known.
fn answers() -> Answers {
    let routed = async |headers: HeaderMap, body: String| {
        let told = headers.get("x-told").and_then(|told| told.to_str().ok());
        format!("routed {} {body}", told.unwrap_or_default())
    };
    Answers::at_once(Router::new().route("/", any(routed)), |parts| {
        if parts.headers.contains_key("x-known") {
            AtOnce::Answer(Response::new(Body::from("known")))
        } else {
            AtOnce::Later(Box::new(parts))
        }
    })
}

#[tokio::test]
async fn what_is_not_known_goes_to_the_router_whole_and_a_head_gets_no_content() {
    let pki = Pki::new();
    let server = Running::start(answers(), Limits::default(), pki.files());
    let client = pki.client().build().expect("a client");
    for url in [server.plain_url("/"), server.tls_url("/")] {
        let ask = async |method: Method, field: &str, content: &'static str| {
            let mut request = client.request(method, &url).header(field, "a");
            if !content.is_empty() {
                request = request.body(content);
            }
            let response = soon("a response", request.send()).await.expect("a response");
            let is_http2 = response.version() == Version::HTTP_2;
            assert_eq!(is_http2, url.starts_with("https"));
            let length = response.headers().get("content-length").cloned();
            let text = soon("its content", response.text()).await.expect("its content");
            (length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok()), text)
        };
        let told = |text: &str| text.to_owned();
        assert_eq!(ask(Method::GET, "x-known", "").await, (Some(5), told("known")));
        assert_eq!(ask(Method::HEAD, "x-known", "").await, (Some(5), told("")));
        assert_eq!(ask(Method::GET, "x-told", "").await, (Some(9), told("routed a ")));
        assert_eq!(ask(Method::HEAD, "x-told", "").await, (Some(9), told("")));
        // With content it is for the router, whatever is known.
        assert_eq!(ask(Method::POST, "x-known", "more").await, (Some(12), told("routed  more")));
    }
    server.stop().await;
}
