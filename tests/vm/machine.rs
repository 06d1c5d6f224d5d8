//! A virtual machine: the disk of `tools/vm.sh`, with a seed for cloud-init and further disks.
//!
//! qemu emulates the processor, so that a boot takes a minute and more; KVM is never asked for.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use elkbake::digest::Digest;

/// How long a machine may take to say that it is there. A quiet machine needs 20 seconds.
const START: Duration = Duration::from_secs(400);

/// How long one script may take on it; the machine itself gives up after 300 seconds.
const SCRIPT: Duration = Duration::from_secs(360);

/// What an instance's own disk has, in MiB: no more of it is looked at than of a large one.
pub const OWN: u64 = 1024;

/// Ends when cloud-init and the units that start at boot are through; a host's check of itself, too.
const DONE: &str = "cloud-init status --wait; systemctl is-system-running --wait; \
    while systemctl is-active --quiet elkbake-check; do sleep 1; done";

/// The status of a script that was given up.
const TIMEOUT: i32 = 124;

/// How a disk is connected.
#[derive(Clone)]
pub enum Port {
    /// By virtio: it says nothing of itself.
    Virtio,
    /// By `NVMe`, with a serial number: `vol…` is EBS and `AWS…` one of the instance's own, as on EC2.
    Nvme(&'static str),
}

pub struct Machine {
    folder: tempfile::TempDir,
    disks: Vec<(Port, PathBuf)>,
    qemu: Option<Child>,
    agent: Option<BufReader<UnixStream>>,
}

impl Machine {
    /// A machine that has never been started, with its user data.
    pub fn new(user_data: &[u8]) -> Self {
        let folder = tempfile::Builder::new().prefix("elkbake-vm-").tempdir().unwrap();
        let machine = Self { folder, disks: Vec::new(), qemu: None, agent: None };
        let base = tools().join("disk");
        assert!(base.is_file(), "{} is missing: run `make test-vm`, or tools/vm.sh as root", base.display());
        let mut image = Command::new("qemu-img");
        image.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(&base).arg(machine.path("root"));
        run(&mut image);
        machine.seed("i-0123456789abcdef0", user_data);
        machine
    }

    /// What cloud-init finds at the next start.
    pub fn seed(&self, instance: &str, user_data: &[u8]) {
        let folder = self.path("seed");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("meta-data"), format!("instance-id: {instance}\nlocal-hostname: elkbake-vm\n")).unwrap();
        fs::write(folder.join("user-data"), user_data).unwrap();
        let mut iso = Command::new("genisoimage");
        iso.args(["-quiet", "-volid", "cidata", "-joliet", "-rock", "-o"]).arg(self.path("seed.iso")).arg(&folder);
        run(&mut iso);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An empty disk; gives its file.
    pub fn disk(&mut self, port: Port, mib: u64) -> PathBuf {
        let file = self.path(&format!("disk-{}", self.disks.len()));
        empty(&file, mib);
        self.disks.push((port, file.clone()));
        file
    }

    /// Boots it, and waits until it has done all that it does when it boots.
    pub fn start(&mut self) {
        self.begin();
        self.finish();
    }

    /// Boots it, and waits until it can be talked to.
    pub fn begin(&mut self) {
        assert!(self.qemu.is_none(), "it runs already");
        let socket = self.path("agent");
        let _ = fs::remove_file(&socket);
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1536", "-cpu", "max", "-display", "none"]);
        qemu.args(["-monitor", "none", "-nic", "user,model=virtio-net-pci,restrict=on"]);
        qemu.arg("-kernel").arg(tools().join("vmlinuz")).arg("-initrd").arg(tools().join("initrd"));
        qemu.args(["-append", "root=LABEL=elkbake-root console=ttyS0 net.ifnames=0 apparmor=0"]);
        qemu.arg("-chardev").arg(format!("file,id=console,append=on,path={}", self.path("console").display()));
        qemu.args(["-serial", "chardev:console"]);
        qemu.arg("-chardev").arg(format!("socket,id=agent,server=on,wait=off,path={}", socket.display()));
        qemu.args(["-serial", "chardev:agent"]);
        let drive = |name: &str| format!("file={},cache=unsafe", self.path(name).display());
        qemu.arg("-drive").arg(format!("{},if=virtio,format=qcow2", drive("root")));
        qemu.arg("-drive").arg(format!("{},if=virtio,format=raw,readonly=on", drive("seed.iso")));
        for (i, (port, file)) in self.disks.iter().enumerate() {
            let id = format!("extra{i}");
            let file = file.display();
            qemu.arg("-drive").arg(format!("file={file},cache=unsafe,format=raw,if=none,id={id}"));
            qemu.arg("-device").arg(match port {
                Port::Virtio => format!("virtio-blk-pci,drive={id}"),
                Port::Nvme(serial) => format!("nvme,drive={id},serial={serial}"),
            });
        }
        self.qemu = Some(qemu.stdin(Stdio::null()).spawn().unwrap());
        self.agent = Some(Self::connect(&socket));
        self.answer();
    }

