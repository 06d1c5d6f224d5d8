//! `elkbake test`: images in containers of an engine that speaks Docker's API, right and wrong.

use serde_json::{Value, json};

use crate::kitchen::engine::{Engine, Fault};
use crate::kitchen::project::Kitchen;

mod faults;
mod gate;

/// A recipe whose container does what the words say.
pub fn recipe(words: &[&str], more: &str) -> String {
    let words: Vec<_> = words.iter().map(|word| json!(word).to_string()).collect();
    format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n[config]\ncmd = [{}]\n{more}",
        words.join(", ")
    )
}

pub fn kitchen(engine: &Engine, words: &[&str], more: &str) -> Kitchen {
    Kitchen::new()
        .env("DOCKER_HOST", &engine.address())
        .recipe("app", &recipe(words, more))
        .file("images/app/etc/app.conf", "a = 1\n")
}

/// What was looked at, and what came of it.
fn checks(test: &Value) -> Vec<(String, Option<String>)> {
    let each = test["checks"].as_array().unwrap().iter();
    each.map(|check| (check["name"].as_str().unwrap().to_owned(), check["failure"].as_str().map(str::to_owned)))
        .collect()
}

const ALL: &str = r#"
[runtime]
stop_timeout = 60
[runtime.health_check]
command = ["CMD", "print:well"]
[test]
timeout = 60
[test.ready]
http  = "http://localhost:9200/a?b"
status = 401
json  = { "/status" = ["green", "yellow"] }
tcp   = 9300
log   = "started"
[[test.expect]]
command  = ["print:one", "print:two"]
contains = "two"
[[test.expect]]
http  = "http://localhost:80"
json  = { "/n/0" = 1 }
[[test.expect]]
file  = "/etc/app.conf"
mode  = "0644"
owner = "0:0"
"#;

const SERVED: [&str; 5] =
    ["serve:9200=401 {\"status\":\"green\"}", "serve:9300=200", "serve:80=200 {\"n\":[1]}", "print:started", "hang"];

#[test]
fn an_image_that_is_ready_and_as_expected_passes_and_leaves_nothing() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine, &SERVED, ALL);
    let told = kitchen.run(&["test", "--json"]).success().json();
    let test = &told["tests"][0];
    let expected = [
        "ready",
        "health check",
        "command print:one print:two",
        "http http://localhost:80",
        "file /etc/app.conf",
        "stop",
    ];
    assert_eq!(checks(test), expected.map(|name| (name.to_owned(), None)), "{test}");
    assert_eq!(
        (&test["passed"], &test["recipe"], &test["engine"]),
        (&json!(true), &json!("app"), &json!("Docker 9.9"))
    );
    engine.clean();
    let text = kitchen.run(&["test", "app"]).success();
    let text = text.says("app 1-").says("linux/amd64 passed (").says("  ok      ready (").says("  ok      stop (");
    assert!(!text.stdout.contains("log of"), "{}", text.stdout);
    engine.clean();
}

#[test]
fn what_is_not_as_expected_fails_with_why_and_the_log() {
    let cases = [
        ("401 {", "200 {", "not after 3 s: http://localhost:9200/a?b: the answer has status 200, not 401"),
        ("green", "red", "`/status` of the answer is `\"red\"`, not"),
        ("serve:9300=200", "print:x", "nobody takes connections at port 9300"),
        ("print:started", "print:st\u{7}arting", "its log does not say `started`"),
        ("[1]", "[2]", "`/n/0` of the answer is `2`, not `1`"),
        ("contains = \"two\"", "contains = \"three\"", "it does not print `three`: one two"),
        ("\"print:one\"", "\"exit:3\"", "it ends with exit code 3"),
        ("\"print:well\"", "\"exit:1\"", "health check ("),
        ("\"0644\"", "\"0600\"", "its mode is 0644, not 0600"),
        ("\"0:0\"", "\"1000:0\"", "its owner is 0:0, not 1000:0"),
        ("/etc/app.conf", "/etc/none", "it is not there"),
    ];
    // Side by side: some of them are waited for to the end of their time.
    std::thread::scope(|scope| {
        for (from, to, why) in cases {
            scope.spawn(move || is_told(from, to, why));
        }
    });
}

