//! Searching many appliances, and making their index again from the tree.
//!
//! `cargo bench -p stratus-store --bench search -- 100000` prints one line for each figure.
#![expect(clippy::unwrap_used, reason = "a benchmark ends when something fails")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use jiff::Timestamp;
use std::path::Path;
use std::time::{Duration, Instant};
use stratus_model::{Algorithm, FileKind};
use stratus_repository_api::search::SearchQuery;
use stratus_store::Store;
use support::{Ground, Sample};

const SYSTEMS: [&str; 6] = ["ubuntu", "debian", "almalinux", "rocky", "opensuse", "fedora"];
const WORDS: [&str; 12] = [
    "base",
    "grid",
    "worker",
    "front-end",
    "database",
    "storage",
    "cluster",
    "desktop",
    "minimal",
    "science",
    "graphics",
    "teaching",
];

/// Writes `count` appliances into the tree, all with one small image.
fn plant(images: &Path, count: usize) {
    let mut model = Sample::new("model", 1, 1000);
    // Further digests would be compared behind the scenes, which for real images is seldom and long, and
    // for these tiny ones writes to the index all the time.
    model.paper.digests.retain(|digest| digest.algorithm() == Algorithm::Sha256);
    if let Some(compressed) = &mut model.paper.compressed {
        compressed.digests.retain(|digest| digest.algorithm() == Algorithm::Sha256);
    }
    for n in 0..count {
        let mut paper = model.paper.clone();
        SYSTEMS[n % SYSTEMS.len()].clone_into(&mut paper.os);
        let (first, second) = (WORDS[n % WORDS.len()], WORDS[n / 7 % WORDS.len()]);
        paper.title = format!("{} {first} {second} number {n}", paper.os);
        paper.endorser = format!("endorser{}", n % 200);
        if n % 10 == 0 {
            paper.valid = Some("2020-01-01T00:00:00Z".parse().unwrap());
        }
        let path =
            support::path(&format!("base/{}-{n}/1.{}/{}-{n}-1.0", paper.os, n % 5, paper.os));
        let file = |kind| images.join(path.file(kind).as_str());
        std::fs::create_dir_all(file(FileKind::Image).parent().unwrap()).unwrap();
        std::fs::write(file(FileKind::Image), &model.image).unwrap();
        std::fs::write(file(FileKind::Manifest), serde_json::to_vec(&paper).unwrap()).unwrap();
    }
}

/// What people ask for: nothing, words, filters, in every order.
fn questions() -> Vec<SearchQuery> {
    let mut texts = vec![String::new()];
    let orders = ["", "sort=name", "sort=-size", "sort=published"];
    for (n, word) in WORDS.iter().enumerate() {
        let system = SYSTEMS[n % SYSTEMS.len()];
        texts.extend([
            format!("q={word}"),
            format!("q={system}"),
            format!("q={system}+{word}"),
            format!("q=number+{}", n * 997),
            format!("os={system}"),
            format!("os={system}&arch=x86_64&type=base&q={word}"),
            format!("endorser=endorser{n}"),
            "status=all".to_owned(),
            "status=expired".to_owned(),
            format!("q=nothing{n}"),
        ]);
    }
    texts
        .iter()
        .flat_map(|text| {
            orders.map(|order| SearchQuery::parse(&format!("{text}&{order}")).unwrap())
        })
        .collect()
}

/// Resident memory of this process, as proc(5) tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap()[6..].trim().to_owned()
}

fn measure(store: &Store, rounds: usize) {
    let mut times: Vec<(Duration, String)> = Vec::new();
    for _ in 0..rounds {
        for mut query in questions() {
            for _page in 0..2 {
                let started = Instant::now();
                let page = store.search(&query, Timestamp::now());
                times.push((started.elapsed(), query.to_query()));
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
    }
    times.sort();
    let at = |percent: usize| &times[(times.len() - 1) * percent / 100];
    println!("searches              {}", times.len());
    for (name, percent) in [("p50", 50), ("p90", 90), ("p99", 99), ("slowest", 100)] {
        let (time, query) = at(percent);
        println!("search {name:<15}{:.2} ms  {query}", time.as_secs_f64() * 1e3);
    }
}

#[tokio::main]
async fn main() {
    let count = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(10_000);
    let ground = Ground::tree();
    let store = ground.open().await;
    plant(&ground.settings.data.join("images"), count);
    let started = Instant::now();
    assert_eq!(store.rebuild().await.unwrap().changed, count);
    println!("appliances            {count}");
    println!("index from the tree   {:.1} s", started.elapsed().as_secs_f64());
    println!("memory                {}", resident());
    let started = Instant::now();
    store.refresh().await.unwrap();
    println!("nothing has changed   {:.2} s", started.elapsed().as_secs_f64());
    measure(&store, 3);
    drop(store);
    let started = Instant::now();
    let store = ground.open().await;
    println!("start with an index   {:.2} s", started.elapsed().as_secs_f64());
    let record = store.all().swap_remove(count / 2);
    let started = Instant::now();
    let mut found = 0;
    for _ in 0..100_000 {
        found += usize::from(store.lookup(std::hint::black_box(&record.path)).is_some());
    }
    println!("lookup                {} ns", started.elapsed().as_nanos() / found as u128);
}
