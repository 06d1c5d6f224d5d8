//! `[[run]]`: commands in containers of an engine that speaks Docker's API, right and wrong.

use crate::kitchen::engine::{Engine, Fault, nothing_at};
use crate::kitchen::project::Kitchen;

mod faults;
mod load;
mod rebuilt;

/// A recipe with a file of its own and a command, which does what the words say.
pub fn recipe(words: &[&str], more: &str) -> String {
    let words: Vec<_> = words.iter().map(|word| serde_json::json!(word).to_string()).collect();
    format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"rootfs:base.tar\"\n\n[[run]]\nname = \"step\"\n\
         command = [{}]\n{more}",
        words.join(", ")
    )
}

/// A project with a base of a few files, and an engine for it.
pub fn kitchen(engine: &Engine) -> Kitchen {
    let mut base = tar::Builder::new(Vec::new());
    for (path, text) in [("etc/", ""), ("etc/ca", "old"), ("etc/old", "old"), ("opt/", "")] {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        let is_folder = path.ends_with('/');
        header.set_entry_type(if is_folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(if is_folder { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(7);
        header.set_size(text.len() as u64);
        header.set_cksum();
        base.append(&header, text.as_bytes()).unwrap();
    }
    Kitchen::new().file("base.tar", base.into_inner().unwrap()).env("DOCKER_HOST", &engine.address())
}

/// The entries of the layers above the base, each as one line.
fn layers(kitchen: &Kitchen, recipe: &str) -> Vec<Vec<String>> {
    let built = kitchen.build(recipe);
    let baked = kitchen.baked(&built, 0);
    let lines = |layer: &std::collections::BTreeMap<String, crate::kitchen::baked::Item>| {
        layer.iter().map(|(path, item)| format!("{path} {}", item.text())).collect()
    };
    baked.layers.iter().skip(1).map(lines).collect()
}

#[test]
fn what_a_command_changed_becomes_a_layer() {
    let engine = Engine::start();
    let words =
        ["put:/etc/ca=new", "put:/etc/ssl/a=1", "link:/etc/ssl/b=/etc/ssl/a", "remove:/etc/old", "put:/opt/tmp=x"];
    let kitchen = kitchen(&engine).recipe("app", &recipe(&words, "except = [\"/opt/tmp\"]\n"));
    let layers = layers(&kitchen, "app");
    assert_eq!(
        layers,
        [[
            "etc/ d 0755 0:0",
            "etc/.wh.old f 0644 0:0",
            "etc/ca f 0644 0:0 new",
            "etc/ssl/ d 0755 0:0",
            "etc/ssl/a f 0644 0:0 1",
            "etc/ssl/b h 0644 0:0 etc/ssl/a",
        ]]
    );
    engine.clean();
}

#[test]
fn an_unchanged_command_is_not_run_again_and_needs_no_engine() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/ca=new"], ""));
    kitchen.run(&["build", "app"]).success();
    // The image is another one, its command is not.
    kitchen.write("images/app/etc/file", "x");
    kitchen.run(&["build", "app"]).success();
    assert_eq!(engine.asked("/start"), 1);
    let away = nothing_at(&kitchen.project());
    kitchen.write("images/app/etc/file", "y");
    kitchen.run(&["build", "app", "--engine", &away]).success();
    kitchen.write("recipes/app.toml", recipe(&["put:/etc/ca=newer"], ""));
    kitchen.run(&["build", "app", "--engine", &away]).code(6);
    engine.clean();
}

#[test]
fn a_second_command_sees_the_first_and_only_its_layer_is_sent() {
    let engine = Engine::start();
    let second = "[[run]]\nname = \"second\"\ncommand = [\"remove:/etc/ssl/a\", \"put:/etc/ssl/c=2\"]\n";
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/ssl/a=1"], second));
    let layers = layers(&kitchen, "app");
    let second = ["etc/ d 0755 0:0", "etc/ssl/ d 0755 0:0", "etc/ssl/.wh.a f 0644 0:0", "etc/ssl/c f 0644 0:0 2"];
    assert_eq!(layers[1], second);
    assert_eq!(engine.state().sent, [1, 1], "the base is sent once");
    engine.clean();
}

#[test]
fn an_engine_that_wants_all_layers_gets_them() {
    let engine = Engine::start();
    engine.fault(Fault::Podman);
    let second = "[[run]]\nname = \"second\"\ncommand = [\"put:/etc/b=2\"]\n";
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/a=1"], second));
    kitchen.run(&["build", "app"]).success();
    assert_eq!(engine.state().sent, [1, 2]);
    engine.clean();
}

/// Podman 5 calls it `stopped`, which is no word of Docker's.
#[test]
fn a_container_that_is_not_cleaned_up_yet_is_asked_about_again() {
    let engine = Engine::start();
    engine.fault(Fault::Podman);
    engine.state().between = 3;
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/a=1"], ""));
    kitchen.run(&["build", "app"]).success();
    assert_eq!(engine.state().between, 0);
    engine.clean();
}

#[test]
fn output_is_told_as_it_comes_and_its_end_when_it_fails() {
    let engine = Engine::start();
    let words = ["print:one line", "print:and \u{1b}[31mmore", "exit:3"];
    let kitchen = kitchen(&engine).recipe("app", &recipe(&words, ""));
    let told = kitchen.run(&["build", "app"]).code(6);
    let told = told
        .complains("app linux/amd64 run step | one line")
        .complains("recipe app, linux/amd64 run step: the command ended");
    let told = told.complains("with exit code 3").complains("  one line\n").complains("hint: see what it says");
    assert!(!told.stderr.contains('\u{1b}'), "{:?}", told.stderr);
    let quiet = kitchen.run(&["build", "app", "--quiet"]).code(6).complains("  one line\n");
    assert!(!quiet.stderr.contains(" | "), "{}", quiet.stderr);
    let json = kitchen.run(&["build", "app", "--log-format", "json"]).code(6);
    json.complains(r#"{"event":"said","level":"info","line":"one line","task":"app linux/amd64 run step"}"#);
    engine.clean();
}

#[test]
fn a_command_gets_what_its_recipe_says_and_no_more() {
    let engine = Engine::start();
    let more = "env = { LANG = \"C\" }\nuser = \"1000\"\nworkdir = \"/opt\"\nmemory = 64\nmount = [\"pack\"]\n\n\
                [[archive]]\nname = \"pack\"\npath = \"pack.zip\"\ninto = \"/mnt/packs/pack.zip\"\nunpack = false\n";
    let kitchen = kitchen(&engine).file("pack.zip", "PK").recipe("app", &recipe(&["put:/etc/a=1"], more));
    kitchen.run(&["build", "app"]).success();
    let state = engine.state();
    let [(at, files)] = &state.filled[..] else { panic!("{}", state.filled.len()) };
    assert!(at.contains("path=/mnt/packs") && files.contains_key("pack.zip"), "{at}");
    // The first container is never started: the volume is filled by way of it.
    let [_, body] = &state.created[..] else { panic!("{}", state.created.len()) };
    assert_eq!(body["Env"], serde_json::json!(["SOURCE_DATE_EPOCH=315532801", "LANG=C"]));
    assert_eq!((body["User"].as_str(), body["WorkingDir"].as_str()), (Some("1000"), Some("/opt")));
    let host = &body["HostConfig"];
    assert_eq!((host["NetworkMode"].as_str(), host["Memory"].as_u64()), (Some("none"), Some(64 << 20)));
    let mount = &host["Mounts"][0];
    assert_eq!((mount["Target"].as_str(), mount["ReadOnly"].as_bool()), (Some("/mnt/packs"), Some(true)));
    assert_eq!(state.asked.iter().filter(|asked| asked.contains("/start")).count(), 1);
    drop(state);
    engine.clean();
}

#[test]
fn what_is_only_mounted_is_in_no_layer() {
    let engine = Engine::start();
    let more = "mount = [\"pack\"]\n\n[[archive]]\nname = \"pack\"\npath = \"pack.zip\"\ninto = \"/mnt/packs/pack.zip\"\n\
                unpack = false\n";
    let kitchen =
        kitchen(&engine).file("pack.zip", "PK").recipe("app", &recipe(&["put:/mnt/packs/x=1", "put:/etc/a=1"], more));
    assert_eq!(layers(&kitchen, "app"), [["etc/ d 0755 0:0", "etc/a f 0644 0:0 1"]]);
    // Another archive is another input.
    kitchen.write("pack.zip", "PK2");
    kitchen.run(&["lock", "app"]).success();
    kitchen.run(&["build", "app"]).success();
    assert_eq!(engine.asked("/start"), 2);
    kitchen.write("recipes/app.toml", recipe(&["put:/etc/a=1"], "mount = [\"pak\"]\n"));
    kitchen.run(&["check", "app"]).code(3).complains("there is no archive `pak` to mount");
    engine.clean();
}

#[test]
fn each_platform_is_built_on_its_own_engine() {
    let (all, arm) = (Engine::start(), Engine::start());
    let text =
        recipe(&["put:/etc/a=1"], "").replace("version", "platforms = [\"linux/amd64\", \"linux/arm64\"]\nversion");
    let project =
        format!("[engine]\naddress = {:?}\n[engine.platform]\n\"linux/arm64\" = {:?}\n", all.address(), arm.address());
    let kitchen = kitchen(&arm).recipe("app", &text).file("elkbake.toml", project);
    kitchen.run(&["build", "app"]).success();
    assert_eq!((all.asked("/start"), arm.asked("/start")), (1, 1));
    // What is typed counts before all that is written down.
    kitchen.write("recipes/app.toml", text.replace("a=1", "a=2"));
    kitchen
        .run(&["build", "app", "--engine", &all.address(), "--engine", &format!("linux/arm64={}", all.address())])
        .success();
    assert_eq!((all.asked("/start"), arm.asked("/start")), (3, 1));
    let swept = kitchen.run(&["sweep", "--json"]).success().json();
    assert_eq!(swept["engines"].as_array().unwrap().len(), 2);
    all.clean();
    arm.clean();
}
