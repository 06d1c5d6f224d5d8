//! Engines that are not there, too old, full, stuck, or gone in the middle: each a clear end, and nothing left behind.

use std::process::Stdio;

use super::{kitchen, recipe};
use crate::kitchen::engine::{Engine, Fault, nothing_at};
use crate::kitchen::project::{Kitchen, interrupted};

/// What failed is swept once the engine is well again, and then it is done.
fn is_made_up_for(kitchen: &Kitchen, engine: &Engine) {
    engine.heal();
    kitchen.run(&["sweep"]).success();
    engine.clean();
    kitchen.run(&["build", "app"]).success();
    engine.clean();
}

fn app(engine: &Engine, words: &[&str], more: &str) -> Kitchen {
    kitchen(engine).recipe("app", &recipe(words, more))
}

#[test]
fn without_an_engine_nothing_is_begun() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["put:/etc/a=1"], "").file("images/app/etc/file", "x");
    kitchen.run(&["lock", "app"]).success();
    let away = nothing_at(&kitchen.project());
    let told = kitchen.run(&["build", "app", "--engine", &away]).code(6);
    let told = told.complains(&format!("the engine at {away}: it does not say what it is: "));
    let told = told.complains("hint: start it, or name another one by `--engine`");
    assert!(!told.stderr.contains("begin app"), "{}", told.stderr);
    kitchen.run(&["build", "app", "--engine", "docker"]).code(6).complains("`--engine`: `docker` is no engine");
    kitchen.run(&["build", "app", "--offline", "--engine", "tcp://192.0.2.1:1"]).code(6).complains("`--offline`");
    assert_eq!(engine.asked(""), 0);
}

#[test]
fn an_engine_that_cannot_be_used_says_why() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["put:/etc/a=1"], "");
    engine.fault(Fault::Old);
    kitchen.run(&["build", "app"]).code(6).complains("too old: 9.9, with API 1.40").complains("hint: use Docker 20.10");
    engine.heal();
    kitchen.write("elkbake.toml", "[engine.platform]\n\"linux/arm64\" = \"ssh://nobody@invalid\"\n");
    kitchen.write(
        "recipes/app.toml",
        recipe(&["put:/etc/a=1"], "").replace("version", "platforms = [\"linux/riscv64\"]\nversion"),
    );
    kitchen.run(&["lock", "app"]).success();
    kitchen
        .run(&["build", "app"])
        .code(6)
        .complains("it runs linux/amd64, and what is to run there is for linux/riscv64");
    engine.clean();
}

#[test]
fn an_engine_that_is_gone_in_the_middle_ends_the_run() {
    for at in ["/load", "/create", "/start", "/wait", "/changes", "/export"] {
        let engine = Engine::start();
        let kitchen = app(&engine, &["put:/etc/a=1"], "");
        engine.fault(Fault::Dies(at));
        let told = kitchen.run(&["build", "app"]).code(6).complains(&format!("the engine at {}: it", engine.address()));
        // Nobody can clean up in an engine that is gone; what is left is found once it is back.
        let told = told.complains("hint: ").complains("`elkbake sweep`");
        assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
        is_made_up_for(&kitchen, &engine);
    }
}

#[test]
fn what_the_engine_says_is_told_and_nothing_is_left() {
    for (at, status, words, hint) in [
        ("/load", 500, "write /layer.tar: no space left on device", "make room on the engine's disk"),
        ("/create", 500, "no space left on device", "docker system df"),
        ("/start", 400, "exec: \"x\": stat x: no such file", "has the program"),
        ("/export", 500, "driver failed", "the engine's own log"),
    ] {
        let engine = Engine::start();
        let kitchen = app(&engine, &["put:/etc/a=1"], "");
        engine.fault(Fault::Says(at, status, words));
        kitchen.run(&["build", "app"]).code(6).complains(words).complains(hint);
        engine.heal();
        engine.clean();
    }
}

