//! What a container of a test is given: what ECS would give it by what its recipe says, and made-up secrets.

use std::collections::{BTreeMap, BTreeSet};

use super::ecs::Ecs;
use crate::bake::port::{Confines, Container, Engine, Mount, PortError};
use crate::name::{ImagePath, RecipeName};
use crate::recipe::ImageRecipe;
use crate::record::Needs;

/// Folders that ECS is told to keep in memory.
const FLEETING: [&str; 2] = ["/tmp", "/run"];

/// What a container is made of.
pub(super) struct Place {
    pub(super) env: BTreeMap<String, String>,
    memory: Option<u64>,
    lasting: Vec<ImagePath>,
    confines: Confines,
}

impl Place {
    /// The place of an image.
    pub(super) fn of(name: &RecipeName, recipe: &ImageRecipe, needs: &Needs) -> Self {
        let test = recipe.test.as_ref();
        let mib = |mib: u32| u64::from(mib) << 20;
        let memory = test.and_then(|test| test.memory).or(needs.memory);
        let mut env: BTreeMap<String, String> = Ecs::variables(name.as_str()).into();
        // Long enough for what wants a key of 32 characters, and plainly no secret of anybody.
        env.extend(needs.secrets.iter().map(|name| (name.clone(), format!("made-up-by-elkbake-for-a-test-{name}"))));
        env.extend(test.iter().flat_map(|test| test.env.clone()));
        let (fleeting, lasting): (Vec<_>, Vec<_>) =
            needs.writable.iter().cloned().partition(|path| FLEETING.contains(&path.as_str()));
        let confines = Confines {
            ulimits: needs.ulimits.iter().map(|(name, limit)| (name.clone(), (limit.soft, limit.hard))).collect(),
            // It may not be more than the limit, which may be less while it is tested.
            reserved: needs.memory_reservation.filter(|some| memory.is_none_or(|most| *some <= most)).map(mib),
            shares: needs.cpu,
            read_only: !needs.writable.is_empty(),
            fleeting,
            ..Confines::default()
        };
        Self { env, memory: memory.map(mib), lasting, confines }
    }

    /// Makes the container, which shares the network of another, and tells its id.
    pub(super) fn container(&self, engine: &dyn Engine, image: &str, network_of: &str) -> Result<String, PortError> {
        let volumes = self.lasting.iter().map(|path| Ok((path, engine.volume()?)));
        let volumes: BTreeMap<_, _> = volumes.collect::<Result<_, PortError>>()?;
        let mounts: Vec<_> = volumes.iter().map(|(at, volume)| Mount { volume, at, writable: true }).collect();
        let env: Vec<_> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        engine.container(&Container {
            image,
            command: &[],
            env: &env,
            user: None,
            workdir: None,
            network: &format!("container:{network_of}"),
            memory: self.memory,
            mounts: &mounts,
            confines: Some(&self.confines),
        })
    }
}

/// What the container with the network itself is given: names that all are found by, and settings of the network.
pub(super) fn network<'n>(all: impl IntoIterator<Item = (&'n RecipeName, &'n Needs)>) -> Confines {
    let (mut names, mut sysctls) = (BTreeSet::new(), BTreeMap::new());
    for (name, needs) in all {
        names.insert(name.to_string());
        sysctls.extend(needs.sysctls.clone());
    }
    Confines { names: names.into_iter().collect(), sysctls, listens: true, ..Confines::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{self, Recipe};

    #[test]
    fn a_place_is_what_the_recipe_says_with_made_up_secrets() {
        let text = r#"
kind = "image"
product = "generic"
version = "1"
from = "scratch"
[runtime]
memory = 64
memory_reservation = 48
writable = ["/data", "/tmp"]
secrets = ["KEY", "PASSWORD"]
ulimits = { nofile = { soft = 1, hard = 2 } }
sysctls = { "net.core.somaxconn" = "9" }
[test]
memory = 32
env = { PASSWORD = "said" }
"#;
        let Recipe::Image(image) = recipe::parse(std::path::Path::new("r.toml"), text).unwrap().value else { panic!() };
        let (name, needs) = ("app".parse().unwrap(), Needs::of(&image));
        let place = Place::of(&name, &image, &needs);
        assert!(place.env["KEY"].len() >= 32 && place.env["PASSWORD"] == "said", "{:?}", place.env);
        assert!(place.env["ECS_CONTAINER_METADATA_URI_V4"].ends_with("/v4/app"));
        assert_eq!((place.memory, place.confines.reserved), (Some(32 << 20), None));
        assert_eq!(place.lasting, ["/data".parse().unwrap()]);
        assert_eq!(place.confines.fleeting, ["/tmp".parse().unwrap()]);
        assert!(place.confines.read_only && place.confines.ulimits["nofile"] == (1, 2));
        let network = network([(&name, &needs)]);
        assert_eq!((network.names, network.sysctls.len(), network.listens), (vec!["app".to_owned()], 1, true));
    }
}
