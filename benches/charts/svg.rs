//! As much of SVG as two kinds of picture need.

use std::fmt::Write;

/// Readable on white and on black, where a page shows pictures without a ground of their own.
const STYLE: &str = "\
    text{font:13px sans-serif;fill:#222}.title{font-size:17px;font-weight:bold}.panel{font-weight:bold}.small{font-size:11px;fill:#555}\
    .ours{fill:#00857c}.others{fill:#9aa5b1}.grid{stroke:#dde1e6}.axis{stroke:#555}.grid,.axis{fill:none}\
    .c0,.c1,.c2,.c3{fill:none;stroke-width:2}.c0{stroke:#00857c}.c1{stroke:#c4511d}.c2{stroke:#4b5bb0}.c3{stroke:#7a3e8f}";

/// A picture as it grows.
pub(crate) struct Svg(String);

impl Svg {
    /// An empty one with a title.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
        ));
        svg.text((16.0, 28.0), "start", "title", title);
        svg
    }

    /// Words at a place: `start`, `middle` or `end` of them.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: &str, class: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.put(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"));
    }

    pub(crate) fn rect(&mut self, (x, y): (f64, f64), width: f64, height: f64, class: &str) {
        self.put(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\"/>"
        ));
    }

    /// A line through points.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.put(&format!("<polyline points=\"{}\" class=\"{class}\"/>", points.join(" ")));
    }

    fn put(&mut self, element: &str) {
        writeln!(self.0, "{element}").expect("memory");
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}
