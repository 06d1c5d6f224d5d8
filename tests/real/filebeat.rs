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
    let archive = kitchen.project().join("filebeat-image.tar");
    let output = format!("docker-archive:{}", archive.display());
    kitchen.run(&["build", "filebeat", "--output", &output]).success();
    let name = engine.load(&archive);
    Some(engine.run(&[], &name, args))
}

#[test]
fn filebeat_starts_and_ships_what_it_reads() {
    let Some(ended) = started(&RECIPE.replace("PRODUCT", "filebeat"), &[]) else { return };
    assert_eq!(ended.success(), "the oven is hot rye\nthe bread is in rye\n");
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
