//! The files of Kibana, Logstash, Filebeat and Fluent Bit: a recipe that breaks each rule, and the nearest that keeps it.

use crate::product::fixture::Fixture;

const PIPELINE: &str = "/usr/share/logstash/pipeline";

fn kibana(text: &str) -> Fixture {
    Fixture::image("kibana", "8.19.3").file("/usr/share/kibana/config/kibana.yml", text)
}

fn logstash(path: &str, text: &str) -> Fixture {
    Fixture::image("logstash", "8.19.3").file(&format!("/usr/share/logstash/{path}"), text)
}

fn filebeat(path: &str, text: &str) -> Fixture {
    Fixture::image("filebeat", "8.19.3").file(&format!("/usr/share/filebeat/{path}"), text)
}

/// On the upstream image, or with `aws-for-` before it, on AWS's.
fn fluent_bit(base: &str, text: &str) -> Fixture {
    let image = Fixture::image("fluent-bit", "3.2.0").file("/extra.conf", text);
    image.replace("docker.elastic.co/x/fluent-bit", &format!("example.com/x/{base}"))
}

pub(super) fn examples() -> Vec<(&'static str, Fixture, Fixture)> {
    let both = "input { tcp { port => 1 } } output { stdout { } }";
    let pipelines = |path: &str| {
        logstash("config/pipelines.yml", &format!("- pipeline.id: a\n  path.config: \"{PIPELINE}/{path}\"\n"))
            .file(&format!("{PIPELINE}/a/a.conf"), both)
    };
    let strict = |rule: &str| filebeat("filebeat.yml", "a: b").with(&format!("files.\"**\" = {{ {rule} }}"));
    vec![
        ("KB004", kibana("a: b\n\tc: d"), kibana("a: b\nc:\n  d: e")),
        ("KB005", kibana("a: b"), kibana("server:\n  host: 0.0.0.0")),
        (
            "KB006",
            kibana("server.host: a").file("/usr/share/kibana/plugins/.plugin.installing/kibana.json", "{}"),
            kibana("server.host: a").file("/usr/share/kibana/plugins/house/kibana.json", "{}"),
        ),
        (
            "KB007",
            kibana("server.host: 0.0.0.0\nelasticsearch.hosts: [\"${ES:http://es:9200}\"]"),
            kibana("server.host: 0.0.0.0\nserver.name: ${NAME:kibana}\nelasticsearch.hosts: [\"${ES}\"]"),
        ),
        (
            "KB008",
            kibana("server.host: 0.0.0.0").with("config.env.SERVER_NAME = \"of the house\""),
            kibana("server.host: 0.0.0.0\nserver.name: of the house").with("config.env.NODE_OPTIONS = \"-a -b\""),
        ),
        (
            "KB009",
            kibana("server.host: 0.0.0.0").with("runtime.secrets = [\"ELASTICSEARCH_PASSWORD\"]"),
            kibana("server.host: 0.0.0.0").with("runtime.secrets = [\"KIBANA_PASSWORD\"]"),
        ),
        (
            "LS008",
            logstash("config/pipelines.yml", "pipeline.id: a"),
            logstash("config/pipelines.yml", "- pipeline.id: a"),
        ),
        ("LS009", logstash("pipeline/logstash.conf", "input {"), logstash("pipeline/logstash.conf", both)),
        ("LS010", logstash("pipeline/logstash.conf", "input { }"), logstash("pipeline/logstash.conf", both)),
        (
            "LS011",
            logstash("pipeline/a.conf", both),
            logstash("pipeline/a.conf", both).with(&format!("remove = [\"{PIPELINE}/logstash.conf\"]")),
        ),
        ("LS012", pipelines("b/*.conf"), pipelines("a/*.conf")),
        ("FB003", strict("mode = \"0600\""), strict("mode = \"0640\"")),
        ("FB004", filebeat("modules.d/a.yml", "module: a"), filebeat("modules.d/a.yml", "- module: a")),
        (
            "FL002",
            fluent_bit("fluent-bit", "[SERVICE]\n  Parsers_File /parsers_extra.conf"),
            fluent_bit("fluent-bit", "[SERVICE]\n  Parsers_File /parsers_extra.conf").file("/parsers_extra.conf", ""),
        ),
    ]
}

#[test]
fn kibana_may_listen_where_the_environment_says() {
    assert_eq!(kibana("a: b").with("config.env.SERVER_HOST = \"0.0.0.0\"").codes(), [""; 0]);
    let local = kibana("a: b\nserver.host: localhost");
    assert_eq!(local.codes(), ["KB005 images/test/usr/share/kibana/config/kibana.yml:2"]);
    assert_eq!(Fixture::image("kibana", "8.19.3").codes(), [""; 0], "the image's own file has it");
}

#[test]
fn defaults_of_variables_are_read_by_those_who_know_them() {
    let old = kibana("server.host: 0.0.0.0\nserver.name: ${NAME:kibana}");
    let old = old.replace("8.19.3", "8.14.3").codes();
    assert_eq!(old, ["KB007 images/test/usr/share/kibana/config/kibana.yml:2"]);
    assert_eq!(logstash("config/logstash.yml", "node.name: ${NAME:a}\n# ${B:c}").codes(), [""; 0]);
    let env = Fixture::image("elasticsearch", "9.2.0").with("config.env.\"node.name\" = \"a-${HOST}\"");
    assert_eq!(env.codes(), ["ES065 recipes/test.toml:6"]);
}

