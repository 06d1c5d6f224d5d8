//! Bars beside each other: who takes how much of something.

use crate::svg::Svg;

/// One of those that are compared.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) ours: bool,
}

/// Bars of the same thing.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

const WIDTH: f64 = 860.0;
const TOP: f64 = 52.0;
const BAR: f64 = 20.0;
const NAMES: f64 = 190.0;
const LONGEST: f64 = 560.0;

/// Each panel to a scale of its own, from zero: between panels nothing is to be compared but the figures.
pub(crate) fn draw(question: &str, unit: &str, panels: &[Panel]) -> String {
    let lines: usize = panels.iter().map(|panel| panel.bars.len() + 2).sum();
    let height = TOP + u32::try_from(lines).map_or(0.0, f64::from) * BAR;
    let mut svg = Svg::new(WIDTH, height, question);
    let mut y = TOP;
    for panel in panels {
        svg.text((16.0, y + BAR * 0.8), "start", "panel", &panel.title);
        y += BAR * 1.2;
        let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &panel.bars {
            let long = LONGEST * bar.value / most;
            svg.text((NAMES - 8.0, y + BAR * 0.7), "end", "", &bar.name);
            svg.rect((NAMES, y + 2.0), long.max(1.0), BAR - 4.0, if bar.ours { "ours" } else { "others" });
            svg.text((NAMES + long + 6.0, y + BAR * 0.7), "start", "", &figure(bar.value, unit));
            y += BAR;
        }
        y += BAR * 0.8;
    }
    svg.finish()
}

/// Two digits that count, and no more than three behind the point.
fn figure(value: f64, unit: &str) -> String {
    let digits = if value >= 10.0 {
        0
    } else if value >= 1.0 {
        1
    } else if value >= 0.1 {
        2
    } else {
        3
    };
    format!("{value:.digits$} {unit}")
}
