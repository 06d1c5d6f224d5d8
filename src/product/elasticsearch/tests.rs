//! Every rule of installing, with a plugin that breaks it and the nearest one that keeps it.

use super::fixture::{Fixture, jar, module_jar};
use super::together;
use crate::product::plugin::Installed;
use crate::tree::{Node, Owner};

fn es() -> Fixture {
    Fixture::new("8.19.3")
}

#[track_caller]
fn refused(fixture: &Fixture, part: &str) {
    let refusal = fixture.refusal();
    assert!(refusal.contains(part), "{refusal}");
}

#[track_caller]
fn taken(fixture: &Fixture) {
    fixture.install().unwrap();
}

#[test]
fn files_come_to_lie_where_the_installer_puts_them() {
    let plugin = es()
        .file("/x.jar", jar(&["com/example/X.class"]))
        .file("/lib/bin/tool", "")
        .file("/lib/bin/more/text", "")
        .file("/bin/x-tool", "")
        .file("/config/x.yml", "new")
        .file("/config/kept.yml", "new")
        .node("/config/empty", Node::Folder)
        .node("/nothing", Node::Folder)
        .below("config/analysis-x/kept.yml", "old");
    assert_eq!(
        plugin.listing(),
        [
            "0755 1000:0 bin/analysis-x/",
            "0755 1000:0 bin/analysis-x/x-tool",
            "0750 1000:0 config/analysis-x/",
            "0660 1000:0 config/analysis-x/x.yml",
            "0755 1000:0 plugins/analysis-x/",
            "0755 1000:0 plugins/analysis-x/lib/",
            "0755 1000:0 plugins/analysis-x/lib/bin/",
            "0755 1000:0 plugins/analysis-x/lib/bin/more/",
            "0644 1000:0 plugins/analysis-x/lib/bin/more/text",
            "0755 1000:0 plugins/analysis-x/lib/bin/tool",
            "0644 1000:0 plugins/analysis-x/plugin-descriptor.properties",
            "0644 1000:0 plugins/analysis-x/x.jar",
        ]
    );
    let installed = plugin.install().unwrap();
    for (_, entry) in installed.tree.iter() {
        if let Node::File { digest, size } = &entry.node {
            assert_eq!(installed.contents.bytes(digest, 10_000).unwrap().len() as u64, *size);
        }
    }
    assert_eq!((&*installed.facts.name, &*installed.facts.version), ("analysis-x", "1.2"));
}

#[test]
fn root_installs_in_the_images_of_7_and_the_user_in_later_ones() {
    let of = |version: &str| Fixture::new(version).file("/bin/x", "").file("/config/x", "");
    let seven = of("7.17.28").owned_below("config", Owner { uid: 1000, gid: 7 }).listing();
    assert!(seven.contains(&"0755 0:0 bin/analysis-x/x".to_owned()), "{seven:?}");
    assert!(seven.contains(&"0660 1000:7 config/analysis-x/x".to_owned()), "{seven:?}");
    let nine = of("9.2.0").not_below("config").listing();
    assert!(nine.contains(&"0755 1000:0 bin/analysis-x/x".to_owned()), "{nine:?}");
    assert!(nine.contains(&"0660 1000:0 config/analysis-x/x".to_owned()), "{nine:?}");
}

#[test]
fn bin_and_config_hold_files_only() {
    refused(&es().file("/bin/sub/x", ""), "bin/sub/x: there is a folder in `bin`");
    refused(&es().file("/config/sub/x", ""), "config/sub/x: there is a folder in `config`");
    refused(&es().file("/bin", ""), "bin: `bin` is a file");
    refused(&es().file("/config", ""), "config: `config` is a file");
    refused(&es().file("/bin/x", "").below("bin/analysis-x/x", ""), "has a `bin/analysis-x/x` already");
}

#[test]
fn a_package_holds_files_at_its_top() {
    let old = es().undescribed().file("/elasticsearch/plugin-descriptor.properties", "");
    refused(&old, "/elasticsearch: the package has the form that plugins of old had");
    refused(&es().node("/elasticsearch", Node::Folder), "plugins of old");
    taken(&es().file("/elasticsearch", ""));
    refused(&es().node("/a", Node::Link("/etc/passwd".to_owned())), "/a: it is a link to `/etc/passwd`");
    refused(&es().undescribed(), "so it is no plugin");
    refused(&es().file("/stable-plugin-descriptor.properties", ""), "only one of the two");
}

#[test]
fn the_name_is_the_recipes_and_a_folder() {
    refused(&es().with("name", "other"), "the plugin is called `other`, the recipe says `analysis-x`");
    for name in ["../x", "a/b", ".", ".removing-x"] {
        let mut plugin = es().with("name", name);
        name.clone_into(&mut plugin.name);
        refused(&plugin, "can be no folder");
    }
}

