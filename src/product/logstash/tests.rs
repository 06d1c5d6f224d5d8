//! Gems and packs made up for tests, put into a made-up base.

use std::io::Write;

use super::*;
use crate::image::below::AtHand;
use crate::name::Platform;
use crate::recipe::Product;
use crate::tree::{Mode, Owner};
use crate::unpack::Unpacked;

const LOCK: &str = "\
PATH
  remote: logstash-core-plugin-api
  specs:
    logstash-core-plugin-api (2.1.16-java)
      logstash-core (= 9.2.0)

PATH
  remote: logstash-core
  specs:
    logstash-core (9.2.0-java)
      stud (~> 0.0.19)

GEM
  remote: https://rubygems.org/
  specs:
    logstash-input-tcp (7.0.0-java)
      logstash-core-plugin-api (>= 1.60, <= 2.99)
    manticore (0.9.1-java)
      openssl_pkcs8_pure
    openssl_pkcs8_pure (0.0.0.2)
    rspec (3.13.0)
    stud (0.0.23)

PLATFORMS
  java

DEPENDENCIES
  logstash-core!
  logstash-core-plugin-api!
  logstash-input-tcp
  rspec (~> 3.5)

BUNDLED WITH
   2.3.26
";

const GEMFILE: &str = "\
# This is a Logstash generated Gemfile.
# If you modify this file manually all comments and formatting will be lost.

source \"https://rubygems.org\"
gem \"logstash-core\", :path => \"./logstash-core\"
gem \"logstash-core-plugin-api\", :path => \"./logstash-core-plugin-api\"
gem \"logstash-input-tcp\"
gem \"rspec\", \"~> 3.5\", :group => :development
";

/// A gem to be made.
struct Made {
    name: &'static str,
    version: &'static str,
    java: bool,
    needs: Vec<(&'static str, &'static str, &'static str)>,
    more: &'static str,
}

fn made(name: &'static str, version: &'static str) -> Made {
    Made { name, version, java: false, needs: Vec::new(), more: "" }
}

impl Made {
    fn needs(mut self, name: &'static str, relation: &'static str, version: &'static str) -> Self {
        self.needs.push((name, relation, version));
        self
    }

    fn java(mut self) -> Self {
        self.java = true;
        self
    }

    fn more(mut self, yaml: &'static str) -> Self {
        self.more = yaml;
        self
    }

    fn yaml(&self) -> String {
        let mut yaml = format!(
            "--- !ruby/object:Gem::Specification\nname: {}\nversion: !ruby/object:Gem::Version\n  version: {}\n\
             platform: {}\nauthors:\n- A\ndate: 2024-02-29 00:00:00.000000000 Z\nsummary: s\nmetadata:\n  \
             logstash_plugin: 'true'\nrubygems_version: 3.3.26\n{}dependencies:{}\n",
            self.name,
            self.version,
            if self.java { "java" } else { "ruby" },
            self.more,
            if self.needs.is_empty() { " []" } else { "" }
        );
        for (name, relation, version) in &self.needs {
            yaml.push_str(&format!(
                "- !ruby/object:Gem::Dependency\n  requirement: &1 !ruby/object:Gem::Requirement\n    requirements:\n    \
                 - - \"{relation}\"\n      - !ruby/object:Gem::Version\n        version: '{version}'\n  name: {name}\n  \
                 type: :runtime\n  prerelease: false\n  version_requirements: *1\n"
            ));
        }
        yaml
    }

    fn full(&self) -> String {
        format!("{}-{}{}", self.name, self.version, if self.java { "-java" } else { "" })
    }

