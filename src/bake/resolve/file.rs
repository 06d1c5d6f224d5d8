//! Plugins and archives: where they come from, and whether their bytes are those that somebody vouches for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest as _, Sha512};

use super::fault::Fault;
use super::project::Inside;
use super::{LARGEST_ARTEFACT, World, maven, published};
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::digest::{Digest, hex};
use crate::lock::{LockedFile, Source, Want};
use crate::name::Platform;
use crate::recipe::{Checksum, Product, ProjectPath, Url, Version};

/// Where Elastic keeps what it publishes.
const ELASTIC: &str = "https://artifacts.elastic.co/downloads";

/// One plugin or archive that is to be found.
pub(super) struct Request<'r> {
    pub(super) want: &'r Want,
    pub(super) source: Option<Source<'r>>,
    pub(super) checksum: Option<&'r Checksum>,
    /// What a Maven artifact ends with where its coordinates do not say.
    pub(super) extension: &'static str,
    /// Whether all platforms of the recipe want it.
    pub(super) everywhere: bool,
    /// What the lock has under these names already.
    pub(super) earlier: &'r [LockedFile],
}

/// Bytes that were found.
#[derive(Clone)]
struct Found {
    url: Option<Url>,
    sha256: Digest,
    size: u64,
    published: Option<Checksum>,
}