#[test]
fn there_is_room_for_it() {
    let module = "modules/analysis-x/plugin-descriptor.properties";
    refused(&es().below(module, ""), "as a module");
    // An image's layer may hold the files of a folder without the folder itself.
    refused(&es().owned_below("modules/analysis-x", Owner::default()), "as a module");
    refused(&es().below("plugins/analysis-x/x.jar", ""), "has a plugin `analysis-x` already");
    refused(&es().below("plugins/.installing-123/x", ""), "plugins/.installing-123");
    refused(&es().below("plugins/.removing-y", ""), "plugins/.removing-y");
    refused(&es().below("config/elasticsearch-plugins.yml", ""), "removes every plugin");
    taken(&es().below("plugins/analysis-y/plugin-descriptor.properties", ""));
}

#[test]
fn a_classic_plugin_is_for_one_version() {
    refused(
        &es().with("elasticsearch.version", "8.19.2"),
        "it was built for Elasticsearch 8.19.2 and works with no other",
    );
    taken(&Fixture::new("9.0.0-beta1"));
    let mut base = es();
    "8.19.4".clone_into(&mut base.version);
    refused(&base, "the image below holds Elasticsearch 8.19.3, the recipe says 8.19.4");
    "8.19".clone_into(&mut base.version);
    refused(&base, "plugins follow the exact one");
}

#[test]
fn a_stable_plugin_is_for_its_major_version_from_its_own_on() {
    let stable = || Fixture::stable("8.19.3");
    taken(&stable());
    taken(&stable().with("elasticsearch.version", "8.7.0"));
    taken(&stable().with("modular", "true"));
    refused(&stable().with("elasticsearch.version", "8.19.4"), "8.19.3 is older");
    refused(&stable().with("elasticsearch.version", "7.17.0"), "it was built for Elasticsearch 7");
    refused(&stable().with("elasticsearch.version", "8"), "not of the form N.N.N");
    refused(&Fixture::stable("8.3.3"), "from Elasticsearch 8.4 on");
    refused(&Fixture::stable("7.17.28"), "from Elasticsearch 8.4 on");
}

#[test]
fn a_stable_plugin_lists_its_components() {
    let stable = || Fixture::stable("9.2.0");
    let mut without = stable();
    without.package.tree.remove(&"/named_components.json".parse().unwrap()).unwrap();
    refused(&without, "named_components.json: the package has none");
    refused(&stable().file("/named_components.json", "{\n\"a\": 1}"), "named_components.json:2: ");
    taken(&stable().file("/named_components.json", "{\"a.Factory\": {\"x\": \"com.example.X\"}}"));
    taken(&es());
}

#[test]
fn java_is_new_enough() {
    refused(&es().with("java.version", "22"), "it needs Java 22, and the image below has Java 21");
    taken(&es().with("java.version", "1.8"));
    taken(&es().with("java.version", "22").not_below("jdk/release"));
    taken(&es().with("java.version", "22").below("jdk/release", "JAVA_VERSION=\"?\""));
    refused(&es().with("java.version", "x"), "`java.version` is `x`");
}

#[test]
fn every_key_is_known_and_those_that_must_be_are_there() {
    for key in ["name", "elasticsearch.version", "java.version", "classname"] {
        refused(&es().without(key), &format!("plugin-descriptor.properties: `{key}` is missing"));
        refused(&es().with(key, " "), &format!("`{key}` is empty"));
    }
    for key in ["description", "version"] {
        refused(&es().without(key), &format!("`{key}` is missing"));
        taken(&es().with(key, ""));
    }
    refused(
        &es().with("site", "true").with("jvm", "true"),
        "Elasticsearch 8.19 does not know `jvm`, `site` of plugins",
    );
    refused(&es().with("licensed", "yes"), "`licensed` is `yes`");
    taken(&es().with("licensed", "true").with("has.native.controller", "false"));
    refused(&es().with("has.native.controller", "true"), "native controller");
    refused(&Fixture::stable("8.19.3").with("classname", "a.B"), "does not know `classname` of stable plugins");
    refused(&es().with("x", "\\u12"), "plugin-descriptor.properties:");
}

#[test]
fn keys_come_and_go_with_versions() {
    let seven = || Fixture::new("7.17.28");
    taken(&seven().with("type", "isolated").with("java.opts", ""));
    taken(&seven().with("type", "BOOTSTRAP").with("java.opts", "-Da=b").without("classname"));
    refused(&seven().with("type", "bootstrap"), "`classname` is set");
    refused(&seven().with("type", "other"), "`type` is `other`");
    refused(&seven().with("java.opts", "-Da=b"), "`type` is not `bootstrap`");
    refused(&seven().with("modulename", "m"), "does not know `modulename`");
    taken(&Fixture::new("8.3.0").with("modulename", "m").with("type", "isolated"));
    refused(&Fixture::new("8.4.0").with("type", "isolated"), "does not know `type`");
    taken(&Fixture::new("9.2.0").with("modulename", ""));
}

