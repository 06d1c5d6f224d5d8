//! What was measured of one program, and what is printed and kept of it.

use std::process::Command;

use serde_json::{Value, json};

use crate::cost::{Cost, cost};
use crate::kitchen::cloud::Amazon;

/// All runs of one command.
pub(crate) struct Row {
    by: &'static str,
    what: &'static str,
    costs: Vec<Cost>,
    /// What the last run asked of AWS.
    calls: usize,
}

impl Row {
    pub(crate) fn new(by: &'static str, what: &'static str) -> Self {
        Self { by, what, costs: Vec::new(), calls: 0 }
    }

    /// Runs the command once more.
    pub(crate) fn run(&mut self, amazon: &Amazon, command: &mut Command) {
        amazon.forget();
        let (cost, _) = cost(command, &[]).unwrap_or_else(|said| panic!("{}: {said}", self.by));
        self.costs.push(cost);
        self.calls = amazon.calls().len();
    }

    pub(crate) fn is_measured(&self) -> bool {
        !self.costs.is_empty()
    }

    fn median(&self, of: fn(&Cost) -> f64) -> f64 {
        let mut numbers: Vec<f64> = self.costs.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    }

    fn seconds(&self) -> f64 {
        self.median(|cost| cost.wall)
    }

    pub(crate) fn json(&self) -> Value {
        let cost = |cost: &Cost| json!({ "seconds": cost.wall, "processor": cost.processor, "peak_mb": cost.peak, "others": cost.others });
        json!({
            "by": self.by, "what": self.what, "calls": self.calls,
            "runs": self.costs.iter().map(cost).collect::<Vec<_>>(),
        })
    }
}

/// The table. Ratios are to the first row.
pub(crate) fn print(rows: &[Row], goals: &[(&str, f64)]) {
    let runs = rows[0].costs.len();
    println!("a host's image in four regions, on a cloud in which nothing takes any time; median of {runs} runs");
    let head = ["x longer", "seconds", "processor", "peak MB", "calls", "others %"];
    println!("{:>32} {}", "by", head.map(|cell| format!("{cell:>10}")).concat());
    for row in rows {
        let cells = [
            format!("{:.2}", row.seconds() / rows[0].seconds()),
            format!("{:.3}", row.seconds()),
            format!("{:.2}", row.costs.iter().map(|cost| cost.processor).sum::<f64>() / row.costs.len() as f64),
            format!("{:.0}", row.costs.iter().map(|cost| cost.peak).fold(0.0, f64::max)),
            row.calls.to_string(),
            format!("{:.0}", row.median(|cost| cost.others) * 100.0),
        ];
        println!("{:>32} {}", row.by, cells.map(|cell| format!("{cell:>10}")).concat());
    }
    for (by, most) in goals {
        let row = rows.iter().find(|row| row.by == *by).expect("what has a goal is measured");
        println!("goal: {by} under {most} s: {}", if row.seconds() < *most { "met" } else { "NOT MET" });
    }
}