/// As Elasticsearch 8.19 says: "only value lists are allowed in serialized settings".
#[test]
fn lists_of_elasticsearch_hold_values() {
    let path = "/usr/share/elasticsearch/config/elasticsearch.yml";
    let codes = |text: &str| Fixture::image("elasticsearch", "8.19.3").file(path, text).codes();
    for wrong in ["a:\n  - b\n  - c: d\n", "a: [b,\n e, [c]]\n"] {
        let line = if wrong.contains("c: d") { 3 } else { 2 };
        assert_eq!(codes(wrong), [format!("ES060 images/test{path}:{line}")], "{wrong}");
    }
    assert_eq!(codes("a: [b, 1, true]\nc: []\n"), [""; 0]);
}

/// What the recipe sets a variable to is what the setting is.
#[test]
fn variables_that_the_recipe_sets_are_seen_through() {
    let node = |env: &str| {
        let text = "discovery.seed_providers: '${P}'\nbootstrap.memory_lock: '${LOCK}'\ndiscovery.seed_hosts: '${H}'";
        let path = "/usr/share/elasticsearch/config/elasticsearch.yml";
        Fixture::image("elasticsearch", "8.19.3").file(path, text).with(&format!("config.env = {{ {env} }}")).codes()
    };
    let at =
        |code: &str, line: usize| format!("{code} images/test/usr/share/elasticsearch/config/elasticsearch.yml:{line}");
    assert_eq!(node("P = \"ec2\", LOCK = \"true\", H = \"\""), [at("ES013", 1), at("ES030", 2)]);
    assert_eq!(node("P = \"\", LOCK = \"false\""), [""; 0]);
    assert_eq!(node("A = \"b\""), [""; 0], "nobody knows");
}

#[test]
fn files_of_a_pipeline_are_one() {
    let apart = logstash("pipeline/logstash.conf", "input { }").file(&format!("{PIPELINE}/b.conf"), "output { }");
    assert_eq!(apart.codes(), [""; 0]);
    let example = logstash("pipeline/b.conf", "filter { }");
    assert_eq!(example.codes(), [format!("LS011 images/test{PIPELINE}/b.conf:1")], "the example has the rest");
    let lower = logstash("pipeline/b.conf", "filter { }");
    let from = format!("from = \"docker.elastic.co/x/logstash:8.19.3@{}\"", crate::product::fixture::DIGEST);
    assert_eq!(lower.replace(&from, "from = \"recipe:logstash\"").codes(), [""; 0]);
    let broken = logstash("pipeline/logstash.conf", "# a\ninput {\n  tcp { port => \"1 }\n}\noutput { }\n");
    assert_eq!(broken.codes(), [format!("LS009 images/test{PIPELINE}/logstash.conf:3")]);
}

#[test]
fn paths_of_pipelines_that_may_be_anywhere_are_left_alone() {
    for path in [
        "${PIPELINES}/a.conf",
        "/mnt/pipelines/*.conf",
        "/usr/share/logstash/pipeline",
        "/usr/share/logstash/pipeline/",
    ] {
        let text = format!("- pipeline.id: a\n  path.config: {path}\n");
        assert_eq!(logstash("config/pipelines.yml", &text).codes(), [""; 0], "{path}");
    }
}

#[test]
fn whoever_filebeat_runs_as_has_to_read_its_files() {
    let codes = |rule: &str, user: &str| {
        let image = filebeat("filebeat.yml", "a: b").with(&format!("files.\"**\" = {{ {rule} }}"));
        let image = if user.is_empty() { image } else { image.with(&format!("config.user = \"{user}\"")) };
        image.codes().iter().map(|code| code[..5].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("mode = \"0600\"", "root"), [""; 0]);
    assert_eq!(codes("mode = \"0600\"", "somebody"), [""; 0], "who may be root");
    assert_eq!(codes("mode = \"0600\"", "33"), ["FB003"]);
    assert_eq!(codes("owner = \"1000:0\", mode = \"0600\"", ""), [""; 0]);
    assert_eq!(codes("owner = \"0:1000\", mode = \"0640\"", ""), ["FB003"]);
}

#[test]
fn fluent_bit_finds_what_the_base_has() {
    let names = |base: &str, text: &str| fluent_bit(base, text).codes();
    for there in [
        "[SERVICE]\n  Parsers_File parsers.conf",
        "[SERVICE]\n  parsers_file /fluent-bit/etc/parsers_java.conf\n  Plugins_File plugins.conf",
        "@INCLUDE ${EXTRA}\n@INCLUDE /mnt/*.conf\n# @INCLUDE /nowhere.conf",
        "@INCLUDE extra.conf",
    ] {
        assert_eq!(names("fluent-bit", there), [""; 0], "{there}");
        assert_eq!(names("aws-for-fluent-bit", there), [""; 0], "{there}");
    }
    for aws in
        ["[SERVICE]\n  Parsers_File /fluent-bit/parsers/parsers.conf", "@INCLUDE /fluent-bit/configs/parse-json.conf"]
    {
        assert_eq!(names("aws-for-fluent-bit", aws), [""; 0], "{aws}");
        assert_eq!(names("fluent-bit", aws).len(), 1, "{aws}");
    }
    let streams = names("fluent-bit", "[SERVICE]\n  Flush 1\n  Streams_File streams.conf");
    assert_eq!(streams, ["FL002 images/test/extra.conf:3"]);
    assert_eq!(names("house-router", "@INCLUDE /nowhere.conf"), [""; 0], "nobody knows what is in there");
    let yaml = Fixture::image("fluent-bit", "3.2.0")
        .file("/extra.yaml", "service:\n  parsers_file: /p.conf\nincludes:\n  - /i.yaml\n");
    assert_eq!(yaml.codes(), ["FL002 images/test/extra.yaml:2", "FL002 images/test/extra.yaml:4"]);
}
