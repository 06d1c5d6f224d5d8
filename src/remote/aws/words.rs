//! What AWS answers, in a user's words.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};

use crate::bake::port::PortError;
use crate::remote::causes::{causes, each_once};
use crate::remote::clock::Clock;

/// Where EC2 says which rule denied something, in a form that only AWS can read.
const ENCODED: &str = "Encoded authorization failure message";

/// What precedes the name of the permission that is missing, where AWS names it.
const MISSING: &str = "not authorized to perform: ";

/// Puts an SDK's error into a user's words.
pub(in crate::remote) fn refusal<E>(subject: &str, action: &str, error: &SdkError<E>, clock: Clock) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let said = error.message().unwrap_or("no reason given");
    let message = match error.code().map(|code| (bare(code), code)) {
        Some(("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException", _)) => denied(action, said),
        Some((code @ ("ExpiredToken" | "ExpiredTokenException"), _)) => {
            format!("AWS says {code}: {said}: log in anew, as with `aws sso login`")
        }
        Some((code @ ("InvalidSignatureException" | "RequestExpired" | "SignatureDoesNotMatch"), _)) => {
            let date = error.raw_response().and_then(|answer| answer.headers().get("date"));
            let why = date.and_then(|date| clock.off(date)).map_or_else(String::new, |why| format!(": {why}"));
            format!("AWS says {code}: {said}{why}")
        }
        Some((code, whole)) => match advice(code) {
            Some(advice) => format!("AWS says {whole}: {}; {advice}", said.trim_end_matches('.')),
            None => format!("AWS says {whole}: {said}"),
        },
        None => match error.raw_response() {
            Some(answer) => format!("AWS answers with status {} and no reason", answer.status().as_u16()),
            None => unanswered(error),
        },
    };
    PortError::Cloud { subject: subject.to_owned(), message }
}

/// What kept a call from being answered. Of credentials that are missing, the SDK's words begin with where it looked.
fn unanswered(error: &(dyn Error + 'static)) -> String {
    match causes(error).find_map(<dyn Error>::downcast_ref::<CredentialsError>) {
        Some(missing) => {
            let words = missing.source().map(|source| format!(" ({})", chain(source)));
            format!("{}{}", without_credentials(missing), words.unwrap_or_default())
        }
        None => chain(error),
    }
}

/// An error and its causes, none of which repeats what was said before.
fn chain(error: &(dyn Error + 'static)) -> String {
    let text = |cause: &(dyn Error + 'static)| match cause.downcast_ref::<ErrorMetadata>() {
        Some(refused) => [refused.code(), refused.message()].into_iter().flatten().collect::<Vec<_>>().join(": "),
        None => cause.to_string(),
    };
    each_once(causes(error).map(text)).join(": ")
}

fn without_credentials(error: &CredentialsError) -> &'static str {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "there are no credentials for AWS: log in, as with `aws sso login`, and name the profile in AWS_PROFILE, \
             or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
        CredentialsError::InvalidConfiguration(_) => {
            "no credentials for AWS can be had from the profile: mend it in ~/.aws/config, or name another in AWS_PROFILE"
        }
        _ => {
            "credentials for AWS were asked for and not given: log in anew, as with `aws sso login`, or name another \
             profile in AWS_PROFILE"
        }
    }
}

/// An error's code without the side that it is the fault of: some of EC2's come as `Client.…` and `Server.…`.
pub(in crate::remote) fn bare(code: &str) -> &str {
    code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code)
}

/// The permission that is missing may be another than that of the call: to start an instance takes many.
fn denied(action: &str, said: &str) -> String {
    let named = said.split_once(MISSING).and_then(|(_, rest)| rest.split_whitespace().next());
    let action = named.map_or(action, |named| named.trim_end_matches(['.', ',']));
    let (plain, is_encoded) = match said.split_once(ENCODED) {
        Some((plain, _)) => (plain, true),
        None => (said, false),
    };
    let plain = plain.trim().trim_end_matches('.');
    let more = if is_encoded {
        "; which rule it was, the same call by the AWS CLI and `aws sts decode-authorization-message` tell"
    } else {
        ""
    };
    format!("AWS denies it: the credentials need the permission {action} ({plain}){more}")
}

