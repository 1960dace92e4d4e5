//! `stratus-cache` beside nginx's `proxy_cache`, before the same origin.
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p stratus-tests --bench cache -- [crowd|fill|middle|hot|small|many]... [--mib N] [--rounds N]
//! ```
//!
//! Everything runs on this machine over loopback: the clients take their share of the processors, so
//! the figures to look at are the ratios and the processor seconds of the servers. Clients throw
//! away what they read without copying it.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod crowd;
mod fill;
mod hot;
mod many;
mod middle;
mod reader;
mod servers;
mod small;

/// What is measured, how large, how often.
pub(crate) struct Plan {
    names: Vec<String>,
    pub(crate) mib: u64,
    pub(crate) rounds: usize,
}

impl Plan {
    fn from_arguments() -> Self {
        let mut plan = Self { names: Vec::new(), mib: 1024, rounds: 3 };
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

type Bench = (&'static str, fn(&Plan));

fn main() {
    let plan = Plan::from_arguments();
    let benches: [Bench; 6] = [
        ("crowd", crowd::bench),
        ("fill", fill::bench),
        ("middle", middle::bench),
        ("hot", hot::bench),
        ("small", small::bench),
        ("many", many::bench),
    ];
    for (name, bench) in benches {
        if plan.has(name) {
            println!("\n## {name}\n");
            bench(&plan);
        }
    }
}

/// The middle one of some figures, the least and the greatest.
pub(crate) fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let (middle, last) = (figures.len() / 2, figures.len() - 1);
    format!("{:.3} ({:.3} to {:.3})", figures[middle], figures[0], figures[last])
}
