//! `elkbake push --print-policy` against what is really asked of ECR.

use std::process::Stdio;

use serde_json::Value;

use super::{BOTH, project};
use crate::build::recipe;
use crate::kitchen::ecr::Ecr;
use crate::kitchen::iam::{Exceptions, assert_allowed, assert_fits, ecr as iam};
use crate::kitchen::project::Kitchen;
use crate::real::pipelines::lint;

/// All that a target can want of ECR.
const WANTED: &str = "parameters = true\nkeep = 5\nreaders = [\"111122223333\"]\ntags = { team = \"search\" }\n\
    replication = \"declared\"\nencryption = \"KMS\"\nkms_key = \"alias/elk\"\n";

/// A base in the same account, of which one layer is needed and the others are not.
fn base(ecr: &Ecr) -> String {
    ecr.repository(BOTH[0], "base/es", true);
    ecr.registry(BOTH[0]).image("base/es", "1", &["linux/amd64"]);
    Ecr::reference(BOTH[0], "base/es:1").to_string()
}

/// A project with an image on a base in ECR, and one on that.
fn wanting(ecr: &Ecr) -> Kitchen {
    let base = base(ecr);
    project(ecr, &BOTH, WANTED)
        .recipe("app", &recipe(&base, ""))
        .recipe("child", &recipe("recipe:app", "repository = \"shared/child\"\n"))
        .file("images/child/etc/child.conf", "c = 1\n")
}

fn policy(kitchen: &Kitchen, more: &[&str]) -> Value {
    let policy = kitchen.run(&[&["push", "--target", "prod", "--print-policy"], more].concat()).success().json();
    lint(&policy.to_string());
    policy
}

/// Pushes, and makes the replication that is waited for: of images only, since ECR brings what is pushed, and what is
/// made here would bring back the records of before as well.
fn pushed(ecr: &Ecr, kitchen: &Kitchen) {
    let mut run = kitchen.command(&["push", "--target", "prod", "--quiet"]);
    let mut child = run.stdout(Stdio::null()).spawn().unwrap();
    let code = loop {
        for repository in ["elk/app", "elk/shared/child"] {
            ecr.registry(BOTH[0]).replicate_to(ecr.registry(BOTH[1]), repository);
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(code, Some(0));
}

/// Pushes again and again, and changes what the target declares in between.
fn all_that_is_done(ecr: &Ecr, kitchen: &Kitchen) {
    kitchen.run(&["lock"]).success();
    kitchen.run(&["push", "--target", "prod", "--dry-run"]).success();
    pushed(ecr, kitchen);
    pushed(ecr, kitchen);
    kitchen.run(&["verify", "--target", "prod"]).success();
    let declared = kitchen.read("elkbake.toml");
    let otherwise =
        declared.replace("keep = 5\nreaders = [\"111122223333\"]\n", "scan_on_push = false\nimmutable = false\n");
    let otherwise = otherwise.replace("team = \"search\"", "team = \"logs\"");
    for (declared, content) in [(&otherwise, "a = 2\n"), (&declared, "a = 3\n")] {
        kitchen.write("elkbake.toml", declared);
        kitchen.write("images/app/etc/app.conf", content);
        pushed(ecr, kitchen);
    }
    // A machine that has nothing reads what it needs.
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.write("images/child/etc/child.conf", "c = 2\n");
    pushed(ecr, kitchen);
    kitchen.run(&["verify", "--target", "prod", "--history"]).success();
}

#[test]
fn the_policy_allows_all_that_is_asked_for_and_every_action_is_needed() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = wanting(&ecr);
    let policy = policy(&kitchen, &[]);
    all_that_is_done(&ecr, &kitchen);
    for action in ["CreateRepository", "PutReplicationConfiguration", "PutParameter", "DeleteLifecyclePolicy"] {
        assert!(ecr.asked(action) > 0, "{action} was never asked for");
    }
    assert_fits(&policy, &iam::calls(&ecr, &BOTH), Exceptions::default());
}

#[test]
fn the_shorter_form_allows_the_same() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = wanting(&ecr);
    let long = |i: u32| format!("recipes/a-recipe-with-a-name-that-needs-much-room-{i}.toml");
    for i in 0..40 {
        kitchen.write(&long(i), recipe("scratch", ""));
    }
    let policy = policy(&kitchen, &[]);
    assert!(policy.to_string().contains(":repository/elk/*\""), "{policy:#}");
    for i in 0..40 {
        std::fs::remove_file(kitchen.project().join(long(i))).unwrap();
    }
    all_that_is_done(&ecr, &kitchen);
    assert_fits(&policy, &iam::calls(&ecr, &BOTH), Exceptions::default());
}

#[test]
fn who_makes_no_repository_needs_less() {
    let ecr = Ecr::start(&BOTH);
    let base = base(&ecr);
    let kitchen = project(&ecr, &BOTH, "").recipe("app", &recipe(&base, ""));
    let policy = policy(&kitchen, &["--no-provision"]);
    BOTH.iter().for_each(|region| ecr.repository(region, "elk/app", true));
    for content in ["a = 1\n", "a = 2\n"] {
        kitchen.write("images/app/etc/app.conf", content);
        kitchen.run(&["push", "--target", "prod", "--no-provision"]).success();
    }
    kitchen.run(&["verify", "--target", "prod"]).code(1).says("lets tags be moved");
    // Layers are read of who builds on an image, which nobody does here.
    let exceptions = Exceptions { parts: &[("Images", "ecr:GetDownloadUrlForLayer")], ..Exceptions::default() };
    assert_fits(&policy, &iam::calls(&ecr, &BOTH), exceptions);
}

#[test]
fn a_base_behind_a_mirror_in_ecr_is_read_there() {
    let ecr = Ecr::start(&BOTH);
    base(&ecr);
    let kitchen = project(&ecr, &BOTH, "").recipe("app", &recipe("docker.elastic.co/es:1", ""));
    let mirror = format!("[mirror]\n\"docker.elastic.co\" = \"{}/base\"\n", Ecr::name(BOTH[0]));
    kitchen.write("elkbake.toml", mirror + &kitchen.read("elkbake.toml"));
    let ran = kitchen.run(&["push", "--target", "prod", "--print-policy"]).success();
    let ran = ran.complains("docker.elastic.co/es:1 is read from").complains("ecr:BatchImportUpstreamImage");
    kitchen.run(&["push", "--target", "prod"]).success();
    assert_allowed(&ran.json(), &iam::calls(&ecr, &BOTH));
}