/// What a person can do about it, where AWS's own words do not say so.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => {
            "raise the quota of running On-Demand instances of this family in Service Quotas (Amazon EC2) in this region, \
             name another type in [bake].instance_types, or end instances"
        }
        "MaxSpotInstanceCountExceeded" => {
            "raise the quota of Spot Instance requests of this family in Service Quotas (Amazon EC2) in this region"
        }
        "AMIQuotaExceeded" | "AmiQuotaExceeded" | "ImageLimitExceeded" | "MaxImageLimitExceeded" => {
            "raise the quota of AMIs in Service Quotas (Amazon EC2) in this region, or remove old ones with `elkbake prune`"
        }
        "SnapshotLimitExceeded"
        | "ConcurrentSnapshotLimitExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded" => {
            "raise that quota in Service Quotas (Amazon EBS) in this region, or try again later"
        }
        "ResourceLimitExceeded" | "ResourceCountExceeded" => {
            "raise the quota that it names in Service Quotas (Amazon EC2, or Amazon EBS for copies of snapshots) in this \
             region, or try again when what runs now is done"
        }
        "VersionLimitExceeded" | "LaunchTemplateVersionLimitExceeded" => "delete old versions of the launch template",
        "ParameterLimitExceeded" => "raise the quota of parameters in Service Quotas (AWS Systems Manager)",
        "OptInRequired" | "AuthFailure" | "Blocked" | "InvalidClientTokenId" => {
            "where the credentials are right, the region is switched off for the account: switch it on in the account's \
             settings, or leave it out"
        }
        "Unsupported" | "InsufficientInstanceCapacity" | "InsufficientCapacity" => {
            "name a subnet in another availability zone ([target.NAME.ec2] `subnet`), or another type in \
             [bake].instance_types"
        }
        "VPCIdNotSpecified" | "DefaultVpcDoesNotExist" | "MissingInput" => {
            "where the account has no default VPC, name a subnet in [target.NAME.ec2]"
        }
        "KMSKeyNotAccessibleFault" | "KmsKeyNotAccessibleFault" | "InvalidKmsKeyId.NotFound" => KEY,
        _ if code.starts_with("InvalidKMSKey") || code.starts_with("InvalidKmsKey") => KEY,
        _ => return None,
    })
}

const KEY: &str = "the key has to be enabled, in this region, and its policy has to let these credentials use it \
                   (kms:DescribeKey, kms:CreateGrant, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt*, kms:Decrypt)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permission_that_is_missing_is_named_and_no_riddle_is_told() {
        let said = "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/ci/x is not \
                    authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/host because no identity-based \
                    policy allows the iam:PassRole action. Encoded authorization failure message: ZX2a-b_c";
        let told = denied("ec2:RunInstances", said);
        assert!(told.contains("need the permission iam:PassRole (You are"), "{told}");
        assert!(!told.contains("ZX2a") && told.ends_with("`aws sts decode-authorization-message` tell"), "{told}");
        let plain = denied("ec2:RunInstances", "no");
        assert_eq!(plain, "AWS denies it: the credentials need the permission ec2:RunInstances (no)");
    }

    #[test]
    fn what_to_do_is_said_where_aws_does_not() {
        for (code, expected) in [
            ("VcpuLimitExceeded", "quota of running On-Demand instances"),
            ("ResourceLimitExceeded", "Service Quotas"),
            ("OptInRequired", "switched off"),
            ("InvalidKMSKey.InvalidState", "its policy has to let"),
            ("Unsupported", "another availability zone"),
        ] {
            assert!(advice(code).is_some_and(|advice| advice.contains(expected)), "{code}");
        }
        assert_eq!(advice("InvalidSubnetID.NotFound"), None);
    }

    #[test]
    fn the_side_of_a_fault_is_no_part_of_its_code() {
        assert_eq!(bare("Client.InternalError"), "InternalError");
        assert_eq!(bare("Server.InsufficientInstanceCapacity"), "InsufficientInstanceCapacity");
        assert_eq!(bare("InvalidAMIID.NotFound"), "InvalidAMIID.NotFound");
    }
}