    fn file(&self) -> Vec<u8> {
        let code = format!("# {}", self.name);
        let data = tar(&[("lib/x/code.rb", code.as_bytes(), 0o644), ("bin/run", b"#!", 0o755)]);
        tar(&[("metadata.gz", &gzip(self.yaml().as_bytes()), 0o444), ("data.tar.gz", &gzip(&data), 0o444)])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn put_file(tree: &mut Tree, contents: &mut Contents, path: &str, bytes: &[u8]) {
    let node = contents.add_bytes(bytes);
    tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(0o664), owner: Owner { uid: 1000, gid: 0 }, node });
}

fn base(gemfile: &str, lock: &str) -> AtHand {
    let mut base = AtHand::default();
    let mut put = |path: &str, bytes: &[u8]| {
        put_file(&mut base.tree, &mut base.contents, &format!("{HOME}{path}"), bytes);
    };
    put(GEMFILE_NAME, gemfile.as_bytes());
    put("/Gemfile.lock", lock.as_bytes());
    for gem in ["logstash-input-tcp-7.0.0-java", "manticore-0.9.1-java", "openssl_pkcs8_pure-0.0.0.2"] {
        put(&format!("/vendor/bundle/jruby/3.1.0/specifications/{gem}.gemspec"), b"");
    }
    put("/vendor/jruby/lib/ruby/gems/shared/specifications/default/stud-0.0.23.gemspec", b"");
    base
}

const GEMFILE_NAME: &str = "/Gemfile";

fn pack(files: &[(&str, Vec<u8>)]) -> Unpacked {
    let mut pack = Unpacked::default();
    for (path, bytes) in files {
        put_file(&mut pack.tree, &mut pack.contents, path, bytes);
    }
    pack
}

/// Plugins and what they need, as `prepare-offline-pack` packs them.
fn offline(plugins: &[&Made], dependencies: &[&Made]) -> Unpacked {
    let plugin = |gem: &&Made| (format!("/logstash/{}.gem", gem.full()), gem.file());
    let dependency = |gem: &&Made| (format!("/logstash/dependencies/{}.gem", gem.full()), gem.file());
    let files: Vec<_> = plugins.iter().map(plugin).chain(dependencies.iter().map(dependency)).collect();
    pack(&files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect::<Vec<_>>())
}

fn install_onto(base: &AtHand, name: &str, package: &Unpacked) -> Result<Installed, InstallError> {
    let platform: Platform = "linux/amd64".parse().unwrap();
    install(&Job {
        product: Product::Logstash,
        version: &"9.2.0".parse().unwrap(),
        platform: &platform,
        name,
        package,
        below: base,
        scratch: &tempfile::tempfile,
    })
}

fn text_of(installed: &Installed, path: &str) -> String {
    let entry = installed.tree.get(&format!("{HOME}{path}").parse().unwrap()).unwrap_or_else(|| panic!("{path}"));
    let crate::tree::Node::File { digest, .. } = entry.node else { panic!("{path}") };
    String::from_utf8(installed.contents.bytes(&digest, 1 << 20).unwrap()).unwrap()
}

fn refused(base: &AtHand, name: &str, package: &Unpacked) -> String {
    match install_onto(base, name, package) {
        Err(InstallError::Rule { file, message, help }) => {
            assert!(!help.is_empty());
            format!("{file}: {message}")
        }
        other => panic!("{other:?}"),
    }
}

fn output() -> Made {
    made("logstash-output-x", "1.2.0")
        .java()
        .needs("logstash-core-plugin-api", ">=", "1.60")
        .needs("helper", "~>", "2.0")
        .needs("manticore", ">=", "0.8")
}

#[test]
fn a_pack_with_what_it_needs() {
    let (plugin, helper, known) = (output(), made("helper", "2.1").needs("stud", ">=", "0"), made("stud", "0.0.23"));
    let other = made("manticore", "0.7.0").java();
    let package = offline(&[&plugin], &[&helper, &known, &other, &made("nobody-needs-it", "1")]);
    let installed = install_onto(&base(GEMFILE, LOCK), "logstash-output-x", &package).unwrap();
    assert_eq!(installed.facts.version, "1.2.0");
    let line = "gem \"logstash-output-x\", \"= 1.2.0\"\n";
    assert_eq!(text_of(&installed, "/Gemfile"), format!("{GEMFILE}{line}"));
    let lock = LOCK
        .replace("    logstash-input-tcp (7", "    helper (2.1)\n      stud\n    logstash-input-tcp (7")
        .replace(
            "    manticore (0",
            "    logstash-output-x (1.2.0-java)\n      helper (~> 2.0)\n      logstash-core-plugin-api (>= 1.60)\n      \
             manticore (>= 0.8)\n    manticore (0",
        )
        .replace("  rspec (~> 3.5)", "  logstash-output-x (= 1.2.0)\n  rspec (~> 3.5)");
    assert_eq!(text_of(&installed, "/Gemfile.lock"), lock);
    let places: Vec<_> =
        installed.tree.iter().map(|(path, entry)| format!("{path} {} {}", entry.mode, entry.owner)).collect();
    let gem = |full: &str| {
        let paths = [
            (format!("gems/{full}"), "2775"),
            (format!("gems/{full}/bin"), "2775"),
            (format!("gems/{full}/bin/run"), "0775"),
            (format!("gems/{full}/lib"), "2775"),
            (format!("gems/{full}/lib/x"), "2775"),
            (format!("gems/{full}/lib/x/code.rb"), "0664"),
        ];
        paths.map(|(path, mode)| format!("{HOME}/vendor/bundle/jruby/3.1.0/{path} {mode} 1000:0"))
    };
    let line = |path: &str, mode: &str| format!("{HOME}{path} {mode} 1000:0");
    let mut expected = vec![line("/Gemfile", "0664"), line("/Gemfile.lock", "0664")];
    let own = |path: &str, mode: &str| line(&format!("/vendor/bundle/jruby/3.1.0/{path}"), mode);
    expected.extend([own("cache", "2775"), own("cache/helper-2.1.gem", "0664")]);
    expected.extend([own("cache/logstash-output-x-1.2.0-java.gem", "0664"), own("gems", "2775")]);
    expected.extend(gem("helper-2.1"));
    expected.extend(gem("logstash-output-x-1.2.0-java"));
    expected.push(own("specifications/helper-2.1.gemspec", "0664"));
    expected.push(own("specifications/logstash-output-x-1.2.0-java.gemspec", "0664"));
    assert_eq!(places, expected);
}

#[test]
fn one_gem_alone_and_another_on_top() {
    let plugin = made("logstash-filter-y", "0.1").needs("manticore", "~>", "0.9");
    let mut below = base(GEMFILE, LOCK);
    let first = install_onto(&below, "logstash-filter-y", &pack(&[("/y.gem", plugin.file())])).unwrap();
    below.contents.extend(first.contents.clone());
    for (path, entry) in first.tree.iter() {
        below.tree.insert(path.clone(), entry.clone());
    }
    let second = made("logstash-filter-z", "3").needs("logstash-filter-y", "=", "0.1");
    let second = install_onto(&below, "logstash-filter-z", &pack(&[("/z.gem", second.file())])).unwrap();
    let lock = text_of(&second, "/Gemfile.lock");
    assert!(lock.contains("  logstash-filter-y (= 0.1)\n  logstash-filter-z (= 3)\n"), "{lock}");
    assert!(text_of(&second, "/Gemfile").ends_with("gem \"logstash-filter-z\", \"= 3\"\n"));
    assert_eq!(
        refused(&below, "logstash-filter-y", &pack(&[("/y.gem", plugin.file())])),
        "the package: the image has `logstash-filter-y` already, in the same version"
    );
}

/// A lock also knows what only developers need, whose files are in no image.
#[test]
fn a_lock_knows_gems_that_are_not_there() {
    let plugin = made("logstash-filter-y", "1").needs("rspec", ">=", "3");
    let alone = offline(&[&plugin], &[]);
    assert_eq!(
        refused(&base(GEMFILE, LOCK), "logstash-filter-y", &alone),
        "/logstash/logstash-filter-y-1.gem: `logstash-filter-y` 1 needs `rspec` (>= 3), and the image's lock has `rspec` \
         3.13.0 without its files"
    );
    let installed =
        install_onto(&base(GEMFILE, LOCK), "logstash-filter-y", &offline(&[&plugin], &[&made("rspec", "3.13.0")]))
            .unwrap();
    assert!(text_of(&installed, "/vendor/bundle/jruby/3.1.0/specifications/rspec-3.13.0.gemspec").contains("rspec"));
    assert_eq!(text_of(&installed, "/Gemfile.lock").matches("rspec (").count(), 3);
}

#[test]
fn gems_that_do_not_go_together_are_named() {
    let base = base(GEMFILE, LOCK);
    let of = |plugin: Made, others: &[&Made]| refused(&base, plugin.name, &offline(&[&plugin], others));
    let gem = || made("logstash-filter-y", "1");
    let start = "/logstash/logstash-filter-y-1.gem: `logstash-filter-y` 1 ";
    for (needs, others, what) in [
        (
            gem().needs("logstash-core-plugin-api", "<", "2"),
            vec![],
            "needs `logstash-core-plugin-api` (< 2), and the image has `logstash-core-plugin-api` 2.1.16, which \
             `logstash-input-tcp` 7.0.0 needs",
        ),
        (
            gem().needs("manticore", ">=", "1"),
            vec![made("manticore", "1.0")],
            "needs `manticore` (>= 1), and the image has `manticore` 0.9.1",
        ),
        (
            gem().needs("aws-sdk", "~>", "3"),
            vec![],
            "needs `aws-sdk` (~> 3), which neither the package nor the image has",
        ),
        (
            gem().needs("aws-sdk", "~>", "3"),
            vec![made("aws-sdk", "2.9")],
            "needs `aws-sdk` (~> 3), and the package has `aws-sdk` 2.9",
        ),
        (gem().needs("bundler", "<", "2"), vec![], "needs `bundler` (< 2), and the image has `bundler` 2.3.26"),
    ] {
        assert_eq!(of(needs, &others.iter().collect::<Vec<_>>()), format!("{start}{what}"));
    }
    let newer = made("logstash-input-tcp", "8.0").java();
    assert_eq!(
        of(newer, &[]),
        "/logstash/logstash-input-tcp-8.0-java.gem: `logstash-input-tcp` 8.0 cannot be added: the image has \
         `logstash-input-tcp` 7.0.0"
    );
}

#[test]
fn packages_that_are_none() {
    let base = base(GEMFILE, LOCK);
    let of = |plugin: Made| refused(&base, plugin.name, &offline(&[&plugin], &[]));
    let gem = || made("logstash-filter-y", "1");
    let start = "/logstash/logstash-filter-y-1.gem: ";
    for (plugin, what) in [
        (
            gem().more("extensions:\n- ext/extconf.rb\n"),
            "`logstash-filter-y` has code that is compiled as it is installed, which no JRuby runs",
        ),
        (
            gem().more(
                "required_ruby_version: !ruby/object:Gem::Requirement\n  requirements:\n  - - \">=\"\n    - \
                 !ruby/object:Gem::Version\n      version: '3.2'\n",
            ),
            "`logstash-filter-y` 1 needs Ruby (>= 3.2), and the image has 3.1",
        ),
        (gem().more("name: x\n"), "its metadata: line 13: the key `name` is there twice"),
    ] {
        assert_eq!(of(plugin), format!("{start}{what}"));
    }
    let other = gem();
    assert_eq!(
        refused(&base, "logstash-filter-z", &offline(&[&other], &[])),
        "the package: it holds `logstash-filter-y` and not `logstash-filter-z`"
    );
    assert_eq!(
        refused(&base, "x", &pack(&[("/kibana/x/kibana.json", Vec::new()), ("/a/b.gem", Vec::new())])),
        "the package: there is no gem in it: neither `logstash/NAME.gem`, as in an offline pack, nor one gem alone"
    );
    assert_eq!(
        refused(&base, "a", &pack(&[("/a.gem", made("a", "1").file()), ("/b.gem", made("a", "2").file())])),
        "/b.gem: it is `a-2`, and /a.gem is `a-1`"
    );
    let damaged = refused(&base, "a", &pack(&[("/a.gem", b"x".to_vec())]));
    assert!(damaged.starts_with("/a.gem: "), "{damaged}");
}

#[test]
fn bases_that_are_none() {
    let package = offline(&[&made("logstash-filter-y", "1")], &[]);
    let of = |base: &AtHand| refused(base, "logstash-filter-y", &package);
    assert_eq!(of(&AtHand::default()), "/usr/share/logstash/Gemfile: it is not in the image");
    assert_eq!(of(&base("eval x\n", LOCK)), "/usr/share/logstash/Gemfile: line 1 is not as Logstash writes it: eval x");
    assert_eq!(
        of(&base(GEMFILE, &LOCK.replace("  java\n", "  ruby\n"))),
        "/usr/share/logstash/Gemfile.lock: its section `PLATFORMS` does not hold `java`"
    );
    let mut two = base(GEMFILE, LOCK);
    let place = format!("{HOME}/vendor/bundle/jruby/2.6.0/x");
    put_file(&mut two.tree, &mut two.contents, &place, b"");
    assert_eq!(of(&two), "/usr/share/logstash/vendor/bundle/jruby: there are gems for 2 versions of Ruby in it");
}

#[test]
fn only_two_files_of_a_base_are_read() {
    let of = |path: &str, size| interest(&path.parse().unwrap(), size);
    assert!(of("/usr/share/logstash/Gemfile", 100) && of("/usr/share/logstash/Gemfile.lock", 30_000));
    assert!(!of("/usr/share/logstash/Gemfile.lock", LIMIT + 1) && !of("/x/Gemfile", 1));
    assert!(!of("/usr/share/logstash/lib/x.rb", 1));
}
