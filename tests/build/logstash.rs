//! Plugins of Logstash, each of which builds on the `Gemfile` that the one before it left.

use std::fmt::Write;

use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

const HOME: &str = "usr/share/logstash";

const GEMFILE: &str = "source \"https://rubygems.org\"\ngem \"stud\"\n";

const LOCK: &str = "GEM\n  remote: https://rubygems.org/\n  specs:\n    stud (0.0.23)\n\nPLATFORMS\n  java\n\n\
                    DEPENDENCIES\n  stud\n\nBUNDLED WITH\n   2.3.26\n";

pub(super) fn base() -> Vec<u8> {
    let bundle = format!("{HOME}/vendor/bundle/jruby/3.1.0");
    let mut entries = vec![(format!("{HOME}/Gemfile"), 0o664, GEMFILE), (format!("{HOME}/Gemfile.lock"), 0o664, LOCK)];
    entries.push((format!("{bundle}/specifications/stud-0.0.23.gemspec"), 0o664, ""));
    let mut folder = String::new();
    let mut folders = Vec::new();
    for part in format!("{bundle}/specifications").split('/') {
        write!(folder, "{part}/").unwrap();
        folders.push((folder.clone(), 0o2775, ""));
    }
    let entries: Vec<_> =
        folders.iter().chain(&entries).map(|(name, mode, text)| (name.as_str(), *mode, *text)).collect();
    gzipped(&tarball(&entries))
}

fn gem(name: &str, needs: &str, wanted: &str) -> Vec<u8> {
    gem_of(name, "1.5", needs, wanted)
}

pub(super) fn gem_of(name: &str, version: &str, needs: &str, wanted: &str) -> Vec<u8> {
    let yaml = format!(
        "--- !ruby/object:Gem::Specification\nname: {name}\nversion: !ruby/object:Gem::Version\n  version: '{version}'\n\
         platform: java\ndependencies:\n- !ruby/object:Gem::Dependency\n  name: {needs}\n  type: :runtime\n  requirement: \
         !ruby/object:Gem::Requirement\n    requirements:\n    - - \"~>\"\n      - !ruby/object:Gem::Version\n        \
         version: '{wanted}'\nmetadata:\n  logstash_plugin: 'true'\nsummary: made up\n"
    );
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
    let refused = kitchen(("stud", "0.1")).run(&["build", "ls"]).code(3);
    refused
        .complains("plugin logstash-filter-b")
        .complains("`logstash-filter-b` 1.5 needs `stud` (~> 0.1), and the image has `stud` 0.0.23");
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
