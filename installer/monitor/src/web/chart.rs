//! Charts: drawings made here, with the figures as a table behind each.

use crate::history::{Point, Series, Span};
use crate::web::App;
use serde::Serialize;
use std::fmt::Write;

/// Size of the drawing, in its own units.
const WIDTH: f32 = 600.0;
const HEIGHT: f32 = 120.0;
/// Most points of a line; more are averaged.
const POINTS: usize = 200;
/// Lines of the table.
const ROWS: usize = 24;

/// A chart as shown.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// The drawing; made of numbers only.
    pub(crate) svg: String,
    /// What the lines are.
    pub(crate) names: Vec<&'static str>,
    /// The figures, newest first: when, and each line.
    pub(crate) rows: Vec<(String, Vec<String>)>,
    /// From when on.
    pub(crate) begins: String,
    pub(crate) ends: String,
    /// The top of the drawing.
    pub(crate) top: String,
}

/// One line of a chart: which figure, and its name.
pub(crate) type Line = (usize, &'static str);

/// What a chart shows.
pub(crate) struct Wanted {
    pub(crate) title: &'static str,
    pub(crate) lines: &'static [Line],
    /// The top of the drawing at least.
    pub(crate) least: f32,
    pub(crate) unit: fn(f32) -> String,
}

/// The word of an address as a span of time.
pub(crate) fn span(word: &str) -> Span {
    match word {
        "month" => Span::Month,
        "year" => Span::Year,
        _ => Span::Day,
    }
}

/// The charts of a series. Where history cannot be read there are none.
pub(crate) fn charts(app: &App, series: Series, span: Span, wanted: &[Wanted]) -> Vec<Chart> {
    let now = app.hub.state().at;
    let points = app.hub.history.as_ref().ok().and_then(|h| h.read(series, span, now).ok());
    let points = thinned(&points.unwrap_or_default());
    if points.len() < 2 {
        return Vec::new();
    }
    wanted.iter().map(|wanted| chart(&points, wanted)).collect()
}

/// At most so many points, each the mean of its neighbours.
fn thinned(points: &[Point]) -> Vec<Point> {
    let each = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[Point]| {
        let figure = |n: usize| {
            let seen: Vec<f32> = part.iter().map(|p| p.1[n]).filter(|f| f.is_finite()).collect();
            if seen.is_empty() { f32::NAN } else { seen.iter().sum::<f32>() / seen.len() as f32 }
        };
        (part[0].0, std::array::from_fn(figure))
    };
    points.chunks(each).map(mean).collect()
}

fn chart(points: &[Point], wanted: &Wanted) -> Chart {
    let figures = points.iter().flat_map(|p| wanted.lines.iter().map(|(n, _)| p.1[*n]));
    let top = figures.filter(|f| f.is_finite()).fold(wanted.least, f32::max).max(1e-6);
    let rows = points.iter().rev().step_by(points.len().div_ceil(ROWS).max(1)).map(|p| {
        let figure = |(n, _): &Line| {
            let figure = p.1[*n];
            if figure.is_finite() { (wanted.unit)(figure) } else { "–".to_owned() }
        };
        (crate::figures::moment(p.0), wanted.lines.iter().map(figure).collect())
    });
    Chart {
        title: wanted.title.to_owned(),
        svg: drawing(points, wanted, top),
        names: wanted.lines.iter().map(|(_, name)| *name).collect(),
        rows: rows.collect(),
        begins: crate::figures::moment(points.first().map_or(0, |p| p.0)),
        ends: crate::figures::moment(points.last().map_or(0, |p| p.0)),
        top: (wanted.unit)(top),
    }
}

fn drawing(points: &[Point], wanted: &Wanted, top: f32) -> String {
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let long = (last - first).max(1) as f32;
    // Where so much time passed without a figure the line breaks.
    let gap = (last - first) / i64::try_from(points.len()).unwrap_or(1).max(1) * 4 + 600;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\">"
    );
    for part in 1..4 {
        let y = HEIGHT / 4.0 * part as f32;
        let _infallible = write!(svg, "<path class=\"grid\" d=\"M0 {y}H{WIDTH}\"/>");
    }
    for (place, (figure, _)) in wanted.lines.iter().enumerate() {
        let mut path = String::new();
        let mut before = None;
        for (at, figures) in points {
            let value = figures[*figure];
            if !value.is_finite() {
                before = None;
                continue;
            }
            let x = (at - first) as f32 / long * WIDTH;
            let y = HEIGHT - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0) - 1.0;
            let joined = before.is_some_and(|b: i64| at - b <= gap);
            let _infallible = write!(path, "{}{x:.1} {y:.1}", if joined { 'L' } else { 'M' });
            if !joined {
                // A point by itself is seen too.
                path.push_str("h1");
            }
            before = Some(*at);
        }
        let _infallible = write!(svg, "<path class=\"line l{place}\" d=\"{path}\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// Percent, for tables.
pub(crate) fn percent(figure: f32) -> String {
    format!("{figure:.0} %")
}

/// A plain count.
pub(crate) fn count(figure: f32) -> String {
    format!("{figure:.0}")
}

/// Bytes a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
pub(crate) fn rate(figure: f32) -> String {
    format!("{}/s", crate::figures::bytes(figure.clamp(0.0, 1e15) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_nothing_was_seen() {
        let points: Vec<Point> =
            [0, 60, 120, 90_000, 90_060].map(|at| (at, [50.0, f32::NAN, 0.0, 0.0])).to_vec();
        let wanted =
            Wanted { title: "x", lines: &[(0, "a"), (1, "b")], least: 100.0, unit: percent };
        let chart = chart(&points, &wanted);
        assert_eq!(chart.svg.matches('M').count(), 3 + 2, "{}", chart.svg);
        assert_eq!(chart.rows.len(), 5);
        assert_eq!(chart.rows[0].1, ["50 %", "–"]);
        assert_eq!(chart.top, "100 %");
    }

    #[test]
    fn many_points_are_few_means() {
        let points: Vec<Point> = (0..9000).map(|n| (n, [n as f32; 4])).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS && thin.len() > POINTS / 2);
        assert!((thin[0].1[0] - 22.0).abs() < 1.0);
    }
}
