//! Logstash's plugins, installed by file operations alone.
//!
//! They are gems. Logstash starts Bundler with the order to change nothing, so that besides the gems' files the
//! `Gemfile`, its lock and the specifications have to be what Bundler itself would have made of them: otherwise
//! Logstash does not start.

mod gemfile;
mod lines;
mod lockfile;
mod pack;
mod place;
mod resolve;
mod ruby;
mod scalar;
mod specification;
#[cfg(test)]
mod tests;
mod version;
mod yaml;

use std::collections::BTreeMap;

use super::plugin::{InstallError, Installed, Job, PluginFacts};
use crate::contents::Contents;
use crate::name::{ImagePath, NameError};
use crate::tree::{Entry, Tree};

use gemfile::Gemfile;
use lockfile::{LockedGem, Lockfile};
use pack::PackedGem;
use resolve::{Decided, Present};
use specification::{GemPlatform, Specification};
use version::{Requirement, Version};

/// Where Logstash is in its image.
const HOME: &str = "/usr/share/logstash";

/// A lock of a Logstash has some 30 KB.
const LIMIT: u64 = 4 << 20;

/// Whether a file of a base has to be read for [`install`]; of all others their names are enough.
#[must_use]
pub fn interest(path: &ImagePath, size: u64) -> bool {
    size <= LIMIT && [GEMFILE, LOCKFILE].iter().any(|name| path.as_str().strip_prefix(HOME) == Some(name))
}

const GEMFILE: &str = "/Gemfile";
const LOCKFILE: &str = "/Gemfile.lock";

/// The Ruby that RubyGems writes into `specifications/` for a gem with this metadata, which are YAML.
///
/// # Errors
/// Says what is wrong with the metadata.
pub fn gemspec(metadata: &str) -> Result<String, String> {
    Specification::read(metadata).map(|spec| ruby::gemspec(&spec))
}

/// Whether a version of a gem satisfies what another asks of it, such as `>= 1.2, < 3`; `None` where one of them is
/// not written as RubyGems reads it.
#[must_use]
pub fn is_met(requirement: &str, version: &str) -> Option<bool> {
    Some(Requirement::parse(requirement.split(','))?.is_met_by(&Version::parse(version)?))
}

/// Installs an offline pack, or one gem: then the package is a tree with nothing in it but the gem's file.
///
/// # Errors
/// When a gem is none, or does not go with the gems of the image.
pub fn install(job: &Job<'_>) -> Result<Installed, InstallError> {
    let base = Base::read(job)?;
    let gems = pack::gems(job)?;
    for gem in gems.values() {
        check_ruby(gem, &base.abi)?;
    }
    let decided = resolve::resolve(&gems, &base.present)?;
    let (gemfile, lockfile) = written(&base, &gems, &decided);
    if decided.files.is_empty() && lockfile == base.lockfile.text() {
        let message = format!("the image has `{}` already, in the same version", job.name);
        return Err(InstallError::rule(&"the package", message, "remove the plugin from the recipe"));
    }
    let mut installed = Installed { facts: facts(job, &gems), ..Installed::default() };
    installed.contents = job.package.contents.clone();
    put(&base, &decided, &mut installed.tree, &mut installed.contents).map_err(|error| {
        InstallError::rule(&"the package", error.to_string(), "no image can hold a file of that name")
    })?;
    for (file, text) in [(&base.gemfile_at, gemfile), (&base.lockfile_at, lockfile)] {
        let node = installed.contents.add_bytes(text.into_bytes());
        installed.tree.insert(file.0.clone(), Entry { node, ..file.1.clone() });
    }
    Ok(installed)
}

/// What there is to install into.
struct Base {
    /// The folder of the gems.
    gems: ImagePath,
    /// The Ruby whose gems it holds, such as `3.1.0`.
    abi: Version,
    /// The folders that are there for gems.
    folders: Vec<String>,
    gemfile: Gemfile,
    lockfile: Lockfile,
    gemfile_at: (ImagePath, Entry),
    lockfile_at: (ImagePath, Entry),
    present: Present,
}

