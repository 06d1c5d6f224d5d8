//! What `elkbake plan` costs, from 100 to 10,000 recipes with 50 files each, as a whole process.
//!
//! Prints a table and writes `target/bench/plan.json`. Ratios count, not seconds: the last column says how the
//! cost of one recipe compares with the smallest project of the same run; 1.0 is linear growth.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 50;
const SIZES: [usize; 3] = [100, 1_000, 10_000];
const RUNS: usize = 5;

struct Measured {
    recipes: usize,
    seconds: f64,
    peak_mb: f64,
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = folder.path().join("project");
    let mut made = 0;
    let mut rows = Vec::new();
    for recipes in SIZES {
        for i in made..recipes {
            make_recipe(&project, i);
        }
        made = recipes;
        rows.push(measure(folder.path(), &project, recipes));
    }
    print(&rows);
    save(&rows);
}

fn make_recipe(project: &Path, i: usize) {
    let write = |path: PathBuf, text: String| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let recipe = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1.{i}\"\nfrom = \"scratch\"\n\n\
         [config]\nentrypoint = [\"/bin/app\", \"{i}\"]\nenv = {{ A = \"1\", B = \"{i}\" }}\n"
    );
    write(project.join(format!("recipes/app-{i:05}.toml")), recipe);
    for f in 0..FILES {
        let text = format!("setting.of.file: {f}\nof.recipe: {i}\n{}", "# filler\n".repeat(f * 8));
        write(project.join(format!("images/app-{i:05}/etc/app/{}/{f}.yml", f % 5)), text);
    }
}

/// The median of some runs, the first of which only warms the page cache.
fn measure(folder: &Path, project: &Path, recipes: usize) -> Measured {
    let mut seconds = Vec::new();
    let mut peak_mb: f64 = 0.0;
    for run in 0..=RUNS {
        let begun = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_elkbake"))
            .args(["plan", "--quiet"])
            .current_dir(project)
            .env_clear()
            .env("HOME", folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("elkbake starts");
        let (lines, peak) = watch(child);
        assert!(lines >= recipes, "every recipe is planned");
        if run > 0 {
            seconds.push(begun.elapsed().as_secs_f64());
        }
        peak_mb = peak_mb.max(peak);
    }
    seconds.sort_by(f64::total_cmp);
    Measured { recipes, seconds: seconds[RUNS / 2], peak_mb }
}

/// Waits for the end; returns the lines printed and the highest resident memory in MB.
fn watch(mut child: Child) -> (usize, f64) {
    let mut stdout = child.stdout.take().expect("a pipe");
    let lines = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).expect("output");
        text.iter().filter(|&&byte| byte == b'\n').count()
    });
    let mut peak = 0.0;
    let status = loop {
        // The kernel keeps the high-water mark, so the last look before the end is what counts.
        if let Some(mark) = high_water_mark(child.id()) {
            peak = mark;
        }
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "elkbake plan: {status}");
    (lines.join().expect("a reader"), peak)
}

fn high_water_mark(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kb| kb / 1000.0)
}

fn per_recipe(row: &Measured) -> f64 {
    row.seconds / row.recipes as f64
}

fn print(rows: &[Measured]) {
    println!("elkbake plan, {FILES} files a recipe, median of {RUNS} runs");
    println!(
        "{:>8} {:>10} {:>14} {:>10} {:>24}",
        "recipes", "seconds", "us a recipe", "peak MB", "a recipe, to the first"
    );
    for row in rows {
        let growth = per_recipe(row) / per_recipe(&rows[0]);
        let micros = per_recipe(row) * 1e6;
        println!("{:>8} {:>10.3} {:>14.1} {:>10.1} {:>24.2}", row.recipes, row.seconds, micros, row.peak_mb, growth);
    }
}

fn save(rows: &[Measured]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder");
    let row =
        |row: &Measured| serde_json::json!({ "recipes": row.recipes, "seconds": row.seconds, "peak_mb": row.peak_mb });
    let document =
        serde_json::json!({ "files": FILES, "runs": RUNS, "rows": rows.iter().map(row).collect::<Vec<_>>() });
    std::fs::write(folder.join("plan.json"), format!("{document:#}\n")).expect("a file");
}
