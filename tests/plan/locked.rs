//! Plans and locks that do not fit together, and plans from locks that were written elsewhere.

use super::{SCRATCH, market};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

#[test]
fn a_stale_lock_is_refused_with_the_input_and_its_place() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let (text, lock) = (kitchen.read("recipes/es.toml"), kitchen.read("recipes/es.lock"));
    registry.forget();
    for (from, to, place, input) in [
        ("elasticsearch:8.19.3", "elasticsearch:8.19.4", "recipes/es.toml:4:8", "base: the recipe asks for"),
        ("local.zip", "other.zip", "recipes/es.toml:9:8", "plugin local: the recipe asks for"),
        ("agent.tar.gz", "agent2.tar.gz", "recipes/es.toml:13:8", "archive agent: the recipe asks for"),
        ("\"linux/amd64\", ", "", "recipes/es.toml:4:8", "base for linux/amd64 is in the lock"),
    ] {
        kitchen.write("recipes/es.toml", text.replacen(from, to, 1));
        let ran = kitchen.run(&["plan"]).code(3).complains("the lock is stale: ").complains(input);
        ran.complains(place).complains("^").complains("run `elkbake lock`");
        assert_eq!(kitchen.read("recipes/es.lock"), lock);
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn a_base_of_another_version_is_refused() {
    let registry = Registry::start();
    registry.image("elasticsearch", "8.19.2", &["linux/amd64"]);
    let text = format!(
        "kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"8.19.3\"\nplatforms = [\"linux/amd64\"]\nfrom = \"{}/elasticsearch:8.19.2\"\n",
        registry.host()
    );
    let kitchen = Kitchen::new().recipe("es", &text);
    let ran = kitchen.run(&["plan"]).code(3).complains("the recipe says 8.19.3, the base is 8.19.2");
    ran.complains("recipes/es.toml:3:11").complains("give `version` and `from` the same version");
}

#[test]
fn a_newer_lock_is_refused() {
    let kitchen = Kitchen::new().recipe("app", SCRATCH).file("recipes/app.lock", "format = 2\n");
    kitchen.run(&["plan"]).code(3).complains("recipes/app.lock:1:10").complains("written by a newer elkbake");
}

pub(crate) const HOST: &str = r#"kind = "ami"
version = "2026.11"
region = "eu-west-1"
architectures = ["arm64"]

[base]
id = "ami-0123456789abcdef0"

[sysctl]
"vm.max_map_count" = 1048576

[[volume]]
name = "data"
kind = "gp3"
size = 100
device = "/dev/xvdf"
mount = "/data"

[packages]
amazon-ecr-credential-helper = "*"

[ami.regions.eu-central-1]
"#;

pub(crate) const HOST_LOCK: &str = r#"format = 1

[[ami]]
architecture = "arm64"
region = "eu-west-1"
want = "id:ami-0123456789abcdef0 in eu-west-1"
id = "ami-0123456789abcdef0"
name = "al2023-ami-ecs-hvm-2023.0.20261101-kernel-6.1-arm64"
owner = "591542846629"
snapshot = "snap-0123456789abcdef0"
root_device = "/dev/xvda"
created = "2026-11-01T00:00:00.000Z"
"#;

#[test]
fn a_host_is_planned_from_its_lock() {
    let kitchen =
        Kitchen::new().recipe("host", HOST).file("recipes/host.lock", HOST_LOCK).file("ami/host/etc/motd", "hello\n");
    let text = kitchen.run(&["plan", "--offline"]).success().stdout;
    crate::kitchen::project::golden("plan-host.txt", &text);
    let plan = kitchen.run(&["plan", "--json"]).success().json();
    assert_eq!(plan["plans"][0]["work"]["kind"], "ami");
    assert_eq!(plan["plans"][0]["work"]["base"][0]["snapshot"], "snap-0123456789abcdef0");
    kitchen.write("recipes/host.lock", HOST_LOCK.replace("al2023-ami-ecs-hvm-2023", "debian-12"));
    kitchen.run(&["plan"]).success().says("unknown, as the size of the base's root disk is");
    let root = "[[volume]]\nname = \"root\"\nkind = \"gp3\"\nsize = 8\nmount = \"/\"\n";
    kitchen.write("recipes/host.toml", format!("{HOST}{root}"));
    kitchen.run(&["plan"]).success().says(" of 8 GiB: at most ");
    kitchen.write("recipes/host.lock", HOST_LOCK);
    kitchen.write("recipes/host.toml", HOST.replace("eu-west-1", "eu-west-2"));
    kitchen.run(&["plan"]).code(3).complains("ami arm64: the recipe asks for").complains("recipes/host.toml:6:");
}

#[test]
fn comments_and_formatting_do_not_count_and_all_else_does() {
    let kitchen = Kitchen::new().recipe("host", HOST).file("recipes/host.lock", HOST_LOCK);
    let key = super::key(&kitchen, "host");
    kitchen.write("recipes/host.toml", format!("# hosts\n{}", HOST.replace(" = ", "=")));
    kitchen.write("recipes/host.lock", HOST_LOCK.replace(" = ", "   =  "));
    assert_eq!(super::key(&kitchen, "host"), key);
    kitchen.write("recipes/host.toml", HOST.replace("1048576", "1048577"));
    assert_ne!(super::key(&kitchen, "host"), key);
    kitchen.write("recipes/host.toml", HOST);
    kitchen.write("recipes/host.lock", HOST_LOCK.replace("snap-0123456789abcdef0", "snap-1"));
    assert_ne!(super::key(&kitchen, "host"), key);
}
