//! The few files the pages need, inside the program.

use super::fault::Fault;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const ASSETS: [(&str, &str, &str); 3] = [
    ("monitor.css", "text/css; charset=utf-8", include_str!("../../assets/monitor.css")),
    ("monitor.svg", "image/svg+xml", include_str!("../../assets/monitor.svg")),
    ("monitor.js", "text/javascript; charset=utf-8", include_str!("../../assets/monitor.js")),
];

/// `/assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(asset, ..)| *asset == name) {
        Some((_, media_type, body)) => {
            let headers = [
                (header::CONTENT_TYPE, *media_type),
                (header::CACHE_CONTROL, "public, max-age=3600"),
            ];
            (headers, *body).into_response()
        }
        None => Fault::missing("There is no such file.").into_response(),
    }
}
