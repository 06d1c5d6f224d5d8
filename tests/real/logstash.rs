//! What becomes of Logstash's plugins, judged by RubyGems and Bundler: those of Ruby, and those of JRuby, on which
//! Logstash runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use elkbake::contents::Contents;
use elkbake::image::below::AtHand;
use elkbake::name::Platform;
use elkbake::product::{Installed, Job, logstash};
use elkbake::recipe::Product;
use elkbake::tree::{Entry, Mode, Node, Owner, Tree};
use elkbake::unpack::Unpacked;

use super::program;

const HOME: &str = "/usr/share/logstash";

/// Runs a script of `tests/real/logstash` and returns what it says.
fn script(ruby: &Path, name: &str, args: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/logstash").join(name);
    let mut command = Command::new(ruby);
    command.arg(script).args(args.iter().map(AsRef::as_ref)).env("LANG", "C.UTF-8").env("JRUBY_OPTS", "--dev");
    for name in ["RUBYOPT", "RUBYLIB", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE", "BUNDLE_PATH"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The files below a folder of the disk, as if they lay at a place of an image.
fn read(folder: &Path, place: &str, tree: &mut Tree, contents: &mut Contents) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let place = format!("{place}/{}", path.file_name().unwrap().to_str().unwrap());
        let mode = Mode::new(u16::try_from(fs::metadata(&path).unwrap().permissions().mode() & 0o777).unwrap());
        let node = if path.is_dir() { Node::Folder } else { contents.add_bytes(fs::read(&path).unwrap()) };
        if path.is_dir() {
            read(&path, &place, tree, contents);
        }
        tree.insert(place.parse().unwrap(), Entry { mode, owner: Owner { uid: 1000, gid: 0 }, node });
    }
}

/// An image of Logstash's, on the disk.
struct Image {
    folder: tempfile::TempDir,
}

impl Image {
    fn new(ruby: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        script(ruby, "image.rb", &[&folder.path().join("home"), &folder.path().join("gems")]);
        Self { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder of the gems that are installed.
    fn bundle(&self) -> PathBuf {
        let mut abis = fs::read_dir(self.home().join("vendor/bundle/jruby")).unwrap();
        abis.next().unwrap().unwrap().path()
    }

    fn gem(&self, name: &str) -> PathBuf {
        self.folder.path().join("gems").join(name)
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.home().join(path)).unwrap()
    }

    /// Installs a package of gems, each at its place in the package.
    fn install(&self, name: &str, gems: &[(&str, &str)]) -> Installed {
        let (mut below, mut package) = (AtHand::default(), Unpacked::default());
        read(&self.home(), HOME, &mut below.tree, &mut below.contents);
        for (place, gem) in gems {
            let node = package.contents.add_bytes(fs::read(self.gem(gem)).unwrap());
            let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node };
            package.tree.insert(format!("{place}/{gem}").parse().unwrap(), entry);
        }
        let platform: Platform = "linux/amd64".parse().unwrap();
        let version = "9.2.0".parse().unwrap();
        let (package, below) = (&package, &below);
        let scratch = &tempfile::tempfile;
        logstash::install(&Job {
            product: Product::Logstash,
            version: &version,
            platform: &platform,
            name,
            package,
            below,
            scratch,
        })
        .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Puts what was installed onto the disk.
    fn put(&self, installed: &Installed) {
        for (path, entry) in installed.tree.iter() {
            let path = self.home().join(path.as_str().strip_prefix(HOME).unwrap().trim_start_matches('/'));
            match &entry.node {
                Node::Folder => fs::create_dir_all(&path).unwrap(),
                Node::File { digest, size } => {
                    fs::write(&path, installed.contents.bytes(digest, *size).unwrap()).unwrap();
                }
                Node::Link(_) => panic!("{}", path.display()),
            }
        }
    }
}

const PACK: [(&str, &str); 5] = [
    ("/logstash", "logstash-output-made-2.0.0.pre1-java.gem"),
    ("/logstash/dependencies", "made-helper-1.2.10.gem"),
    ("/logstash/dependencies", "made-deeper-3.1-java.gem"),
    ("/logstash/dependencies", "concurrent-ruby-1.3.5.gem"),
    ("/logstash/dependencies", "stud-0.0.23.gem"),
];

const ALONE: [(&str, &str); 1] = [("", "logstash-filter-alone-0.1.gem")];

/// What both leave behind has the same bytes: the lock, and the specifications beside the gems.
#[test]
fn what_is_installed_is_what_rubygems_and_bundler_leave_behind() {
    let (Some(ruby), Some(_)) = (program(&["ruby"], "ruby"), program(&["bundle"], "bundler")) else { return };
    let (ours, theirs) = (Image::new(&ruby), Image::new(&ruby));
    assert_eq!(ours.file("Gemfile.lock"), theirs.file("Gemfile.lock"));
    for (name, gems) in [("logstash-output-made", &PACK[..]), ("logstash-filter-alone", &ALONE)] {
        ours.put(&ours.install(name, gems));
        fs::write(theirs.home().join("Gemfile"), ours.file("Gemfile")).unwrap();
        // Bundler leaves the image's versions as they are too, but Logstash would unpack all gems of a pack first.
        let used = gems.iter().filter(|(_, gem)| !gem.starts_with("concurrent-ruby") && !gem.starts_with("stud"));
        let used: Vec<_> = used.map(|(_, gem)| theirs.gem(gem)).collect();
        let (home, bundle) = (theirs.home(), theirs.bundle());
        let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&home, &bundle];
        args.extend(used.iter().map(|path| path as &dyn AsRef<std::ffi::OsStr>));
        script(&ruby, "relock.rb", &args);
        assert_eq!(ours.file("Gemfile.lock"), theirs.file("Gemfile.lock"), "{name}");
        for gem in used {
            let gemspec = format!("specifications/{}.gemspec", gem.file_stem().unwrap().to_str().unwrap());
            let [our, their] = [&ours, &theirs].map(|image| fs::read_to_string(image.bundle().join(&gemspec)).unwrap());
            assert_eq!(our, of_old(&their), "{gemspec}");
        }
    }
    let tree = |image: &Image| {
        let (mut tree, mut contents) = (Tree::default(), Contents::default());
        read(&image.bundle().join("gems"), "", &mut tree, &mut contents);
        tree.iter().map(|(path, entry)| (path.to_string(), entry.node.clone())).collect::<Vec<_>>()
    };
    assert_eq!(tree(&ours), tree(&theirs));
}

