//! Hosts to EC2, by the program as people call it.

mod after;
mod promote;
mod prune;
mod push;
mod rights;
mod sweep;
mod verify;

use serde_json::Value;

use crate::kitchen::cloud::{ACCOUNT, Amazon, Boot, Guest};
use crate::kitchen::project::Kitchen;

const HOME: &str = "eu-west-1";
const AWAY: &str = "eu-central-1";

/// A recipe for two regions.
const HOST: &str = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\narchitectures = [\"x86_64\"]\n\
    [base.ssm]\nx86_64 = \"/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id\"\n\
    [sysctl]\n\"vm.max_map_count\" = 1048576\n\
    [[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 100\ndevice = \"/dev/xvdf\"\nmount = \"/data\"\n\
    [ami]\ndeprecate_after = 90\nkeep = 1\n[ami.regions.eu-central-1]\n";

/// A cloud whose instances say that all is well, and a project with a host that is locked.
fn project() -> (Amazon, Kitchen) {
    let amazon = Amazon::start(&[HOME, AWAY]);
    amazon.guest(well);
    let target = format!(
        "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ec2]\naccount = \"{ACCOUNT}\"\n[defaults]\ntarget = \"prod\"\n"
    );
    let mut kitchen = Kitchen::new().file("elkbake.toml", target).recipe("host", HOST);
    for (name, value) in amazon.env() {
        kitchen = kitchen.env(name, &value);
    }
    kitchen.run(&["lock"]).success();
    (amazon, kitchen)
}

/// By what a host's lines are known.
fn nonce(boot: &Boot) -> String {
    format!("{}-{}", &boot.tags["elkbake:key"][..12], boot.tags["elkbake:architecture"])
}

/// A host that is well, and stops as it is to.
fn well(boot: &Boot) -> Guest {
    Guest::stops().says(&format!("ELKBAKE {} ok", nonce(boot)))
}

/// A host that is well, and when it is tested runs on until it is ended.
pub fn tested(boot: &Boot) -> Guest {
    if boot.tags.get("elkbake:purpose").is_some_and(|purpose| purpose == "test") {
        let nonce = nonce(boot);
        return Guest::stays().says(&format!("ELKBAKE {nonce} note all is there")).says(&format!("ELKBAKE {nonce} ok"));
    }
    well(boot)
}

fn records(kitchen: &Kitchen) -> Value {
    serde_json::from_str(&kitchen.read("prod.json")).unwrap()
}

/// Nothing is left soon: what is ended takes its time.
fn assert_clean(amazon: &Amazon) {
    for _ in 0..100 {
        if amazon.left().is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(amazon.left(), [""; 0]);
}
