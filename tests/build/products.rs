//! Plugins, baked onto made-up bases that are laid out as the products' own images are.

use std::io::Write;

use serde_json::Value;

use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

const HOME: &str = "usr/share/elasticsearch";

/// A zip of files with modes.
pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o600);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn descriptor(name: &str, version: &str, more: &str) -> String {
    format!(
        "name={name}\ndescription=made up\nversion={version}\nelasticsearch.version={version}\njava.version=17\n\
         classname=org.example.Plugin\n{more}"
    )
}

/// A base with what a plugin meets in an image of Elasticsearch.
pub(crate) fn elasticsearch() -> Vec<u8> {
    let server = zipped(&[("org/elasticsearch/Node.class", b"node")]);
    let module = descriptor("repository-s3", "8.19.3", "");
    let folders = ["usr/", "usr/share/", "usr/share/elasticsearch/"].map(str::to_owned);
    let inner = ["bin", "config", "jdk", "lib", "modules", "modules/repository-s3", "plugins"];
    let folders = folders.into_iter().chain(inner.map(|name| format!("{HOME}/{name}/")));
    let mut entries: Vec<(String, u32, &[u8])> = folders.map(|name| (name, 0o775, &b""[..])).collect();
    for (name, bytes) in [
        ("jdk/release", &b"JAVA_VERSION=\"21.0.2\"\n"[..]),
        ("lib/elasticsearch-8.19.3.jar", &server),
        ("modules/repository-s3/plugin-descriptor.properties", module.as_bytes()),
    ] {
        entries.push((format!("{HOME}/{name}"), 0o444, bytes));
    }
    let entries: Vec<_> = entries.iter().map(|(name, mode, bytes)| (name.as_str(), *mode, *bytes)).collect();
    gzipped(&tarball(&entries))
}

fn kitchen(plugin: &[u8]) -> Kitchen {
    let recipe = "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nfrom = \"rootfs:base.tar.gz\"\n\
                  platforms = [\"linux/amd64\"]\n[[plugin]]\nname = \"made-up\"\npath = \"made-up.zip\"\n";
    Kitchen::new().recipe("es", recipe).file("base.tar.gz", elasticsearch()).file("made-up.zip", plugin)
}

fn plugin(version: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    plugin_called("made-up", version, files)
}

pub(crate) fn plugin_called(name: &str, version: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let text = descriptor(name, version, "");
    let mut all = vec![("plugin-descriptor.properties", text.as_bytes())];
    all.extend(files);
    zipped(&all)
}

#[test]
fn a_plugin_of_elasticsearch_is_where_its_own_installer_puts_it() {
    let jar = zipped(&[("org/example/Plugin.class", b"plugin")]);
    let zip = plugin("8.19.3", &[("made-up.jar", &jar), ("bin/tool", b"#!"), ("config/made-up.yml", b"a: 1\n")]);
    let kitchen = kitchen(&zip);
    let build = kitchen.build("es");
    let baked = kitchen.baked(&build, 0);
    let files = baked.layers.last().unwrap().iter().filter(|(_, item)| item.kind == 'f');
    let files: Vec<_> = files
        .map(|(name, item)| {
            format!("{} {:04o} {}:{}", name.strip_prefix(HOME).unwrap(), item.mode, item.owner.0, item.owner.1)
        })
        .collect();
    assert_eq!(
        files,
        [
            "/bin/made-up/tool 0755 1000:0",
            "/config/made-up/made-up.yml 0660 0:0",
            "/plugins/made-up/made-up.jar 0644 1000:0",
            "/plugins/made-up/plugin-descriptor.properties 0644 1000:0",
        ]
    );
    assert_eq!(build["platforms"][0]["plugins"][0]["version"], "8.19.3");
    kitchen.run(&["inspect", "es"]).success().says("made-up");
}

#[test]
fn a_plugin_that_does_not_fit_is_refused_by_name_and_nothing_is_kept() {
    let node = zipped(&[("org/elasticsearch/Node.class", b"another")]);
    let cases: [(Vec<u8>, &str); 4] = [
        (plugin("8.19.2", &[]), "8.19.2"),
        (plugin("8.19.3", &[("made-up.jar", &node)]), "org.elasticsearch.Node"),
        (plugin("8.19.3", &[("../evil", b"x")]), "../evil"),
        (zipped(&[("readme", b"no plugin")]), "plugin-descriptor.properties"),
    ];
    for (zip, part) in cases {
        let kitchen = kitchen(&zip);
        // The base is read for the lock, and what it holds is known from then on.
        kitchen.run(&["lock"]).success();
        let before = kitchen.stored();
        kitchen.run(&["build", "es"]).code(3).complains(part).complains("hint: ");
        assert_eq!(kitchen.stored(), before, "{part}");
    }
}

#[test]
fn two_plugins_that_have_one_class_and_see_each_other_are_refused_with_both_names() {
    let jar = zipped(&[("org/example/Shared.class", b"class")]);
    let package = |name: &str, more: &str| {
        let text = descriptor(name, "8.19.3", more);
        zipped(&[("plugin-descriptor.properties", text.as_bytes()), ("it.jar", &jar)])
    };
    let kitchen = kitchen(&package("made-up", ""));
    let recipe = kitchen.read("recipes/es.toml");
    let kitchen = kitchen
        .recipe("es", &format!("{recipe}[[plugin]]\nname = \"other\"\npath = \"other.zip\"\n"))
        .file("other.zip", package("other", "extended.plugins=made-up\n"));
    kitchen.run(&["lock"]).success();
    let before = kitchen.stored();
    let ran = kitchen.run(&["build", "es"]).code(3).complains("hint: ");
    assert_eq!(kitchen.stored(), before);
    let ran = ran.complains("org.example.Shared").complains("made-up").complains("other");
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
    let json: Value = kitchen.run(&["plan", "es", "--json"]).success().json();
    assert_eq!(json["plans"][0]["at_hand"]["result"], false);
    // Those that do not see each other may both have it, as in a node.
    kitchen.write("other.zip", package("other", ""));
    kitchen.run(&["lock"]).success();
    kitchen.run(&["build", "es"]).success();
}

/// Once its policy has been read, a plan tells it too.
#[test]
fn what_a_plugin_may_do_is_told() {
    let policy = b"ALL-UNNAMED:\n  - outbound_network\n  - files:\n    - path: /etc/made\n      mode: read\n";
    let kitchen = kitchen(&plugin("8.19.3", &[("entitlement-policy.yaml", policy)]));
    let build = kitchen.build("es");
    let may = serde_json::json!(["files: read /etc/made", "outbound_network"]);
    assert_eq!(build["platforms"][0]["plugins"][0]["permissions"], may);
    kitchen.run(&["plan", "es"]).success().says("  may files: read /etc/made\n").says("  may outbound_network\n");
    let plan: Value = kitchen.run(&["plan", "es", "--json"]).success().json();
    assert_eq!(plan["plans"][0]["at_hand"]["permissions"]["made-up"], may);
    kitchen.run(&["inspect", "es"]).success().says("may outbound_network");
}
