//! How something grows with something else, both by powers of ten: what grows in proportion is a straight line that rises
//! by one square in one square.

use crate::svg::Svg;

/// What the axes say.
#[derive(Clone, Copy)]
pub(crate) struct Axes<'a> {
    pub(crate) across: &'a str,
    pub(crate) up: &'a str,
}

/// A line with its name.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const LEFT: f64 = 80.0;
const TOP: f64 = 56.0;
const SQUARE: f64 = 110.0;
const COLOURS: usize = 4;

/// The powers of ten that values lie between.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    // What could not be measured is next to nothing.
    let logs = values.map(|value| value.max(1e-3).log10());
    let least = logs.clone().fold(f64::INFINITY, f64::min).floor();
    let most = logs.fold(f64::NEG_INFINITY, f64::max).ceil();
    (least, most.max(least + 1.0))
}

pub(crate) fn draw(question: &str, axes: Axes<'_>, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (left, right) = decades(points().map(|point| point.0));
    let (bottom, top) = decades(points().map(|point| point.1));
    let (width, height) = ((right - left) * SQUARE, (top - bottom) * SQUARE);
    let x = |value: f64| LEFT + (value.max(1e-3).log10() - left) * SQUARE;
    let y = |value: f64| TOP + height - (value.max(1e-3).log10() - bottom) * SQUARE;
    let mut svg = Svg::new((LEFT + width + 190.0).max(640.0), TOP + height + 60.0, question);
    for power in between(left, right) {
        let at = x(10_f64.powf(power));
        svg.line(&[(at, TOP), (at, TOP + height)], "grid");
        svg.text((at, TOP + height + 18.0), "middle", "small", &shown(power));
    }
    for power in between(bottom, top) {
        let at = y(10_f64.powf(power));
        svg.line(&[(LEFT, at), (LEFT + width, at)], "grid");
        svg.text((LEFT - 8.0, at + 4.0), "end", "small", &format!("{} {}", shown(power), axes.up));
    }
    svg.line(&[(LEFT, TOP), (LEFT, TOP + height), (LEFT + width, TOP + height)], "axis");
    svg.text((LEFT + width / 2.0, TOP + height + 42.0), "middle", "", axes.across);
    for (at, curve) in curves.iter().enumerate() {
        let places: Vec<_> = curve.points.iter().map(|point| (x(point.0), y(point.1))).collect();
        let class = format!("c{}", at % COLOURS);
        svg.line(&places, &class);
        for (across, up) in &places {
            svg.rect((across - 3.0, up - 3.0), 6.0, 6.0, &class);
        }
        let row = TOP + 14.0 + u32::try_from(at).map_or(0.0, f64::from) * 20.0;
        svg.line(&[(LEFT + width + 16.0, row - 4.0), (LEFT + width + 40.0, row - 4.0)], &class);
        svg.text((LEFT + width + 46.0, row), "start", "", &curve.name);
    }
    svg.finish()
}

/// All whole numbers from one to the other.
fn between(least: f64, most: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(least), |power| Some(power + 1.0)).take_while(move |power| *power <= most)
}

fn shown(power: f64) -> String {
    format!("{:.3}", 10_f64.powf(power)).trim_end_matches('0').trim_end_matches('.').to_owned()
}
