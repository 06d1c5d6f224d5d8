use std::path::Path;

use super::*;
use crate::ami::Identity;
use crate::local::Local;
use crate::recipe::{self, Recipe};

fn ami(lines: &str) -> Box<AmiRecipe> {
    let text = format!(
        "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
    );
    match recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}")).value {
        Recipe::Ami(ami) => ami,
        Recipe::Image(_) => panic!("{text}"),
    }
}

fn tuning(ami: &AmiRecipe) -> Tuning {
    let (recipe, version, tag) = ("ecs-host".parse().unwrap(), "1".parse().unwrap(), "1-0123456789ab".parse().unwrap());
    let identity = Identity { recipe: &recipe, version: &version, tag: &tag, key: Digest::of(b"key") };
    Tuning::of(ami, &Local::default(), Path::new("/nowhere"), &identity).unwrap()
}

#[test]
fn sizes() {
    let text = std::fs::read_to_string("recipes/ecs-host.toml").unwrap();
    let Recipe::Ami(ami) = recipe::parse(Path::new("r.toml"), &text).unwrap().value else { panic!() };
    let tuning = tuning(&ami);
    let given = Delivery { ami: &ami, tuning: &tuning, key: Digest::of(b"key") };
    for data in [given.host().unwrap(), given.bake().unwrap(), given.test().unwrap()] {
        println!(
            "{} of {}: {:#?}",
            data.bytes().len(),
            data.plain(),
            data.items().iter().map(|i| format!("{} {} {}", i.share, i.plain, i.name)).collect::<Vec<_>>()
        );
    }
}
