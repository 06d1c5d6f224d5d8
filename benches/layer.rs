//! What a layer costs beside `pigz -6` and `gzip -6`: 100 MiB like a plugin's, half of it compressed already, and many
//! small files.
//!
//! Prints a table and writes `target/bench/layer.json`. Ratios count, not seconds: each row says how many times faster
//! than `pigz -6` on all processors it was in the same run, how many times less of the processors it took, which holds
//! on a busy machine too, and how many percent longer its bytes are. Ours reads, verifies, archives, hashes, compresses
//! and stores; theirs compress a tar that is in memory already. Then the highest memory of processes that make a layer
//! of 4 GiB, and one of 100,000 files.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use elkbake::contents::{Contents, Spool};
use elkbake::digest::Digest;
use elkbake::image::layer::{Beside, Layer, Spec, write};
use elkbake::recipe::Compression;
use elkbake::store::Store;
use elkbake::tree::{Entry, Mode, Node, Owner, Tree};

#[path = "made/random.rs"]
mod random;
use random::Random;

const RUNS: usize = 5;

struct Row {
    what: &'static str,
    by: String,
    cost: Cost,
    size: u64,
}

/// Seconds on the wall and of processors, as medians of some runs.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    processor: f64,
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asked = std::env::args().nth(1).unwrap_or_default();
    if HUGE.contains(&asked.as_str()) {
        println!("{}", huge(&asked, folder.path()));
        return;
    }
    if let Some(what) = asked.strip_prefix(ONE_THREAD) {
        println!("{}", gzipped_here(what, folder.path()));
        return;
    }
    let mut rows = Vec::new();
    for what in [PLUGIN, "small"] {
        let files = made(what);
        let (tree, contents) = project(&folder.path().join(what), &files);
        let plain = folder.path().join(format!("{what}.tar"));
        for (by, compression) in [("elkbake gzip", Compression::Gzip), ("elkbake zstd", Compression::Zstd)] {
            let (cost, layer) = ours(folder.path(), &tree, &contents, compression, &plain);
            rows.push(Row { what, by: by.to_owned(), cost, size: layer.size });
        }
        rows.extend(on_one_thread(what));
        for command in ["pigz -6", "pigz -p 1 -6", "gzip -6"] {
            if let Some((cost, size)) = theirs(command, &plain) {
                rows.push(Row { what, by: command.to_owned(), cost, size });
            }
        }
    }
    print(&rows);
    let peaks = HUGE.map(|what| (what, peak(what)));
    for (what, mb) in peaks {
        println!("{what}: {mb:.1} MB at the most");
    }
    save(&rows, &peaks);
}

/// The layer like a plugin's.
const PLUGIN: &str = "plugin";

/// The files of a layer.
fn made(what: &str) -> Vec<Vec<u8>> {
    if what == PLUGIN { Random::new(11).plugin() } else { small() }
}

/// Begins what a process of its own is started for that may run on one processor only.
const ONE_THREAD: &str = "one-thread-";

