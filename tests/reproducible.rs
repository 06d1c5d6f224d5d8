//! The same recipe, lock and files give the same key, whoever asks, wherever, whenever.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::build::products;
use crate::kitchen::project::Kitchen;

const RECIPE: &str = r#"
kind = "image"
product = "generic"
version = "1.2.3"
from = "scratch"
platforms = ["linux/amd64", "linux/arm64"]

[config]
entrypoint = ["/usr/local/bin/run"]
env = { B = "2", A = "1" }
"#;

const FILES: [(&str, &str); 4] = [
    ("images/app/usr/local/bin/run", "#!/bin/sh\nexec true\n"),
    ("images/app/etc/app/b.conf", "b\n"),
    ("images/app/etc/app/a.conf", "a\n"),
    ("images/app/ä/ö.txt", "umlauts\n"),
];

fn kitchen<'f>(recipe: &str, files: impl IntoIterator<Item = &'f (&'f str, &'f str)>) -> Kitchen {
    files.into_iter().fold(Kitchen::new().recipe("app", recipe), |kitchen, (path, text)| kitchen.file(path, text))
}

fn key(kitchen: &Kitchen) -> String {
    let plan = kitchen.run(&["plan", "--json"]).success().json();
    plan["plans"][0]["key"].as_str().unwrap().to_owned()
}

#[test]
fn the_key_does_not_depend_on_folder_or_order_of_files() {
    let one = kitchen(RECIPE, &FILES);
    let other = kitchen(RECIPE, FILES.iter().rev());
    assert_ne!(one.project(), other.project());
    assert_eq!(key(&one), key(&other));
}

