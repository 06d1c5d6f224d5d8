//! Logstash's pipelines: whether they can be read, and whether events come in and go out.

mod pipeline;

use super::rules::{LS_EXAMPLE, LS_NO_WAY, LS_PATH, LS_PIPELINE};
use super::settings;
use super::subject::{Found, Scene, TextFile};
use crate::name::ImagePath;
use crate::recipe::{From, ImageRecipe, Product};

/// Where the image's `pipelines.yml` says that its one pipeline is.
const FOLDER: &str = "/usr/share/logstash/pipeline/";

/// What is there in Elastic's own images: from Beats to standard output.
const EXAMPLE: &str = "/usr/share/logstash/pipeline/logstash.conf";

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.product != Product::Logstash {
        return;
    }
    let pipelines = scene.files.iter().find(|file| file.path.file_name() == "pipelines.yml");
    let mut joined = Vec::new();
    for file in scene.files.iter().filter(|file| file.path.as_str().starts_with(FOLDER)) {
        if file.has_extension(&["conf", "config", "cfg"]) {
            match pipeline::read(&file.text) {
                Ok(sections) => joined.push((file, sections)),
                Err(error) => found.add(&LS_PIPELINE, file.place(error.line), error.message),
            }
        }
    }
    match pipelines {
        Some(file) => check_paths(scene, image, file, found),
        // All files of the folder are one pipeline.
        None => check_joined(scene, image, &joined, found),
    }
}

/// What is wrong with the folder as one pipeline.
fn check_joined(
    scene: &Scene<'_>,
    image: &ImageRecipe,
    joined: &[(&TextFile<'_>, Vec<pipeline::Section>)],
    found: &mut Found,
) {
    let direct = |path: &ImagePath| path.as_str().strip_prefix(FOLDER).is_some_and(|rest| !rest.contains('/'));
    let Some((first, _)) = joined.iter().find(|(file, _)| direct(file.path)) else { return };
    let covers = |path: &ImagePath| path.as_str() == EXAMPLE;
    let gone = scene.subject.local.tree.iter().any(|(path, _)| covers(path))
        || image.remove.iter().any(|path| EXAMPLE.parse().is_ok_and(|example: ImagePath| example.is_within(path)));
    // What lies in another base nobody knows here; a lower recipe of this project may have replaced the example.
    if !gone && matches!(image.from, From::Registry(_)) && image.run.is_empty() {
        let message = format!("`{}` is joined with `{EXAMPLE}` of the base", first.path);
        found.add(&LS_EXAMPLE, first.place(1), message);
    }
    if gone {
        for section in [pipeline::Section::Input, pipeline::Section::Output] {
            if !joined.iter().any(|(_, sections)| sections.contains(&section)) {
                let message = format!("no file of `{FOLDER}` has `{}`", section.name());
                found.add(&LS_NO_WAY, first.place(1), message);
            }
        }
    }
}

/// Whether what `pipelines.yml` names is there.
fn check_paths(scene: &Scene<'_>, image: &ImageRecipe, file: &TextFile<'_>, found: &mut Found) {
    if !image.archive.is_empty() || !image.run.is_empty() || !matches!(image.from, From::Registry(_)) {
        return;
    }
    for setting in settings::read(&file.text).into_iter().filter(|setting| setting.key == "path.config") {
        let path = setting.value.trim_end_matches('/');
        // A variable, or a path outside of the image's own folder, which may be mounted.
        if path.contains("${") || !format!("{path}/").starts_with(FOLDER) || format!("{path}/") == FOLDER {
            continue;
        }
        let fixed = path.split(['*', '?', '[', '{']).next().unwrap_or(path);
        let wanted = if fixed == path { format!("{path}/") } else { fixed.to_owned() };
        let there = |of: &ImagePath| of.as_str() == path || of.as_str().starts_with(&wanted);
        if path != EXAMPLE && !scene.subject.local.tree.iter().any(|(of, _)| there(of)) {
            found.add(&LS_PATH, file.place(setting.line), format!("`{path}` is not in the recipe's folder"));
        }
    }
}