#[test]
fn a_plugin_of_opensearch_is_told_so() {
    let plugin = es().without("elasticsearch.version").with("opensearch.version", "3.1.0");
    refused(&plugin, "it is a plugin for OpenSearch 3.1.0, which Elasticsearch refuses");
}

/// A plugin with the same base as `es`, and jars.
fn with_jars(jars: &[(&str, &[&str])]) -> Fixture {
    jars.iter().fold(es(), |plugin, (name, classes)| plugin.file(&format!("/{name}"), jar(classes)))
}

#[test]
fn a_class_is_in_one_jar_of_a_plugin() {
    let plugin = with_jars(&[("a.jar", &["x/A.class"]), ("b.jar", &["x/A.class"])]);
    refused(&plugin, "plugins/analysis-x/b.jar: it has the class `x.A`, and so has `plugins/analysis-x/a.jar`");
    let spi = with_jars(&[("a.jar", &["x/A.class"]), ("spi/b.jar", &["x/A.class"])]);
    refused(&spi, "the class `x.A`");
    // Nobody loads what lies deeper.
    taken(&with_jars(&[("a.jar", &["x/A.class"]), ("lib/b.jar", &["x/A.class"])]));
    taken(&with_jars(&[
        ("a.jar", &["x/A.class", "module-info.class"]),
        ("b.jar", &["x/B.class", "module-info.class"]),
    ]));
    refused(
        &with_jars(&[("a.jar", &["META-INF/versions/9/A.class"]), ("b.jar", &["META-INF/versions/9/A.class"])]),
        "META-INF.versions.9.A",
    );
    refused(&es().file("/a.jar", "no jar"), "plugins/analysis-x/a.jar: it is no jar");
}

#[test]
fn a_class_is_in_a_jar_once() {
    let doubled = |name: &str| {
        let mut bytes = jar(&[&format!("{name}A.class"), &format!("{name}B.class")]);
        let wanted = format!("{name}B.class");
        while let Some(i) = bytes.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
            bytes[i + name.len()] = b'A';
        }
        es().file("/a.jar", bytes)
    };
    refused(&doubled("x/"), "plugins/analysis-x/a.jar: it has the class `x.A` more than once");
    taken(&doubled("org/apache/xmlbeans/"));
}

#[test]
fn a_class_is_not_in_elasticsearch_too() {
    let plugin = with_jars(&[("a.jar", &["org/elasticsearch/Node.class"])]);
    refused(
        &plugin,
        "plugins/analysis-x/a.jar: it has the class `org.elasticsearch.Node`, and so has `lib/elasticsearch-8.19.3.jar`",
    );
    taken(&with_jars(&[("a.jar", &["x/A.class"])]).below("lib/tools/plugin-cli/b.jar", jar(&["x/A.class"])));
    refused(&with_jars(&[("a.jar", &["x/A.class"])]).below("lib/b.jar", "no jar"), "lib/b.jar: it is no jar");
}

#[test]
fn a_jar_says_which_java_it_needs() {
    let manifest = |java: &str| format!("META-INF/MANIFEST.MF=X-Compile-Target-JDK: {java}\n");
    taken(&with_jars(&[("a.jar", &[&manifest("1.8")])]));
    refused(&with_jars(&[("a.jar", &[&manifest("25")])]), "plugins/analysis-x/a.jar: it needs Java 25");
    refused(&with_jars(&[("a.jar", &[&manifest("x")])]), "asks for Java `x`");
}

#[test]
fn a_class_is_not_in_a_module_that_the_plugin_extends() {
    let plugin = |extends: &str| {
        with_jars(&[("a.jar", &["x/A.class"])])
            .with("extended.plugins", extends)
            .below("modules/painless/plugin-descriptor.properties", "name=painless\nextended.plugins=deep")
            .below("modules/painless/p.jar", jar(&["p/P.class", "x/A.class"]))
            .below("modules/painless/spi/s.jar", jar(&["s/S.class"]))
            .below("modules/deep/d.jar", jar(&["d/D.class"]))
            .below("modules/own/o.jar", jar(&["x/A.class"]))
    };
    taken(&plugin(""));
    // Those who extend a module that has an SPI see that and not the module itself.
    taken(&plugin("painless"));
    let own = "plugins/analysis-x/a.jar: it has the class `x.A`, and so has `modules/own/o.jar`";
    refused(&plugin("own"), own);
    refused(&plugin("painless,own"), own);
    refused(&plugin("painless").below("modules/deep/d.jar", jar(&["x/A.class"])), "`modules/deep/d.jar`");
    refused(&plugin("painless").below("modules/deep/d.jar", jar(&["s/S.class"])), "has the class `s.S`");
}

