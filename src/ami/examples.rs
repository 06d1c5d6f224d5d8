//! Every rule for hosts with a recipe that breaks it and the nearest one that keeps it.

use proptest::prelude::*;

use super::RULES;
use crate::product::fixture::{Fixture, prove};
use crate::product::rule::document;

type Example = (&'static str, Fixture, Fixture);

fn host() -> Fixture {
    Fixture::host(super::check)
}

fn with(lines: &str) -> Fixture {
    host().with(lines)
}

fn script(line: &str) -> Fixture {
    host().file("/opt/setup.sh", format!("#!/bin/bash\n# {line}\n{line}\n"))
}

fn map_count(value: &str) -> Fixture {
    host().replace("1048576", value)
}

fn volume(lines: &str) -> Fixture {
    with(&format!("[[volume]]\nname = \"data\"\ndevice = \"/dev/xvdf\"\n{lines}"))
}

fn tuning() -> Vec<Example> {
    let daemon = |text: &str| host().file("/etc/docker/daemon.json", text);
    let sysconfig = |text: &str| host().file("/etc/sysconfig/docker", text);
    vec![
        (
            "AMI001",
            with("docker.flags = [\"--storage-opt dm.basesize=250G\"]"),
            with("docker.flags = [\"--storage-opt overlay2.size=250G\"]"),
        ),
        ("AMI002", sysconfig("OPTIONS=\"${OPTIONS} --debug\""), sysconfig("OPTIONS=\"--debug\"")),
        (
            "AMI003",
            with("ecs.ECS_BACKEND_HOST = \"dev-elk-cluster\""),
            with("ecs.ECS_IMAGE_CLEANUP_INTERVAL = \"10m\""),
        ),
        (
            "AMI004",
            daemon("{\"default-ulimits\": {}}")
                .file("/etc/sysconfig/docker", "OPTIONS=\"--default-ulimit nofile=1024:4096\""),
            daemon("{\"log-opts\": {}}").file("/etc/sysconfig/docker", "OPTIONS=\"--default-ulimit nofile=1024:4096\""),
        ),
        ("AMI005", script("sysctl -w vm.swappiness=1"), script("sysctl --system")),
        ("AMI006", map_count("65530"), map_count("262144")),
        ("AMI007", map_count("262144"), map_count("1048576")),
        (
            "AMI008",
            host().replace("vm.max_map_count", "vm.swappiness"),
            host()
                .replace("vm.max_map_count", "vm.swappiness")
                .file("/etc/sysctl.d/90-es.conf", "vm.max_map_count = 1048576"),
        ),
        (
            "AMI009",
            with("sysctl.\"net.ipv4.tcp_retries2\" = 5\necs.ECS_RESERVED_MEMORY = \"256\""),
            with("sysctl.\"net.ipv4.tcp_retries2\" = 5"),
        ),
        ("AMI020", script("systemctl start ecs"), script("systemctl start --no-block ecs")),
        ("AMI021", script("echo ECS_CLUSTER=dev >> /etc/ecs/ecs.config"), with("ecs.ECS_RESERVED_MEMORY = \"256\"")),
        ("AMI022", script("cloud-init-per once x true"), script("cloud-init-per instance x true")),
        ("AMI023", host().file("/var/lib/ecs/data/agent.db", "\0"), host().file("/var/lib/ecs/data/.gitkeep", "")),
        ("AMI024", with("ami.imds_v2 = false"), with("ami.imds_v2 = true")),
        (
            "AMI025",
            host().replace(
                "base.id = \"ami-0123456789abcdef0\"",
                "base.ssm.x86_64 = \"/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id\"",
            ),
            host().replace(
                "base.id = \"ami-0123456789abcdef0\"",
                "base.ssm.x86_64 = \"/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id\"",
            ),
        ),
    ]
}

fn volumes() -> Vec<Example> {
    let gp3 = "kind = \"gp3\"\nsize = 500";
    let folder = |needs: u32| format!("[[folder]]\npath = \"/data/es\"\nneeds = {needs}");
    let data = |needs: u32| volume(&format!("{gp3}\nmount = \"/data\"")).with(&folder(needs));
    let store = |kind: &str| {
        with(&format!("instance_types = [\"{kind}\"]")).with("[[volume]]\nname = \"data\"\nkind = \"instance-store\"")
    };
    vec![
        ("AMI010", volume(&format!("{gp3}\niops = 100000")), volume(&format!("{gp3}\niops = 80000"))),
        (
            "AMI011",
            volume("kind = \"gp3\"\nsize = 10\niops = 6000"),
            volume("kind = \"gp3\"\nsize = 1\niops = 3000\nthroughput = 750"),
        ),
        ("AMI012", volume("kind = \"st1\"\nsize = 500\niops = 500"), volume("kind = \"st1\"\nsize = 500")),
        ("AMI013", volume("kind = \"gp3\""), volume("kind = \"gp3\"\nmount = \"/\"")),
        ("AMI014", data(501), data(500)),
        ("AMI015", store("m5.large"), store("i3.large")),
        (
            "AMI016",
            volume(gp3).with("[[volume]]\nname = \"more\"\ndevice = \"/dev/xvdf\"").with(gp3),
            volume(gp3).with("[[volume]]\nname = \"more\"\ndevice = \"/dev/xvdg\"").with(gp3),
        ),
        (
            "AMI044",
            volume(gp3).with("mount = \"/data\"").replace("/dev/xvdf", "/dev/sda1"),
            volume(gp3).with("mount = \"/\"").replace("/dev/xvdf", "/dev/sda1"),
        ),
        ("AMI045", volume(gp3).with("mount = \"/var/lib\""), volume(gp3).with("mount = \"/var/lib/docker\"")),
    ]
}

fn tables() -> Vec<Example> {
    let package = "[[package]]\nname = \"agent\"\nurl = \"https://example.com/amazon-cloudwatch-agent.rpm\"\n\
                   checksum = \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"";
    let firewall = |lines: &str| with(&format!("{lines}\n[[firewall]]\nports = [\"9200\"]\nfrom = [\"subnet\"]"));
    let user = |uid: u32| with(&format!("[[user]]\nname = \"es\"\nuid = {uid}"));
    let store = |lines: &str| {
        with(&format!("[[volume]]\nname = \"data\"\nkind = \"instance-store\"\nmount = \"/data\"\n{lines}"))
    };
    let run = |engine: &str| with(&format!("engine = \"{engine}\"\n[[run]]\nname = \"a\"\ncommand = [\"true\"]"));
    let command = |word: &str| with(&format!("[[run]]\nname = \"a\"\ncommand = [\"{word}\"]"));
    vec![
        (
            "AMI027",
            with("docker.daemon.hosts = [\"tcp://127.0.0.1:2375\"]"),
            with("docker.flags = [\"-H tcp://127.0.0.1:2375\"]"),
        ),
        (
            "AMI028",
            with("docker.daemon.storage-driver = \"overlay\""),
            with("docker.daemon.storage-driver = \"overlay2\""),
        ),
        (
            "AMI029",
            with("host.journal.SystemMaxUse = \"1G\\nStorage=none\""),
            with("host.journal.SystemMaxUse = \"1G\""),
        ),
        ("AMI030", with("ecs.ECS_CONTAINER_STOP_TIMEOUT = \"120\""), with("ecs.ECS_CONTAINER_STOP_TIMEOUT = \"120s\"")),
        ("AMI031", with("ecs.ECS_RESERVE_MEMORY = \"1\""), with("ecs.ECS_RESERVED_MEMORY = \"1\"")),
        ("AMI032", with("cloudwatch.agent.run_as_user = \"root\""), with("cloudwatch.agent.a = 1").with(package)),
        ("AMI033", firewall(""), firewall("packages.nftables = \"*\"")),
        (
            "AMI034",
            host().file("/etc/sysctl.d/90-elkbake.conf", "vm.max_map_count = 1048576"),
            host().file("/etc/sysctl.d/90-es.conf", "vm.max_map_count = 1048576"),
        ),
        (
            "AMI035",
            with("host.enable = [\"a.service\"]\nhost.disable = [\"a.service\"]"),
            with("host.enable = [\"a.service\"]\nhost.disable = [\"a.socket\"]"),
        ),
        ("AMI036", user(1000), user(990)),
        ("AMI037", run("user-data"), run("instance")),
        (
            "AMI038",
            with("host.time_servers = [\"a b\"]"),
            with("host.time_servers = [\"a.example\", \"fd00:ec2::123\"]"),
        ),
        ("AMI040", store("raid0 = true"), store("raid0 = true\n[packages]\nmdadm = \"*\"")),
        (
            "AMI041",
            firewall("packages.nftables = \"*\"").replace("\"subnet\"", ""),
            firewall("packages.nftables = \"*\""),
        ),
        (
            "AMI042",
            with("bake.instance_types.arm64 = \"m6g.large\""),
            with("bake.instance_types.x86_64 = \"m6i.large\""),
        ),
        ("AMI043", with(&package.replace(".rpm", ".zip")), with(package)),
        ("AMI039", command(""), command("true")),
    ]
}

#[test]
fn agents_get_values_that_both_their_readers_read_alike() {
    for (value, is_right) in
        [("'[\"json-file\"]'", false), ("[\"json-file\"]", true), (" []", false), ("[\"\\\\\"]", false)]
    {
        let codes = with(&format!("ecs.ECS_AVAILABLE_LOGGING_DRIVERS = {value:?}")).codes();
        assert_eq!(codes.is_empty(), is_right, "{value}: {codes:?}");
    }
}

#[test]
fn settings_of_one_network_are_told_from_the_whole_hosts() {
    let of = |key: &str| with(&format!("sysctl.{key:?} = 1\ndocker.daemon.debug = true")).codes();
    for key in ["net.ipv4.tcp_keepalive_time", "net.core.somaxconn", "net.ipv4.ip_local_port_range"] {
        assert_eq!(of(key).len(), 1, "{key}");
    }
    for key in ["net.core.rmem_max", "net.ipv4.tcp_mem", "net.ipv4.conf.all.rp_filter", "net.ipv4.ip_forward"] {
        assert_eq!(of(key), [""; 0], "{key}");
    }
}

#[test]
fn every_rule_for_hosts_is_shown_by_a_recipe_and_not_by_its_counterpart() {
    let examples: Vec<_> = [tuning(), volumes(), tables()].into_iter().flatten().collect();
    prove(RULES, &examples);
}

#[test]
fn a_good_host_has_no_finding() {
    let good = with("docker.daemon.log-driver = \"json-file\"\necs.ECS_IMAGE_CLEANUP_INTERVAL = \"10m\"")
        .with("instance_types = [\"i4i.2xlarge\"]\n[[volume]]\nname = \"data\"\nkind = \"instance-store\"\nmount = \"/data\"")
        .with("[[folder]]\npath = \"/data/es\"\nowner = \"1000:0\"\nneeds = 1700")
        .file("/etc/sysconfig/docker", "OPTIONS=\"--default-ulimit nofile=65536:65536\"\n")
        .file("/etc/sysctl.d/99-vm.conf", "vm.swappiness = 1\n");
    assert_eq!(good.codes(), [""; 0]);
}

#[test]
fn the_user_data_that_people_paste_is_full_of_findings() {
    let pasted = "Content-Type: multipart/mixed; boundary=\"//\"\n\n\
        cloud-init-per once docker_options echo 'OPTIONS=\"${OPTIONS} --storage-opt dm.basesize=250G\"' >> /etc/sysconfig/docker\n\
        #!/bin/bash\n\
        echo ECS_CLUSTER=dev-elk-cluster >> /etc/ecs/ecs.config;\n\
        echo ECS_BACKEND_HOST=dev-elk-cluster >> /etc/ecs/ecs.config;\n\
        sysctl -w vm.max_map_count=262144;\n";
    let codes = host().replace("vm.max_map_count", "vm.swappiness").file("/user-data", pasted).codes();
    let at = |code: &str, line: usize| format!("{code} ami/test/user-data:{line}");
    assert_eq!(
        codes,
        [
            at("AMI001", 3),
            at("AMI002", 3),
            at("AMI022", 3),
            at("AMI021", 5),
            at("AMI003", 6),
            at("AMI005", 7),
            at("AMI007", 7)
        ]
    );
}

#[test]
fn limits_of_every_kind_of_volume_hold_at_their_edges() {
    for (lines, expected) in [
        ("kind = \"gp3\"\nsize = 65536\niops = 80000\nthroughput = 2000", None),
        ("kind = \"gp3\"\nsize = 65537", Some("AMI010")),
        ("kind = \"gp3\"\nsize = 100\niops = 2999", Some("AMI010")),
        ("kind = \"gp3\"\nsize = 100\nthroughput = 124", Some("AMI010")),
        ("kind = \"gp3\"\nsize = 100\nthroughput = 751", Some("AMI011")),
        ("kind = \"io2\"\nsize = 4\niops = 4000", None),
        ("kind = \"io2\"\nsize = 3\niops = 100", Some("AMI010")),
        ("kind = \"io2\"\nsize = 4\niops = 4001", Some("AMI011")),
        ("kind = \"io2\"\nsize = 300\niops = 256001", Some("AMI010")),
        ("kind = \"io2\"\nsize = 300", Some("AMI010")),
        ("kind = \"io1\"\nsize = 250\niops = 3000", None),
        ("kind = \"io1\"\nsize = 10\niops = 501", Some("AMI010")),
        ("kind = \"gp2\"\nsize = 16384", None),
        ("kind = \"gp2\"\nsize = 100\nthroughput = 125", Some("AMI012")),
        ("kind = \"sc1\"\nsize = 124", Some("AMI010")),
        ("kind = \"sc1\"\nsize = 125\nraid0 = true", Some("AMI012")),
        ("kind = \"instance-store\"\nsize = 100", Some("AMI012")),
    ] {
        let found = volume(lines).findings();
        assert_eq!(found.first().map(|finding| finding.code.0), expected, "{lines}: {found:?}");
    }
}

#[test]
fn space_is_added_up_by_volume() {
    let folders = |a: u32, b: u32| {
        let volume = "[[volume]]\nname = \"data\"\nkind = \"instance-store\"\nraid0 = true\nmount = \"/data\"\n";
        let folder = |path: &str, needs: u32| format!("[[folder]]\npath = \"{path}\"\nneeds = {needs}\n");
        with("instance_types = [\"i3.4xlarge\", \"m99.large\"]")
            .with(&format!("{volume}{}{}{}", folder("/data/a", a), folder("/data/b", b), folder("/var/c", 30)))
            .with("[packages]\nmdadm = \"*\"")
            .codes()
    };
    assert_eq!(folders(1500, 2000), [""; 0]);
    assert_eq!(folders(1600, 2000), ["AMI014 recipes/test.toml:17"]);
    assert_eq!(with("[[folder]]\npath = \"/var/c\"\nneeds = 31").codes(), ["AMI014 recipes/test.toml:8"]);
}

#[test]
fn a_base_that_is_looked_up_needs_a_lock() {
    let named =
        host().replace("base.id = \"ami-0123456789abcdef0\"", "base.name = \"al2023-*\"\nbase.owner = \"amazon\"");
    assert_eq!(named.clone().lock("format = 1").codes(), [""; 0]);
    assert_eq!(named.codes().len(), 1);
}

#[test]
fn the_documentation_lists_every_rule() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
    let text = document(&[("Images, and what hosts share with them", crate::product::RULES), ("Hosts", RULES)]);
    #[expect(clippy::disallowed_methods, reason = "UPDATE=1 renews golden texts")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == text, "docs/findings.md is out of date: UPDATE=1 renews it");
}

#[test]
fn no_two_rules_have_one_code() {
    let mut codes: Vec<_> = crate::product::RULES.iter().chain(RULES).map(|rule| rule.code).collect();
    let all = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_file_makes_a_check_panic(text in "([a-z]{0,4}|[=:$#'\"{}\n -]|sysctl|vm.max_map_count|dm\\.|--[a-z]{0,3}|ecs|-|ä){0,60}") {
        let files = ["/etc/sysconfig/docker", "/etc/docker/daemon.json", "/etc/sysctl.d/a.conf", "/opt/a.sh"];
        files.into_iter().fold(host(), |host, path| host.file(path, text.as_str())).findings();
    }
}
