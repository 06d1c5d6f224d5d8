//! Elasticsearch's plugins, installed by file operations alone: a node takes them as if its own installer had been there.
//!
//! All that `elasticsearch-plugin install` checks is checked here, and what a node checks again at its start, so that a
//! plugin that does not fit is refused before the image is made and not by a container that starts over and over. The
//! rules are read from the sources of Elasticsearch 7.17 to 9.2; where they differ by version, so does this.

mod bundle;
mod descriptor;
mod entitlement;
#[cfg(test)]
mod fixture;
mod grant;
mod home;
mod jar;
mod jar_hell;
mod java;
mod module;
mod place;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bundle::{Bundle, Bundles};
use descriptor::{CLASSIC, Descriptor, STABLE, Triple};
use home::Home;

use super::plugin::{InstallError, Installed, Job, PluginFacts};
use crate::image::below::Below;
use crate::name::ImagePath;
use crate::tree::Node;
use crate::unpack::Unpacked;

pub use home::interest;
pub use jar::{JarError, classes};

/// What a stable plugin's components are called.
const COMPONENTS: &str = "named_components.json";

/// Longer policies are not read: real ones have a hundred lines at most.
const LONGEST_POLICY: u64 = 1 << 20;

/// Longer lists are not read.
const LONGEST_COMPONENTS: u64 = 4 << 20;

/// Installs a plugin.
///
/// # Errors
/// When Elasticsearch's installer or a node would refuse it; when package or image cannot be read.
pub fn install(job: &Job<'_>) -> Result<Installed, InstallError> {
    let home = Home(job.below);
    let version = product_version(job, home)?;
    let descriptor = described(job.package, version)?;
    check_name(job, &descriptor)?;
    check_built_for(job, &descriptor, version)?;
    check_java(&descriptor, home)?;
    check_place(&descriptor, home)?;
    if descriptor.is_stable() {
        check_components(job.package)?;
    }
    let mut installed = place::place(job.package, &descriptor, version, home)?;
    let Descriptor { name, version: own, extends, modular, .. } = descriptor;
    installed.facts = PluginFacts { name, version: own, permissions: Vec::new(), extends };
    let bundle = Bundle::installed(&installed);
    jar_hell::check_own(&bundle, home)?;
    let permissions = permissions(job.package, &bundle, modular, version)?;
    // A plugin that it extends may be one of those that come later: `together` sees them all.
    jar_hell::check_extended(&bundle, &mut Bundles::new(home, &[]))?;
    installed.facts.permissions = permissions;
    Ok(installed)
}

/// Checks what only shows when all plugins of an image are known: that each has what it extends.
///
/// Plugins that have nothing to do with each other may bring the same classes.
///
/// # Errors
/// When a node would not start with these plugins on the image below; when that or their contents cannot be read.
pub fn together(installed: &[Installed], below: &dyn Below) -> Result<(), InstallError> {
    let mut bundles = Bundles::new(Home(below), installed);
    for (i, plugin) in installed.iter().enumerate() {
        let name = &plugin.facts.name;
        if installed[..i].iter().any(|other| other.facts.name == *name) {
            let message = "the recipe has two plugins of this name, and both want the same folder";
            return Err(InstallError::rule(name, message, "remove one of them from the recipe"));
        }
        let bundle = Bundle::installed(plugin);
        for extended in &bundle.extends {
            if bundles.find(extended)?.is_none() {
                let message = format!(
                    "it extends the plugin `{extended}`, which is neither in the recipe nor in the image below"
                );
                return Err(InstallError::rule(name, message, format!("add `{extended}` to the recipe")));
            }
        }
        check_circle(&bundle, &bundles)?;
        jar_hell::check_extended(&bundle, &mut bundles)?;
    }
    Ok(())
}

/// No plugin extends itself by way of others.
fn check_circle<'a>(bundle: &Bundle<'a>, bundles: &Bundles<'a>) -> Result<(), InstallError> {
    let mut seen = BTreeSet::new();
    let mut waiting = bundle.extends.clone();
    while let Some(name) = waiting.pop() {
        if name == bundle.name {
            let message = "it extends itself, or another plugin that extends it";
            return Err(InstallError::rule(&name, message, "leave one of them out; no node starts with such a circle"));
        }
        if seen.insert(name.clone()) {
            waiting.extend(bundles.find(&name)?.into_iter().flat_map(|bundle| bundle.extends));
        }
    }
    Ok(())
}

