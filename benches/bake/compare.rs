//! Everybody's builds of the same image, by turns.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::Base;
use crate::buildah::Buildah;
use crate::builder::{Ask, Builder};
use crate::cost::{Cost, run, shell};
use crate::docker::Docker;
use crate::elkbake::Elkbake;
use crate::scene::Scene;
use crate::service::{Engine, Registry};
use crate::table::{self, Row};
use crate::umoci::Umoci;

/// What has happened since the last build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Nothing,
    Config,
    Plugin,
    /// The same three, and the image has to be in a registry in the end.
    PluginSent,
    NothingSent,
    ConfigSent,
    /// The machine was made anew: nothing is kept, and the base is in a registry.
    Everything,
}

impl Since {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Nothing => "nothing changed",
            Self::Config => "one file of configuration changed",
            Self::Plugin => "a plugin of 100 MiB, never seen (docker compresses it only when it pushes)",
            Self::PluginSent => "a plugin of 100 MiB, never seen, until a registry on loopback has the image",
            Self::NothingSent => "nothing changed since a registry on loopback got the image",
            Self::ConfigSent => "one file of configuration changed, until a registry on loopback has the image",
            Self::Everything => "a fresh machine, the base in a registry on loopback",
        }
    }

    /// What elkbake is held to.
    pub(crate) const fn goal(self) -> Option<Goal> {
        match self {
            Self::Nothing | Self::NothingSent => Some(Goal::Seconds(0.05)),
            Self::Config => Some(Goal::Seconds(0.1)),
            Self::Plugin | Self::PluginSent => Some(Goal::DockerLonger(5.0)),
            Self::ConfigSent | Self::Everything => None,
        }
    }

    const fn runs(self) -> usize {
        match self {
            Self::Nothing | Self::Config | Self::NothingSent | Self::ConfigSent => 7,
            Self::Plugin | Self::PluginSent => 5,
            Self::Everything => 3,
        }
    }
}

/// What elkbake is held to.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// It takes less than so many seconds.
    Seconds(f64),
    /// The quickest of docker's builds takes so many times longer.
    DockerLonger(f64),
}

/// All of them, in the order they are measured in. A registry gets the whole image before it gets a change of it.
pub(crate) const ALL: [Since; 7] = [
    Since::Nothing,
    Since::Config,
    Since::Plugin,
    Since::PluginSent,
    Since::NothingSent,
    Since::ConfigSent,
    Since::Everything,
];

/// Whose builds of the same inputs, made from nothing in two checkouts, came out the same.
pub(crate) struct Twice {
    pub(crate) by: String,
    pub(crate) same: bool,
}

type Builders = Vec<Box<dyn Builder>>;

/// Runs and prints the comparison.
pub(crate) fn compare(folder: &Path) -> Value {
    let base = Base::make(folder);
    let mut left_out = Vec::new();
    let registry = Registry::start(folder).and_then(|registry| Ok((base.push(&registry.host)?, registry)));
    let registry = registry.map_err(|why| left_out.push(format!("what needs a registry: {why}"))).ok();
    let name = registry.as_ref().map_or("localhost/elk/base:1", |(name, _)| name.as_str());
    let from = registry.as_ref().map_or("oci:base", |(name, _)| name.as_str());
    let host = registry.as_ref().map(|(_, registry)| registry.host.as_str());
    let scene = Scene::make(folder.join("project"), &base, from, name, host);
    let mut builders = peers(folder, &base, &mut left_out);
    builders.insert(0, Box::new(Elkbake::new("zip", false, folder)));
    builders.insert(0, Box::new(Elkbake::new("folder", false, folder)));
    drop_failing(&mut builders, &mut left_out, |builder| {
        builder.fetch_base(&scene)?;
        builder.build(&scene, Ask::Build)
    });
    // So long a file has to be left alone before elkbake believes that a look at it is enough.
    std::thread::sleep(Duration::from_secs(4));
    let mut rows = Vec::new();
    for since in ALL.into_iter().filter(|since| *since != Since::Everything) {
        rows.extend(turns(since, &scene, host, &mut builders, &mut left_out));
    }
    let twice = twice(folder, &scene, &mut builders, &mut left_out);
    builders.insert(2, Box::new(Elkbake::new("folder", true, folder)));
    rows.extend(turns(Since::Everything, &scene, host, &mut builders, &mut left_out));
    table::print(&rows, &twice, &left_out);
    json!({
        "rows": rows.iter().map(table::json_of).collect::<Vec<_>>(),
        "same digest twice": twice.iter().map(|twice| (twice.by.clone(), json!(twice.same))).collect::<serde_json::Map<_, _>>(),
        "left out": left_out,
    })
}