fn is_told(from: &str, to: &str, why: &str) {
    let engine = Engine::start();
    let is_served = SERVED.iter().any(|word| word.contains(from));
    let is_waited_for = is_served || from == "\"print:well\"";
    let timeout = if is_waited_for { 3 } else { 60 };
    let more = ALL.replace("timeout = 60\n[test.ready]", &format!("timeout = {timeout}\n[test.ready]"));
    let words: Vec<_> = SERVED.iter().map(|word| word.replace(from, to)).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let more = if is_served { more } else { more.replace(from, to) };
    let told = kitchen(&engine, &words, &more).run(&["test"]).code(1);
    let told = told.says("app 1-").says(" failed (").says(why).says("the end of the log of app:\n");
    assert!(!told.stdout.contains('\u{7}'), "{:?}", told.stdout);
    engine.clean();
}

#[test]
fn a_container_gets_what_its_task_definition_would_give_it() {
    let engine = Engine::start();
    let more = r#"
[runtime]
memory = 64
memory_reservation = 32
cpu = 512
writable = ["/data", "/tmp"]
secrets = ["KEY", "PASSWORD"]
sysctls = { "net.core.somaxconn" = "9" }
ulimits = { nofile = { soft = 5, hard = 6 } }
[test]
env = { PASSWORD = "said" }
"#;
    kitchen(&engine, &["hang"], more).run(&["test"]).success();
    let state = engine.state();
    let [probe, app] = &state.created[..] else { panic!("{:?}", state.created) };
    let (host, of_probe) = (&app["HostConfig"], &probe["HostConfig"]);
    assert_eq!((of_probe["NetworkMode"].as_str(), &probe["NetworkDisabled"]), (Some("none"), &Value::Null));
    assert_eq!(
        (&of_probe["ExtraHosts"], &of_probe["Sysctls"]["net.core.somaxconn"]),
        (&json!(["app:127.0.0.1", "elkbake:127.0.0.1"]), &json!("9"))
    );
    assert!(host["NetworkMode"].as_str().unwrap().starts_with("container:"), "{host}");
    assert_eq!(
        (&host["Memory"], &host["MemoryReservation"], &host["CpuShares"]),
        (&json!(64 << 20), &json!(32 << 20), &json!(512))
    );
    assert_eq!((&host["ReadonlyRootfs"], &host["Tmpfs"]["/tmp"]), (&json!(true), &json!("rw,exec,nosuid,nodev")));
    assert_eq!((&host["Mounts"][0]["Target"], &host["Mounts"][0]["ReadOnly"]), (&json!("/data"), &json!(false)));
    assert_eq!(host["Ulimits"], json!([{ "Name": "nofile", "Soft": 5, "Hard": 6 }]));
    let env = app["Env"].to_string();
    for part in
        ["KEY=made-up-by-elkbake", "PASSWORD=said", "ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:51679/v4/app"]
    {
        assert!(env.contains(part), "{env}");
    }
    assert_eq!((&app["Cmd"], &app["User"]), (&json!(["hang"]), &Value::Null), "as the image has them");
    drop(state);
    engine.clean();
}

#[test]
fn the_services_of_ecs_answer_a_container() {
    let engine = Engine::start();
    let words = ["ask:GET /v4/app HTTP/1.1", "ask:PUT /latest/api/token HTTP/1.1", "hang"];
    let more = "[test]\ntimeout = 60\n[test.ready]\nlog = \"HTTP/1.1 400\"\n";
    let told = kitchen(&engine, &words, more).run(&["test", "--json"]).success().json();
    assert_eq!(told["tests"][0]["asked"], json!(["GET /v4/app", "PUT /latest/api/token"]));
    engine.clean();
}