/// What the plugin's policy lets it do. Of the two kinds of policies a version goes by one; the other has no effect.
fn permissions(
    package: &Unpacked,
    bundle: &Bundle<'_>,
    modular: bool,
    version: Triple,
) -> Result<Vec<String>, InstallError> {
    let text = |file| {
        let bytes = bytes_of(package, file, LONGEST_POLICY)?;
        let wrong = |_| InstallError::rule(&file, "it is no UTF-8 text", "use a whole package");
        bytes.map(|bytes| String::from_utf8(bytes).map_err(wrong)).transpose()
    };
    let file_name = |jar: &String| jar.rsplit('/').next().unwrap_or_default().to_owned();
    if version < entitlement::SINCE {
        let jars = bundle.all_jars().map(file_name).collect();
        return text(grant::FILE)?.map_or(Ok(Vec::new()), |text| grant::read(&text, &jars));
    }
    let Some(text) = text(entitlement::FILE)? else { return Ok(Vec::new()) };
    if !modular {
        return entitlement::read(&text, version, None);
    }
    let mut modules = BTreeSet::new();
    for path in &bundle.jars {
        let jar = jar::Jar::read(&bundle.bytes(path)?)
            .map_err(|error| InstallError::rule(path, error.to_string(), "use a whole package"))?;
        modules.extend(module::name(&file_name(path), &jar));
    }
    entitlement::read(&text, version, Some(&modules))
}

/// The version that decides on the rules: the recipe's, which has to be the image's.
fn product_version(job: &Job<'_>, home: Home<'_>) -> Result<Triple, InstallError> {
    let version = job.version.triple().ok_or_else(|| {
        let message = format!("the version of Elasticsearch is `{}`, and plugins follow the exact one", job.version);
        InstallError::rule(&job.name, message, "write major, minor and patch in the recipe, as in `8.19.3`")
    })?;
    match home.version()? {
        Some(real) if real != job.version.as_str() => {
            let message = format!("the image below holds Elasticsearch {real}, the recipe says {}", job.version);
            Err(InstallError::rule(&job.name, message, "give `version` and `from` in the recipe the same version"))
        }
        _ => Ok(version),
    }
}

fn at_top(name: &str) -> Result<ImagePath, InstallError> {
    ImagePath::root().join(name).map_err(|error| InstallError::rule(&name, error.to_string(), "use another name"))
}

/// All bytes of a file of a package.
fn bytes_of(package: &Unpacked, name: &str, limit: u64) -> Result<Option<Vec<u8>>, InstallError> {
    match package.tree.get(&at_top(name)?).map(|entry| &entry.node) {
        Some(Node::File { digest, .. }) => Ok(Some(package.contents.bytes(digest, limit)?)),
        _ => Ok(None),
    }
}

fn described(package: &Unpacked, version: Triple) -> Result<Descriptor, InstallError> {
    let old = at_top("elasticsearch")?;
    if package.tree.within(&old).any(|(path, entry)| *path != old || entry.node == Node::Folder) {
        let message =
            "the package has the form that plugins of old had, with a folder `elasticsearch` around all of it";
        let help = "use the plugin's release for this version of Elasticsearch";
        return Err(InstallError::rule(&old, message, help));
    }
    let bytes = |name| bytes_of(package, name, descriptor::LONGEST);
    match (bytes(CLASSIC)?, bytes(STABLE)?) {
        (Some(bytes), None) => descriptor::read(CLASSIC, &bytes, version),
        (None, Some(bytes)) => descriptor::read(STABLE, &bytes, version),
        (Some(_), Some(_)) => {
            let message = format!("`{CLASSIC}` stands beside it, and a plugin has only one of the two");
            Err(InstallError::rule(&STABLE, message, "ask the plugin's author which one it is"))
        }
        (None, None) => {
            let help = "use the plugin's zip file, not its sources or its jar; it has the descriptor at the top";
            Err(InstallError::rule(&CLASSIC, "the package has none, so it is no plugin of Elasticsearch", help))
        }
    }
}

fn check_name(job: &Job<'_>, descriptor: &Descriptor) -> Result<(), InstallError> {
    let Descriptor { file, name, .. } = descriptor;
    if name != job.name {
        let message = format!("the plugin is called `{name}`, the recipe says `{}`", job.name);
        return Err(InstallError::rule(file, message, format!("write `name = \"{name}\"` in the recipe")));
    }
    // Names become folders, and those with a dot are for half-done installations.
    if name.starts_with('.') || ImagePath::root().join(name).is_err() {
        let message = format!("`{name}` can be no folder in `plugins/`");
        return Err(InstallError::rule(file, message, "ask the plugin's author for another name"));
    }
    Ok(())
}

