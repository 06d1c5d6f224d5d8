//! Plugins of Logstash, each of which builds on the `Gemfile` that the one before it left.

use std::fmt::Write;

use crate::kitchen::baked::{gzipped, items, tarball, unpacked};
use crate::kitchen::project::Kitchen;

const HOME: &str = "usr/share/logstash";

const GEMFILE: &str = "source \"https://rubygems.org\"\ngem \"stud\"\n";

const LOCK: &str = "GEM\n  remote: https://rubygems.org/\n  specs:\n    stud (0.0.23)\n\nPLATFORMS\n  java\n\n\
                    DEPENDENCIES\n  stud\n\nBUNDLED WITH\n   2.3.26\n";

/// What Logstash 8.19 locks of what an output needs: some of it its own, some in other platforms' words, some brought along
/// by its plugins for AWS.
const DISTRIBUTION: &str = "PATH
  remote: logstash-core
  specs:
    logstash-core (8.19.3-java)
      manticore (~> 0.8)
      stud (~> 0.0.19)

PATH
  remote: logstash-core-plugin-api
  specs:
    logstash-core-plugin-api (2.1.16-java)
      logstash-core (= 8.19.3)

GEM
  remote: https://rubygems.org/
  specs:
    aws-eventstream (1.4.0)
    aws-sdk-core (3.226.2)
      aws-eventstream (~> 1, >= 1.3.0)
    json (2.12.2-java)
    logstash-integration-aws (7.2.1-java)
      aws-sdk-core (~> 3)
      logstash-core-plugin-api (>= 2.1.12, <= 2.99)
    logstash-mixin-ecs_compatibility_support (1.3.0-java)
      logstash-core-plugin-api (>= 1.60, <= 2.99)
    manticore (0.9.1-java)
    stud (0.0.23)

PLATFORMS
  java

DEPENDENCIES
  json (~> 2)
  logstash-core!
  logstash-core-plugin-api!
  logstash-integration-aws

BUNDLED WITH
   2.6.3
";

/// The base of the tests here.
fn base() -> Vec<u8> {
    base_of(GEMFILE, LOCK)
}

/// A base with the gems that a distribution of Logstash has.
pub(super) fn distribution() -> Vec<u8> {
    base_of(
        "source \"https://rubygems.org\"\ngem \"logstash-core\", :path => \"./logstash-core\"\n\
         gem \"logstash-core-plugin-api\", :path => \"./logstash-core-plugin-api\"\ngem \"json\", \"~> 2\"\n\
         gem \"logstash-integration-aws\"\n",
        DISTRIBUTION,
    )
}

/// A base with the gems of a lock, as far as they come from elsewhere.
fn base_of(gemfile: &str, lock: &str) -> Vec<u8> {
    let specifications = format!("{HOME}/vendor/bundle/jruby/3.1.0/specifications");
    let mut entries = vec![(format!("{HOME}/Gemfile"), 0o664, gemfile), (format!("{HOME}/Gemfile.lock"), 0o664, lock)];
    let gems = lock.split("\n\n").find(|section| section.starts_with("GEM\n")).unwrap();
    for line in gems.lines().filter_map(|line| line.strip_prefix("    ").filter(|line| !line.starts_with(' '))) {
        let (name, version) = line.trim_end_matches(')').split_once(" (").unwrap();
        entries.push((format!("{specifications}/{name}-{version}.gemspec"), 0o664, ""));
    }
    let mut folder = String::new();
    let mut folders = Vec::new();
    for part in specifications.split('/') {
        write!(folder, "{part}/").unwrap();
        folders.push((folder.clone(), 0o2775, ""));
    }
    let entries: Vec<_> =
        folders.iter().chain(&entries).map(|(name, mode, text)| (name.as_str(), *mode, *text)).collect();
    gzipped(&tarball(&entries))
}

fn gem(name: &str, needs: &str, wanted: &str) -> Vec<u8> {
    gem_of(name, "1.5", &[(needs, &[("~>", wanted)])])
}

/// A gem with what it needs: other gems, each with all conditions for its version.
pub(super) fn gem_of(name: &str, version: &str, needs: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
    let mut yaml = format!(
        "--- !ruby/object:Gem::Specification\nname: {name}\nversion: !ruby/object:Gem::Version\n  version: '{version}'\n\
         platform: java\ndependencies:\n"
    );
    for (needed, conditions) in needs {
        write!(
            yaml,
            "- !ruby/object:Gem::Dependency\n  name: {needed}\n  type: :runtime\n  requirement: \
             !ruby/object:Gem::Requirement\n    requirements:\n"
        )
        .unwrap();
        for (operator, version) in *conditions {
            write!(yaml, "    - - \"{operator}\"\n      - !ruby/object:Gem::Version\n        version: '{version}'\n")
                .unwrap();
        }
    }
    yaml.push_str("metadata:\n  logstash_plugin: 'true'\nsummary: made up\n");
    let data = tarball(&[("lib/code.rb", 0o644, name)]);
    tarball(&[("metadata.gz", 0o444, gzipped(yaml.as_bytes())), ("data.tar.gz", 0o444, gzipped(&data))])
}

