//! Images as people point at them on the command line.

use std::path::{Path, PathBuf};

use super::failure::{Exit, Failure};
use super::planner::Planner;
use super::world::{Opened, World};
use crate::bake::built::Built;
use crate::bake::event::Listener;
use crate::bake::found::{DockerArchive, Found, FoundImage, FoundLayer, Holder, InStore, Layout, Remote};
use crate::image::listing::Listing;
use crate::name::{Platform, RecipeName, Reference, Tag};
use crate::plan::{Plan, Work};
use crate::store::Store;

/// Longer listings are read by nobody: a million files make one of 150 MB.
const LONGEST_LISTING: u64 = 1 << 30;

/// An image that somebody points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// What is built of a recipe, under its key of today.
    Recipe(RecipeName),
    /// An image in an OCI layout folder.
    Oci { path: PathBuf, tag: Option<String> },
    /// A file of `docker save`.
    DockerArchive(PathBuf),
    /// An image in a registry.
    Registry(Reference),
}

impl Subject {
    /// What a text means. A word without `/`, `:` and `@` is a recipe: whoever means an image of Docker Hub says its tag.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, Failure> {
        if let Some(rest) = text.strip_prefix("oci:") {
            // A colon may be a part of the folder's name.
            let parted = rest
                .rsplit_once(':')
                .filter(|(path, tag)| !path.is_empty() && tag.parse::<Tag>().is_ok() && !folder.join(rest).is_dir());
            let (path, tag) = parted.map_or((rest, None), |(path, tag)| (path, Some(tag.to_owned())));
            return Ok(Self::Oci { path: path.into(), tag });
        }
        if let Some(path) = text.strip_prefix("docker-archive:") {
            return Ok(Self::DockerArchive(path.into()));
        }
        let name = text.strip_prefix("recipes/").and_then(|name| name.strip_suffix(".toml")).unwrap_or(text);
        if name.contains(['/', ':', '@']) {
            text.parse().map(Self::Registry).map_err(Failure::usage)
        } else {
            name.parse().map(Self::Recipe).map_err(Failure::usage)
        }
    }
}

/// What opening an image needs.
#[derive(Clone, Copy)]
pub(super) struct Opener<'o> {
    pub(super) planner: &'o Planner<'o>,
    pub(super) world: &'o World<'o>,
    /// The folder that paths are counted from.
    pub(super) folder: &'o Path,
    pub(super) tell: Listener<'o>,
}

/// An image that was opened, with all that holds it.
pub(super) struct Open<'o> {
    /// What was typed.
    pub(super) name: String,
    /// What the image is called in registries, where elkbake gave it the name.
    pub(super) reference: Option<String>,
    place: Place<'o>,
}

enum Place<'o> {
    Built((Built, &'o Store)),
    Layout(Layout),
    Archive(DockerArchive),
    Registry { reference: Reference, opened: &'o Opened, tell: Listener<'o> },
}

impl<'o> Opener<'o> {
    pub(super) fn open(self, text: &str) -> Result<Open<'o>, Failure> {
        let (mut name, mut reference) = (text.to_owned(), None);
        let place = match Subject::parse(text, self.folder)? {
            Subject::Recipe(recipe) => {
                let (plan, built) = self.built(&recipe)?;
                if let Work::Image(image) = plan.work() {
                    reference = Some(format!("{}:{}", image.repository, plan.tag()));
                }
                name = recipe.to_string();
                Place::Built(built)
            }
            Subject::Oci { path, tag } => Place::Layout(Layout::new(self.folder.join(path), text.to_owned(), tag)),
            Subject::DockerArchive(path) => {
                Place::Archive(DockerArchive::open(&self.folder.join(path), text.to_owned())?)
            }
            Subject::Registry(reference) => Place::Registry { reference, opened: self.world.open()?, tell: self.tell },
        };
        Ok(Open { name, reference, place })
    }

    /// What was built of a recipe under the key that it has now.
    fn built(self, name: &RecipeName) -> Result<(Plan, (Built, &'o Store)), Failure> {
        let not_built = |what: &str| {
            Failure::new(Exit::BadInput, format!("{name} is not built{what}"))
                .hint(format!("run `elkbake build {name}`"))
        };
        self.planner.workspace.select(&[name.to_string()])?;
        if self.planner.workspace.load(name).map_err(|error| error.into_failure(self.planner.ui))?.lock.is_none() {
            return Err(not_built(": it has no lock yet"));
        }
        let planned = self.planner.line(name)?.pop().ok_or_else(|| not_built(""))?;
        if let Work::Ami(_) = planned.plan.work() {
            return Err(Failure::input(format!("{name} is the recipe of a host, not of a container image")));
        }
        let Some(store) = self.world.stored() else { return Err(not_built("")) };
        let built = store.result(&planned.plan.key())?;
        let built = built.ok_or_else(|| not_built(" as it is now: recipe, lock and files have another key"))?;
        Ok((planned.plan, (built, store)))
    }
}

impl Open<'_> {
    /// The image, on all its platforms or on one.
    pub(super) fn find(&self, only: Option<&Platform>) -> Result<Found, Failure> {
        Ok(self.with(|holder| holder.find(only))?)
    }

    /// What each layer of an image holds, as far as that is known here.
    pub(super) fn listings(&self, image: &FoundImage, store: Option<&Store>) -> Result<Vec<Option<Listing>>, Failure> {
        let known = |layer: &FoundLayer| {
            let (Some(store), Some(digest)) = (store, &layer.listing) else { return Ok(None) };
            let text = store.bytes(digest, LONGEST_LISTING)?.and_then(|bytes| String::from_utf8(bytes).ok());
            Ok(text.and_then(|text| Listing::parse(&text).ok()))
        };
        image.layers.iter().map(known).collect()
    }

    fn with<T>(&self, act: impl FnOnce(&dyn Holder) -> T) -> T {
        match &self.place {
            Place::Built((built, store)) => act(&InStore { built, store, name: &self.name }),
            Place::Layout(layout) => act(layout),
            Place::Archive(archive) => act(archive),
            Place::Registry { reference, opened, tell } => {
                act(&Remote { reference, registry: opened.wire(), store: opened.store(), tell: *tell })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Subject {
        Subject::parse(text, Path::new("/nowhere")).unwrap()
    }

    #[test]
    fn recipes_layouts_archives_and_references_are_told_apart() {
        let recipe = |name: &str| Subject::Recipe(name.parse().unwrap());
        assert_eq!(parse("elasticsearch"), recipe("elasticsearch"));
        assert_eq!(parse("recipes/es-8.19.toml"), recipe("es-8.19"));
        let oci = |path: &str, tag: Option<&str>| Subject::Oci { path: path.into(), tag: tag.map(str::to_owned) };
        assert_eq!(parse("oci:a/b"), oci("a/b", None));
        assert_eq!(parse("oci:a/b:8.19-x"), oci("a/b", Some("8.19-x")));
        assert_eq!(parse("oci:a:b/c"), oci("a:b/c", None));
        assert_eq!(parse("docker-archive:x:y.tar"), Subject::DockerArchive("x:y.tar".into()));
        for reference in [
            "ubuntu:24.04",
            "elastic/kibana",
            "localhost:5000/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(parse(reference), Subject::Registry(reference.parse().unwrap()));
        }
        for wrong in ["Elastic", "", "a/B", "../es"] {
            assert!(Subject::parse(wrong, Path::new("/")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_whose_name_has_a_colon_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a:b")).unwrap();
        let subject = Subject::parse("oci:a:b", folder.path()).unwrap();
        assert_eq!(subject, Subject::Oci { path: "a:b".into(), tag: None });
    }
}