/// All that are installed and run here.
fn peers(folder: &Path, base: &Base, left_out: &mut Vec<String>) -> Builders {
    let mut builders: Builders = Vec::new();
    match Engine::start(folder) {
        Ok(engine) => {
            for docker in Docker::all(&Rc::new(engine), &base.archive) {
                take(docker, &mut builders, left_out);
            }
        }
        Err(why) => left_out.push(format!("docker: {why}")),
    }
    take(Buildah::find(folder, &base.archive), &mut builders, left_out);
    take(Umoci::find(folder, &base.layout, &base.tag), &mut builders, left_out);
    builders
}

fn take(found: Result<impl Builder + 'static, String>, builders: &mut Builders, left_out: &mut Vec<String>) {
    match found {
        Ok(builder) => builders.push(Box::new(builder)),
        Err(why) => left_out.push(why),
    }
}

/// Has each build after that has happened, by turns; the first turn of all is for the page cache alone.
fn turns(
    since: Since,
    scene: &Scene,
    registry: Option<&str>,
    builders: &mut Builders,
    left_out: &mut Vec<String>,
) -> Vec<Row> {
    let ask = match (since, registry) {
        (Since::PluginSent | Since::NothingSent | Since::ConfigSent | Since::Everything, None) => return Vec::new(),
        (Since::PluginSent | Since::NothingSent | Since::ConfigSent, Some(host)) => Ask::Send(host),
        _ => Ask::Build,
    };
    let mut costs: Vec<(String, Vec<Cost>)> = builders.iter().map(|builder| (builder.name(), Vec::new())).collect();
    for turn in 0..=since.runs() {
        match since {
            Since::Config => scene.change_config(turn + 1),
            Since::Plugin => scene.change_plugin(turn + 1),
            Since::PluginSent => scene.change_plugin(turn + 101),
            Since::ConfigSent => scene.change_config(turn + 101),
            Since::Nothing | Since::NothingSent | Since::Everything => {}
        }
        drop_failing(builders, left_out, |builder| {
            if since == Since::Everything {
                builder.forget()?;
            }
            // Whoever wrote something before: it is not this one's to wait for.
            run(&mut shell("sync"))?;
            let cost = builder.build(scene, ask)?;
            let name = builder.name();
            let row = costs.iter_mut().find(|(by, _)| *by == name);
            row.into_iter().filter(|_| turn > 0).for_each(|(_, costs)| costs.push(cost));
            Ok(cost)
        });
    }
    costs.into_iter().filter(|(_, costs)| !costs.is_empty()).map(|(by, costs)| Row { since, by, costs }).collect()
}

/// Does something with each builder; who fails is left out from then on. Ours must not.
fn drop_failing(
    builders: &mut Builders,
    left_out: &mut Vec<String>,
    mut with: impl FnMut(&mut dyn Builder) -> Result<Cost, String>,
) {
    builders.retain_mut(|builder| match with(builder.as_mut()) {
        Ok(_) => true,
        Err(why) => {
            assert!(!builder.name().starts_with("elkbake"), "{}: {why}", builder.name());
            left_out.push(format!("{}: {why}", builder.name()));
            false
        }
    });
}

/// Builds the same inputs from nothing twice, the second time as somebody else has checked them out.
fn twice(folder: &Path, scene: &Scene, builders: &mut Builders, left_out: &mut Vec<String>) -> Vec<Twice> {
    let copy = scene.copy(folder.join("copy"));
    let mut all = Vec::new();
    drop_failing(builders, left_out, |builder| {
        builder.build(scene, Ask::Anew)?;
        let first = builder.digest()?;
        let cost = builder.build(&copy, Ask::Anew)?;
        all.push(Twice { by: builder.name(), same: builder.digest()? == first });
        Ok(cost)
    });
    all
}
