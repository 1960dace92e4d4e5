//! The first screen as text for a terminal.

use super::{Count, Overview};

impl Overview {
    /// The screen as text.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.sentence);
        if !self.banner.is_empty() {
            out += &format!("\n! {}\n", self.banner);
        }
        for concern in &self.concerns {
            let mark = if concern.severity == "bad" { "BAD " } else { "WARN" };
            out += &format!(
                "\n{mark} {}\n     {}\n     for {}\n",
                plain(&concern.what),
                plain(&concern.cure),
                concern.lasts
            );
        }
        let counts = |counts: &[Count]| {
            let shown = counts.iter().filter(|c| c.count > 0);
            let words: Vec<String> = shown.map(|c| format!("{} {}", c.word, c.count)).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        };
        out +=
            &format!("\nMachines  {}\nHosts     {}\n", counts(&self.states), counts(&self.hosts));
        for room in &self.capacity {
            let [s, m, l] = room.fits;
            out += &format!(
                "\nCluster {}: {} given, {} given; room for {s} S, {m} M or {l} L\n",
                plain(&room.cluster),
                room.cpu,
                room.memory
            );
        }
        for service in &self.services {
            out += &format!("{}: {}\n", service.name, plain(&service.about));
        }
        for end in &self.certificates {
            out += &format!("Certificate {} ends in {} days\n", plain(&end.place), end.days);
        }
        if !self.events.is_empty() {
            out += "\nLast\n";
        }
        for event in &self.events {
            out += &format!("  {}  {}\n", event.moment, plain(&event.what));
        }
        out
    }
}

/// Text of others on a terminal: without what steers it or turns its direction.
fn plain(text: &str) -> String {
    let steers = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|c| !steers(c)).collect()
}
