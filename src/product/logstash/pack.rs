//! What a plugin's package holds: an offline pack, `logstash/*.gem` with `logstash/dependencies/*.gem`, or one gem.

use std::collections::BTreeMap;

use super::specification::Specification;
use crate::digest::Digest;
use crate::name::ImagePath;
use crate::product::plugin::{InstallError, Job};
use crate::tree::Node;
use crate::unpack::{self, Limits, UnpackError, Unpacked};

/// A gem of a package.
pub(super) struct PackedGem {
    /// Where it is in the package.
    pub(super) path: ImagePath,
    /// Its file, as it is in the package.
    pub(super) file: Node,
    /// The SHA-256 of that.
    pub(super) digest: Digest,
    /// Whether it is what was asked for, and not only needed by that.
    pub(super) is_plugin: bool,
    /// What it says of itself.
    pub(super) spec: Specification,
    /// Its files.
    pub(super) unpacked: Unpacked,
}

/// The gems of a package, by name.
pub(super) fn gems(job: &Job<'_>) -> Result<BTreeMap<String, PackedGem>, InstallError> {
    let mut gems: BTreeMap<String, PackedGem> = BTreeMap::new();
    for (path, entry) in job.package.tree.iter() {
        let (Node::File { digest, .. }, Some(is_plugin)) = (&entry.node, place(path)) else { continue };
        let gem = open(job, path, &entry.node, *digest, is_plugin)?;
        let full = gem.spec.full_name();
        if let Some(other) = gems.insert(gem.spec.name.clone(), gem) {
            let message = format!("it is `{full}`, and {} is `{}`", other.path, other.spec.full_name());
            return Err(InstallError::rule(path, message, "make a pack that holds each gem in one version"));
        }
    }
    let plugins: Vec<_> = gems.values().filter(|gem| gem.is_plugin).map(|gem| &gem.spec.name[..]).collect();
    if plugins.is_empty() {
        let message = "there is no gem in it: neither `logstash/NAME.gem`, as in an offline pack, nor one gem alone";
        let help = "make the package with `logstash-plugin prepare-offline-pack`";
        return Err(InstallError::rule(&"the package", message, help));
    }
    if !plugins.contains(&job.name) {
        let message = format!("it holds `{}` and not `{}`", plugins.join("` and `"), job.name);
        return Err(InstallError::rule(&"the package", message, "call the plugin in the recipe as its gem is called"));
    }
    Ok(gems)
}

/// Whether a file is a gem, by its name.
fn is_gem(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "gem")
}

/// Whether the gem at a place of a package is a plugin or what a plugin needs; `None` where it is no gem's place.
fn place(path: &ImagePath) -> Option<bool> {
    let parts: Vec<_> = path.components().collect();
    match parts[..] {
        _ if !is_gem(path.file_name()) => None,
        [_] | ["logstash", _] => Some(true),
        ["logstash", "dependencies", _] => Some(false),
        _ => None,
    }
}

fn open(
    job: &Job<'_>,
    path: &ImagePath,
    file: &Node,
    digest: Digest,
    is_plugin: bool,
) -> Result<PackedGem, InstallError> {
    let gem = unpack::gem(path.as_str(), job.package.contents.open(&digest)?, (job.scratch)()?, &Limits::default());
    let gem = gem.map_err(|error| match error {
        UnpackError::Io { source, .. } | UnpackError::Stopped { source, .. } => InstallError::Package(source),
        UnpackError::Refused { archive, entry, message, help } => {
            let what = entry.map_or_else(|| message.clone(), |entry| format!("{entry}: {message}"));
            InstallError::rule(&archive, what, help)
        }
    })?;
    let wrong = |what: &str| InstallError::rule(path, what.to_owned(), "ask whoever made the gem, or build it anew");
    let spec = Specification::read(&gem.metadata).map_err(|what| wrong(&format!("its metadata: {what}")))?;
    if !spec.extensions.is_empty() {
        let message = format!("`{}` has code that is compiled as it is installed, which no JRuby runs", spec.name);
        return Err(InstallError::rule(path, message, "take the gem that its publisher made for the platform `java`"));
    }
    if is_plugin && spec.metadata.get("logstash_plugin").is_none_or(|value| value != "true") {
        let message = format!("`{}` is no plugin: its metadata do not say `logstash_plugin`", spec.name);
        return Err(InstallError::rule(path, message, "a gem that a plugin needs comes in a pack with the plugin"));
    }
    Ok(PackedGem { path: path.clone(), file: file.clone(), digest, is_plugin, spec, unpacked: gem.unpacked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gems_have_their_places() {
        let of = |path: &str| place(&path.parse().unwrap());
        assert_eq!((of("/a-1.gem"), of("/logstash/a-1.gem")), (Some(true), Some(true)));
        assert_eq!(of("/logstash/dependencies/a-1.gem"), Some(false));
        for elsewhere in ["/gem", "/a.zip", "/logstash/a.gem.sig", "/x/a.gem", "/logstash/dependencies/x/a.gem"] {
            assert_eq!(of(elsewhere), None, "{elsewhere}");
        }
    }
}
