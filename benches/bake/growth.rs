//! How time and memory of a whole `elkbake build` grow: with new bytes, with new files, and with what was there before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cost::{Cost, cost, run, shell};
use crate::elkbake;
use crate::random::Random;
use crate::scene::write;
use crate::table::word;

/// What there is so much of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// MiB, in files of one each.
    Bytes,
    /// Files of 500 bytes.
    Files,
    /// Files in the layer below the one that is new.
    Below,
    /// Platforms of one image, each with an archive of its own.
    Platforms,
    /// Targets that one image is pushed to.
    Targets,
}

/// How it comes to elkbake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Folder,
    Archive,
}

struct Grown {
    what: What,
    from: From,
    units: usize,
    cost: Cost,
}

/// What no build may need more of, in MB.
const MOST_MB: f64 = 60.0;

/// So much more for a unit may be the machine's doing.
const NOISE: f64 = 1.25;

/// What each platform has of its own, and what each target is given.
const SHARE_MIB: usize = 8;

const SERIES: [(What, From, &[usize]); 7] = [
    (What::Bytes, From::Folder, &[1, 16, 256, 4096]),
    // Unpacked it is on the disk three times.
    (What::Bytes, From::Archive, &[1, 16, 256, 1024]),
    (What::Files, From::Folder, &[100, 1_000, 10_000, 100_000]),
    (What::Files, From::Archive, &[100, 1_000, 10_000, 100_000]),
    (What::Below, From::Archive, &[100, 1_000, 10_000, 100_000]),
    (What::Platforms, From::Archive, &[1, 4, 16, 64]),
    (What::Targets, From::Folder, &[1, 4, 16, 64]),
];

impl What {
    const fn unit(self) -> &'static str {
        match self {
            Self::Bytes => "MiB",
            Self::Files => "files",
            Self::Below => "files below",
            Self::Platforms => "platforms",
            Self::Targets => "targets",
        }
    }
}

impl From {
    const fn text(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Archive => "archive",
        }
    }
}

/// Runs and prints the measurement.
pub(crate) fn growth(folder: &Path) -> Value {
    let folder = folder.join("growth");
    let mut rows = Vec::new();
    for (what, from, sizes) in SERIES {
        rows.extend(sizes.iter().map(|&units| Grown { what, from, units, cost: grown(what, from, units, &folder) }));
    }
    println!("\ntime and memory of the whole process");
    line(
        ["of", "units", "us a unit", "to the last", "seconds", "processor", "peak MB", "under 100"].map(str::to_owned),
    );
    for row in &rows {
        let last = rows.iter().rfind(|other| (other.what, other.from) == (row.what, row.from)).expect("itself");
        let micros = |row: &Grown| row.cost.processor / row.units as f64 * 1e6;
        line([
            row.from.text().to_owned(),
            format!("{} {}", row.units, row.what.unit()),
            format!("{:.0}", micros(row)),
            format!("{:.2}", micros(row) / micros(last)),
            format!("{:.3}", row.cost.wall),
            format!("{:.2}", row.cost.processor),
            format!("{:.0}", row.cost.peak),
            word(row.cost.peak < MOST_MB).to_owned(),
        ]);
    }
    for (what, from, _) in SERIES {
        let micros = |row: &Grown| row.cost.processor / row.units as f64;
        let of_series = || rows.iter().filter(|row| (row.what, row.from) == (what, from)).map(micros);
        let (last, least) = (of_series().next_back().expect("rows"), of_series().fold(f64::INFINITY, f64::min));
        let (unit, from, is_met) = (what.unit(), from.text(), last <= least * NOISE);
        println!("goal: no more for each of many {unit} of a {from} than of few: {}", word(is_met));
    }
    let row = |row: &Grown| {
        json!({
            "from": row.from.text(), "units": row.units, "unit": row.what.unit(),
            "seconds": row.cost.wall, "processor": row.cost.processor, "peak_mb": row.cost.peak,
        })
    };
    json!(rows.iter().map(row).collect::<Vec<_>>())
}

fn line([of, units, rest @ ..]: [String; 8]) {
    println!("{of:>10} {units:>20} {}", rest.map(|cell| format!("{cell:>12}")).concat());
}

