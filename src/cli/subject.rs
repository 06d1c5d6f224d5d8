//! Images as people point at them on the command line.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::order::order;
use super::planner::{Planned, Planner, not_built};
use super::world::Opened;
use crate::bake::build;
use crate::bake::built::Built;
use crate::bake::event::Listener;
use crate::bake::found::{
    self, DockerArchive, Found, FoundImage, FoundLayer, Holder, InStore, Layout, Reader, Remote, Which,
};
use crate::bake::inspect::BASE_NAME;
use crate::bake::port::Registry;
use crate::bake::resolve::Fault;
use crate::digest::Digest;
use crate::image::listing::Listing;
use crate::name::{Platform, RecipeName, Reference, Tag};
use crate::plan::{LayerKind, Work};
use crate::store::Store;

/// An image that somebody points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// What is built of a recipe, under its key of today.
    Recipe(String),
    /// What was built here before, by the digest that it has.
    Digest(Digest),
    /// An image in an OCI layout folder.
    Oci { path: PathBuf, which: Which },
    /// A file of `docker save`.
    DockerArchive(PathBuf),
    /// An image in a registry.
    Registry(Reference),
}

impl Subject {
    /// What a text means. A word without `/`, `:` and `@` is a recipe, and so is the path of one's file: whoever means an
    /// image of Docker Hub says its tag.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, Failure> {
        if let Some(rest) = text.strip_prefix("oci:") {
            if let Some((path, Ok(digest))) = rest.rsplit_once('@').map(|(path, digest)| (path, digest.parse())) {
                return Ok(Self::Oci { path: path.into(), which: Which::Digest(digest) });
            }
            // A colon may be a part of the folder's name.
            let parted = rest
                .rsplit_once(':')
                .filter(|(path, tag)| !path.is_empty() && tag.parse::<Tag>().is_ok() && !folder.join(rest).is_dir());
            let (path, which) = parted.map_or((rest, Which::Only), |(path, tag)| (path, Which::Tag(tag.to_owned())));
            return Ok(Self::Oci { path: path.into(), which });
        }
        if let Some(path) = text.strip_prefix("docker-archive:") {
            return Ok(Self::DockerArchive(path.into()));
        }
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let is_file = Path::new(text).extension().is_some_and(|extension| extension == "toml");
        if text.contains(['/', ':', '@']) && !is_file {
            text.parse().map(Self::Registry).map_err(Failure::usage)
        } else {
            Ok(Self::Recipe(text.to_owned()))
        }
    }
}

/// What opening an image needs.
#[derive(Clone, Copy)]
pub(super) struct Opener<'o> {
    pub(super) planner: &'o Planner<'o>,
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
    opener: Opener<'o>,
    place: Place<'o>,
}

enum Place<'o> {
    Built(Done<'o>),
    Earlier { built: Built, store: &'o Store },
    Layout(Layout),
    Archive(DockerArchive),
    Registry { reference: Reference, opened: &'o Opened },
}

/// What was built of a recipe, and of those that it builds on.
struct Done<'o> {
    line: Vec<Planned>,
    built: Built,
    store: &'o Store,
}

impl<'o> Opener<'o> {
    pub(super) fn open(self, text: &str) -> Result<Open<'o>, Failure> {
        let (mut name, mut reference) = (text.to_owned(), None);
        let place = match Subject::parse(text, self.folder)? {
            Subject::Recipe(named) => {
                let chosen = self.planner.workspace.images(std::slice::from_ref(&named))?;
                let recipe = chosen.into_iter().next().ok_or_else(|| Failure::usage("name a recipe"))?;
                let done = self.built(&recipe).map_err(|failure| failure.with(&recipe))?;
                if let Some(Work::Image(image)) = done.line.last().map(|planned| planned.plan.work()) {
                    let tag = done.line.last().map(|planned| planned.plan.tag().to_string()).unwrap_or_default();
                    reference = Some(format!("{}:{tag}", image.repository));
                }
                name = recipe.to_string();
                Place::Built(done)
            }
            Subject::Digest(digest) => self.earlier(&digest)?,
            Subject::Oci { path, which } => Place::Layout(Layout::new(self.folder.join(path), text.to_owned(), which)),
            Subject::DockerArchive(path) => {
                Place::Archive(DockerArchive::open(&self.folder.join(path), text.to_owned())?)
            }
            Subject::Registry(reference) => Place::Registry { reference, opened: self.planner.world.open()? },
        };
        Ok(Open { name, reference, opener: self, place })
    }

    /// What was built before, whatever its recipe makes now.
    fn earlier(self, digest: &Digest) -> Result<Place<'o>, Failure> {
        let found = self.planner.world.stored().map(|store| Ok((store, found::built_as(digest, store)?)));
        match found.transpose().map_err(|fault: Fault| Failure::from(fault))? {
            Some((store, Some(built))) => Ok(Place::Earlier { built, store }),
            _ => Err(Failure::input(format!("{digest} is no image that was built here and is in the store still"))
                .hint("an image in a registry is named by REPOSITORY@sha256:…")),
        }
    }

    /// What was built of a recipe under the key that it has now.
    fn built(self, name: &RecipeName) -> Result<Done<'o>, Failure> {
        let planner = self.planner;
        let line = planner.line(name)?;
        let key = line.last().map(|last| last.plan.key()).ok_or_else(|| not_built(name, ""))?;
        let Some(store) = planner.world.stored() else { return Err(not_built(name, "")) };
        let built = store.result(&key)?;
        let built =
            built.ok_or_else(|| not_built(name, &format!(" as it is now: the store has nothing under {key}")))?;
        Ok(Done { line, built, store })
    }
}

