//! A Kibana plugin, put where Kibana's own installer puts it.
//!
//! A plugin is files and nothing else since Kibana builds no bundles of its own any more (7.10). Its zip holds
//! `kibana/FOLDER/kibana.json` with all files beside it, and they go to `plugins/ID`. Kibana's installer looks at
//! id and version only; what else `kibana.json` has to say is read when Kibana starts, and a mistake in it keeps Kibana from
//! starting. Both are checked here.

mod manifest;

use super::plugin::{InstallError, Installed, Job, PluginFacts};
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner, Tree};
use manifest::{Manifest, Triple, dotted};

/// Where Kibana is, in all of its images.
const HOME: &str = "/usr/share/kibana";

/// Where the plugins are.
const PLUGINS: &str = "/usr/share/kibana/plugins";

/// What Kibana says of itself.
const PACKAGE: &str = "/usr/share/kibana/package.json";

/// Where the installer unpacks to, before it gives a plugin its name.
const STAGING: &str = ".plugin.installing";

/// More than any `kibana.json` or `package.json` has.
const LONGEST_JSON: u64 = 1 << 20;

/// The user in Kibana's images. All files belong to group 0, which may do whatever the user may, so that the image also
/// runs as any other user of that group.
const OWNER: Owner = Owner { uid: 1000, gid: 0 };

/// Folders give their group to what is made in them, as all folders of the image do.
const FOLDER: Mode = Mode::new(0o2775);

/// Whether the bytes of a file of the base are asked for.
#[must_use]
pub fn interest(path: &ImagePath) -> bool {
    path.as_str() == PACKAGE
}

/// Makes a plugin's files out of its package.
///
/// # Errors
/// When package and image do not fit together, or cannot be read.
pub fn install(job: &Job<'_>) -> Result<Installed, InstallError> {
    let (folder, file) = find(job)?;
    let manifest = Manifest::parse(&file, &bytes(job, &file)?)?;
    let kibana = kibana_version(job)?;
    if kibana < (7, 10, 0) {
        return Err(InstallError::rule(
            &file,
            format!("Kibana {} builds bundles of a plugin when it is installed", dotted(kibana)),
            "build on Kibana 7.10 or newer, which takes plugins as they are, or install it by `[[run]]`",
        ));
    }
    manifest.check(&file, kibana)?;
    check_name(job, &file, &manifest.id)?;
    let home = place(&file, PLUGINS)?;
    check_free(job, &file, &home, &manifest.id)?;
    let to = home.join(&manifest.id).map_err(|error| InstallError::rule(&file, error.to_string(), "rename it"))?;
    let facts = PluginFacts { name: manifest.id, version: manifest.version, ..PluginFacts::default() };
    Ok(Installed { tree: moved(&job.package.tree, &folder, &to)?, contents: job.package.contents.clone(), facts })
}

/// The one plugin that a package holds: its folder and its `kibana.json`.
fn find(job: &Job<'_>) -> Result<(ImagePath, ImagePath), InstallError> {
    let tree = &job.package.tree;
    let top = place(&job.name, "/kibana")?;
    let is_file = |path: &ImagePath| matches!(tree.get(path), Some(Entry { node: Node::File { .. }, .. }));
    let within = |name: &str, file: &str| {
        let folder = top.join(name).ok()?;
        let file = folder.join(file).ok().filter(is_file)?;
        Some((folder, file))
    };
    let mut found = tree.names(&top).filter_map(|name| within(name, "kibana.json"));
    match (found.next(), found.next()) {
        (Some(plugin), None) => Ok(plugin),
        (Some((_, one)), Some((_, other))) => Err(InstallError::rule(
            &other,
            format!("the package holds a second plugin beside {one}"),
            "pack each plugin into a zip of its own: Kibana's installer takes the first it meets and says nothing",
        )),
        (None, _) => {
            let source = tree.names(&top).find_map(|name| within(name, "kibana.jsonc"));
            let file = source.map_or_else(|| job.name.to_owned(), |(_, file)| file.to_string());
            Err(InstallError::rule(
                &file,
                "the package holds no `kibana/FOLDER/kibana.json`",
                "build the plugin with `yarn plugin-helpers build`: a zip of its sources cannot be installed",
            ))
        }
    }
}