fn named(name: &str, extends: &str, classes: &[&str]) -> Installed {
    let mut plugin = with_jars(&[("a.jar", classes)]).with("name", name).with("extended.plugins", extends);
    name.clone_into(&mut plugin.name);
    plugin.install().unwrap()
}

#[track_caller]
fn not_together(installed: &[Installed], part: &str) {
    let error = together(installed, &es().below).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn plugins_share_classes_unless_one_extends_the_other() {
    let (a, b) = (named("a", "", &["x/A.class"]), named("b", "", &["x/A.class"]));
    together(&[a.clone(), b], &es().below).unwrap();
    let extends = named("c", "a", &["x/A.class"]);
    not_together(
        &[extends.clone(), a.clone()],
        "plugins/c/a.jar: it has the class `x.A`, and so has `plugins/a/a.jar`",
    );
    together(&[named("c", "a", &["x/C.class"]), a.clone()], &es().below).unwrap();
    let far = named("d", "m", &["x/A.class"]);
    not_together(&[far, named("m", "a", &["x/M.class"]), a.clone()], "the class `x.A`");
    not_together(&[extends], "c: it extends the plugin `a`, which is neither");
    not_together(&[a.clone(), a], "two plugins of this name");
}

#[test]
fn what_a_plugin_extends_is_there_and_not_itself() {
    let below = es().below("modules/painless/p.jar", jar(&["p/P.class"])).below;
    together(&[named("a", "painless", &["x/A.class"])], &below).unwrap();
    for nobody in ["painless", "no/body", "..", " painless", "x,"] {
        not_together(&[named("a", nobody, &[])], "which is neither in the recipe nor in the image below");
    }
    not_together(&[named("a", "b", &[]), named("b", "a", &[])], "it extends itself, or another plugin that extends it");
    not_together(&[named("a", "a", &[])], "it extends itself");
}

#[test]
fn what_a_plugin_may_do_is_told() {
    let policies = |version: &str| {
        Fixture::new(version)
            .file("/plugin-security.policy", "grant { permission java.net.SocketPermission \"*\", \"connect\"; };")
            .file("/entitlement-policy.yaml", "ALL-UNNAMED:\n  - outbound_network\n")
            .install()
            .unwrap()
            .facts
            .permissions
    };
    for version in ["7.17.28", "8.17.9"] {
        assert_eq!(policies(version), ["java.net.SocketPermission * connect"]);
    }
    for version in ["8.18.0", "9.2.0"] {
        assert_eq!(policies(version), ["outbound_network"]);
    }
    assert_eq!(es().install().unwrap().facts.permissions, [""; 0]);
}

#[test]
fn a_policy_that_nobody_can_read_is_refused() {
    refused(&es().file("/entitlement-policy.yaml", "ALL-UNNAMED:\n  - everything"), "entitlement-policy.yaml:2: ");
    refused(&Fixture::new("8.17.0").file("/plugin-security.policy", "\ngrant"), "plugin-security.policy:2: ");
    refused(&es().file("/entitlement-policy.yaml", *b"\xff"), "entitlement-policy.yaml: it is no UTF-8");
    taken(&es().file("/plugin-security.policy", "no policy, and nobody reads it"));
    taken(&Fixture::new("8.17.0").file("/entitlement-policy.yaml", "no policy, and nobody reads it"));
    let codebase = |jar: &str| {
        Fixture::new("7.17.28")
            .file("/plugin-security.policy", "grant codeBase \"${codebase.lib}\" { };")
            .file(&format!("/{jar}"), jar_of("x/A"))
    };
    taken(&codebase("lib-1.2.jar"));
    taken(&codebase("spi/lib-1.2.jar"));
    refused(&codebase("other-1.2.jar"), "none of the plugin's jars");
}

fn jar_of(class: &str) -> Vec<u8> {
    jar(&[&format!("{class}.class")])
}

#[test]
fn scopes_of_a_policy_are_the_modules_of_the_plugin() {
    let plugin = |scope: &str| {
        es().with("modulename", "com.example.x")
            .file("/x.jar", module_jar("com.example.x"))
            .file("/some-lib-1.0.jar", jar_of("lib/L"))
            .file("/entitlement-policy.yaml", format!("{scope}: [outbound_network]"))
    };
    taken(&plugin("com.example.x"));
    taken(&plugin("some.lib"));
    refused(&plugin("ALL-UNNAMED"), "the plugin's modules are com.example.x, some.lib");
    refused(&plugin("com.example.x").without("modulename"), "its only scope is `ALL-UNNAMED`");
}