fn kitchen(second_needs: (&str, &str)) -> Kitchen {
    let plugin = |name: &str| format!("[[plugin]]\nname = \"{name}\"\npath = \"{name}.gem\"\n");
    let recipe = "kind = \"image\"\nproduct = \"logstash\"\nversion = \"9.2.0\"\nfrom = \"rootfs:base.tar.gz\"\n";
    Kitchen::new()
        .recipe("ls", &format!("{recipe}{}{}", plugin("logstash-filter-a"), plugin("logstash-filter-b")))
        .file("base.tar.gz", base())
        .file("logstash-filter-a.gem", gem("logstash-filter-a", "stud", "0.0.22"))
        .file("logstash-filter-b.gem", gem("logstash-filter-b", second_needs.0, second_needs.1))
}

#[test]
fn each_plugin_builds_on_the_one_before_it() {
    let kitchen = kitchen(("logstash-filter-a", "1.2"));
    let baked = kitchen.baked(&kitchen.build("ls"), 0);
    let [.., first, second] = &baked.layers[..] else { panic!("two layers") };
    let text = |layer: &std::collections::BTreeMap<_, crate::kitchen::baked::Item>, path: &str| {
        layer[&format!("{HOME}/{path}")].text()
    };
    let line = |name: &str| format!("\ngem \"{name}\", \"= 1.5\"");
    let gemfile = format!("f 0664 0:0 {}", GEMFILE.trim_end());
    assert_eq!(text(first, "Gemfile"), format!("{gemfile}{}", line("logstash-filter-a")));
    let both = format!("{gemfile}{}{}", line("logstash-filter-a"), line("logstash-filter-b"));
    assert_eq!(text(second, "Gemfile"), both);
    assert!(text(second, "Gemfile.lock").contains(
        "    logstash-filter-a (1.5-java)\n      stud (~> 0.0.22)\n    logstash-filter-b (1.5-java)\n      \
         logstash-filter-a (~> 1.2)\n    stud (0.0.23)\n"
    ));
    let gems = format!("{HOME}/vendor/bundle/jruby/3.1.0/gems");
    let own = |name: &str| format!("{gems}/logstash-filter-{name}-1.5-java/lib/code.rb");
    assert!(first.contains_key(&own("a")) && second.contains_key(&own("b")) && !second.contains_key(&own("a")));
    assert_eq!(second[&own("b")].text(), "f 0664 1000:0 logstash-filter-b");
    assert_eq!(first[&format!("{gems}/logstash-filter-a-1.5-java/lib/")].mode, 0o2775);
}

#[test]
fn gems_that_do_not_go_together_are_named() {
    let kitchen = kitchen(("stud", "0.1"));
    // The base is read for the lock, and what it holds is known from then on.
    kitchen.run(&["lock"]).success();
    let before = kitchen.stored();
    let refused = || {
        let ran = kitchen.run(&["build", "ls"]).code(3).complains("plugin logstash-filter-b").complains("hint: ");
        ran.complains("`logstash-filter-b` 1.5 needs `stud` (~> 0.1), and the image has `stud` 0.0.23");
        kitchen.stored()
    };
    // Nothing of it is kept, but the layer of the plugin before it is: the next build need not make it again.
    let after = refused();
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
    let made: Vec<_> = after.iter().filter(|(path, _)| !before.contains_key(*path)).collect();
    let layers: Vec<_> = made.iter().filter(|(_, bytes)| bytes.starts_with(b"\x1f\x8b")).collect();
    assert_eq!((made.len(), layers.len()), (3, 1), "a layer, what is in it, and by which key it is found: {made:?}");
    let layer = items(&unpacked("+gzip", layers[0].1));
    assert!(layer.keys().any(|name| name.ends_with("/logstash-filter-a-1.5-java/lib/code.rb")));
    assert!(!layer.keys().any(|name| name.contains("logstash-filter-b")));
    assert_eq!(refused(), after);
    kitchen.run(&["store", "verify"]).success();

    let recipe = kitchen.read("recipes/ls.toml");
    let alone = recipe.replace("[[plugin]]\nname = \"logstash-filter-a\"\npath = \"logstash-filter-a.gem\"\n", "");
    assert_ne!(alone, recipe);
    kitchen.write("recipes/ls.toml", alone);
    kitchen.run(&["lock"]).success();
    assert_eq!(refused(), after);
}

#[test]
fn a_package_of_another_version_than_the_recipe_says_is_refused() {
    let kitchen = kitchen(("stud", "0.0.22"));
    let text = kitchen.read("recipes/ls.toml");
    let pinned = |version: &str| {
        text.replace(
            "path = \"logstash-filter-a.gem\"",
            &format!("path = \"logstash-filter-a.gem\"\nversion = \"{version}\""),
        )
    };
    kitchen.write("recipes/ls.toml", pinned("1.6"));
    let refused = kitchen.run(&["build", "ls"]).code(3);
    refused.complains("plugin logstash-filter-a").complains("holds `logstash-filter-a` 1.5, and the recipe says 1.6");
    kitchen.write("recipes/ls.toml", pinned("1.5"));
    kitchen.run(&["build", "ls"]).success();
}