/// What ours takes on one processor, beside `pigz -p 1`: a process can be kept to one, and so do its threads.
fn on_one_thread(what: &'static str) -> Option<Row> {
    let me = std::env::current_exe().expect("this program");
    let started = Command::new("taskset").args(["-c", "0"]).arg(me).arg(format!("{ONE_THREAD}{what}")).output();
    let Ok(output) = started else {
        println!("taskset is not installed: elkbake on one thread is left out");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse::<f64>().expect("a number"));
    let mut number = || numbers.next().expect("three numbers");
    let cost = Cost { wall: number(), processor: number() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a whole number of bytes")]
    let size = number() as u64;
    Some(Row { what, by: "elkbake gzip, one thread".to_owned(), cost, size })
}

/// Seconds on the wall, seconds of processors, and bytes, of our layer in this process.
fn gzipped_here(what: &str, folder: &Path) -> String {
    let (tree, contents) = project(&folder.join(what), &made(what));
    let (cost, layer) = ours(folder, &tree, &contents, Compression::Gzip, &folder.join("plain.tar"));
    format!("{} {} {}", cost.wall, cost.processor, layer.size)
}

/// What a process of its own is started for, so that its highest memory is that of one layer.
const HUGE: [&str; 2] = ["4-GiB", "100000-files"];

/// The highest memory of a process that makes a huge layer, in MB.
fn peak(what: &str) -> f64 {
    let me = std::env::current_exe().expect("this program");
    let output = Command::new(me).arg(what).output().expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

fn huge(what: &str, folder: &Path) -> f64 {
    let mut random = Random::new(13);
    let mut tree = Tree::default();
    let mut spool = Spool::new(tempfile::tempfile_in(folder).expect("a file"));
    let mut put = |i: usize, (digest, size): (Digest, u64)| {
        let at = format!("/usr/share/elasticsearch/plugins/a-plugin/{}/{i:06}.class", i % 300);
        let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node: Node::File { digest, size } };
        tree.insert(at.parse().expect("a path"), entry);
    };
    if what == HUGE[0] {
        let bytes = [random.noise(32 << 20), random.library(16 << 20), random.text(16 << 20)].concat();
        let content = spool.take(&mut &bytes[..], u64::MAX).expect("a spool");
        (0..64).for_each(|i| put(i, content));
    } else {
        (0..100_000).for_each(|i| put(i, spool.take(&mut &random.text(500)[..], u64::MAX).expect("a spool")));
    }
    let contents = spool.finish().expect("a spool");
    let store = Store::open(&folder.join("store"), SystemTime::UNIX_EPOCH).expect("a store");
    let removed = BTreeSet::new();
    let spec = Spec {
        tree: &(&tree).into(),
        removed: &removed,
        contents: &contents,
        beside: Beside::NOTHING,
        compression: Compression::Gzip,
    };
    // What it took to make the input up does not count.
    std::fs::write("/proc/self/clear_refs", "5").expect("proc");
    write(&spec, &store, &|_| Ok(())).expect("a layer");
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a mark");
    line.trim().strip_suffix(" kB").and_then(|kb| kb.parse::<f64>().ok()).expect("a number") / 1000.0
}

/// As many small texts as a Kibana plugin has.
fn small() -> Vec<Vec<u8>> {
    let mut random = Random::new(12);
    (0..20_000).map(|i| random.text(200 + i * 37 % 5000)).collect()
}

/// Files on the disk, as they are in a checkout.
fn project(folder: &Path, files: &[Vec<u8>]) -> (Tree, Contents) {
    let (mut tree, mut contents) = (Tree::default(), Contents::default());
    for (i, bytes) in files.iter().enumerate() {
        let path = folder.join((i % 50).to_string()).join(format!("{i}.bin"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        contents.add_file(digest, path);
        let at = format!("/usr/share/elasticsearch/plugins/x/{}/{i}.bin", i % 50);
        let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node: Node::File { digest, size } };
        tree.insert(at.parse().expect("a path"), entry);
    }
    (tree, contents)
}

/// The median of some runs, each with an empty store; leaves the tar stream behind for the others.
fn ours(folder: &Path, tree: &Tree, contents: &Contents, compression: Compression, plain: &Path) -> (Cost, Layer) {
    let removed = BTreeSet::new();
    let spec = Spec { tree: &tree.into(), removed: &removed, contents, beside: Beside::NOTHING, compression };
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..=RUNS {
        let root = tempfile::tempdir_in(folder).expect("a folder");
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).expect("a store");
        let (begun, before) = (Instant::now(), processor());
        let layer = write(&spec, &store, &|_| Ok(())).expect("a layer");
        times.push((begun.elapsed().as_secs_f64(), processor() - before));
        if compression == Compression::Gzip {
            let blob = store.read(&layer.digest).expect("a store").expect("a blob");
            let mut to = File::create(plain).expect("a file");
            std::io::copy(&mut flate2::read::GzDecoder::new(blob), &mut to).expect("a tar stream");
        }
        assert!(last.is_none_or(|last| last == layer), "every run makes the same layer");
        last = Some(layer);
    }
    (median(times), last.expect("a run"))
}

/// The same of another program, where it is installed.
fn theirs(command: &str, plain: &Path) -> Option<(Cost, u64)> {
    let mut words = command.split(' ');
    let program = words.next().expect("a program");
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..=RUNS.min(3) {
        let (begun, before) = (Instant::now(), processor());
        let child = Command::new(program)
            .args(words.clone())
            .arg("-c")
            .stdin(File::open(plain).expect("a file"))
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("{program} is not installed: left out");
            return None;
        };
        let mut made = Vec::new();
        child.stdout.take().expect("a pipe").read_to_end(&mut made).expect("output");
        assert!(child.wait().expect("a status").success(), "{command}");
        times.push((begun.elapsed().as_secs_f64(), processor() - before));
        size = made.len() as u64;
    }
    Some((median(times), size))
}

/// Without the first, which only warms the page cache.
fn median(mut times: Vec<(f64, f64)>) -> Cost {
    times.remove(0);
    let middle = |of: fn(&(f64, f64)) -> f64| {
        let mut numbers: Vec<f64> = times.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    Cost { wall: middle(|time| time.0), processor: middle(|time| time.1) }
}

/// The seconds of processors that this process and its ended children have had. The kernel counts hundredths.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    let ticks = after_name.split_whitespace().skip(11).take(4).map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}

fn print(rows: &[Row]) {
    let head = ["layer", "by", "seconds", "processor", "MB", "faster", "cheaper", "% longer"];
    let line = |cells: [String; 8]| {
        let [what, by, rest @ ..] = cells;
        println!("{what:>8} {by:>24} {}", rest.map(|cell| format!("{cell:>10}")).concat());
    };
    line(head.map(str::to_owned));
    for row in rows {
        let peer = rows.iter().find(|peer| peer.what == row.what && peer.by == "pigz -6");
        let ratio = |of: fn(&Row) -> f64| peer.map_or("?".to_owned(), |peer| format!("{:.2}", of(peer) / of(row)));
        let longer = |peer: &Row| format!("{:+.2}", (row.size as f64 / peer.size as f64 - 1.0) * 100.0);
        line([
            row.what.to_owned(),
            row.by.clone(),
            format!("{:.3}", row.cost.wall),
            format!("{:.2}", row.cost.processor),
            format!("{:.2}", row.size as f64 / 1e6),
            ratio(|row| row.cost.wall),
            ratio(|row| row.cost.processor),
            peer.map_or("?".to_owned(), longer),
        ]);
    }
}

fn save(rows: &[Row], peaks: &[(&str, f64)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder");
    let row = |row: &Row| serde_json::json!({ "layer": row.what, "by": row.by, "seconds": row.cost.wall, "processor": row.cost.processor, "size": row.size });
    let document =
        serde_json::json!({ "runs": RUNS, "rows": rows.iter().map(row).collect::<Vec<_>>(), "peak_mb": peaks });
    std::fs::write(folder.join("layer.json"), format!("{document:#}\n")).expect("a file");
}
