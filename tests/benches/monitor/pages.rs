//! Pages at a steady rate.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Requests a second.
pub(crate) const RATE: usize = 50;

/// Asks for a page and prints how long the slow answers took, and how long the page is.
pub(crate) fn ask(monitor: &str, bearer: &str, path: &str, seconds: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("{monitor}{path}");
    let (mut times, bytes) = runtime.block_on(series(&url, bearer, seconds * RATE));
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
    println!(
        "  {path}: {:.1} ms, p99 {:.1} ms, slowest {:.1} ms, {} KiB",
        at(500),
        at(990),
        times[times.len() - 1],
        bytes >> 10
    );
}

/// The milliseconds of each answer from when it was due, and the bytes of the last.
async fn series(url: &str, bearer: &str, requests: usize) -> (Vec<f64>, usize) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let begun = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..requests {
        let due = begun + Duration::from_secs_f64(number as f64 / RATE as f64);
        let request = client.get(url).header("authorization", bearer).header("accept", "text/html");
        asked.spawn(async move {
            sleep_until(due).await;
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            let bytes = answer.bytes().await.unwrap().len();
            (due.elapsed().as_secs_f64() * 1e3, bytes)
        });
    }
    let answers = asked.join_all().await;
    let bytes = answers.last().map_or(0, |(_, bytes)| *bytes);
    (answers.into_iter().map(|(time, _)| time).collect(), bytes)
}
