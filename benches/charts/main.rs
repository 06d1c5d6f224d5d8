//! Draws what the other measurements wrote into `target/bench/`: a picture for each question, as SVG, in the same folder.
//!
//! It measures nothing. What was not measured is not drawn, and that is told.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

mod bars;
mod curves;
mod svg;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use self::bars::{Bar, Panel};
use self::curves::{Axes, Curve};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut drawn = Vec::new();
    let all =
        [("bake", bake as fn(&Value) -> Pictures), ("host", host), ("layer", layer), ("plan", plan), ("push", push)];
    for (name, draw) in all {
        let Ok(text) = std::fs::read_to_string(folder.join(name).with_extension("json")) else {
            println!("not drawn: {name} was not measured");
            continue;
        };
        drawn.extend(draw(&serde_json::from_str(&text).expect("what a measurement wrote")));
    }
    for (name, picture) in drawn {
        let path = folder.join(name).with_extension("svg");
        std::fs::write(&path, picture).expect("a file");
        println!("{}", path.display());
    }
}

/// Pictures by the names of their files.
type Pictures = Vec<(String, String)>;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

fn mean(numbers: Vec<f64>) -> f64 {
    let count = u32::try_from(numbers.len()).map_or(1.0, f64::from);
    numbers.into_iter().sum::<f64>() / count.max(1.0)
}

fn greatest(numbers: Vec<f64>) -> f64 {
    numbers.into_iter().fold(0.0, f64::max)
}

fn is_ours(name: &str) -> bool {
    name.starts_with("elkbake")
}

/// What is asked of whole builds: file, question, unit, the figure of a run, and what stands for several runs.
type Asked = (&'static str, &'static str, &'static str, &'static str, fn(Vec<f64>) -> f64);

const OF_BUILDS: [Asked; 3] = [
    ("builds-time", "How long does it take until the image is there?", "s", "seconds", median),
    ("builds-processor", "How much processor time is that, with all daemons?", "s", "processor", mean),
    ("builds-memory", "How much memory is that at the most, with all daemons?", "MB", "peak_mb", greatest),
];

fn bake(document: &Value) -> Pictures {
    let mut pictures = Vec::new();
    let rows = list(&document["builds"]["rows"]);
    for (file, question, unit, figure, of) in OF_BUILDS.into_iter().filter(|_| !rows.is_empty()) {
        let mut panels: Vec<Panel> = Vec::new();
        for row in rows {
            let (since, by) = (text(&row["since"]), text(&row["by"]));
            let value = of(list(&row["runs"]).iter().map(|run| number(&run[figure])).collect());
            let bar = Bar { ours: is_ours(&by), name: by, value };
            match panels.last_mut() {
                Some(panel) if panel.title == since => panel.bars.push(bar),
                _ => panels.push(Panel { title: since, bars: vec![bar] }),
            }
        }
        pictures.push((file.to_owned(), bars::draw(question, unit, &panels)));
    }
    let grown = list(&document["growth"]);
    for (unit, file, what) in [
        ("MiB", "growth-bytes", "MiB that are new"),
        ("files", "growth-files", "files that are new"),
        ("files below", "growth-below", "files in the layer below one that is new"),
        ("platforms", "growth-platforms", "platforms with 8 MiB each"),
        ("targets", "growth-targets", "targets that 8 MiB go to"),
    ] {
        let rows: Vec<_> = grown.iter().filter(|row| row["unit"] == unit).collect();
        pictures.extend(growth(file, what, "units", &rows, |row| format!("out of: {}", text(&row["from"]))));
    }
    pictures
}

fn plan(document: &Value) -> Pictures {
    let rows: Vec<_> = list(&document["rows"]).iter().collect();
    growth("growth-recipes", "recipes that are planned", "recipes", &rows, |_| "elkbake plan".to_owned())
}

/// Time and memory against how much there is.
fn growth(file: &str, what: &str, of: &str, rows: &[&Value], name: impl Fn(&Value) -> String) -> Pictures {
    if rows.is_empty() {
        return Vec::new();
    }
    let figures = [("time", "seconds", "s"), ("memory", "peak_mb", "MB")];
    let draw = |(suffix, figure, unit): (&str, &str, &str)| {
        let mut curves: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for row in rows {
            curves.entry(name(row)).or_default().push((number(&row[of]), number(&row[figure])));
        }
        let curves: Vec<_> = curves.into_iter().map(|(name, points)| Curve { name, points }).collect();
        let question = format!("How does {suffix} grow with {what}?");
        (format!("{file}-{suffix}"), curves::draw(&question, Axes { across: what, up: unit }, &curves))
    };
    figures.into_iter().map(draw).collect()
}

fn host(document: &Value) -> Pictures {
    let pictures = [
        ("host-time", "How long does a host's image take where nothing has to be waited for?", "s"),
        ("host-calls", "How many calls does a host's image take?", "calls"),
    ];
    let draw = |(file, question, unit): (&str, &str, &str)| {
        let mut panels: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
        for row in list(&document["rows"]) {
            let name = text(&row["by"]);
            let value = if unit == "s" {
                median(list(&row["runs"]).iter().map(|run| number(&run["seconds"])).collect())
            } else {
                number(&row["calls"])
            };
            panels.entry(text(&row["what"])).or_default().push(Bar { ours: is_ours(&name), name, value });
        }
        let panels: Vec<_> = panels.into_iter().map(|(title, bars)| Panel { title, bars }).collect();
        (file.to_owned(), bars::draw(question, unit, &panels))
    };
    pictures.into_iter().map(draw).collect()
}

fn layer(document: &Value) -> Pictures {
    let mut panels: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    for row in list(&document["rows"]) {
        let name = text(&row["by"]);
        let bar = Bar { ours: is_ours(&name), name, value: number(&row["seconds"]) };
        panels.entry(text(&row["layer"])).or_default().push(bar);
    }
    let panels: Vec<_> = panels.into_iter().map(|(title, bars)| Panel { title, bars }).collect();
    vec![("layer".to_owned(), bars::draw("How long does it take to pack a layer?", "s", &panels))]
}

fn push(document: &Value) -> Pictures {
    let by = |at: usize| median(list(&document["seconds"]).iter().map(|run| number(&run[at])).collect());
    let bars = ["elkbake", "curl -T", "skopeo"].into_iter().enumerate();
    let bars = bars.map(|(at, name)| Bar { name: name.to_owned(), value: by(at), ours: is_ours(name) }).collect();
    let panel = Panel { title: "1 GiB to a registry on loopback".to_owned(), bars };
    vec![("push".to_owned(), bars::draw("How long does it take to send a layer?", "s", &[panel]))]
}