#[test]
fn others_run_beside_it_and_what_comes_late_is_waited_for() {
    let engine = Engine::start();
    let more = r#"
[test]
with = ["es"]
[[test.expect]]
command = ["serve:9201=200 the line"]
[[test.expect]]
http     = "http://es:9201/_search"
contains = "the line"
within   = 60
[[test.expect]]
plugin = "icu"
login  = "elastic:PASSWORD"
"#;
    let kitchen = kitchen(&engine, &["hang"], more);
    let plugins = r#"serve:9200=200 {"nodes":{"a":{"plugins":[{"name":"icu"}]}}}"#;
    let ready = "[test.ready]\ntcp = 9200\n";
    kitchen.write("recipes/es.toml", recipe(&[plugins, "hang"], ready));
    let told = kitchen.run(&["test", "app", "--json"]).success().json();
    let test = &told["tests"][0];
    let names: Vec<_> = checks(test).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..2], ["es ready", "started"]);
    assert!(test["with"]["es"].as_str().unwrap().starts_with("sha256:"), "{test}");
    engine.clean();
    // Its log is shown with that of the tested one.
    kitchen.write("recipes/es.toml", recipe(&["print:no room", "exit:4"], ready));
    let told = kitchen.run(&["test", "app"]).code(1).says("es ready").says("it ended with exit code 4");
    told.says("the end of the log of es:\n  | no room\n");
    engine.clean();
    std::fs::remove_file(kitchen.project().join("recipes/es.toml")).unwrap();
    kitchen.run(&["test", "app"]).code(3);
}

#[test]
fn a_program_that_ends_by_itself_is_ready_when_it_has() {
    let engine = Engine::start();
    let more = "[test.ready]\nexit = 3\nlog = \"done\"\n[[test.expect]]\nfile = \"/etc/app.conf\"\n";
    let kitchen = kitchen(&engine, &["print:done", "exit:3"], more);
    let told = kitchen.run(&["test", "--json"]).success().json();
    let names: Vec<_> = checks(&told["tests"][0]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ready", "file /etc/app.conf"]);
    kitchen.write("recipes/app.toml", recipe(&["exit:1"], more));
    kitchen.run(&["test"]).code(1).says("it ended with exit code 1, not 3");
    engine.clean();
}

#[test]
fn an_image_that_is_loaded_already_is_used_and_stays() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine, &["hang"], "[test]\n");
    kitchen.run(&["load", "app"]).success();
    let images = engine.left().1;
    kitchen.run(&["test"]).success();
    assert_eq!(engine.left(), (0, images, 0));
    assert_eq!(engine.state().sent.len(), 2, "one for the image, one for the probe");
}

#[test]
fn who_has_no_test_is_left_out_unless_it_is_named() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine, &["hang"], "");
    kitchen.run(&["test"]).code(3).complains("no recipe for an image has a `[test]`");
    kitchen.run(&["test", "app"]).success().says("  ok      started");
    kitchen.write("recipes/app.toml", recipe(&["exit:7"], ""));
    kitchen.run(&["test", "app"]).code(1).says("it ended with exit code 7");
    kitchen.write(
        "recipes/app.toml",
        recipe(&["hang"], "").replace("version", "platforms = [\"linux/riscv64\"]\nversion"),
    );
    kitchen.run(&["test", "app"]).code(6);
    engine.fault(Fault::Old);
    kitchen.run(&["test", "app"]).code(6).complains("too old");
}

#[test]
fn every_key_of_the_document_is_in_the_documentation() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine, &["hang"], "[test]\nwith = [\"es\"]\n");
    kitchen.write("recipes/es.toml", recipe(&["hang"], ""));
    let told = kitchen.run(&["test", "app", "--json"]).success().json();
    let mut printed = std::collections::BTreeSet::new();
    crate::json::keys(&told, &mut printed);
    // Hosts have keys of their own, which their tests know.
    let of_hosts = ["architecture", "console", "image", "instance_type", "notes", "region", "stock"];
    printed.extend(of_hosts.map(str::to_owned));
    assert_eq!(printed, crate::json::told("elkbake test --json"));
}