/// A classic plugin is for exactly one version; a stable one is for its major version, from its own version on.
fn check_built_for(job: &Job<'_>, descriptor: &Descriptor, version: Triple) -> Result<(), InstallError> {
    let Descriptor { file, elasticsearch: built_for, .. } = descriptor;
    let refuse = |message: String| {
        let help = format!("use the plugin's release for Elasticsearch {}", job.version);
        Err(InstallError::rule(file, message, help))
    };
    if !descriptor.is_stable() {
        if built_for == job.version.as_str() {
            return Ok(());
        }
        return refuse(format!(
            "it was built for Elasticsearch {built_for} and works with no other, {} included",
            job.version
        ));
    }
    let numbers: Vec<_> = built_for.split('.').map(|part| part.parse::<u64>().ok()).collect();
    match numbers[..] {
        [Some(major), Some(minor), Some(patch)] => {
            if major != version.0 {
                return refuse(format!("it was built for Elasticsearch {major}, and this is {}", job.version));
            }
            if (major, minor, patch) > version {
                return refuse(format!("it was built for Elasticsearch {built_for}, and {} is older", job.version));
            }
            Ok(())
        }
        _ => refuse(format!("`elasticsearch.version` is `{built_for}`, and not of the form N.N.N")),
    }
}

/// Where the image has no Java of its own, nobody knows which one will run.
fn check_java(descriptor: &Descriptor, home: Home<'_>) -> Result<(), InstallError> {
    match home.java()? {
        Some(java) if java < descriptor.java => {
            let message = format!("it needs Java {}, and the image below has Java {java}", descriptor.java);
            Err(InstallError::rule(
                &descriptor.file,
                message,
                "use a release of the plugin for that Java, or a newer image",
            ))
        }
        _ => Ok(()),
    }
}

/// Whether the image below has room for it.
fn check_place(descriptor: &Descriptor, home: Home<'_>) -> Result<(), InstallError> {
    let name = &descriptor.name;
    let refuse = |message: String, help: &str| Err(InstallError::rule(&descriptor.file, message, help));
    if home.names("modules")?.contains(name) {
        return refuse(
            format!("the image below has `{name}` as a module"),
            "remove the plugin from the recipe; its settings stay as they are",
        );
    }
    if home.names("plugins")?.contains(name) {
        let help = "remove the plugin from the recipe, or the folder from the image below";
        return refuse(format!("the image below has a plugin `{name}` already"), help);
    }
    let half_done = |other: &String| other.starts_with(".installing-") || other.starts_with(".removing-");
    if let Some(other) = home.names("plugins")?.into_iter().find(half_done) {
        let message = format!(
            "the image below has `plugins/{other}`, which an interrupted installer left, and no node starts with it"
        );
        return refuse(message, "use an image without it");
    }
    if home.entry("config/elasticsearch-plugins.yml")?.is_some() {
        let message = "the image below has `config/elasticsearch-plugins.yml`, by which a node removes every plugin that is not listed in it";
        return refuse(message.to_owned(), "remove that file, and list plugins in the recipe");
    }
    Ok(())
}

/// Names of components by interface: `{"org.elasticsearch…TokenFilterFactory": {"name": "com.example.Class"}}`.
type Components = BTreeMap<String, BTreeMap<String, String>>;

/// The installer makes the list of a stable plugin's components itself where it is missing, by reading all classes of
/// the plugin and of the API. That is not done here: the build that makes a plugin makes the list too.
fn check_components(package: &Unpacked) -> Result<(), InstallError> {
    let Some(bytes) = bytes_of(package, COMPONENTS, LONGEST_COMPONENTS)? else {
        let message = "the package has none, and a node does not find a stable plugin's components without it";
        let help = "build the plugin with Gradle's plugin `elasticsearch.stable-esplugin`, which makes it; elkbake reads no bytecode to make it itself";
        return Err(InstallError::rule(&COMPONENTS, message, help));
    };
    serde_json::from_slice::<Components>(&bytes).map(drop).map_err(|error| {
        InstallError::rule(&format!("{COMPONENTS}:{}", error.line()), error.to_string(), "build the plugin anew")
    })
}