    fn connect(socket: &Path) -> BufReader<UnixStream> {
        let since = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => return BufReader::new(stream),
                Err(error) => assert!(since.elapsed() < Duration::from_secs(30), "qemu does not answer: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the beginning of the next boot.
    fn answer(&mut self) {
        // Before that comes what was still on its way when the machine went down.
        while !self.read(START).trim_end().ends_with("ready") {}
    }

    /// Waits for the end of a boot. On a busy machine that takes longer than a script may.
    fn finish(&mut self) {
        let done = (0..5).any(|_| self.attempt(DONE).0 != TIMEOUT);
        assert!(done, "the machine does not come to the end of its boot");
    }

    fn read(&mut self, limit: Duration) -> String {
        let agent = self.agent.as_mut().unwrap();
        agent.get_ref().set_read_timeout(Some(limit)).unwrap();
        let mut line = String::new();
        let read = agent.read_line(&mut line).unwrap_or_else(|error| panic!("the machine does not answer: {error}"));
        assert!(read > 0, "the machine has ended");
        line
    }

    /// Tells it to run a script, and waits for no answer.
    fn send(&mut self, script: &str) {
        let line = format!("{}\n", BASE64.encode(script));
        self.agent.as_mut().unwrap().get_mut().write_all(line.as_bytes()).unwrap();
    }

    /// Runs a script on it; gives status and output.
    pub fn attempt(&mut self, script: &str) -> (i32, String) {
        self.send(script);
        let answer = self.read(SCRIPT);
        let answer = String::from_utf8(BASE64.decode(answer.trim()).unwrap()).unwrap();
        let (output, status) = answer.trim_end().rsplit_once("status ").unwrap();
        (status.parse().unwrap(), output.to_owned())
    }

    /// Runs a script that has to succeed; gives its output.
    pub fn shell(&mut self, script: &str) -> String {
        let (status, output) = self.attempt(&format!("set -euo pipefail\n{script}"));
        assert_eq!(status, 0, "{script}\n{output}");
        output.trim_end().to_owned()
    }

    /// Boots it once more.
    pub fn reboot(&mut self) {
        self.send("systemctl --no-block reboot");
        self.answer();
        self.finish();
    }

    /// Shuts it down.
    pub fn stop(&mut self) {
        self.send("systemctl --no-block poweroff");
        self.wait(Duration::from_secs(600));
    }

    /// Waits until it has shut itself down.
    pub fn wait(&mut self, limit: Duration) {
        let since = Instant::now();
        while self.qemu.as_mut().unwrap().try_wait().unwrap().is_none() {
            assert!(since.elapsed() < limit, "the machine does not stop");
            std::thread::sleep(Duration::from_millis(100));
        }
        (self.qemu, self.agent) = (None, None);
    }

    /// All that it has written to its serial console.
    pub fn console(&self) -> Vec<u8> {
        fs::read(self.path("console")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(qemu) = &mut self.qemu {
            let _ = qemu.kill();
            let _ = qemu.wait();
        }
        if std::thread::panicking() {
            let console = self.console();
            let end = String::from_utf8_lossy(&console[console.len().saturating_sub(8_000)..]).replace('\r', "");
            eprintln!("-- the end of the console --\n{end}");
        }
    }
}

/// Makes a disk empty, as another one that is in its place.
pub fn empty(file: &Path, mib: u64) {
    let _ = fs::remove_file(file);
    fs::File::create(file).unwrap().set_len(mib << 20).unwrap();
}

/// Where `tools/vm.sh`, as it is now, has put what it makes.
fn tools() -> PathBuf {
    let made_by = concat!(include_str!("../../tools/vm.sh"), include_str!("../../tools/bookworm.sh"));
    let digest = Digest::of(made_by.as_bytes()).hex();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/vm").join(&digest[..12])
}

/// Runs a program to its end and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}
