//! The few files the pages need, inside the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const ASSETS: [(&str, &str, &str); 3] = [
    ("stratus.css", "text/css; charset=utf-8", include_str!("../assets/stratus.css")),
    ("stratus.svg", "image/svg+xml", include_str!("../assets/stratus.svg")),
    ("upload.js", "text/javascript; charset=utf-8", include_str!("../assets/upload.js")),
];

/// `/assets/{name}`.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(asset, ..)| *asset == name) {
        Some((_, media_type, body)) => {
            let headers = [
                (header::CONTENT_TYPE, *media_type),
                (header::CACHE_CONTROL, "public, max-age=3600"),
            ];
            (headers, *body).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
