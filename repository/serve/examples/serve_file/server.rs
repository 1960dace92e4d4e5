//! The server that is measured.

use std::{
    error::Error,
    fs::File,
    io::{Read, Write},
    ops::Range,
    path::Path,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Response, StatusCode, header},
    routing::get,
};
use bytes::Bytes;
use stratus_serve::{Bound, Limits, Listen, TlsFiles, file_body::FileBody, serve};

pub(crate) const SMALL_BYTES: usize = 2048;

struct Served {
    file: Arc<File>,
    length: u64,
    small: Bytes,
}

/// Serves `path`, with the certificate `server.crt` and `server.key` beside it.
pub(crate) fn run(path: &Path, workers: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(workers).enable_all();
    runtime.build()?.block_on(listen(path))
}

async fn listen(path: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let tls = TlsFiles::load(&directory.join("server.crt"), &directory.join("server.key"), None)?;
    let address = "127.0.0.1:0".parse()?;
    let plain = Bound::bind(&Listen { address, tls: None })?;
    let encrypted = Bound::bind(&Listen { address, tls: Some(tls) })?;
    println!("{} {}", plain.local_addr(), encrypted.local_addr());
    std::io::stdout().flush()?;

    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let small = Bytes::from(vec![b'x'; SMALL_BYTES]);
    let served = Arc::new(Served { file: Arc::new(file), length, small });
    let router = Router::new()
        .route("/file", get(whole_or_range))
        .route(
            "/small",
            get(|State(served): State<Arc<Served>>| async move {
                ([(header::CONTENT_TYPE, "application/xml")], served.small.clone())
            }),
        )
        .with_state(served);
    let end_of_input = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    serve(vec![plain, encrypted], router, Limits::default(), async {
        let _ = end_of_input.await;
    })
    .await?;
    Ok(())
}

async fn whole_or_range(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response<Body> {
    let all = 0..served.length;
    let range = headers.get(header::RANGE).and_then(|value| range(value.to_str().ok()?, all.end));
    let mut response = Response::builder().header(header::CONTENT_TYPE, "application/gzip");
    if let Some(range) = &range {
        let content = format!("bytes {}-{}/{}", range.start, range.end - 1, all.end);
        response =
            response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content);
    }
    let body = FileBody::new(Arc::clone(&served.file), range.unwrap_or(all));
    response.body(body.into()).expect("the headers are valid")
}

fn range(value: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = first.parse().ok()?;
    let end = last.parse().map_or(length, |last: u64| last.saturating_add(1).min(length));
    (start < end).then_some(start..end)
}
