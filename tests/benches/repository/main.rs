//! `stratus-repository` beside nginx and beside the single stages of its own work.
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p stratus-tests --bench repository -- [download|manifest|upload|memory]... [--mib N] [--rounds N]
//! ```
//!
//! Everything runs on this machine over loopback: the clients take their share of the processors, so
//! the figures to look at are the ratios and the processor seconds of the servers.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod client;
mod download;
mod memory;
mod servers;
mod upload;

/// What is measured, how large, how often.
struct Plan {
    names: Vec<String>,
    mib: usize,
    rounds: usize,
}

impl Plan {
    fn from_arguments() -> Self {
        let mut plan = Self { names: Vec::new(), mib: 1024, rounds: 5 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--mib" => plan.mib = words.next().unwrap().parse().unwrap(),
                "--rounds" => plan.rounds = words.next().unwrap().parse().unwrap(),
                // Given by cargo.
                "--bench" => {}
                name => plan.names.push(name.to_owned()),
            }
        }
        plan
    }

    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|n| n == name)
    }
}

fn main() {
    let plan = Plan::from_arguments();
    if plan.has("download") || plan.has("manifest") {
        download::bench(&plan);
    }
    if plan.has("upload") {
        upload::bench(plan.mib, plan.rounds);
    }
    if plan.has("memory") {
        memory::bench(plan.mib);
    }
}

/// The middle one of some figures, the least and the greatest.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
