//! What calls of ECR need, of its API and of its registries, and of SSM and STS beside it.

use serde_json::Value;

use super::{Call, Need, Tags, key, request_tags};
use crate::kitchen::ecr::{ACCOUNT, Ecr, Heard};
use crate::kitchen::registry::Request;

const REPLICATION: &str = "replication.ecr.amazonaws.com";

/// All that was asked of a cloud so far in some regions, with what it needs.
pub fn calls(ecr: &Ecr, regions: &[&str]) -> Vec<Call> {
    let api = ecr.heard().into_iter().map(|heard| Call {
        what: format!("{} in {}: {}", heard.action, heard.region, heard.body),
        needs: of_api(&heard),
    });
    let wire = regions.iter().flat_map(|region| {
        let of_one = move |request: Request| Call {
            what: format!("{} {} in {region}", request.method, request.target),
            needs: of_request(region, &request),
        };
        ecr.registry(region).requests().into_iter().map(of_one)
    });
    api.chain(wire).collect()
}

fn need(action: &str, resource: impl Into<String>, context: &[(String, String)]) -> Need {
    Need { action: action.to_owned(), resource: resource.into(), context: context.iter().cloned().collect() }
}

fn repository(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}

fn of_api(heard: &Heard) -> Vec<Need> {
    let text = |field: &str| heard.body[field].as_str().unwrap_or_default();
    let account = heard.body["registryId"].as_str().unwrap_or(&heard.account);
    let arn = |name: &str| repository(&heard.region, account, name);
    let action = format!("{}:{}", heard.service, heard.action);
    match action.as_str() {
        // The first AWS allows to everybody; the second is for who wants to be whom the policy is for.
        "sts:GetCallerIdentity" | "sts:AssumeRole" => Vec::new(),
        "ssm:PutParameter" => {
            let parameter = format!("arn:aws:ssm:{}:{}:parameter{}", heard.region, heard.account, text("Name"));
            vec![need(&action, parameter, &[])]
        }
        "ecr:GetAuthorizationToken" | "ecr:DescribeRegistry" => vec![need(&action, "*", &[])],
        // It makes the role of replication, once in an account.
        "ecr:PutReplicationConfiguration" => {
            let role = format!(
                "arn:aws:iam::{}:role/aws-service-role/{REPLICATION}/AWSServiceRoleForECRReplication",
                heard.account
            );
            let service = [("iam:AWSServiceName".to_owned(), REPLICATION.to_owned())];
            vec![need(&action, "*", &[]), need("iam:CreateServiceLinkedRole", role, &service)]
        }
        "ecr:DescribeRepositories" => {
            let names = heard.body["repositoryNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| need(&action, arn(name), &[])).collect()
        }
        "ecr:CreateRepository" => created(heard, &arn(text("repositoryName"))),
        "ecr:ListTagsForResource" => vec![need(&action, text("resourceArn"), &[])],
        "ecr:TagResource" => vec![need(&action, text("resourceArn"), &request_tags(&tags(heard)))],
        _ if !text("repositoryName").is_empty() => vec![need(&action, arn(text("repositoryName")), &[])],
        other => panic!("nobody knows what {other} needs"),
    }
}

fn tags(heard: &Heard) -> Tags {
    let text = |tag: &Value, field: &str| tag[field].as_str().unwrap_or_default().to_owned();
    let all = heard.body["tags"].as_array().into_iter().flatten();
    all.map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

/// What is made with tags is tagged, and what is made with a key has it granted to ECR. The account's own key for ECR
/// lets everybody in who comes through ECR; others do not.
fn created(heard: &Heard, arn: &str) -> Vec<Need> {
    let tags = request_tags(&tags(heard));
    let mut needs = vec![need("ecr:CreateRepository", arn, &tags)];
    if !tags.is_empty() {
        needs.push(need("ecr:TagResource", arn, &tags));
    }
    if let Some(said) = heard.body["encryptionConfiguration"]["kmsKey"].as_str() {
        let through = [("kms:ViaService".to_owned(), format!("ecr.{}.amazonaws.com", heard.region))];
        let key = key(said, &heard.region, &heard.account);
        needs.extend(["kms:CreateGrant", "kms:DescribeKey"].map(|action| need(action, &key, &through)));
    }
    needs
}

/// What a registry asks the owner of a token for. Who shows none gets nowhere.
fn of_request(region: &str, request: &Request) -> Vec<Need> {
    let rest = request.path().strip_prefix("/v2/").unwrap_or_default();
    if request.header("authorization").is_none() || rest.is_empty() {
        return Vec::new();
    }
    let parts = ["/manifests/", "/blobs/uploads/", "/blobs/"];
    let part = parts.into_iter().find(|part| rest.contains(part));
    let part = part.unwrap_or_else(|| panic!("nobody knows what {} needs", request.target));
    let name = &rest[..rest.find(part).unwrap_or_default()];
    let right = |action: &str, name: &str| need(&format!("ecr:{action}"), repository(region, ACCOUNT, name), &[]);
    match (part, request.method.as_str()) {
        ("/manifests/", "GET" | "HEAD") => vec![right("BatchGetImage", name)],
        ("/manifests/", "PUT") => vec![right("PutImage", name)],
        ("/blobs/", "GET") => vec![right("GetDownloadUrlForLayer", name)],
        ("/blobs/", "HEAD") => vec![right("BatchCheckLayerAvailability", name)],
        ("/blobs/uploads/", "POST") => {
            let from = request.target.split_once("&from=").map(|(_, from)| from.replace("%2F", "/"));
            let from = from.map(|from| right("GetDownloadUrlForLayer", &from));
            std::iter::once(right("InitiateLayerUpload", name)).chain(from).collect()
        }
        ("/blobs/uploads/", "PATCH") => vec![right("UploadLayerPart", name)],
        ("/blobs/uploads/", "PUT") => vec![right("UploadLayerPart", name), right("CompleteLayerUpload", name)],
        (_, method) => panic!("nobody knows what {method} {} needs", request.target),
    }
}