impl Base {
    fn read(job: &Job<'_>) -> Result<Self, InstallError> {
        let (gemfile_at, gemfile) = read(job, GEMFILE)?;
        let (lockfile_at, lockfile) = read(job, LOCKFILE)?;
        let of = |path: &ImagePath| {
            let path = path.clone();
            move |what: String| InstallError::rule(&path, what, "take the base as Elastic publishes it")
        };
        let gemfile = Gemfile::read(&gemfile).map_err(of(&gemfile_at.0))?;
        let lockfile = Lockfile::read(&lockfile).map_err(of(&lockfile_at.0))?;
        let locked = lockfile.gems().map_err(of(&lockfile_at.0))?;
        let bundle = at("/vendor/bundle/jruby")?;
        let abis = job.below.names(&bundle)?;
        let (name, abi) = match &abis[..] {
            [one] => (one, Version::parse(one)),
            _ => return Err(of(&bundle)(format!("there are gems for {} versions of Ruby in it", abis.len()))),
        };
        let Some(abi) = abi else { return Err(of(&bundle)(format!("`{name}` is no version of Ruby"))) };
        let gems = bundle.join(name).map_err(|error| of(&bundle)(error.to_string()))?;
        let mut specifications = job.below.names(&at(&format!("/vendor/bundle/jruby/{name}/specifications"))?)?;
        // Those that come with JRuby are found as well.
        specifications.extend(job.below.names(&at("/vendor/jruby/lib/ruby/gems/shared/specifications/default")?)?);
        let installed = specifications.iter().filter_map(|name| name.strip_suffix(".gemspec")).map(str::to_owned);
        let present = Present {
            bundler: lockfile.bundler(),
            locked: locked.into_iter().map(|gem| (gem.name.clone(), gem)).collect(),
            installed: installed.collect(),
        };
        let folders = job.below.names(&gems)?;
        Ok(Self { gems, abi, folders, gemfile, lockfile, gemfile_at, lockfile_at, present })
    }
}

/// A path of Logstash's.
fn at(path: &str) -> Result<ImagePath, InstallError> {
    let path = format!("{HOME}{path}");
    path.parse().map_err(|error: NameError| InstallError::rule(&path, error.to_string(), "take another base"))
}

/// A text file of the image so far.
fn read(job: &Job<'_>, path: &str) -> Result<((ImagePath, Entry), String), InstallError> {
    let path = at(path)?;
    let missing = |what: &str| InstallError::rule(&path, what, "plugins of Logstash need one of its images as a base");
    let entry = job.below.entry(&path)?.ok_or_else(|| missing("it is not in the image"))?;
    let bytes = job.below.bytes(&path, LIMIT)?.ok_or_else(|| missing("it is no file"))?;
    let text = String::from_utf8(bytes).map_err(|_| missing("it is no UTF-8"))?;
    Ok(((path, entry), text))
}

/// Refuses a gem that no Ruby of the image's line can run. Which Ruby of its line it is, the image's gems do not say.
fn check_ruby(gem: &PackedGem, abi: &Version) -> Result<(), InstallError> {
    let wanted = &gem.spec.required_ruby_version;
    let line = abi.as_str().rsplit_once('.').map_or(abi.as_str(), |(line, _)| line);
    let latest = Version::parse(&format!("{line}.999"));
    if wanted.is_met_by(abi) || latest.is_some_and(|latest| wanted.is_met_by(&latest)) {
        return Ok(());
    }
    let message =
        format!("`{}` {} needs Ruby{}, and the image has {line}", gem.spec.name, gem.spec.version, wanted.locked());
    Err(InstallError::rule(&gem.path, message, "take a version of it that goes with this Logstash"))
}

/// `Gemfile` and lock with the new gems.
fn written(base: &Base, gems: &BTreeMap<String, PackedGem>, decided: &Decided<'_>) -> (String, String) {
    let (mut gemfile, mut lockfile) = (base.gemfile.clone(), base.lockfile.clone());
    for name in &decided.locked {
        if let Some(gem) = decided.files.get(name) {
            let needs = gem.spec.needs().map(|need| (need.name.clone(), need.requirement.clone()));
            let locked = LockedGem {
                name: gem.spec.name.clone(),
                version: gem.spec.version.clone(),
                platform: (gem.spec.platform == GemPlatform::Java).then(|| "java".to_owned()),
                needs: needs.collect(),
                is_local: false,
            };
            lockfile.add(&locked, &gem.digest.hex());
        }
    }
    let plugins = gems.values().filter(|gem| gem.is_plugin).map(|gem| &gem.spec);
    for spec in plugins.filter(|spec| !base.gemfile.has(&spec.name)) {
        gemfile.pin(&spec.name, &spec.version);
        lockfile.depend(&spec.name, &spec.version);
    }
    (gemfile.text(), lockfile.text())
}

fn put(base: &Base, decided: &Decided<'_>, tree: &mut Tree, contents: &mut Contents) -> Result<(), NameError> {
    for name in ["gems", "specifications", "cache"].iter().filter(|name| !base.folders.iter().any(|own| own == *name)) {
        tree.insert(base.gems.join(name)?, place::folder());
    }
    for gem in decided.files.values() {
        place::put(&base.gems, gem, tree, contents)?;
    }
    Ok(())
}

fn facts(job: &Job<'_>, gems: &BTreeMap<String, PackedGem>) -> PluginFacts {
    let version = gems.get(job.name).map_or_else(String::new, |gem| gem.spec.version.to_string());
    PluginFacts { name: job.name.to_owned(), version, ..PluginFacts::default() }
}