impl Open<'_> {
    /// The image, on all its platforms or on one.
    pub(super) fn find(&self, only: Option<&Platform>) -> Result<Found, Failure> {
        let mut found = self.with(|holder| holder.find(only))?;
        let Some(store) = self.opener.planner.world.stored() else { return Ok(found) };
        // What was built here is known wherever it went.
        for image in found.images.iter_mut().filter(|image| image.layers.iter().all(|layer| layer.what.is_none())) {
            let built = image.manifest.map(|manifest| found::built_as(&manifest, store)).transpose()?.flatten();
            if let Some(built) = built.as_ref().and_then(|built| built.platforms.first()) {
                image.learn(built);
            }
        }
        Ok(found)
    }

    /// What each layer of an image holds, as far as that is known here.
    pub(super) fn known(&self, image: &FoundImage) -> Result<Vec<Option<Listing>>, Failure> {
        let Some(store) = self.opener.planner.world.stored() else {
            return Ok(vec![None; image.layers.len()]);
        };
        Ok(image.layers.iter().map(|layer| found::known(layer, store)).collect::<Result<_, _>>()?)
    }

    /// What each layer of an image holds; those that are not known here are fetched and read.
    pub(super) fn listings(&self, image: &FoundImage) -> Result<Vec<Listing>, Failure> {
        let planner = self.opener.planner;
        let opened = planner.world.open()?;
        if self.known(image)?.iter().any(Option::is_none) {
            match &self.place {
                Place::Built(done) => done.fetch_base(self.opener, opened)?,
                Place::Earlier { .. } => self.fetch_base_of(image, opened)?,
                _ => {}
            }
        }
        let (store, interrupt) = (opened.store(), &planner.world.interrupt);
        let read =
            |holder: &dyn Holder| Reader { holder, store, interrupt, tell: self.opener.tell }.listings(&image.layers);
        Ok(self.with(read)?)
    }

    /// Of an earlier image, only its annotations say where its base is from.
    fn fetch_base_of(&self, image: &FoundImage, opened: &Opened) -> Result<(), Failure> {
        let from = image.annotations.get(BASE_NAME).and_then(|name| name.parse::<Reference>().ok());
        let Some(from) = from else { return Ok(()) };
        let store = opened.store();
        for FoundLayer { descriptor: at, what, .. } in &image.layers {
            if *what == Some(LayerKind::Base) && store.size(&at.digest) != Some(at.size) {
                opened.wire().blob(&from, at.digest, at.size, store, self.opener.tell)?;
            }
        }
        Ok(())
    }

    fn with<T>(&self, act: impl FnOnce(&dyn Holder) -> T) -> T {
        match &self.place {
            Place::Built(Done { built, store, .. }) | Place::Earlier { built, store } => {
                act(&InStore { built, store, name: &self.name })
            }
            Place::Layout(layout) => act(layout),
            Place::Archive(archive) => act(archive),
            Place::Registry { reference, opened } => {
                let (registry, store) = (opened.wire(), opened.store());
                act(&Remote { reference, registry, store, tell: self.opener.tell })
            }
        }
    }
}

impl Done<'_> {
    /// Layers of the base that nobody has asked for yet are not here.
    fn fetch_base(&self, opener: Opener<'_>, opened: &Opened) -> Result<(), Failure> {
        let planner = opener.planner;
        let order = order(&self.line, &planner.stamps, &|below| {
            let gone = || Failure::input(format!("{} is not in the store any more", below.plan.name()));
            self.store.result(&below.plan.key())?.ok_or_else(|| gone().hint("build it again"))
        })?;
        Ok(build::fetch_base(&order, &opened.ports(planner.workspace, opener.tell), &self.built)?)
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
        for recipe in ["elasticsearch", "recipes/es-8.19.toml", "../recipes/es.toml", "Elastic", ""] {
            assert_eq!(parse(recipe), Subject::Recipe(recipe.to_owned()));
        }
        let oci = |path: &str, which: Which| Subject::Oci { path: path.into(), which };
        assert_eq!(parse("oci:a/b"), oci("a/b", Which::Only));
        assert_eq!(parse("oci:a/b:8.19-x"), oci("a/b", Which::Tag("8.19-x".to_owned())));
        assert_eq!(parse("oci:a:b/c"), oci("a:b/c", Which::Only));
        let digest = crate::digest::Digest::of(b"");
        assert_eq!(parse(&format!("oci:a:b/@x@{digest}")), oci("a:b/@x", Which::Digest(digest)));
        assert_eq!(parse("oci:a@b"), oci("a@b", Which::Only));
        assert_eq!(parse("docker-archive:x:y.tar"), Subject::DockerArchive("x:y.tar".into()));
        for reference in [
            "ubuntu:24.04",
            "elastic/kibana",
            "localhost:5000/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(parse(reference), Subject::Registry(reference.parse().unwrap()));
        }
        let digest = Digest::of(b"");
        assert_eq!(parse(&digest.to_string()), Subject::Digest(digest));
        for wrong in ["a/B", "../es"] {
            assert!(Subject::parse(wrong, Path::new("/")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_whose_name_has_a_colon_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a:b")).unwrap();
        let subject = Subject::parse("oci:a:b", folder.path()).unwrap();
        assert_eq!(subject, Subject::Oci { path: "a:b".into(), which: Which::Only });
    }
}
