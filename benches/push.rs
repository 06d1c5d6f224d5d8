//! What sending 1 GiB to a registry costs beside `curl -T`, the barest client there is, and skopeo, against the registry
//! that others run: `docker-registry`, in a folder of its own on loopback.
//!
//! Prints a table and writes `target/bench/push.json`. The ratio counts, not the seconds: each pair ran one after the
//! other, which holds on a busy machine too. Ours reads from the store, verifies, and notes how far it is; curl sends a
//! file, skopeo the layer of an OCI layout. Then the highest memory of a process that sends as much, from the store and straight from another registry.
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
    // It looks like gzip, so that nobody packs it.
    let (digest, _) = store.put(&mut b"\x1f\x8b\x08".chain(Noise::default()).take(SIZE), None).expect("room for 1 GiB");
    let hex = digest.hex();
    let file = root.join(format!("v1/blobs/sha256/{}/{hex}", &hex[..2]));
    let layout = layout(&folder.path().join("layout"), &file, digest);
    let mut runs = Vec::new();
    for run in 0..RUNS {
        let ours = ours(&store, &registry.at(&format!("ours-{run}")), digest);
        let theirs = curl(&registry, &format!("theirs-{run}"), &file, digest);
        // In another registry each time: skopeo remembers where it has seen a blob, and would mount it.
        let other = serve(&folder.path().join(format!("other-{run}")));
        let skopeo = skopeo(&layout, &other.at("skopeo"));
        drop(other);
        std::fs::remove_dir_all(folder.path().join(format!("other-{run}"))).expect("a folder");
        println!("push 1 GiB: elkbake {ours:.2} s, curl -T {theirs:.2} s, skopeo {skopeo:.2} s");
        runs.push((ours, theirs, skopeo));
    }
    let times_curl = median(runs.iter().map(|(ours, theirs, _)| ours / theirs).collect());
    let skopeo_times = median(runs.iter().map(|(ours, _, skopeo)| skopeo / ours).collect());
    println!(
        "push 1 GiB: {times_curl:.2} times what curl -T needs, and skopeo {skopeo_times:.2} times what elkbake does; medians of {RUNS}"
    );
    let stored = peak(&root, &registry.at("peak"), digest);
    let distant = peak(&folder.path().join("empty"), &registry.at("distant"), digest);
    println!("memory at the most: {stored:.1} MB from the store, {distant:.1} MB straight from a registry");
    let json = serde_json::json!({
        "size": SIZE, "times_curl": times_curl, "skopeo_times": skopeo_times, "seconds": runs,
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

/// An image whose one layer is the blob.
fn layout(folder: &Path, blob: &Path, digest: Digest) -> PathBuf {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a folder");
    std::fs::hard_link(blob, blobs.join(digest.hex())).expect("a link");
    let put = |document: serde_json::Value| {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        std::fs::write(blobs.join(digest.hex()), &bytes).expect("a file");
        serde_json::json!({ "digest": digest, "size": bytes.len() })
    };
    let descriptor = |mut of: serde_json::Value, kind: &str| {
        of["mediaType"] = format!("application/vnd.oci.image.{kind}").into();
        of
    };
    let rootfs = serde_json::json!({ "type": "layers", "diff_ids": [digest] });
    let config = put(serde_json::json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs }));
    let manifest = put(serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor(config, "config.v1+json"),
        "layers": [descriptor(serde_json::json!({ "digest": digest, "size": SIZE }), "layer.v1.tar+gzip")],
    }));
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [descriptor(manifest, "manifest.v1+json")] });
    std::fs::write(folder.join("index.json"), index.to_string()).expect("a file");
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    folder.to_owned()
}

fn skopeo(layout: &Path, into: &Reference) -> f64 {
    let begin = Instant::now();
    let done = Command::new("skopeo")
        .args(["copy", "--quiet", "--dest-tls-verify=false"])
        .args([format!("oci:{}", layout.display()), format!("docker://{into}:1")])
        .status()
        .expect("skopeo");
    assert!(done.success());
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
    std::fs::create_dir_all(folder).expect("a folder");
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
