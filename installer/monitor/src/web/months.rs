//! Columns of months: a drawing made here, beside the table of the same figures.

use super::chart::Chart;
use std::fmt::Write;

/// Size of the drawing, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// A chart of a figure for each month, oldest first. `unit` says the highest.
pub(super) fn months(
    title: &str,
    months: &[String],
    figures: &[u64],
    unit: fn(u64) -> String,
) -> Chart {
    let top = figures.iter().copied().max().unwrap_or(0);
    Chart {
        title: title.to_owned(),
        svg: drawing(figures, top),
        names: Vec::new(),
        rows: Vec::new(),
        begins: months.first().cloned().unwrap_or_default(),
        ends: months.last().filter(|_| months.len() > 1).cloned().unwrap_or_default(),
        top: unit(top),
    }
}

fn drawing(figures: &[u64], top: u64) -> String {
    let each = WIDTH / figures.len().max(1) as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\">"
    );
    for part in 1..4 {
        let y = HEIGHT / 4.0 * f64::from(part);
        let _infallible = write!(svg, "<path class=\"grid\" d=\"M0 {y}H{WIDTH}\"/>");
    }
    for (place, figure) in figures.iter().enumerate().filter(|(_, figure)| **figure > 0) {
        // What is little beside the rest is seen all the same.
        let height = (*figure as f64 / top as f64 * (HEIGHT - 1.0)).max(1.0);
        let x = place as f64 * each + each * 0.15;
        let _infallible = write!(
            svg,
            "<rect class=\"column\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            HEIGHT - height,
            each * 0.7
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_month_with_use_has_its_column() {
        let names = ["2026-09", "2026-10", "2026-11"].map(str::to_owned);
        let chart = months("x", &names, &[0, 1, 1_000_000], |n| n.to_string());
        assert_eq!(chart.svg.matches("<rect").count(), 2);
        assert!(chart.svg.contains("y=\"119.0\"") && chart.svg.contains("y=\"1.0\""));
        assert_eq!((&*chart.begins, &*chart.ends, &*chart.top), ("2026-09", "2026-11", "1000000"));
        let nothing = months("x", &[], &[], |n| n.to_string());
        assert!(!nothing.svg.contains("NaN") && !nothing.svg.contains("<rect"));
    }
}
