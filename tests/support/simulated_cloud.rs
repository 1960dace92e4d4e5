//! A simulated cloud for the monitor to look at, until its standard input ends: the demo's.
//!
//! It answers oned's reading calls. Nothing of what it tells exists.

use std::io::Read;
use stratus_tests::Cloud;

fn main() {
    let cloud = Cloud::demo();
    println!("listening on {}", cloud.url());
    // Whoever started it holds the other end.
    let _ended = std::io::stdin().read(&mut [0]);
}
