//! What is printed of a comparison, and what is kept.

use serde_json::{Value, json};

use crate::compare::{ALL, Goal, Since, Twice};
use crate::cost::Cost;

/// All runs of one builder after one kind of change.
pub(crate) struct Row {
    pub(crate) since: Since,
    pub(crate) by: String,
    pub(crate) costs: Vec<Cost>,
}

/// Who makes the image from the files that the others copy.
const OURS: &str = "elkbake, folder";

impl Row {
    fn median(&self, of: fn(&Cost) -> f64) -> f64 {
        let mut numbers: Vec<f64> = self.costs.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    }

    fn least(&self) -> f64 {
        self.costs.iter().map(|cost| cost.wall).fold(f64::INFINITY, f64::min)
    }

    /// Not the median: a short run has one hundredth of a second or none.
    fn processor(&self) -> f64 {
        self.costs.iter().map(|cost| cost.processor).sum::<f64>() / self.costs.len() as f64
    }

    fn peak(&self) -> f64 {
        self.costs.iter().map(|cost| cost.peak).fold(0.0, f64::max)
    }
}

pub(crate) fn print(rows: &[Row], twice: &[Twice], left_out: &[String]) {
    for since in ALL {
        let rows: Vec<_> = rows.iter().filter(|row| row.since == since).collect();
        let Some(ours) = rows.iter().find(|row| row.by == OURS) else { continue };
        println!("\n{}; median of {} runs", since.text(), ours.costs.len());
        line(["by", "x longer", "x dearer", "seconds", "least", "processor", "peak MB", "others %"].map(str::to_owned));
        for row in &rows {
            line([
                row.by.clone(),
                format!("{:.1}", row.median(|cost| cost.wall) / ours.median(|cost| cost.wall)),
                format!("{:.1}", row.processor() / ours.processor().max(0.001)),
                format!("{:.3}", row.median(|cost| cost.wall)),
                format!("{:.3}", row.least()),
                format!("{:.3}", row.processor()),
                format!("{:.0}", row.peak()),
                format!("{:.0}", row.median(|cost| cost.others) * 100.0),
            ]);
        }
        if let Some(goal) = since.goal() {
            println!("{}", judged(goal, ours, &rows));
        }
    }
    println!("\nthe same inputs from nothing, in two checkouts:");
    for twice in twice {
        println!("{:>24}  {}", twice.by, if twice.same { "the same digest" } else { "another digest" });
    }
    for what in left_out {
        println!("left out: {what}");
    }
}

/// A goal, and whether it was reached.
fn judged(goal: Goal, ours: &Row, rows: &[&Row]) -> String {
    let seconds = |row: &Row| row.median(|cost| cost.wall);
    match goal {
        Goal::Seconds(most) => format!("goal: under {most} s: {}", word(seconds(ours) < most)),
        Goal::DockerLonger(times) => {
            let dockers = rows.iter().filter(|row| row.by.starts_with("docker"));
            let quickest = dockers.map(|row| seconds(row)).min_by(f64::total_cmp);
            let word = quickest.map_or("not measured", |docker| word(docker >= times * seconds(ours)));
            format!("goal: docker takes {times} times longer: {word}")
        }
    }
}

/// Whether a goal was reached.
pub(crate) const fn word(is_met: bool) -> &'static str {
    if is_met { "met" } else { "NOT MET" }
}

fn line([by, rest @ ..]: [String; 8]) {
    println!("{by:>24} {}", rest.map(|cell| format!("{cell:>10}")).concat());
}

pub(crate) fn json_of(row: &Row) -> Value {
    let cost = |cost: &Cost| json!({ "seconds": cost.wall, "processor": cost.processor, "peak_mb": cost.peak, "others": cost.others });
    json!({ "since": row.since.text(), "by": row.by, "runs": row.costs.iter().map(cost).collect::<Vec<_>>() })
}
