//! The files that Fluent Bit's configuration names: parsers, streams, plugins and what is included.

use super::rules::FL_MISSING;
use super::settings;
use super::subject::{Found, Scene, TextFile};
use crate::name::ImagePath;
use crate::recipe::{From, ImageRecipe, Product};

/// Where Fluent Bit is started from in all images, FireLens' too: what has no `/` in front is looked for there.
const HOME: &str = "/fluent-bit/etc";

/// Folders that only AWS's image has. What exactly is in them changes with its version.
const AWS_FOLDERS: [&str; 3] = ["/fluent-bit/parsers/", "/fluent-bit/configs/", "/ecs/"];

/// The images whose files are known: the upstream one, and AWS's.
const KNOWN: [&str; 2] = ["fluent-bit", "aws-for-fluent-bit"];

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let base = match &image.from {
        From::Registry(reference) => reference.repository.as_str().rsplit('/').next().unwrap_or_default(),
        _ => return,
    };
    // Archives and commands may bring what is named.
    let known = KNOWN.contains(&base) && image.archive.is_empty() && image.run.is_empty();
    if image.product != Product::FluentBit || !known {
        return;
    }
    for file in &scene.files {
        for (line, name) in named(file) {
            if !is_there(scene, file.path, &name, base) {
                found.add(
                    &FL_MISSING,
                    file.place(line),
                    format!("`{name}` is neither in the recipe's folder nor in the base"),
                );
            }
        }
    }
}

/// The files that a file names, by line. Patterns may match nothing, and variables may be anything.
fn named(file: &TextFile<'_>) -> Vec<(usize, String)> {
    const KEYS: [&str; 4] = ["parsers_file", "streams_file", "plugins_file", "@include"];
    let is_key = |key: &str| KEYS.iter().any(|known| key.eq_ignore_ascii_case(known));
    let mut all = Vec::new();
    if file.has_extension(&["conf"]) {
        for (number, line) in file.live_lines() {
            if let Some((_, value)) = line.trim().split_once([' ', '\t']).filter(|(key, _)| is_key(key)) {
                all.push((number, value.trim().to_owned()));
            }
        }
    } else if file.has_extension(&["yaml", "yml"]) {
        for setting in settings::read(&file.text) {
            if setting.key == "includes" || setting.key.strip_prefix("service.").is_some_and(is_key) {
                all.push((setting.line, setting.value));
            }
        }
    }
    all.retain(|(_, name)| !name.is_empty() && !name.contains(['*', '$', '[', '?']));
    all
}

fn is_there(scene: &Scene<'_>, by: &ImagePath, name: &str, base: &str) -> bool {
    let beside = by.parent().map(|folder| folder.to_string()).unwrap_or_default();
    let places = if name.starts_with('/') {
        vec![name.to_owned()]
    } else {
        vec![format!("{HOME}/{name}"), format!("{}/{name}", beside.trim_end_matches('/'))]
    };
    places.iter().any(|place| {
        let own = place.parse().is_ok_and(|path: ImagePath| scene.subject.local.tree.get(&path).is_some());
        // A path with `..` in it is nobody's that is known here.
        own || place.contains("/../") || place.contains("/./") || is_in_base(place, base)
    })
}

/// Whether the base has it. Both images have the upstream parsers, and more of them from version to version.
fn is_in_base(place: &str, base: &str) -> bool {
    let parsers = place.strip_prefix(HOME).is_some_and(|rest| rest.starts_with("/parsers"));
    let known = place.strip_prefix(HOME).is_some_and(|rest| matches!(rest, "/fluent-bit.conf" | "/plugins.conf"));
    let aws = base == "aws-for-fluent-bit" && AWS_FOLDERS.iter().any(|folder| place.starts_with(folder));
    parsers || known || aws
}
