//! Looking up AMIs in moto, which carries the names and ids of Amazon's real ECS images.

use std::path::Path;
use std::process::Command;

use super::{Server, program, serve};
use crate::kitchen::project::Kitchen;

fn moto(program: &Path) -> Server {
    serve(program, |command, port| {
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    })
}

fn kitchen(server: &Server, base: &str) -> Kitchen {
    let recipe = format!("kind = \"ami\"\nversion = \"1\"\nregion = \"us-east-1\"\n{base}\n");
    Kitchen::new()
        .recipe("host", &recipe)
        .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", server.1))
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
}

/// What Amazon's own client says that the parameter holds.
fn boto(moto: &Path, port: u16, parameter: &str) -> String {
    let script = format!(
        "import boto3\n\
         c = lambda s: boto3.client(s, 'us-east-1', endpoint_url='http://127.0.0.1:{port}', aws_access_key_id='a', aws_secret_access_key='b')\n\
         i = c('ssm').get_parameter(Name='{parameter}')['Parameter']['Value']\n\
         m = c('ec2').describe_images(ImageIds=[i])['Images'][0]\n\
         print(i, m['Name'], m['OwnerId'], m['BlockDeviceMappings'][0]['Ebs']['SnapshotId'])"
    );
    let python = std::fs::canonicalize(moto).unwrap().with_file_name("python3");
    let output = Command::new(python).args(["-c", &script]).env_remove("AWS_ENDPOINT_URL").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_base_is_found_as_amazons_own_client_finds_it() {
    const PARAMETER: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let Some(moto_server) = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server") else {
        return;
    };
    let server = moto(&moto_server);
    let kitchen = kitchen(&server, &format!("base.ssm = {{ x86_64 = \"{PARAMETER}\" }}"));
    kitchen.run(&["lock"]).success().says("recipes/host.lock made");
    let lock = kitchen.read("recipes/host.lock");
    for fact in boto(&moto_server, server.1, PARAMETER).split(' ') {
        assert!(lock.contains(&format!("\"{fact}\"")), "no {fact} in\n{lock}");
    }
    kitchen.run(&["lock", "--offline"]).success().says("unchanged");
    kitchen.run(&["plan", "--offline"]).success().says("base ami-");

    // One more by name, for which the same service has to find the same image.
    let name = lock.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().to_owned();
    kitchen.write(
        "recipes/host.toml",
        kitchen.read("recipes/host.toml").replace(
            &format!("base.ssm = {{ x86_64 = \"{PARAMETER}\" }}"),
            &format!("base = {{ name = {name}, owner = \"amazon\" }}"),
        ),
    );
    kitchen.run(&["lock"]).success();
    let by_name = kitchen.read("recipes/host.lock");
    let id = |lock: &str| lock.lines().find(|line| line.starts_with("id = ")).unwrap().to_owned();
    assert_eq!(id(&by_name), id(&lock));
}

#[test]
fn a_parameter_that_is_not_there_is_5() {
    let Some(moto_server) = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server") else {
        return;
    };
    let server = moto(&moto_server);
    let kitchen = kitchen(&server, "base.ssm = { x86_64 = \"/aws/service/ecs/optimized-ami/nothing/image_id\" }");
    kitchen.run(&["lock"]).code(5).complains("/aws/service/ecs/optimized-ami/nothing/image_id in us-east-1");
    assert!(!kitchen.has("recipes/host.lock"));
}
