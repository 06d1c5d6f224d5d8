//! What the task definition will say: limits and health.

use super::environment::settings;
use super::rules::{
    IMAGE_HEALTH_CHECK, MEMLOCK, NOFILE_LOW, NOFILE_MISSING, RESERVATION_ABOVE_LIMIT, RESERVATION_ONLY,
};
use super::subject::{Found, Scene};
use crate::recipe::{ImageRecipe, Product, Ulimit};

/// What Elasticsearch's bootstrap check asks for.
const OPEN_FILES: i64 = 65535;

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.config.as_ref().is_some_and(|config| config.healthcheck.is_some()) {
        found.add(&IMAGE_HEALTH_CHECK, scene.key("config.healthcheck"), "`[config].healthcheck` has no effect in ECS");
    }
    if let Some(runtime) = &image.runtime {
        let place = || scene.key("runtime.memory_reservation");
        match (runtime.memory, runtime.memory_reservation) {
            (None, Some(reserved)) => {
                found.add(&RESERVATION_ONLY, place(), format!("{reserved} MiB are reserved, with no limit"));
            }
            (Some(limit), Some(reserved)) if reserved > limit => {
                found.add(&RESERVATION_ABOVE_LIMIT, place(), format!("{reserved} MiB are reserved of {limit} MiB"));
            }
            _ => {}
        }
    }
    if image.product == Product::Elasticsearch {
        check_elasticsearch(scene, image, found);
    }
}

/// A limit that compares: -1 is none.
fn unlimited(limit: i64) -> i64 {
    if limit < 0 { i64::MAX } else { limit }
}

fn check_elasticsearch(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let ulimit = |name: &str| image.runtime.as_ref().and_then(|runtime| runtime.ulimits.get(name));
    match ulimit("nofile") {
        Some(Ulimit { hard, .. }) if unlimited(*hard) < OPEN_FILES => {
            found.add(&NOFILE_LOW, scene.key("runtime.ulimits.nofile"), format!("{hard} open files are allowed"));
        }
        Some(_) => {}
        None => found.add(&NOFILE_MISSING, scene.key("runtime.ulimits"), "there is no `[runtime].ulimits.nofile`"),
    }
    let free = ulimit("memlock").is_some_and(|memlock| memlock.soft < 0 && memlock.hard < 0);
    for setting in settings(scene, image).into_iter().filter(|setting| setting.key == "bootstrap.memory_lock") {
        if setting.value == "true" && !free {
            found.add(&MEMLOCK, setting.place, "`bootstrap.memory_lock` is true, `memlock` is not unlimited");
        }
    }
}