/// The cost of one run in a project of its own: the median of some, where they are short.
fn grown(what: What, from: From, units: usize, folder: &Path) -> Cost {
    let (project, store) = (folder.join("project"), folder.join("store"));
    lay_out(what, from, units, &project);
    let run_of = |args: &[&str]| {
        let mut command = elkbake::command(&project, &store);
        cost(command.args(args).arg("--quiet"), &[]).expect("it works").0
    };
    run_of(&["lock"]);
    let targets: Vec<String> = (0..units).map(|i| format!("--target=t{i}")).collect();
    let once = match what {
        What::Bytes | What::Files | What::Platforms => vec!["build", "below"],
        What::Below => vec!["build", "top"],
        What::Targets => ["push", "below"].into_iter().chain(targets.iter().map(String::as_str)).collect(),
    };
    if what == What::Below {
        run_of(&once);
    }
    let runs = if what != What::Below && units >= 1_000 { 1 } else { 5 };
    let mut costs: Vec<_> = (1..=runs)
        .map(|run| {
            match what {
                What::Below => change(&project, run),
                What::Targets => {
                    run_of(&["build", "below"]);
                    let _ = fs::remove_dir_all(project.join("out"));
                }
                What::Bytes | What::Files | What::Platforms => drop(fs::remove_dir_all(&store)),
            }
            self::run(&mut shell("sync")).expect("sync");
            run_of(&once)
        })
        .collect();
    fs::remove_dir_all(folder).expect("a folder");
    costs.sort_by(|a, b| a.processor.total_cmp(&b.processor));
    costs[runs / 2]
}

/// The project that is measured.
fn lay_out(what: What, from: From, units: usize, project: &Path) {
    let files = project.join("images/below");
    match what {
        What::Bytes => make_bytes(&files, units),
        What::Files | What::Below => make_files(&files, units),
        What::Targets => make_bytes(&files, SHARE_MIB),
        What::Platforms => {}
    }
    let recipe = |from: &str| format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\n");
    let mut below = recipe("scratch");
    if what == What::Platforms {
        let platforms: Vec<String> = (0..units).map(|i| format!("linux/arm/v{i}")).collect();
        below += &format!("platforms = {platforms:?}\n");
        for (i, platform) in platforms.iter().enumerate() {
            below += &format!(
                "[[archive]]\nname = \"a{i}\"\npath = \"{i}.tar\"\ninto = \"/opt\"\nplatforms = [{platform:?}]\n"
            );
            let noise = Random::new(30 + i as u64).noise(SHARE_MIB << 20);
            write(&project.join(format!("parts/{i}")), &noise);
            run(shell("cd \"$0\"; tar -cf \"$1.tar\" \"parts/$1\"; rm -r parts").arg(project).arg(i.to_string()))
                .expect("tar");
        }
    } else if from == From::Archive {
        below += "[[archive]]\nname = \"all\"\npath = \"all.tar\"\ninto = \"/opt\"\n";
        run(shell("cd \"$0\"; tar --hard-dereference -cf all.tar images; rm -r images").arg(project)).expect("tar");
    }
    if what == What::Targets {
        let targets: String =
            (0..units).map(|i| format!("[target.t{i}]\noci = \"out/{i}\"\nmanifest = \"out/{i}.json\"\n")).collect();
        write(&project.join("elkbake.toml"), targets.as_bytes());
    }
    write(&project.join("recipes/below.toml"), below.as_bytes());
    write(&project.join("recipes/top.toml"), recipe("recipe:below").as_bytes());
    change(project, 0);
}

fn change(project: &Path, version: usize) {
    write(&project.join("images/top/etc/app.yml"), format!("version: {version}\n").as_bytes());
}

/// So many files of 1 MiB: of 64 different ones, the same over and over by hard links.
fn make_bytes(folder: &Path, mib: usize) {
    let mut random = Random::new(21);
    for i in 0..mib {
        let path = folder.join(format!("{}/{i}", i % 64));
        if i < 64 {
            let bytes = [random.noise(512 << 10), random.library(256 << 10), random.text(256 << 10)].concat();
            write(&path, &bytes);
        } else {
            fs::hard_link(folder.join(format!("{0}/{0}", i % 64)), path).expect("a link");
        }
    }
}

fn make_files(folder: &Path, files: usize) {
    let mut random = Random::new(22);
    for i in 0..files {
        write(&folder.join(format!("{}/{i}", i % 300)), &random.text(500));
    }
}
