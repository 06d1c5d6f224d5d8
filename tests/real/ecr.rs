//! ECR as far as other people's programs are it: moto for the API, docker-registry for the images, and the AWS CLI,
//! which reads what was made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use elkbake::bake::event::SILENT;
use elkbake::bake::parameters;
use elkbake::bake::port::{Arrival, EcrControl};
use elkbake::bake::provision::{Order, Wanted, apply, survey};
use elkbake::digest::Digest;
use elkbake::project::{self, Ecr};
use elkbake::remote::config::{Aws, EcrSite, WireConfig};
use serde_json::Value;

use super::{Server, program, run, serve};
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::push::killed::noise;
use crate::wire::bench::{Bench, bytes, config};

/// The account that moto has.
const ACCOUNT: &str = "123456789012";

/// moto and docker-registry, joined as one ECR.
struct Joined {
    moto: Server,
    registry: Server,
    aws: PathBuf,
    _folder: tempfile::TempDir,
}

fn joined() -> Option<Joined> {
    let moto = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server")?;
    let registry = program(&["docker-registry"], "docker-registry")?;
    let aws = program(&["aws"], "awscli of PyPI, by tools/need.sh aws")?;
    let folder = tempfile::tempdir().unwrap();
    let moto = serve(&moto, |command, port| {
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    });
    let registry = serve(&registry, |command, port| {
        let path = folder.path().join(format!("{port}.yml"));
        let data = folder.path().display();
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {data}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        );
        std::fs::write(&path, text).unwrap();
        command.arg("serve").arg(path);
    });
    Some(Joined { moto, registry, aws, _folder: folder })
}

impl Joined {
    fn config(&self) -> WireConfig {
        let site = EcrSite {
            registry: format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com").parse().unwrap(),
            account: ACCOUNT.to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: Some(format!("127.0.0.1:{}", self.registry.1).parse().unwrap()),
            role: None,
            external_id: None,
        };
        let endpoint = Some(format!("http://127.0.0.1:{}", self.moto.1));
        let aws = Aws { endpoint, keys: Some(("testing".to_owned(), "testing".to_owned())) };
        WireConfig { ecr: vec![site], aws, ..config() }
    }

