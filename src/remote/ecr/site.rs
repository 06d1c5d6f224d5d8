//! Which registry in ECR a name means.

use crate::bake::port::PortError;
use crate::name::Registry;
use crate::remote::config::EcrSite;

/// What a registry's usual name says: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
pub(in crate::remote) fn of_name(registry: &Registry) -> Option<EcrSite> {
    let parts: Vec<&str> = registry.as_str().split('.').collect();
    let [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", ref rest @ ..] = parts[..] else {
        return None;
    };
    let is_right = account.len() == 12
        && account.bytes().all(|c| c.is_ascii_digit())
        && region.contains('-')
        && matches!(rest, [] | ["cn"]);
    is_right.then(|| EcrSite {
        registry: registry.clone(),
        account: account.to_owned(),
        region: region.to_owned(),
        endpoint: None,
        role: None,
        external_id: None,
    })
}

/// The site of a registry: one that we were told of, or one that its name tells of.
pub(in crate::remote) fn site(told: &[EcrSite], registry: &Registry) -> Result<EcrSite, PortError> {
    let known = told.iter().find(|site| site.registry == *registry).cloned();
    known.or_else(|| of_name(registry)).ok_or_else(|| PortError::Cloud {
        subject: registry.to_string(),
        message: "it is no registry in ECR: their names are ACCOUNT.dkr.ecr.REGION.amazonaws.com".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_and_region_are_in_the_name() {
        for (name, expected) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
            ("public.ecr.aws", None),
            ("docker.io", None),
        ] {
            let site = of_name(&name.parse().unwrap());
            assert_eq!(site.as_ref().map(|site| site.region.as_str()), expected, "{name}");
            assert!(site.is_none_or(|site| site.account == "123456789012"));
        }
    }
}
