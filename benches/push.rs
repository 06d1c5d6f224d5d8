//! What sending 1 GiB to a registry costs beside `curl -T`, the barest client there is, against the registry that
//! others run: `docker-registry`, in a folder of its own on loopback.
//!
//! Prints a table and writes `target/bench/push.json`. The ratio counts, not the seconds: each pair ran one after the
//! other, which holds on a busy machine too. Ours reads from the store, verifies, and notes how far it is; curl sends a
//! file. Then the highest memory of a process that sends as much, from the store and straight from another registry.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use elkbake::bake::event::SILENT;
use elkbake::bake::port::{Arrival, Freight, Publish};
use elkbake::digest::Digest;
use elkbake::name::Reference;
use elkbake::remote::Wire;
use elkbake::remote::config::WireConfig;
use elkbake::store::Store;

const SIZE: u64 = 1 << 30;
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, what, root, into, digest] = arguments.as_slice()
        && what == "send"
    {
        return send_and_tell(Path::new(root), into, digest);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = serve(folder.path());
    let root = folder.path().join("store");
    let store = open(&root);
    let (digest, _) = store.put(&mut Noise::default().take(SIZE), None).expect("room for 1 GiB");
    let hex = digest.hex();
    let file = root.join(format!("v1/blobs/sha256/{}/{hex}", &hex[..2]));
    let mut pairs = Vec::new();
    for run in 0..RUNS {
        let ours = ours(&store, &registry.at(&format!("ours-{run}")), digest);
        let theirs = curl(&registry, &format!("theirs-{run}"), &file, digest);
        println!("push 1 GiB: elkbake {ours:.2} s, curl -T {theirs:.2} s, {:.2} times", ours / theirs);
        pairs.push((ours, theirs));
    }
    let median = median(pairs.iter().map(|(ours, theirs)| ours / theirs).collect());
    println!("push 1 GiB: {median:.2} times what curl -T needs, as the median of {RUNS}");
    let stored = peak(&root, &registry.at("peak"), digest);
    let distant = peak(&folder.path().join("empty"), &registry.at("distant"), digest);
    println!("memory at the most: {stored:.1} MB from the store, {distant:.1} MB straight from a registry");
    let json = serde_json::json!({
        "size": SIZE, "times_curl": median, "seconds": pairs,
        "peak_mb": { "from_the_store": stored, "from_a_registry": distant },
    });
    std::fs::create_dir_all("target/bench").expect("a folder");
    std::fs::write("target/bench/push.json", format!("{json:#}\n")).expect("a file");
}

fn open(root: &Path) -> Store {
    Store::open(root, SystemTime::UNIX_EPOCH).expect("a store")
}

fn ours(store: &Store, into: &Reference, digest: Digest) -> f64 {
    let wire = Wire::new(WireConfig::default()).expect("a client");
    let begin = Instant::now();
    let freight = Freight { digest, size: SIZE, origin: None };
    let arrival = wire.send(into, freight, store, SILENT).expect("a blob that arrives");
    assert_eq!(arrival, Arrival::Sent(SIZE));
    begin.elapsed().as_secs_f64()
}

/// An upload as a shell script would make it.
fn curl(registry: &Registry, repository: &str, file: &Path, digest: Digest) -> f64 {
    let begin = Instant::now();
    let url = format!("http://127.0.0.1:{}/v2/{repository}/blobs/uploads/", registry.port);
    let head = Command::new("curl").args(["-sS", "-i", "-X", "POST", &url]).output().expect("curl");
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a location").trim();
    let url = format!("{location}&digest={digest}");
    let done = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/octet-stream"])
        .args(["-H", "Expect:", "-T"])
        .arg(file)
        .arg(&url)
        .output()
        .expect("curl");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "201");
    begin.elapsed().as_secs_f64()
}

/// The highest memory of a process that sends the blob, in MB. Where its store is empty, from the repository `peak`.
fn peak(root: &Path, into: &Reference, digest: Digest) -> f64 {
    let me = std::env::current_exe().expect("this program");
    let said = Command::new(me)
        .arg("send")
        .arg(root)
        .args([into.to_string(), digest.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program again");
    String::from_utf8_lossy(&said.stdout).trim().parse().expect("a number")
}

fn send_and_tell(root: &Path, into: &str, digest: &str) {
    let into: Reference = into.parse().expect("a reference");
    let digest = digest.parse().expect("a digest");
    // By another name of the machine, so that it is no registry to mount from.
    let origin: Reference = format!("localhost:{}/peak", into.registry.as_str().rsplit(':').next().unwrap_or_default())
        .parse()
        .expect("a reference");
    let wire = Wire::new(WireConfig::default()).expect("a client");
    let freight = Freight { digest, size: SIZE, origin: Some(&origin) };
    let arrival = wire.send(&into, freight, &open(root), SILENT).expect("a blob that arrives");
    assert_eq!(arrival, Arrival::Sent(SIZE));
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line for the peak");
    let kb: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("{}", kb / 1000.0);
}

struct Registry {
    program: Child,
    port: u16,
}

impl Registry {
    fn at(&self, repository: &str) -> Reference {
        format!("127.0.0.1:{}/{repository}", self.port).parse().expect("a reference")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn serve(folder: &Path) -> Registry {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let config: PathBuf = folder.join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {} }}\nhttp: {{ addr: \"127.0.0.1:{port}\" }}\n",
        folder.join("registry").display()
    );
    std::fs::File::create(&config).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let program = command.spawn().expect("docker-registry, which Debian has under that name");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Registry { program, port }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Bytes without end that are no use to compress.
struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Read for Noise {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        for piece in into.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            piece.copy_from_slice(&self.0.to_le_bytes()[..piece.len()]);
        }
        Ok(into.len())
    }
}
