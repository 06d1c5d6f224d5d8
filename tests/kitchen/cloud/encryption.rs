//! Which key is meant.

use super::world::World;

/// The ARN of the key that is EC2's own in an account and region.
pub fn default_key(region: &str, account: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/00000000-0000-4000-8000-aeb5aeb5aeb5")
}

/// Whether a key is EC2's own; nobody else can be given it.
pub fn is_default(arn: &str) -> bool {
    arn.ends_with("-aeb5aeb5aeb5")
}

/// The ARN of a key in a region that is named by its ARN, its id, an alias or an alias's ARN; none if there is none.
pub fn key(world: &World, region: &str, account: &str, said: Option<&str>) -> Option<String> {
    let Some(said) = said else { return Some(default_key(region, account)) };
    let name = match said.strip_prefix("arn:aws:kms:") {
        Some(rest) => rest.strip_prefix(region)?.strip_prefix(':')?.split_once(':')?.1,
        None => said,
    };
    let name = name.strip_prefix("key/").unwrap_or(name);
    if name == "alias/aws/ebs" {
        return Some(default_key(region, account));
    }
    let here = format!("arn:aws:kms:{region}:");
    let found = world.keys.iter().find(|(arn, aliases)| {
        arn.starts_with(&here) && (arn.ends_with(&format!(":key/{name}")) || aliases.contains(name))
    });
    found.map(|(arn, _)| arn.clone())
}