impl Request<'_> {
    pub(super) fn resolve(&self, world: &World<'_>) -> Result<Vec<LockedFile>, Fault> {
        let (kept, missing) = self.kept();
        if missing.is_empty() {
            return Ok(kept);
        }
        let source = self.source.ok_or_else(|| Fault::NoSource { input: self.want.input.clone() })?;
        let one = match source {
            Source::Official { product: Product::Elasticsearch, name, version } => {
                let by_platform = self.elasticsearch(name, version, &missing, world)?;
                match by_platform {
                    ByPlatform::Same(found) => found,
                    ByPlatform::Each(found) => {
                        let files = found.into_iter().map(|(platform, found)| self.locked(Some(platform), found));
                        return Ok(kept.into_iter().chain(files).collect());
                    }
                }
            }
            Source::Official { name, version, .. } => self.kibana(name, version, world)?,
            Source::Url(url) => self.download(url, &self.name(None), world)?,
            Source::Path(path) => self.local(path, world)?,
            Source::Maven(coordinates) => self.maven(coordinates, world)?,
        };
        // Two entries of one name share the platforms among them; each then stands for its own only.
        if self.everywhere && kept.is_empty() {
            return Ok(vec![self.locked(None, one)]);
        }
        let files = missing.into_iter().map(|platform| self.locked(Some(platform), one.clone()));
        Ok(kept.into_iter().chain(files).collect())
    }

    /// What the lock answers already, and the platforms for which it does not.
    fn kept(&self) -> (Vec<LockedFile>, BTreeSet<Platform>) {
        let called = |file: &&LockedFile| self.want.text == file.want && self.want.input.name() == file.name;
        let (mut kept, mut missing) = (Vec::new(), BTreeSet::new());
        for platform in &self.want.platforms {
            let Some(file) = self.earlier.iter().filter(called).find(|file| file.is_for(platform)) else {
                missing.insert(platform.clone());
                continue;
            };
            // What stood for all platforms stands for this one only, now that another entry shares the name.
            let only = file.platform.clone().or_else(|| (!self.everywhere).then(|| platform.clone()));
            let file = LockedFile { platform: only, ..file.clone() };
            if !kept.contains(&file) {
                kept.push(file);
            }
        }
        (kept, missing)
    }

    fn name(&self, platform: Option<&Platform>) -> String {
        match platform {
            Some(platform) => format!("{} {platform}", self.want.input),
            None => self.want.input.to_string(),
        }
    }

    fn locked(&self, platform: Option<Platform>, found: Found) -> LockedFile {
        LockedFile {
            name: self.want.input.name().to_owned(),
            platform,
            want: self.want.text.clone(),
            url: found.url.map(|url| url.to_string()),
            sha256: found.sha256,
            size: found.size,
            published: found.published,
        }
    }

    /// Downloads what a URL holds and holds the recipe's checksum against it.
    fn download(&self, url: &Url, name: &str, world: &World<'_>) -> Result<Found, Fault> {
        let expected = match self.checksum {
            // Another digest is reported below, with both: an expected one would be the port's error.
            Some(Checksum::Sha256(digest)) if world.store.size(digest).is_some() => Some(*digest),
            _ => None,
        };
        let (sha256, size) = world.download(name.to_owned(), url, expected, LARGEST_ARTEFACT)?;
        if let Some(checksum) = self.checksum {
            published::check_blob(world, url.as_str(), sha256, checksum, "says the recipe")?;
        }
        Ok(Found { url: Some(url.clone()), sha256, size, published: self.checksum.cloned() })
    }

    /// The same, and where the recipe states no checksum, the publisher's has to hold.
    fn published(&self, url: &Url, name: &str, kinds: &[&str], world: &World<'_>) -> Result<Found, Fault> {
        let mut found = self.download(url, name, world)?;
        if self.checksum.is_none() {
            found.published = published::fetch(world, name, url, kinds)?;
            if let Some(checksum) = &found.published {
                published::check_blob(world, url.as_str(), found.sha256, checksum, "says its publisher")?;
            }
        }
        Ok(found)
    }

    fn kibana(&self, name: &str, version: &Version, world: &World<'_>) -> Result<Found, Fault> {
        let url = official("kibana-plugins", name, &format!("{name}-{version}.zip"))?;
        let found = self.published(&url, &self.name(None), &["sha512"], world)?;
        Ok(self.noted(found, world))
    }

    fn maven(&self, coordinates: &str, world: &World<'_>) -> Result<Found, Fault> {
        let repository = world.maven.ok_or_else(|| {
            Fault::wrong(&format!("maven:{coordinates}"), "elkbake.toml names no Maven repository to take it from")
        })?;
        let url = maven::locate(repository, coordinates, self.extension)?;
        let found = self.published(&url, &self.name(None), &["sha512", "sha256"], world)?;
        Ok(self.noted(found, world))
    }

    /// Says so where nobody vouches for the bytes but the connection that they came over.
    fn noted(&self, found: Found, world: &World<'_>) -> Found {
        if let (None, Some(url)) = (&found.published, &found.url) {
            let note = format!("{}: no SHA-512 or SHA-256 checksum is published beside {url}", self.want.input);
            (world.tell)(Event::Note(&note));
        }
        found
    }

    /// An official plugin is one file for all platforms, unless it holds native code: then each has its own.
    fn elasticsearch(
        &self,
        name: &str,
        version: &Version,
        missing: &BTreeSet<Platform>,
        world: &World<'_>,
    ) -> Result<ByPlatform, Fault> {
        let mut native = BTreeMap::new();
        let mut general = BTreeSet::new();
        for platform in missing {
            match self.native(name, version, platform, world)? {
                Some(found) => drop(native.insert(platform.clone(), found)),
                None => drop(general.insert(platform.clone())),
            }
        }
        if general.is_empty() {
            return Ok(ByPlatform::Each(native));
        }
        let url = official("elasticsearch-plugins", name, &format!("{name}-{version}.zip"))?;
        let found = vouched(self.published(&url, &self.name(None), &["sha512"], world)?)?;
        if native.is_empty() {
            return Ok(ByPlatform::Same(found));
        }
        native.extend(general.into_iter().map(|platform| (platform, found.clone())));
        Ok(ByPlatform::Each(native))
    }

    fn native(
        &self,
        name: &str,
        version: &Version,
        platform: &Platform,
        world: &World<'_>,
    ) -> Result<Option<Found>, Fault> {
        let machine = match platform.architecture.as_str() {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            other => other,
        };
        let url = official("elasticsearch-plugins", name, &format!("{name}-linux-{machine}-{version}.zip"))?;
        match self.published(&url, &self.name(Some(platform)), &["sha512"], world) {
            Ok(found) => vouched(found).map(Some),
            // Some mirrors say "denied" for what is not there; if they mean it, the next download tells.
            Err(Fault::Port(PortError::NotFound { .. } | PortError::Denied { .. })) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn local(&self, path: &ProjectPath, world: &World<'_>) -> Result<Found, Fault> {
        let file = Inside::of(world.project, Path::new(path.as_str()))?;
        let mut long = Sha512::new();
        let (sha256, size) = file.digest(|chunk| {
            if matches!(self.checksum, Some(Checksum::Sha512(_))) {
                long.update(chunk);
            }
        })?;
        if let Some(expected) = self.checksum {
            let got = match expected {
                Checksum::Sha256(_) => Checksum::Sha256(sha256),
                Checksum::Sha512(_) => Checksum::Sha512(hex(&long.finalize())),
            };
            published::check(path.as_str(), expected, "says the recipe", &got)?;
        }
        Ok(Found { url: None, sha256, size, published: self.checksum.cloned() })
    }
}

/// Elasticsearch' own installer refuses an official plugin without its checksum, and so do we.
fn vouched(found: Found) -> Result<Found, Fault> {
    match (&found.published, &found.url) {
        (None, Some(url)) => {
            let message = format!("no `{}.sha512` is published beside it; give its `checksum`", url.file_name());
            Err(Fault::wrong(url, message))
        }
        _ => Ok(found),
    }
}

/// What an official plugin is on the platforms that want it.
enum ByPlatform {
    Same(Found),
    Each(BTreeMap<Platform, Found>),
}

fn official(site: &str, name: &str, file: &str) -> Result<Url, Fault> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Fault::wrong(&name, "this is no name of an official plugin; give its `url` or `path`"));
    }
    let url = format!("{ELASTIC}/{site}/{name}/{file}");
    url.parse().map_err(|_| Fault::wrong(&url, "this is no URL"))
}