#[test]
fn the_key_does_not_depend_on_time_zone_locale_or_threads() {
    let plain = key(&kitchen(RECIPE, &FILES));
    for (name, value) in [("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "C"), ("USER", "somebody")]
    {
        assert_eq!(key(&kitchen(RECIPE, &FILES).env(name, value)), plain, "{name}={value}");
    }
}

#[test]
fn the_key_does_not_depend_on_modes_owners_or_times_in_the_checkout() {
    let plain = key(&kitchen(RECIPE, &FILES));
    let odd = kitchen(RECIPE, &FILES);
    for (i, (path, _)) in FILES.iter().enumerate() {
        let file = odd.project().join(path);
        let mode = [0o600, 0o755, 0o444, 0o666][i];
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86400 * (i as u64 + 1));
        std::fs::File::open(&file).unwrap().set_modified(then).unwrap();
    }
    assert_eq!(key(&odd), plain);
}

#[test]
fn the_key_does_not_depend_on_the_umask() {
    let plain = key(&kitchen(RECIPE, &FILES));
    for umask in ["000", "027", "077"] {
        let kitchen = kitchen(RECIPE, &FILES);
        // A checkout made under that umask, and planned under it.
        let script = format!("umask {umask} && cp -r . ../copy && cd ../copy && exec \"$0\" plan --json");
        let elkbake = env!("CARGO_BIN_EXE_elkbake");
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-c", &script, elkbake]).current_dir(kitchen.project()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["plans"][0]["key"], plain.as_str(), "umask {umask}");
    }
}

#[test]
fn the_key_does_not_depend_on_the_user() {
    let kitchen = kitchen(RECIPE, &FILES);
    let plain = key(&kitchen);
    let args = ["plan", "--json", "--store", "/nonexistent/elkbake"];
    let mut command = kitchen.command(&args);
    if am_root() {
        command = std::process::Command::new(open_to_everybody(&kitchen));
        // 65534 is nobody everywhere; only root may become somebody else, so others compare with themselves.
        command.args(args).current_dir(kitchen.project()).env_clear().uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(plan["plans"][0]["key"], plain.as_str());
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Lets everybody see a project, and gives a program that everybody may run: a checkout may be root's alone.
fn open_to_everybody(kitchen: &Kitchen) -> PathBuf {
    let project = kitchen.project();
    let folder = project.parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("elkbake");
    // By another process: what this one has open for writing, a child of another test has too, and then it cannot be run.
    assert!(
        std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_elkbake")).arg(&program).status().unwrap().success()
    );
    program
}

#[test]
fn comments_order_and_layout_of_a_recipe_do_not_count() {
    let reordered = r#"
# A comment.
platforms = [ "linux/amd64",
              "linux/arm64" ]   # both
from = 'scratch'
version = "1.2.3"
product = "generic"
kind = "image"
config.env.A = "1"
config.env.B = "2"
config.entrypoint = ["/usr/local/bin/run"]
"#;
    assert_eq!(key(&kitchen(RECIPE, &FILES)), key(&kitchen(reordered, &FILES)));
}

#[test]
fn any_change_counts() {
    let plain = key(&kitchen(RECIPE, &FILES));
    let changed_value = RECIPE.replace("A = \"1\"", "A = \"2\"");
    let changed_file: Vec<_> =
        FILES.iter().map(|(path, text)| (*path, if path.ends_with("a.conf") { "A\n" } else { text })).collect();
    let moved_file: Vec<_> = FILES
        .iter()
        .map(|(path, text)| (if path.ends_with("a.conf") { "images/app/etc/app/c.conf" } else { path }, *text))
        .collect();
    let other_mode = format!("{RECIPE}\n[files]\n\"etc/**\" = {{ mode = \"0600\" }}\n");
    let mut keys = vec![
        plain,
        key(&kitchen(&changed_value, &FILES)),
        key(&kitchen(RECIPE, &changed_file)),
        key(&kitchen(RECIPE, &moved_file)),
        key(&kitchen(RECIPE, &FILES[1..])),
        key(&kitchen(&other_mode, &FILES)),
    ];
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}

/// Pseudo-random bytes, half of which deflate well: several blocks of a layer.
fn large(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::new();
    while bytes.len() < 5 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
        bytes.extend_from_slice(b"the same");
    }
    bytes
}

/// The digest that `elkbake build` prints when it is run by a shell script with the program in `$0`, in an empty store.
fn built_by(kitchen: &Kitchen, script: &str, user: Option<u32>) -> String {
    static STORES: AtomicUsize = AtomicUsize::new(0);
    let store = kitchen.store().join(STORES.fetch_add(1, Ordering::Relaxed).to_string());
    std::fs::create_dir_all(&store).unwrap();
    let mut command = std::process::Command::new("sh");
    let mut program = PathBuf::from(env!("CARGO_BIN_EXE_elkbake"));
    if let Some(user) = user {
        std::os::unix::fs::chown(&store, Some(user), Some(user)).unwrap();
        program = open_to_everybody(kitchen);
        command.uid(user).gid(user);
    }
    command.args(["-c", script]).arg(program).current_dir(kitchen.project());
    let output = command.env("ELKBAKE_STORE", store).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["builds"][0]["was_there"], false, "{script}");
    report["builds"][0]["digest"].as_str().unwrap().to_owned()
}

/// A base that is read, an archive, a plugin that is installed, and files that fill several blocks.
fn whole(files: &[(&str, &str)]) -> Kitchen {
    let more = "[[archive]]\nname = \"a\"\npath = \"a.tar\"\ninto = \"/srv\"\n\
                [[plugin]]\nname = \"made-up\"\npath = \"made-up.zip\"\n";
    let recipe = RECIPE.replace("generic", "elasticsearch").replace("1.2.3", "8.19.3");
    let recipe = recipe.replace("scratch", "rootfs:base.tar.gz") + more;
    let archive = crate::kitchen::baked::tarball(&[("z", 0o644, "z"), ("b/", 0o711, ""), ("b/x", 0o600, "x")]);
    let jar = products::zipped(&[("org/example/Plugin.class", b"plugin")]);
    let plugin = [("made-up.jar", &jar[..]), ("bin/tool", b"#!"), ("config/made-up.yml", b"a: 1\n")];
    kitchen(&recipe, files)
        .file("base.tar.gz", products::elasticsearch())
        .file("a.tar", &archive)
        .file("made-up.zip", products::plugin_called("made-up", "8.19.3", &plugin))
        .file("images/app/big", large(1))
}

#[test]
fn an_image_does_not_depend_on_folder_umask_user_locale_time_or_processors() {
    let plain = built_by(&whole(&FILES), "exec \"$0\" build --json", None);
    let other = whole(&FILES.iter().rev().copied().collect::<Vec<_>>());
    for script in [
        "umask 077 && exec \"$0\" build --json",
        "exec taskset -c 0 \"$0\" build --json",
        "TZ=Pacific/Kiritimati LC_ALL=tr_TR.UTF-8 USER=somebody exec \"$0\" build --json",
        "find . -exec touch -d 2001-01-01 {} + && chmod -R u+rwX,go= . && exec \"$0\" build --json",
        "cp -r . ../elsewhere && cd ../elsewhere && exec \"$0\" build --json",
    ] {
        assert_eq!(built_by(&other, script, None), plain, "{script}");
    }
    if am_root() {
        // 65534 is nobody everywhere; only root may become somebody else. A lock that is missing would be nobody's to write.
        let nobodys = whole(&FILES);
        nobodys.run(&["lock"]).success();
        assert_eq!(built_by(&nobodys, "exec \"$0\" build --json", Some(65534)), plain);
    }
}
