//! The Filebeat that Elastic built, baked and started: it exits where it does not like the modes of its configuration.

use super::artefact;
use super::engine::{Ended, Engine};
use super::onto_debian::{debian, place};
use crate::kitchen::project::Kitchen;

const RECIPE: &str = r#"
kind    = "image"
product = "PRODUCT"
version = "8.1.3"
from    = "rootfs:debian.tar"

[[archive]]
name  = "filebeat"
path  = "filebeat.tar"
into  = "/usr/share/filebeat"
strip = 1

[files]
"usr/share/filebeat/data" = { owner = "1000:0" }
"usr/share/filebeat/logs" = { owner = "1000:0" }

[config]
entrypoint = ["/usr/share/filebeat/filebeat"]
cmd        = ["--once", "--environment", "container"]
user       = "1000:0"
workdir    = "/usr/share/filebeat"
env        = { OVEN = "rye" }
"#;

/// Reads a file that is in the image, says every line of it on standard output, and ends.
const CONFIGURATION: &str = r#"
filebeat.inputs:
  - type: log
    paths: ["/var/log/house.log"]
    close_eof: true
    fields: { oven: "${OVEN}" }
output.console.codec.format.string: "%{[message]} %{[fields.oven]}"
"#;

/// Filebeat laid out as in Elastic's image, on which the shipped recipe is baked.
const BASE: &str = r#"
kind    = "image"
product = "generic"
version = "8.1.3"
from    = "rootfs:debian.tar"

[[archive]]
name  = "filebeat"
path  = "filebeat.tar"
into  = "/usr/share/filebeat"
strip = 1

[config]
entrypoint = ["/usr/share/filebeat/filebeat"]
cmd        = ["-environment", "container"]
user       = "1000:0"
workdir    = "/usr/share/filebeat"
"#;

/// Starts what the image starts, waits until it is healthy and has shipped the last line, and says what it has shipped.
const WATCH: &str = "
./filebeat -environment container -E output.elasticsearch.enabled=false -E output.console.enabled=true > /tmp/out 2> /tmp/err &
for i in $(seq 300); do
    if ( CHECK ) && grep -q 'line 29' /tmp/out; then
        kill $! && wait $!
        grep -o '\"message\":\"[^\"\\\\]*' /tmp/out
        exit
    fi
    sleep 0.2
done
cat /tmp/err >&2
exit 1
";

/// The image of a recipe, in an engine, and what its program does there.
fn started(recipe: &str, args: &[&str]) -> Option<Ended> {
    let kitchen = Kitchen::new()
        .recipe("filebeat", recipe)
        .file("images/filebeat/usr/share/filebeat/filebeat.yml", CONFIGURATION)
        .file("images/filebeat/var/log/house.log", "the oven is hot\nthe bread is in\n");
    for folder in ["data", "logs"] {
        std::fs::create_dir(kitchen.project().join("images/filebeat/usr/share/filebeat").join(folder)).unwrap();
    }
    debian(&kitchen)?;
    place(&artefact("filebeat.tar", "filebeat")?, &kitchen.project().join("filebeat.tar"));
    let engine = Engine::new()?;
    let name = loaded(&kitchen, &engine);
    Some(engine.run(&[], &name, args))
}

/// Bakes the recipe and loads it.
fn loaded(kitchen: &Kitchen, engine: &Engine) -> String {
    let archive = kitchen.project().join("filebeat-image.tar");
    let output = format!("docker-archive:{}", archive.display());
    kitchen.run(&["build", "filebeat", "--output", &output]).success();
    engine.load(&archive)
}

#[test]
fn filebeat_starts_and_ships_what_it_reads() {
    let Some(ended) = started(&RECIPE.replace("PRODUCT", "filebeat"), &[]) else { return };
    assert_eq!(ended.success(), "the oven is hot rye\nthe bread is in rye\n");
}

/// The recipe that is shipped, with its configuration as it is but for one thing that Filebeat knows since 8.10.
#[test]
fn the_shipped_recipe_ships_the_logs_of_containers() {
    let shipped =
        |path: &str| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let mut recipe = shipped("recipes/filebeat.toml");
    for (from, to) in [
        ("version     = \"8.19.3\"", "version = \"8.1.3\""),
        ("from        = \"docker.elastic.co/beats/filebeat:8.19.3\"", "from = \"recipe:base\""),
        ("\"linux/amd64\", \"linux/arm64\"", "\"linux/amd64\""),
    ] {
        assert!(recipe.contains(from), "{from}");
        recipe = recipe.replace(from, to);
    }
    let path = "images/filebeat/usr/share/filebeat/filebeat.yml";
    let configuration = shipped(path);
    let (newer, known): (Vec<_>, Vec<_>) = configuration.lines().partition(|line| line.contains("fingerprint"));
    assert_eq!(newer.len(), 2, "{newer:?}");
    let line =
        |i: usize| format!("{{\"log\":\"line {i}\\n\",\"stream\":\"stdout\",\"time\":\"2026-08-01T08:00:00.1Z\"}}\n");
    let log: String = (0..30).map(line).collect();
    let check = recipe.parse::<toml::Table>().unwrap()["runtime"]["health_check"]["command"][1].clone();
    let kitchen = Kitchen::new()
        .recipe("base", BASE)
        .recipe("filebeat", &recipe)
        .file(
            "images/base/usr/share/filebeat/certs/ca.crt",
            rcgen::generate_simple_self_signed(["es".to_owned()]).unwrap().cert.pem(),
        )
        .file(path, known.join("\n"))
        .file("images/filebeat/var/lib/docker/containers/abc/abc-json.log", log);
    let Some(_) = debian(&kitchen) else { return };
    let Some(filebeat) = artefact("filebeat.tar", "filebeat") else { return };
    place(&filebeat, &kitchen.project().join("filebeat.tar"));
    let Some(engine) = Engine::new() else { return };
    let name = loaded(&kitchen, &engine);
    let env = ["--env=ES_ADDRESS=https://es.example:9200", "--env=FILEBEAT_API_KEY=id:key"];
    let tested = engine.run(&env, &name, &["test", "config"]);
    assert_eq!(tested.success(), "Config OK\n");
    let options = [&env[..], &["--entrypoint=bash"]].concat();
    let said = engine.run(&options, &name, &["-c", &WATCH.replace("CHECK", check.as_str().unwrap())]).success();
    let expected: Vec<_> = (0..30).map(|i| format!("\"message\":\"line {i}")).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn filebeat_refuses_a_configuration_that_others_may_write() {
    // The rules of the product would not let it pass.
    let loose = "\n[files]\n\"**/filebeat.yml\" = { mode = \"0666\" }";
    let recipe = RECIPE.replace("PRODUCT", "generic").replace("\n[files]", loose);
    let Some(ended) = started(&recipe, &["test", "config"]) else { return };
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("can only be writable by the owner"), "{}", ended.stderr);
}