/// The specification as RubyGems 3.1 to 3.3 wrote it, from what any version writes.
fn of_old(gemspec: &str) -> String {
    // From 3.6 on it freezes versions, too, here and below.
    let plain = |line: &str| match line.strip_suffix(".freeze") {
        Some(version) if line.starts_with("  s.version = ") => version.to_owned(),
        _ => line.to_owned(),
    };
    let gemspec: String = gemspec.split_inclusive('\n').map(|line| plain(line.trim_end_matches('\n')) + "\n").collect();
    if gemspec.contains("  if s.respond_to? :specification_version then\n")
        || !gemspec.contains("  s.specification_version")
    {
        return gemspec;
    }
    let is_need = |line: &&str| line.starts_with("  s.add_") && line.contains("_dependency(");
    let needs: Vec<_> = gemspec
        .lines()
        .filter(is_need)
        .map(|line| line.replace("s.add_dependency", "s.add_runtime_dependency").replace("\".freeze", "\""))
        .map(|line| format!("  {line}\n"))
        .collect();
    let number = gemspec.lines().find(|line| line.starts_with("  s.specification_version")).unwrap();
    let head = gemspec.split("\n  s.specification_version").next().unwrap();
    let plain = needs
        .concat()
        .replace("add_runtime_dependency", "add_dependency")
        .replace("add_development_dependency", "add_dependency");
    format!(
        "{head}\n  if s.respond_to? :specification_version then\n  {number}\n  end\n\n  if s.respond_to? :add_runtime_dependency then\n\
         {}  else\n{plain}  end\nend\n",
        needs.concat()
    )
}

/// Bundler starts with the order to change nothing, and finds the code of what was installed.
fn boots(ruby: &Path, image: &Image) {
    image.put(&image.install("logstash-output-made", &PACK));
    image.put(&image.install("logstash-filter-alone", &ALONE));
    let (home, bundle) = (image.home(), image.bundle());
    let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&home, &bundle];
    args.extend([
        &"logstash-output-made" as &dyn AsRef<std::ffi::OsStr>,
        &"made-deeper",
        &"logstash-filter-alone",
        &"concurrent-ruby",
    ]);
    assert_eq!(
        script(ruby, "boot.rb", &args),
        "logstash-output-made 2.0.0.pre1 whole\nmade-deeper 3.1 whole\nlogstash-filter-alone 0.1 whole\n\
         concurrent-ruby 1.1.9 whole\n"
    );
}

#[test]
fn bundler_starts_frozen_with_what_is_installed() {
    let (Some(ruby), Some(_)) = (program(&["ruby"], "ruby"), program(&["bundle"], "bundler")) else { return };
    boots(&ruby, &Image::new(&ruby));
}

#[test]
fn jruby_starts_frozen_with_what_is_installed() {
    let (Some(ruby), Some(jruby)) = (program(&["ruby"], "ruby"), program(&["jruby"], "jruby")) else { return };
    // What is installed into may be made by Ruby, which takes half a second of the minute that JRuby takes.
    boots(&jruby, &Image::new(&ruby));
}

/// Specifications with all that can be in them, and texts that are hard to write in YAML and in Ruby.
#[test]
fn specifications_are_what_rubygems_writes() {
    let Some(ruby) = program(&["ruby"], "ruby") else { return };
    let made: Vec<serde_json::Value> = serde_json::from_str(&script(&ruby, "gems.rb", &[&"1", &"400"])).unwrap();
    assert_eq!(made.len(), 400);
    let folder = tempfile::tempdir().unwrap();
    for (i, gem) in made.iter().enumerate() {
        let (yaml, expected) = (gem["yaml"].as_str().unwrap(), gem["ruby"].as_str().unwrap());
        let gemspec = logstash::gemspec(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        assert_eq!(gemspec, of_old(expected), "{yaml}");
        fs::write(folder.path().join(format!("{i:03}.gemspec")), gemspec).unwrap();
        fs::write(folder.path().join(format!("{i:03}.yaml")), yaml).unwrap();
    }
    assert_eq!(script(&ruby, "same.rb", &[&folder.path()]).lines().count(), 400);
}

#[test]
fn versions_go_together_as_rubygems_says() {
    let Some(ruby) = program(&["ruby"], "ruby") else { return };
    let made: Vec<(String, String, bool, bool)> =
        serde_json::from_str(&script(&ruby, "met.rb", &[&"1", &"5000"])).unwrap();
    assert!(made.len() > 4000);
    for (requirement, version, met, _) in &made {
        assert_eq!(logstash::is_met(requirement, version), Some(*met), "{version} for {requirement}");
    }
    let met = made.iter().filter(|(.., met, _)| *met).count();
    assert!(met > 500 && met < made.len() - 500, "{met} of {}", made.len());
}
