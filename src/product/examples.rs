//! Every rule for images with a recipe that breaks it and the nearest one that keeps it.

mod files;

use proptest::prelude::*;

use super::fixture::{DIGEST, Fixture, prove};
use super::{RULES, is_secret};

const CONFIG: &str = "/usr/share/elasticsearch/config/elasticsearch.yml";

type Example = (&'static str, Fixture, Fixture);

fn es() -> Fixture {
    Fixture::image("elasticsearch", "8.19.3")
}

fn es_of(version: &str) -> Fixture {
    Fixture::image("elasticsearch", version)
}

fn yml(text: &str) -> Fixture {
    es().file(CONFIG, text)
}

fn kibana(version: &str, text: &str) -> Fixture {
    Fixture::image("kibana", version).file("/usr/share/kibana/config/kibana.yml", text)
}

fn logstash(version: &str) -> Fixture {
    Fixture::image("logstash", version)
}

fn filebeat() -> Fixture {
    Fixture::image("filebeat", "8.19.3").file("/usr/share/filebeat/filebeat.yml", "a: b")
}

fn generic() -> Fixture {
    Fixture::image("generic", "1")
}

fn heap(options: &str) -> Fixture {
    es().with(&format!("config.env.ES_JAVA_OPTS = \"{options}\""))
}

fn general() -> Vec<Example> {
    let tag = || es().replace(&format!("@{DIGEST}"), "");
    let lock = "format = 1";
    vec![
        ("GEN001", tag(), tag().lock(lock)),
        ("GEN002", tag().replace("elasticsearch:8.19.3", "elasticsearch:latest").lock(lock), tag().lock(lock)),
        (
            "GEN003",
            es().with("config.healthcheck = { Test = [\"CMD\", \"true\"] }"),
            es().with("runtime.health_check = { command = [\"CMD\", \"true\"] }"),
        ),
        (
            "GEN004",
            es().with("runtime.memory_reservation = 100"),
            es().with("runtime.memory_reservation = 100\nruntime.memory = 200"),
        ),
        (
            "GEN005",
            es().with("runtime.memory_reservation = 300\nruntime.memory = 200"),
            es().with("runtime.memory_reservation = 200\nruntime.memory = 200"),
        ),
        ("GEN007", es_of("8.19"), es_of("9.0.0-beta1")),
        (
            "GEN008",
            es().with("[[plugin]]\nname = \"discovery-ec2\"\nversion = \"8.19.2\""),
            es().with("[[plugin]]\nname = \"x\"\nversion = \"1.0\"\nurl = \"https://example.com/x-1.0.zip\""),
        ),
        ("GEN009", es().replace("version = \"8.19.3\"", "version = \"8.19.4\""), es()),
        ("GEN018", generic().file("/run.sh", "IP=$(curl -s http://169.254.169.254/latest/meta-data/local-ipv4)"), {
            let token = "T=$(curl -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')";
            generic().file(
                "/run.sh",
                format!("{token}\ncurl http://169.254.169.254/latest/meta-data/ -H \"X-aws-ec2-metadata-token: $T\""),
            )
        }),
        ("GEN019", generic().file("/etc/a.conf~", ""), generic().file("/etc/~", "")),
        (
            "GEN020",
            generic().file("/start.sh", "#!/bin/sh").with("config.entrypoint = [\"/start.sh\"]"),
            generic().file("/bin/start.sh", "#!/bin/sh").with("config.entrypoint = [\"/bin/start.sh\"]"),
        ),
    ]
}

fn secrets() -> Vec<Example> {
    let key = "AKIAIOSFODNN7EXAMPLE";
    let pipeline = |value: &str| {
        logstash("8.19.3").file(
            "/usr/share/logstash/pipeline/logstash.conf",
            format!("output {{\n  elasticsearch {{ password => \"{value}\" }}\n}}"),
        )
    };
    vec![
        ("GEN010", generic().file("/a.conf", format!("key={key}")), generic().file("/a.conf", "key=${AWS_KEY}")),
        (
            "GEN011",
            generic().file("/tls/node.pem", "-----BEGIN PRIVATE KEY-----\nMII"),
            generic().file("/tls/ca.pem", "-----BEGIN CERTIFICATE-----\nMII"),
        ),
        (
            "GEN012",
            es().with(&format!("config.labels.a = \"ghp_{}\"", "a1B2".repeat(9))),
            es().with("config.labels.a = \"ghp_token\""),
        ),
        ("GEN013", pipeline("changeme"), pipeline("${ES_PWD}")),
        (
            "GEN014",
            es().with("config.env.ELASTIC_PASSWORD = \"changeme\""),
            es().with("config.env.ELASTIC_PASSWORD_FILE = \"/run/secrets/elastic\""),
        ),
        (
            "GEN015",
            es().file("/usr/share/elasticsearch/config/elasticsearch.keystore", "\0"),
            es().file("/usr/share/elasticsearch/config/keystore.md", ""),
        ),
        ("GEN016", generic().file("/tls/node.p12", "\0"), generic().file("/tls/truststore.p12", "\0")),
        (
            "GEN017",
            es().with("config.env.ELASTIC_PASSWORD_FILE = \"/pw\"").file("/pw", "x"),
            es().with("config.env.ELASTIC_PASSWORD_FILE = \"/run/secrets/pw\"").file("/pw", "x"),
        ),
    ]
}

fn heaps() -> Vec<Example> {
    let ls = |options: &str| logstash("8.19.3").with(&format!("config.env.LS_JAVA_OPTS = \"{options}\""));
    let memory = "runtime.memory = 4096";
    vec![
        ("ES001", heap("-Xms1g"), heap("-Xms1g -Xmx1g")),
        ("ES002", heap("-Xms1g -Xmx2g"), heap("-Xms1g -Xmx1024m")),
        ("ES003", heap("-Xms7.5g -Xmx7.5g"), heap("-Xms7680m -Xmx7680m")),
        ("ES004", heap("-Xms32g -Xmx32g"), heap("-Xms31g -Xmx31g")),
        ("ES005", heap("-Xms4g -Xmx4g").with(memory), heap("-Xms3g -Xmx3g").with(memory)),
        ("ES006", heap("-Xms3g -Xmx3g").with(memory), heap("-Xms2g -Xmx2g").with(memory)),
        ("LS001", logstash("8.19.3").with("config.env.ES_JAVA_OPTS = \"-Xms1g -Xmx1g\""), ls("-Xms1g -Xmx1g")),
        ("LS002", ls("-Xms1g -Xmx2g"), ls("-Xms2g -Xmx2g")),
        ("LS003", ls("-Xms1.5g -Xmx1.5g"), ls("-Xms1536m -Xmx1536m")),
        ("LS004", ls("-Xms4g -Xmx4g").with(memory), ls("-Xms3g -Xmx3g").with(memory)),
    ]
}

fn elasticsearch() -> Vec<Example> {
    let awsvpc = |text: &str| yml(text).with("runtime.network_mode = \"awsvpc\"");
    let bridge = |text: &str| yml(text).with("runtime.network_mode = \"bridge\"");
    let ec2 = "discovery.seed_providers: ec2";
    let plugin = "[[plugin]]\nname = \"discovery-ec2\"";
    let lock_memory = || yml("bootstrap:\n  memory_lock: true");
    vec![
        (
            "ES010",
            yml("discovery.type: single-node\ndiscovery.seed_providers: ec2"),
            yml("discovery.type: single-node"),
        ),
        ("ES011", awsvpc(ec2).with(plugin), bridge(ec2).with(plugin)),
        ("ES012", awsvpc("network.publish_host: _ec2:privateIp_"), bridge("network.publish_host: _ec2:privateIp_")),
        ("ES013", yml(ec2), yml(ec2).with(plugin)),
        (
            "ES014",
            yml("cluster.initial_master_nodes: [a]"),
            yml("cluster.initial_master_nodes: '${M}'").with("config.env.M = \"\""),
        ),
        (
            "ES020",
            es().with("config.env.\"cluster.name\" = \"a\""),
            es_of("9.2.0").with("config.env.\"cluster.name\" = \"a\""),
        ),
        (
            "ES021",
            es_of("9.2.0").with("config.env.\"discovery.ec2.tag.ElasticSearch\" = \"a\""),
            es_of("9.2.0").with("config.env.ES_SETTING_CLUSTER_NAME = \"a\""),
        ),
        (
            "ES022",
            es_of("8.2.3").with("config.env.ES_SETTING_DISCOVERY_EC2_ENDPOINT = \"a\""),
            es_of("8.3.0").with("config.env.ES_SETTING_DISCOVERY_EC2_ENDPOINT = \"a\""),
        ),
        ("ES030", lock_memory(), lock_memory().with("runtime.ulimits.memlock = { soft = -1, hard = -1 }")),
        ("ES031", es().replace("65536", "4096"), es().replace("hard = 65536", "hard = -1")),
        ("ES032", es().replace("nofile", "nproc"), es()),
    ]
}

fn elasticsearch_files() -> Vec<Example> {
    let plugin = "[[plugin]]\nname = \"discovery-ec2\"";
    vec![
        ("ES040", es().file("/usr/share/elasticsearch/config/elasticsearch-plugins.yml", "plugins: []"), yml("a: b")),
        (
            "ES041",
            es().file("/usr/share/elasticsearch/plugins/README", ""),
            es().file("/usr/share/elasticsearch/plugins/mine/plugin-descriptor.properties", "a=b"),
        ),
        (
            "ES042",
            es().file("/usr/share/elasticsearch/data/nodes/0/node.lock", ""),
            es().file("/usr/share/elasticsearch/data/.gitkeep", ""),
        ),
        ("ES050", yml("discovery.zen.hosts_provider: ec2"), yml("discovery.seed_hosts: [a]")),
        (
            "ES051",
            es_of("7.17.0").file(CONFIG, "discovery:\n  zen.minimum_master_nodes: 2"),
            es_of("6.8.0").file(CONFIG, "discovery.zen.minimum_master_nodes: 2"),
        ),
        (
            "ES052",
            es().with("[[plugin]]\nname = \"repository-s3\""),
            es_of("7.17.0").with("[[plugin]]\nname = \"repository-s3\""),
        ),
        (
            "ES053",
            yml("discovery.ec2.protocol: http").with(plugin),
            es_of("8.18.0").file(CONFIG, "discovery.ec2.protocol: http").with(plugin),
        ),
    ]
}

/// A file in Elasticsearch's configuration.
fn config(path: &str, text: &str) -> Fixture {
    es().file(&format!("/usr/share/elasticsearch/config/{path}"), text)
}

fn elasticsearch_syntax() -> Vec<Example> {
    let jvm = |text: &str| config("jvm.options.d/a.options", text);
    let log4j = |text: &str| config("log4j2.properties", text);
    let console = "appender.a.type = Console\nappender.a.name = console\n";
    let file =
        |name: &str| log4j(&format!("appender.f.type = File\nappender.f.name = file\nappender.f.fileName = {name}"));
    vec![
        ("ES060", yml("cluster:\n\tname: a"), yml("cluster:\n  name: &a b\n")),
        ("ES061", yml("cluster:\n  # name: a\n"), yml("# cluster:\n#   name: a\n")),
        ("ES062", yml("cluster.name: a\ncluster:\n  name: b"), yml("cluster.name: a\ncluster:\n  names: b")),
        (
            "ES063",
            yml("plugin.mandatory: [discovery-ec2, repository-s3]").with("[[plugin]]\nname = \"discovery-ec2\""),
            yml("plugin.mandatory: discovery-ec2").with("[[plugin]]\nname = \"discovery-ec2\""),
        ),
        ("ES064", yml("cluster.name: ${CLUSTER:elk}"), es_of("8.1.3").file(CONFIG, "cluster.name: ${CLUSTER:elk}")),
        (
            "ES065",
            es().with("config.cmd = [\"eswrapper\", \"-Ecluster.name=${CLUSTER}\"]"),
            es().with("config.cmd = [\"eswrapper\", \"-Ecluster.name=elk\"]\nconfig.env.A = \"${B}\""),
        ),
        (
            "ES066",
            yml("cluster.name: ${CLUSTER}").with("config.env.CLUSTER = \"\""),
            yml("cluster.name: '${CLUSTER}'").with("config.env.CLUSTER = \"\""),
        ),
        ("ES070", config("jvm.options.d/a.opts", "-Da=b"), jvm("-Da=b")),
        ("ES071", jvm("Xmx1g"), jvm("# Xmx1g\n\n8:-Da\n8-:-Db\n8-13:-Dc\n-Dd")),
        ("ES080", log4j("a = \\u12"), log4j("a = \\u0012")),
        ("ES081", log4j("status = error\nstatus = warn"), log4j("status = error\n# status = warn")),
        (
            "ES082",
            log4j(&format!("{console}rootLogger.appenderRef.a.ref = a")),
            log4j(&format!("{console}rootLogger.appenderRef.a.ref = console")),
        ),
        ("ES083", log4j("appender.a.type = Console"), log4j(console)),
        ("ES084", file("/var/log/es.log"), file("${sys:es.logs.base_path}/es.log")),
    ]
}

fn others() -> Vec<Example> {
    let firelens = |path: &str| Fixture::image("fluent-bit", "3.2.0").file(path, "[OUTPUT]\n  Name es");
    vec![
        ("KB001", kibana("8.19.3", "optimize:\n  enabled: false"), kibana("7.17.0", "optimize.enabled: false")),
        (
            "KB002",
            kibana("8.19.3", "").with("config.env.ELASTICSEARCH_URL = \"http://es:9200\""),
            kibana("8.19.3", "").with("config.env.ELASTICSEARCH_HOSTS = \"http://es:9200\""),
        ),
        (
            "KB003",
            kibana("8.19.3", "elasticsearch.username: \"elastic\""),
            kibana("8.19.3", "elasticsearch.username: kibana_system"),
        ),
        (
            "LS005",
            logstash("8.19.3").file("/usr/share/logstash/data/.sincedb_1a2b", "1 0 2 3"),
            logstash("8.19.3").file("/usr/share/logstash/data/.gitkeep", ""),
        ),
        (
            "LS006",
            logstash("9.2.0").file("/usr/share/logstash/config/logstash.yml", "http.host: 0.0.0.0"),
            logstash("9.2.0").with("config.env.HTTP_PROXY = \"http://proxy:3128\""),
        ),
        (
            "LS007",
            logstash("7.15.2").file("/usr/share/logstash/config/logstash.yml", "api.http.host: 0.0.0.0"),
            logstash("7.17.0").file("/usr/share/logstash/config/logstash.yml", "api.http.host: 0.0.0.0"),
        ),
        (
            "FB001",
            filebeat().with("files.\"**\" = { mode = \"0664\" }"),
            filebeat().with("files.\"**\" = { mode = \"0600\" }"),
        ),
        (
            "FB002",
            filebeat().with("files.\"**\" = { owner = \"33:0\" }"),
            filebeat().with("files.\"**\" = { owner = \"1000:0\" }"),
        ),
        ("FL001", firelens("/fluent-bit/etc/fluent-bit.conf"), firelens("/fluent-bit/etc/extra.conf")),
    ]
}

#[test]
fn only_what_is_started_has_to_be_a_program() {
    let found = |with: &str| {
        let files = generic().file("/run.sh", "#!/bin/sh").file("/app.conf", "a = 1").file("/lib.py", "import os");
        files.with(with).codes().into_iter().filter(|code| code.starts_with("GEN020")).count()
    };
    assert_eq!(found("config.entrypoint = [\"/bin/tini\", \"--\", \"/run.sh\"]"), 1);
    assert_eq!(found("config.cmd = [\"/run.sh\"]"), 1);
    assert_eq!(found("config.entrypoint = [\"/run.sh\"]\nfiles.\"run.sh\" = { mode = \"0750\" }"), 0);
    assert_eq!(found("config.cmd = [\"/app.conf\"]"), 0, "an argument");
    assert_eq!(found("config.entrypoint = [\"python3\", \"/lib.py\"]\nconfig.cmd = [\"/run.sh\"]"), 0, "arguments");
    assert_eq!(found("config.entrypoint = [\"/of/the/base\"]"), 0);
}

#[test]
fn every_rule_for_images_is_shown_by_a_recipe_and_not_by_its_counterpart() {
    let examples: Vec<_> = [
        general(),
        secrets(),
        heaps(),
        elasticsearch(),
        elasticsearch_files(),
        elasticsearch_syntax(),
        others(),
        files::examples(),
    ]
    .into_iter()
    .flatten()
    .collect();
    prove(RULES, &examples);
}

#[test]
fn every_secret_is_known_as_one_and_is_not_repeated() {
    for (code, wrong, _) in secrets() {
        for finding in wrong.findings().iter().filter(|finding| finding.code.0 == code) {
            assert_eq!(is_secret(finding.code), code != "GEN016", "{code}");
            let text = format!("{finding:?}");
            assert!(!text.contains("changeme") && !text.contains("EXAMPLE") && !text.contains("a1B2a1B2"), "{text}");
        }
    }
    assert!(!is_secret(super::rules::MUTABLE_BASE.code));
}

#[test]
fn a_good_image_of_each_product_has_no_finding() {
    let es = yml("cluster.name: logs\nnetwork.host: 0.0.0.0\nnetwork.publish_host: _ec2:privateIpv4_\n\
         discovery.seed_providers: ec2\ndiscovery.ec2.tag.role: es\nxpack.security.transport.ssl.enabled: true\n\
         bootstrap.memory_lock: true\nxpack.security.http.ssl.key_passphrase: ${KEY_PASS}\n")
    .file("/usr/share/elasticsearch/config/jvm.options.d/heap.options", "# heap\n-Xms4g\n-Xmx4g\n")
    .with("runtime.network_mode = \"bridge\"\nruntime.memory = 8192\nruntime.secrets = [\"KEY_PASS\"]")
    .with("runtime.ulimits.memlock = { soft = -1, hard = -1 }\n[[plugin]]\nname = \"discovery-ec2\"");
    let kibana = kibana("8.19.3", "server.host: \"0.0.0.0\"\nelasticsearch.password: \"${PW}\"\n");
    let logstash = logstash("8.19.3")
        .file("/usr/share/logstash/config/logstash.yml", "api.http.host: 0.0.0.0\n")
        .file("/usr/share/logstash/pipeline/logstash.conf", "input { tcp { port => 9601 codec => json } }\n")
        .file("/usr/share/logstash/pipeline/out.conf", "output { elasticsearch { } }\n")
        .with("config.env.LS_JAVA_OPTS = \"-Xms1g -Xmx1g\"\nruntime.memory = 2048");
    for fixture in [es, kibana, logstash, filebeat(), generic()] {
        assert_eq!(fixture.codes(), [""; 0]);
    }
}

#[test]
fn findings_name_the_line_they_are_about() {
    let fixture = yml("a: b\n\nxpack:\n  security:\n    http.ssl.keystore.password: changeme\n")
        .with("config.env.\"node.name\" = \"x\"")
        .file("/usr/share/elasticsearch/config/jvm.options", "## heap\n-Xms1g\n");
    let folder = "images/test/usr/share/elasticsearch/config";
    assert_eq!(
        fixture.codes(),
        [
            format!("GEN013 {folder}/elasticsearch.yml:5"),
            format!("ES001 {folder}/jvm.options:2"),
            "ES020 recipes/test.toml:6".into()
        ]
    );
}

#[test]
fn settings_among_the_arguments_count_too() {
    let fixture = es().with(
        "config.cmd = [\n \"eswrapper\",\n \"-Ediscovery.type=single-node\",\n \"-E\",\n \"discovery.seed_hosts=a\",\n \"--a.password=x\"]",
    );
    assert_eq!(fixture.codes(), ["ES010 recipes/test.toml:8", "GEN013 recipes/test.toml:11"]);
}

/// Wherever they are inside of something longer.
#[test]
fn secrets_inside_of_longer_values_are_found() {
    let conf = "/usr/share/logstash/pipeline/logstash.conf";
    let jdbc = |url: &str| {
        logstash("8.19.3").file(conf, format!("input {{ jdbc {{ url => \"{url}\" }} }}\noutput {{ ab {{ }} }}"))
    };
    assert_eq!(jdbc("jdbc:pg://h/d?user=a&password=hunter2").codes(), [format!("GEN013 images/test{conf}:1")]);
    assert_eq!(jdbc("jdbc:pg://h/d?user=a&password=${PW}").codes(), [""; 0]);
    let opts = |value: &str| es().with(&format!("config.env.ES_JAVA_OPTS = \"{value}\""));
    assert_eq!(opts("-Da=b -Djavax.net.ssl.keyStorePassword=hunter2").codes(), ["GEN014 recipes/test.toml:6"]);
    let cmd = es().with("config.cmd = [\n \"sh\", \"-c\",\n \"run --password=hunter2\"]");
    assert_eq!(cmd.codes(), ["GEN013 recipes/test.toml:8"]);
    let check = es().with("runtime.health_check.command = [\"CMD-SHELL\", \"curl -u elastic:hunter2 localhost:9200\"]");
    assert_eq!(check.codes(), ["GEN013 recipes/test.toml:6"]);
    let flow = kibana("8.19.3", "server.host: 0.0.0.0\nx: { y: [ { user: c,\n password: hunter2 } ] }");
    assert_eq!(flow.codes(), ["GEN013 images/test/usr/share/kibana/config/kibana.yml:3"]);
    let fluent = |text: &str| Fixture::image("fluent-bit", "3.2.0").file("/a.conf", text).codes();
    assert_eq!(fluent("[OUTPUT]\n  Splunk_Token hunter2-hunter2"), ["GEN013 images/test/a.conf:2"]);
    assert_eq!(fluent("[OUTPUT]\n  Splunk_Token ${T}\n  Shared_Key ${K}"), [""; 0]);
}

/// What hides secrets is none.
#[test]
fn masks_are_no_secrets() {
    let filter = |text: &str| {
        let text = format!("input {{ ab {{ }} }}\nfilter {{ mutate {{ {text} }} }}\noutput {{ ab {{ }} }}");
        logstash("8.19.3").file("/usr/share/logstash/pipeline/logstash.conf", text).codes()
    };
    for text in [
        "replace => { \"password\" => \"***\" }",
        "replace => { \"password\" => \"[REDACTED]\" }",
        "gsub => [\"message\", \"password=\\S+\", \"password=xxxx\"]",
        "remove_field => [\"password\"]",
        "update => { \"[user][password]\" => \"%{[hash]}\" }",
    ] {
        assert_eq!(filter(text), [""; 0], "{text}");
    }
}

#[test]
fn the_token_is_needed_for_each_request_for_metadata() {
    let url = "http://169.254.169.254/latest";
    let token = format!("T=$(curl -X PUT {url}/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')\n");
    let codes = |text: String| generic().file("/run.sh", token.clone() + &text).codes();
    for right in [
        format!("A=$(curl -H \"X-aws-ec2-metadata-token: $T\" {url}/meta-data/a)"),
        format!("A=$(curl -s \\\n  -H \"X-aws-ec2-metadata-token: $T\" \\\n  {url}/meta-data/a)"),
        format!("curl \"${{HEADERS[@]}}\" {url}/meta-data/a"),
        format!("wget --header \"$H\" {url}/meta-data/a"),
    ] {
        assert_eq!(codes(right.clone()), [""; 0], "{right}");
    }
    assert_eq!(codes(format!("A=$(curl -s {url}/meta-data/a)")), ["GEN018 images/test/run.sh:2"]);
    assert_eq!(codes(format!("curl -s \\\n {url}/meta-data/a")), ["GEN018 images/test/run.sh:2"]);
}

/// Docker's registry has the same images as Elastic's.
#[test]
fn what_elastic_publishes_is_known_wherever_it_is() {
    let ec2 =
        |from: &str| yml("discovery.seed_providers: ec2").replace("docker.elastic.co/x/elasticsearch", from).codes();
    for known in ["elasticsearch", "docker.io/library/elasticsearch"] {
        assert_eq!(ec2(known), [format!("ES013 images/test{CONFIG}:1")], "{known}");
    }
    for unknown in ["example.com/elasticsearch", "house/elasticsearch"] {
        assert_eq!(ec2(unknown), [""; 0], "{unknown}");
    }
}

#[test]
fn a_heap_split_over_file_and_environment_is_added_up() {
    let options = "/usr/share/elasticsearch/config/jvm.options.d/a.options";
    assert_eq!(heap("-Xmx2g").file(options, "-Xms2g\n8:-Xmx1g").codes(), [""; 0]);
    assert_eq!(heap("-Xmx2g").file(options, "-Xms1g\n-Xmx1g").codes(), ["ES002 recipes/test.toml:6"]);
    let twice = es().file(options, "-Xms1g\n-Xms1g");
    assert_eq!(twice.codes(), [format!("ES001 images/test{options}:2")]);
}

#[test]
fn a_secret_that_two_rules_see_is_named_once() {
    let fixture = es().with("config.env.AWS_SECRET_ACCESS_KEY = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"");
    assert_eq!(fixture.codes(), ["GEN010 recipes/test.toml:6"]);
}

#[test]
fn a_lock_that_tells_the_bases_version_is_believed() {
    let lock = format!(
        "format = 1\n[base]\nfrom = \"example.com/es@{DIGEST}\"\n[[base.platform]]\nname = \"linux/amd64\"\nmanifest = \"{DIGEST}\"\nproduct_version = \"8.19.2\""
    );
    let fixture = es().replace("docker.elastic.co/x/elasticsearch:8.19.3", "example.com/es");
    assert_eq!(fixture.clone().lock(&lock).codes(), ["GEN009 recipes/test.toml:3"]);
    assert_eq!(fixture.clone().lock(&lock.replace("8.19.2", "8.19.3")).codes(), [""; 0]);
    let of_another = lock.replace("example.com/es@", "example.com/other@");
    assert_eq!(fixture.lock(&of_another).codes(), [""; 0]);
}

#[test]
fn filebeat_may_belong_to_the_user_it_runs_as() {
    let owned = |user: &str| {
        filebeat().with("files.\"**\" = { owner = \"33:0\" }").with(&format!("config.user = \"{user}\"")).codes()
    };
    assert_eq!(owned("33:0"), [""; 0]);
    assert_eq!(owned("somebody"), [""; 0]);
    assert_eq!(owned("root").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_file_makes_a_check_panic(text in "([a-z]{0,4}|=>|[=:$#'\"{}\\[\\]\n -]|-Xm[sx]|password|\\$\\{|PASSWORD=|://|@|ä){0,60}") {
        let names = ["elasticsearch.yml", "jvm.options", "logstash.conf", "run.sh", ".env", "a.json", "a.md"];
        let with_files = |mut fixture: Fixture| {
            for name in names {
                fixture = fixture.file(name, text.as_str());
            }
            fixture
        };
        let fixture = with_files(es());
        let findings = fixture.findings();
        prop_assert!(findings.is_sorted_by_key(|finding| (finding.file.clone(), finding.line, finding.code)));
        with_files(Fixture::image("fluent-bit", "3")).findings();
    }
}
