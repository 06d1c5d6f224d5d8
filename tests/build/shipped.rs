//! The recipes that are shipped, each with its own files as they are, baked onto bases laid out as the products' images are.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::{logstash, products};
use crate::kitchen::baked::{Baked, gzipped, tarball};
use crate::kitchen::project::Kitchen;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A recipe that is shipped, with what cannot be fetched here put in the place of what it names.
fn recipe(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(home().join("recipes").join(name).with_extension("toml")).unwrap();
    for (from, to) in [&[("\"linux/amd64\", \"linux/arm64\"", "\"linux/amd64\"")], changes].concat() {
        assert!(text.contains(from), "{name}: {from}");
        text = text.replace(from, to);
    }
    text
}

/// All files of a recipe, from the project's folder.
fn files(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![home().join("images").join(name)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push(path.strip_prefix(home()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(!all.is_empty(), "{name}");
    all
}

fn kitchen(name: &str, changes: &[(&str, &str)], base: Vec<u8>) -> Kitchen {
    let from = recipe(name, &[]).lines().find(|line| line.starts_with("from ")).unwrap().to_owned();
    let changes = [&[(from.as_str(), "from = \"rootfs:base.tar.gz\"")], changes].concat();
    let kitchen = Kitchen::new().recipe(name, &recipe(name, &changes)).file("base.tar.gz", base);
    with_files(kitchen, name)
}

fn with_files(kitchen: Kitchen, name: &str) -> Kitchen {
    for file in files(name) {
        kitchen.write(&file, std::fs::read(home().join(&file)).unwrap());
    }
    kitchen
}

/// A base with nothing in it but folders.
fn folders(paths: &[&str]) -> Vec<u8> {
    let entries: Vec<_> = paths.iter().map(|path| (*path, 0o2775, "")).collect();
    gzipped(&tarball(&entries))
}

/// Kind, mode and owner of each of the recipe's files in the layers that it has brought.
fn seen(baked: &Baked, name: &str) -> BTreeMap<String, String> {
    let layer = baked.layers.last().unwrap();
    let inside = |file: &String| file[format!("images/{name}/").len()..].to_owned();
    let shown = |path: String| {
        let item = layer.get(&path).unwrap_or_else(|| panic!("{path} is not in {:?}", layer.keys()));
        let own = std::fs::read(home().join("images").join(name).join(&path)).unwrap();
        assert!(item.content == own, "{path}");
        let text = format!("{} {:04o} {}:{}", item.kind, item.mode, item.owner.0, item.owner.1);
        (path, text)
    };
    files(name).iter().map(inside).map(shown).collect()
}

/// Checked, built twice, and built as it was.
fn built(kitchen: &Kitchen, name: &str) -> Baked {
    kitchen.run(&["lock"]).success();
    kitchen.run(&["check", name]).success();
    let build = kitchen.build(name);
    kitchen.run(&["verify", "--rebuild", name]).success();
    kitchen.baked(&build, 0)
}

fn pairs(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn elasticsearch() {
    let changes = [
        ("name = \"discovery-ec2\"", "name = \"discovery-ec2\"\npath = \"discovery-ec2.zip\""),
        ("name = \"analysis-icu\"", "name = \"analysis-icu\"\npath = \"analysis-icu.zip\""),
    ];
    let kitchen = kitchen("elasticsearch", &changes, products::elasticsearch())
        .file("discovery-ec2.zip", products::plugin_called("discovery-ec2", "8.19.3", &[]))
        .file("analysis-icu.zip", products::plugin_called("analysis-icu", "8.19.3", &[]));
    let baked = built(&kitchen, "elasticsearch");
    let expected = [
        ("usr/local/bin/ecs-entrypoint", "f 0755 0:0"),
        ("usr/share/elasticsearch/config/elasticsearch.yml", "f 0664 1000:0"),
    ];
    assert_eq!(seen(&baked, "elasticsearch"), pairs(&expected));
    let plugins = |plugin: &str| format!("usr/share/elasticsearch/plugins/{plugin}/plugin-descriptor.properties");
    let holds = |path: &String| baked.layers.iter().filter(|layer| layer.contains_key(path)).count();
    assert_eq!(["discovery-ec2", "analysis-icu"].map(|plugin| holds(&plugins(plugin))), [1, 1]);
    let config = &baked.config["config"];
    assert_eq!(config["Entrypoint"], json!(["/bin/tini", "--", "/usr/local/bin/ecs-entrypoint"]));
    assert_eq!(config["Cmd"], json!(["eswrapper"]));
    let env: Vec<_> = config["Env"].as_array().unwrap().iter().map(|pair| pair.as_str().unwrap()).collect();
    for pair in ["CLUSTER_NAME=elk", "ES_SEED_PROVIDERS=ec2", "NODE_NAME="] {
        assert!(env.contains(&pair), "{env:?}");
    }
}

#[test]
fn kibana() {
    let base = folders(&["usr/", "usr/share/", "usr/share/kibana/", "usr/share/kibana/config/"]);
    let baked = built(&kitchen("kibana", &[], base), "kibana");
    assert_eq!(seen(&baked, "kibana"), pairs(&[("usr/share/kibana/config/kibana.yml", "f 0664 1000:0")]));
}

/// What the output for OpenSearch needs since 2.1, by its specification. Before, it was `aws-sdk`.
fn opensearch(version: &str, aws: &str) -> Vec<u8> {
    let needs: [(&str, &[(&str, &str)]); 6] = [
        ("manticore", &[(">=", "0.5.4"), ("<", "1.0.0")]),
        ("stud", &[(">=", "0.0.17"), ("~>", "0.0")]),
        ("logstash-core-plugin-api", &[(">=", "1.60"), ("<=", "2.99")]),
        ("logstash-mixin-ecs_compatibility_support", &[("~>", "1.0")]),
        (aws, &[("~>", "3")]),
        ("json", &[(">=", "2.3.0"), ("~>", "2")]),
    ];
    logstash::gem_of("logstash-output-opensearch", version, &needs)
}

/// Logstash, and the recipe with the output for OpenSearch on it.
fn logstashes(gem: &[u8]) -> Kitchen {
    let text = recipe("logstash-opensearch", &[]);
    let url = text.lines().find(|line| line.starts_with("url ")).unwrap();
    let upper = recipe("logstash-opensearch", &[(url, "path = \"opensearch.gem\"")]);
    let lower = kitchen("logstash", &[], logstash::distribution());
    with_files(lower.recipe("logstash-opensearch", &upper), "logstash-opensearch").file("opensearch.gem", gem)
}

#[test]
fn logstash_and_the_recipe_on_top_of_it() {
    let kitchen = logstashes(&opensearch("2.1.0", "aws-sdk-core"));
    let home = "usr/share/logstash";
    let baked = built(&kitchen, "logstash");
    let (yml, input, output) = (
        format!("{home}/config/logstash.yml"),
        format!("{home}/pipeline/logstash.conf"),
        format!("{home}/pipeline/output.conf"),
    );
    let expected = [(&yml[..], "f 0664 1000:0"), (&input, "f 0644 1000:0"), (&output, "f 0644 1000:0")];
    assert_eq!(seen(&baked, "logstash"), pairs(&expected));
    assert_eq!(baked.config["config"]["ExposedPorts"], json!({ "9601/tcp": {}, "9602/udp": {} }));

    let upper = built(&kitchen, "logstash-opensearch");
    assert_eq!(seen(&upper, "logstash-opensearch"), pairs(&[(&output, "f 0644 1000:0")]));
    let gemfile = upper.layers.iter().rev().find_map(|layer| layer.get(&format!("{home}/Gemfile"))).unwrap();
    assert!(gemfile.text().contains("gem \"logstash-output-opensearch\""), "{}", gemfile.text());
    let lock = upper.layers.iter().rev().find_map(|layer| layer.get(&format!("{home}/Gemfile.lock"))).unwrap();
    let locked = "    logstash-output-opensearch (2.1.0-java)\n      aws-sdk-core (~> 3)\n      json (~> 2, >= 2.3.0)\n      \
                  logstash-core-plugin-api (>= 1.60, <= 2.99)\n      logstash-mixin-ecs_compatibility_support (~> 1.0)\n      \
                  manticore (>= 0.5.4, < 1.0.0)\n      stud (~> 0.0, >= 0.0.17)\n";
    assert!(lock.text().contains(locked), "{}", lock.text());
    // What lies below comes along.
    assert!(upper.layers.iter().any(|layer| layer.contains_key(&input)));
}

/// As the recipe says of the versions up to 2.0.3.
#[test]
fn an_output_for_opensearch_that_needs_all_of_aws_is_refused_without_a_pack() {
    let kitchen = logstashes(&opensearch("2.0.3", "aws-sdk"));
    let text = kitchen.read("recipes/logstash-opensearch.toml");
    kitchen.write("recipes/logstash-opensearch.toml", text.replace("\"2.1.0\"", "\"2.0.3\""));
    let ran = kitchen.run(&["build", "logstash-opensearch"]).code(3);
    let ran = ran.complains("`logstash-output-opensearch` 2.0.3 needs `aws-sdk` (~> 3)");
    ran.complains("neither the package nor the image has").complains("prepare-offline-pack");
}

/// Which way it is, the environment says; Logstash's grammar has a say in both.
#[test]
fn logstash_is_let_into_opensearch_by_a_password_or_by_its_role() {
    let kitchen = logstashes(&opensearch("2.1.0", "aws-sdk-core"));
    let path = "images/logstash-opensearch/usr/share/logstash/pipeline/output.conf";
    let text = kitchen.read(path);
    for setting in [
        "type     => \"${OPENSEARCH_AUTH:basic}\"",
        "password => \"${OPENSEARCH_PASSWORD:}\"",
        "region   => \"${OPENSEARCH_REGION:us-east-1}\"",
    ] {
        assert!(text.contains(setting), "{setting}");
    }
    kitchen.run(&["check", "logstash-opensearch"]).success();
    let role = "auth_type => {\n type => \"aws_iam\"\n region => \"${OPENSEARCH_REGION}\"\n }\n";
    let (before, after) = (text.find("auth_type ").unwrap(), text.find("index ").unwrap());
    for (role, code) in [(role.to_owned(), 0), (role.replace(" }", ""), 1)] {
        kitchen.write(path, format!("{}{role}{}", &text[..before], &text[after..]));
        let ran = kitchen.run(&["check", "logstash-opensearch"]).code(code);
        assert_eq!(ran.stdout.contains("LS009") || ran.stderr.contains("LS009"), code == 1, "{}", ran.stdout);
    }
}

#[test]
fn filebeat() {
    let base = folders(&["usr/", "usr/share/", "usr/share/filebeat/"]);
    let baked = built(&kitchen("filebeat", &[], base), "filebeat");
    assert_eq!(seen(&baked, "filebeat"), pairs(&[("usr/share/filebeat/filebeat.yml", "f 0644 0:0")]));
    assert_eq!(baked.config["config"]["User"], "root");
}

#[test]
fn fluent_bit() {
    let baked = built(&kitchen("fluent-bit", &[], folders(&["fluent-bit/", "fluent-bit/etc/"])), "fluent-bit");
    let expected = ["extra.conf", "host.conf", "parsers_extra.conf"].map(|file| (file, "f 0644 0:0"));
    assert_eq!(seen(&baked, "fluent-bit"), pairs(&expected));
    assert_eq!(baked.config["config"]["User"], "0");
}

/// A recipe that is shipped and baked neither here nor in a real engine would be one that nobody has ever baked.
#[test]
fn no_recipe_is_left_out() {
    let read = |path: &str| std::fs::read_to_string(home().join(path)).unwrap();
    let (tests, engine) = (read("tests/build/shipped.rs"), read("tests/real/run/shipped.rs"));
    let recipes = std::fs::read_dir(home().join("recipes")).unwrap().map(|entry| entry.unwrap().path());
    for path in recipes.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let image = text.lines().next().unwrap().ends_with("\"image\"");
        assert!(
            !image
                || tests.contains(&format!("built(&kitchen, \"{name}\")"))
                || tests.contains(&format!("kitchen(\"{name}\", &[]"))
                || engine.contains(&format!("shipped(\"{name}\", ")),
            "{name}"
        );
    }
}