/// The version of the Kibana in the base; where the base says nothing, the recipe's.
fn kibana_version(job: &Job<'_>) -> Result<Triple, InstallError> {
    let Some(package) = job.below.bytes(&place(&job.name, PACKAGE)?, LONGEST_JSON)? else {
        return manifest::triple(job.version.as_str()).ok_or_else(|| {
            InstallError::rule(
                &job.name,
                format!("the base has no `{PACKAGE}`, and `{}` is no version of Kibana", job.version),
                "build on an image of Kibana, or write its version as N.N.N into the recipe",
            )
        });
    };
    let json: serde_json::Value = serde_json::from_slice(&package).unwrap_or_default();
    json["version"].as_str().and_then(manifest::triple).ok_or_else(|| {
        InstallError::rule(
            &job.name,
            format!("the `{PACKAGE}` of the base does not say which version of Kibana it is"),
            format!("build on an image whose `{HOME}` is as Kibana was released"),
        )
    })
}

fn check_name(job: &Job<'_>, file: &ImagePath, id: &str) -> Result<(), InstallError> {
    if id == job.name {
        return Ok(());
    }
    let message = format!("this is the plugin `{id}`, and the recipe calls it `{}`", job.name);
    Err(InstallError::rule(file, message, format!("write `name = \"{id}\"`, or name another package")))
}

/// Whether nothing is in the plugin's way, and no half of another one is left behind.
fn check_free(job: &Job<'_>, file: &ImagePath, home: &ImagePath, id: &str) -> Result<(), InstallError> {
    for name in job.below.names(home)? {
        let remove = format!("remove = [\"{home}/{name}\"]");
        if name == id {
            let message = format!("the image has `{home}/{name}` already");
            return Err(InstallError::rule(file, message, format!("take it out first, with `{remove}` in the recipe")));
        }
        if name == STAGING {
            let message = format!("`{home}/{name}` is what an installation left behind that was broken off");
            return Err(InstallError::rule(file, message, format!("take it out, with `{remove}` in the recipe")));
        }
    }
    Ok(())
}

/// The folder's files where the plugin belongs, with modes and owner as if they had been in the image from the start.
fn moved(package: &Tree, folder: &ImagePath, to: &ImagePath) -> Result<Tree, InstallError> {
    let mut tree = Tree::default();
    let add = |tree: &mut Tree, path: ImagePath, mode, node| {
        let mut parent = path.parent();
        // A zip need not name its folders.
        while let Some(path) = parent.filter(|path| path.is_within(to) && tree.get(path).is_none()) {
            parent = path.parent();
            tree.insert(path, Entry { mode: FOLDER, owner: OWNER, node: Node::Folder });
        }
        tree.insert(path, Entry { mode, owner: OWNER, node });
    };
    for (path, entry) in package.within(folder) {
        let rest = &path.as_str()[folder.as_str().len()..];
        let target = place(path, &format!("{to}{rest}"))?;
        match &entry.node {
            Node::Folder => add(&mut tree, target, FOLDER, Node::Folder),
            Node::File { .. } => add(&mut tree, target, file_mode(entry.mode), entry.node.clone()),
            Node::Link(text) => {
                return Err(InstallError::rule(
                    path,
                    format!("this is a link to `{text}`, of which Kibana's installer would make a file with that text"),
                    "pack the file itself",
                ));
            }
        }
    }
    Ok(tree)
}

/// As the package says, without what others might write and without set-id bits, and with everything for the group that
/// the owner has. Zips made on Windows say nothing, which would make files that nobody can read.
fn file_mode(said: Mode) -> Mode {
    let bits = if said.bits() & 0o400 == 0 { 0o644 } else { said.bits() & 0o755 };
    let owner = bits & 0o700;
    Mode::new(owner | owner >> 3 | bits & 0o005)
}

fn place(of: &impl ToString, text: &str) -> Result<ImagePath, InstallError> {
    text.parse().map_err(|error: crate::name::NameError| {
        InstallError::rule(of, error.to_string(), "give the plugin's files shorter names")
    })
}

fn bytes(job: &Job<'_>, path: &ImagePath) -> Result<Vec<u8>, InstallError> {
    match job.package.tree.get(path) {
        Some(Entry { node: Node::File { digest, .. }, .. }) => Ok(job.package.contents.bytes(digest, LONGEST_JSON)?),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