    /// What the AWS CLI says.
    fn aws(&self, args: &[&str]) -> Value {
        let mut command = Command::new(&self.aws);
        command.args(args).args(["--region", "eu-west-1", "--output", "json", "--endpoint-url"]);
        command.arg(format!("http://127.0.0.1:{}", self.moto.1));
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        let said = run(&mut command);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

fn declared() -> Ecr {
    let text = format!(
        "[target.prod.ecr]\naccount = \"{ACCOUNT}\"\nregions = [\"eu-west-1\"]\nkeep = 5\n\
         readers = [\"111122223333\"]\ntags = {{ team = \"search\" }}\n"
    );
    let project = project::parse(Path::new("elkbake.toml"), &text).unwrap().value;
    project.target.into_values().next().unwrap().ecr.unwrap()
}

#[test]
fn the_aws_cli_reads_what_was_made() {
    let Some(joined) = joined() else { return };
    let bench = Bench::with(joined.config());
    let declared = declared();
    let wanted = Wanted {
        name: "elk/kibana".parse().unwrap(),
        ecr: &declared,
        region: &declared.regions[0],
        current: ["8.19.3-abc".parse().unwrap()].into(),
        moving: BTreeSet::new(),
    };
    let orders = [Order { ecr: &declared, region: &declared.regions[0], repositories: vec![wanted] }];
    let found = survey(&bench.wire, &orders, SILENT).remove(0).unwrap();
    assert_eq!(found.lines(&declared.regions[0]).len(), 1);
    apply(&bench.wire, &found, SILENT).unwrap();
    let again = survey(&bench.wire, &orders, SILENT).remove(0).unwrap();
    assert!(again.is_empty(), "{again:?}");

    let all = joined.aws(&["ecr", "describe-repositories", "--repository-names", "elk/kibana"]);
    let repository = &all["repositories"][0];
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
    assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
    assert_eq!(repository["encryptionConfiguration"]["encryptionType"], "AES256");
    let policy = joined.aws(&["ecr", "get-lifecycle-policy", "--repository-name", "elk/kibana"]);
    assert!(policy["lifecyclePolicyText"].as_str().unwrap().contains("8.19.3-abc"), "{policy}");
    let policy = joined.aws(&["ecr", "get-repository-policy", "--repository-name", "elk/kibana"]);
    assert!(policy["policyText"].as_str().unwrap().contains("arn:aws:iam::111122223333:root"), "{policy}");
    let arn = repository["repositoryArn"].as_str().unwrap();
    assert_eq!(joined.aws(&["ecr", "list-tags-for-resource", "--resource-arn", arn])["tags"][0]["Value"], "search");
}

/// A project with a target in the two joined.
fn project(joined: &Joined, more: &str) -> Kitchen {
    let target = format!(
        "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ecr]\naccount = \"{ACCOUNT}\"\nregions = [\"eu-west-1\"]\n\
         prefix = \"elk\"\n{more}\n[target.prod.ecr.endpoints]\neu-west-1 = \"127.0.0.1:{}\"\n",
        joined.registry.1
    );
    Kitchen::new()
        .file("elkbake.toml", target)
        .recipe("app", &recipe("scratch", ""))
        .file("images/app/big", noise(24 << 20, 3))
        .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", joined.moto.1))
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
}

#[test]
fn the_program_pushes_into_the_two_joined_and_is_killed_on_the_way() {
    let Some(joined) = joined() else { return };
    let kitchen = project(&joined, "keep = 5");
    let mut killed = 0;
    for round in 0..5 {
        let mut child = kitchen.command(&["push", "--target", "prod", "--quiet"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200 * (round + 1)));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed > 0, "no kill came in time");
    kitchen.run(&["push", "--target", "prod"]).success();
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    kitchen.run(&["verify", "--target", "prod"]).success();
    let manifest: Value = serde_json::from_str(&kitchen.read("prod.json")).unwrap();
    let record = &manifest["recipes"]["app"]["current"];
    assert_eq!(
        (manifest["recipes"].as_object().unwrap().len(), &record["digest"]),
        (1, &kitchen.build("app")["digest"])
    );
    let all = joined.aws(&["ecr", "describe-repositories"]);
    assert_eq!(all["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(all["repositories"][0]["repositoryName"], "elk/app");
}

#[test]
fn the_command_for_a_repository_that_is_missing_makes_it() {
    let Some(joined) = joined() else { return };
    let kitchen = project(&joined, "tags = { team = \"search & \\\"find\\\"\" }");
    let said = kitchen.run(&["push", "--target", "prod", "--no-provision"]).code(4).stderr;
    let begin = said.find("aws ecr create-repository").unwrap();
    let command = &said[begin..begin + said[begin..].find("\n\n").unwrap()];
    let path = format!("{}:/usr/bin:/bin", joined.aws.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", command])
        .env("PATH", path)
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", joined.moto.1));
    run(shell.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing"));
    let ran = kitchen.run(&["push", "--target", "prod", "--no-provision"]).success();
    assert!(!ran.stderr.contains("not as declared"), "{}", ran.stderr);
    let ran = kitchen.run(&["push", "--target", "prod", "--dry-run"]).success();
    assert!(!ran.stderr.contains("elk/app in eu-west-1"), "{}", ran.stderr);
}

#[test]
fn the_two_joined_take_an_image_and_its_parameter() {
    const KIND: &str = "application/vnd.oci.image.manifest.v1+json";
    let Some(joined) = joined() else { return };
    let bench = Bench::with(joined.config());
    let at = format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/elk/kibana:1").parse().unwrap();
    // Large enough for parts, which moto does not know.
    let layer = bytes(6 << 20);
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let digests = [Digest::of(&layer), Digest::of(config)];
    assert_eq!(bench.missing(&at, &digests).unwrap().len(), 2);
    assert_eq!(bench.send(&at, &layer).unwrap(), Arrival::Sent(6 << 20));
    bench.send(&at, config).unwrap();
    assert!(bench.missing(&at, &digests).unwrap().is_empty());
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{KIND}\",\"config\":{{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\
         \"digest\":\"{}\",\"size\":{}}},\"layers\":[{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\
         \"digest\":\"{}\",\"size\":{}}}]}}",
        digests[1],
        config.len(),
        digests[0],
        layer.len()
    );
    bench.publish(&at, KIND, manifest.as_bytes()).unwrap();
    let digest = Digest::of(manifest.as_bytes());
    assert_eq!(bench.held(&at).unwrap(), Some(digest));

    let by_digest = format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/elk/kibana@{digest}");
    let references = [("eu-west-1".parse().unwrap(), by_digest.parse().unwrap())].into();
    for _ in 0..2 {
        parameters::put(&bench.wire, "prod", &"kibana".parse().unwrap(), &references, SILENT).unwrap();
    }
    let said = joined.aws(&["ssm", "get-parameter", "--name", "/elkbake/prod/kibana/image"]);
    assert_eq!(said["Parameter"]["Value"], by_digest.as_str());
    assert_eq!(bench.wire.account(&at.registry, SILENT).unwrap(), ACCOUNT);
}