#[test]
fn an_engine_that_cannot_tell_what_changed_is_helped() {
    let engine = Engine::start();
    let words = ["put:/etc/ca=new", "put:/etc/ssl/a=1", "link:/etc/ssl/b=/etc/ssl/a", "remove:/etc/old"];
    let kitchen = app(&engine, &words, "");
    let digest = |store: &str| kitchen.run(&["build", "app", "--json", "--store", store]).success();
    let told = digest("one").json();
    engine.fault(Fault::Says("/changes", 500, "not a directory"));
    let compared = digest("two");
    assert_eq!(compared.json()["builds"][0]["digest"], told["builds"][0]["digest"]);
    compared.complains("not a directory; all files are compared instead");
    engine.heal();
    engine.fault(Fault::Cut("/changes", 9));
    let cut = digest("three");
    assert_eq!(cut.json()["builds"][0]["digest"], told["builds"][0]["digest"]);
    cut.complains("end of file before message length reached; all files are compared instead");
    engine.heal();
    engine.clean();
}

#[test]
fn a_stream_that_is_cut_makes_no_layer() {
    for after in [0, 100, 700, 1600] {
        let engine = Engine::start();
        let kitchen = app(&engine, &["put:/etc/zz=1"], "");
        engine.fault(Fault::Cut("/export", after));
        kitchen.run(&["build", "app"]).code(6).complains("it does not send the files of a container");
        engine.heal();
        engine.clean();
    }
}

#[test]
fn an_answer_that_is_cut_is_not_believed() {
    for (at, after) in [("/version", 10), ("/load", 3), ("/create", 5), ("/wait", 4)] {
        let engine = Engine::start();
        let kitchen = app(&engine, &["put:/etc/zz=1"], "");
        engine.fault(Fault::Cut(at, after));
        let told = kitchen.run(&["build", "app"]).code(6).complains("error: ").complains("hint: ");
        assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
        // What was made by a call whose answer never came is nobody's; it carries the run's id.
        is_made_up_for(&kitchen, &engine);
    }
}

#[test]
fn a_command_that_hangs_is_ended() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["print:waiting", "hang"], "timeout = 1\n");
    let told = kitchen.run(&["build", "app"]).code(6).complains("was not done after 1 s").complains("  waiting");
    told.complains("hint: see what it waits for, or give it more `timeout`");
    engine.clean();
    kitchen.write("recipes/app.toml", recipe(&["memory"], "memory = 64\n"));
    kitchen.run(&["build", "app"]).code(6).complains("more than 64 MiB").complains("and printed nothing");
    engine.state().late = 3;
    kitchen.run(&["build", "app"]).code(6).complains("more than 64 MiB").complains("and printed nothing");
    engine.clean();
}

#[test]
fn what_no_layer_holds_is_refused() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["pipe:/etc/pipe"], "");
    kitchen.run(&["build", "app"]).code(3).complains("/etc/pipe is a pipe, which a layer does not hold");
    // A key that everybody who pulls the image would have.
    kitchen.write("recipes/app.toml", recipe(&["put:/root/.ssh/id_rsa=key"], ""));
    kitchen.run(&["build", "app"]).code(7).complains("/root/.ssh/id_rsa");
    engine.clean();
}

#[test]
fn whoever_stops_it_leaves_nothing() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["print:waiting", "hang"], "");
    let child = kitchen.command(&["build", "app"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    engine.until_asked("/start", 1);
    interrupted(child).code(130).complains("interrupted");
    engine.clean();
}

#[test]
fn whoever_is_killed_leaves_what_sweeping_removes() {
    let engine = Engine::start();
    let kitchen = app(&engine, &["hang"], "");
    let mut child = kitchen.command(&["build", "app"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    engine.until_asked("/start", 1);
    kitchen.run(&["sweep"]).success().says("nothing removed").says("left: 1 container, 1 image of runs that go on");
    child.kill().unwrap();
    child.wait().unwrap();
    let swept = kitchen.run(&["sweep", "--json"]).success().json();
    assert_eq!(swept["engines"][0]["removed"].as_array().unwrap().len(), 2, "{swept}");
    engine.clean();
}
