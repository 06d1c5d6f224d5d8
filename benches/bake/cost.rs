//! What a command costs, with the daemons that work for it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What one run took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of processors, in steps of a hundredth: of the command, its children, and its daemons.
    pub(crate) processor: f64,
    /// The highest resident memory of all those together, in MB. Of a command by itself it is the kernel's own mark, of
    /// several processes a sum that was looked at every few milliseconds.
    pub(crate) peak: f64,
    /// Which share of the machine others had meanwhile.
    pub(crate) others: f64,
}

/// Kernels count in hundredths of a second, whatever they run at.
const TICKS: f64 = 100.0;

const PAGE_MB: f64 = 4096.0 / 1e6;

/// Looking costs too: memory is looked at this often, and for new processes one time in so many.
const PAUSE: Duration = Duration::from_millis(4);
const LOOKS: usize = 25;

/// Runs a command to its end; gives its cost and what it printed, or what it said when it failed.
pub(crate) fn cost(command: &mut Command, daemons: &[u32]) -> Result<(Cost, String), String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (busy, ours) = (busy(), ticks(daemons));
    let begun = Instant::now();
    let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let (pid, ended) = (child.id(), AtomicBool::new(false));
    let (output, wall, peak) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(pid, daemons, &ended));
        let output = child.wait_with_output();
        let wall = begun.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        (output, wall, watch.join().expect("a watcher"))
    });
    let processor = ticks(daemons) - ours;
    let spare = (self::busy() - busy - processor).max(0.0) / wall / processors();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((Cost { wall, processor, peak, others: spare.min(1.0) }, text))
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = said.trim().lines().rev().take(3).collect();
        Err(format!("{} of {}", last.into_iter().rev().collect::<Vec<_>>().join(" / "), output.status))
    }
}

/// Runs a command that is not measured.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    cost(command, &[]).map(|(_, text)| text)
}

/// A small script, which stops at the first command that fails.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-ec").arg(script);
    command
}

/// Whether a program is there.
pub(crate) fn is_here(program: &str) -> bool {
    run(shell("command -v \"$0\"").arg(program)).is_ok()
}

fn watch(pid: u32, daemons: &[u32], ended: &AtomicBool) -> f64 {
    let roots: Vec<_> = daemons.iter().copied().chain([pid]).collect();
    let (mut all, mut peak, mut looks) = (BTreeSet::from([pid]), 0.0_f64, 0_usize);
    while !ended.load(Ordering::Relaxed) {
        // A short run is over before anything has children, and is not to be slowed down.
        if looks % LOOKS == LOOKS - 1 || (looks == 0 && !daemons.is_empty()) {
            all = with_children(&roots);
        }
        let now = if all.len() == 1 { high_water_mark(pid) } else { all.iter().filter_map(|pid| resident(*pid)).sum() };
        peak = peak.max(now);
        looks += 1;
        std::thread::sleep(PAUSE);
    }
    peak
}

fn high_water_mark(pid: u32) -> f64 {
    let mark = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    };
    mark().unwrap_or_default() * 1024.0 / 1e6
}

fn resident(pid: u32) -> Option<f64> {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    Some(pages.split(' ').nth(1)?.parse::<f64>().ok()? * PAGE_MB)
}

/// The fields of a process's `stat` that come after its name.
fn stat(pid: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    Some(after_name.split_whitespace().map(str::to_owned).collect())
}

fn with_children(roots: &[u32]) -> BTreeSet<u32> {
    let mut all: BTreeSet<u32> = roots.iter().copied().collect();
    let numbers = fs::read_dir("/proc").expect("proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let parents: Vec<(u32, u32)> = numbers
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| Some((name.parse().ok()?, stat(&name)?.get(1)?.parse().ok()?)))
        .collect();
    loop {
        let new: Vec<_> = parents.iter().filter(|(pid, parent)| all.contains(parent) && !all.contains(pid)).collect();
        if new.is_empty() {
            return all;
        }
        all.extend(new.into_iter().map(|(pid, _)| *pid));
    }
}

/// The processor time of our ended children, and of the daemons with theirs.
fn ticks(daemons: &[u32]) -> f64 {
    let time = |pid: &str, skip: usize, take: usize| -> f64 {
        let fields = stat(pid).unwrap_or_default();
        fields.iter().skip(skip).take(take).filter_map(|field| field.parse::<f64>().ok()).sum()
    };
    let daemons = if daemons.is_empty() { BTreeSet::new() } else { with_children(daemons) };
    let daemons: f64 = daemons.iter().map(|pid| time(&pid.to_string(), 11, 4)).sum();
    (time("self", 13, 2) + daemons) / TICKS
}

/// The processor time of the whole machine.
fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("proc");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers: Vec<f64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
    let idle: f64 = numbers.iter().skip(3).take(2).sum();
    (numbers.iter().sum::<f64>() - idle) / TICKS
}

#[allow(clippy::cast_precision_loss, reason = "nobody has so many")]
fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64)
}
