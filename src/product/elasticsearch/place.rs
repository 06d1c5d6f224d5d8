//! Where the files of a package come to lie: as Elasticsearch's own installer moves them.

use super::descriptor::{Descriptor, Triple};
use super::home::{Home, at, installer};
use crate::product::plugin::{InstallError, Installed};
use crate::tree::{Entry, Mode, Node, Owner};
use crate::unpack::Unpacked;

const FOLDER: Mode = Mode::new(0o755);
const PROGRAM: Mode = Mode::new(0o755);
const FILE: Mode = Mode::new(0o644);
const CONFIG_FOLDER: Mode = Mode::new(0o750);
const CONFIG_FILE: Mode = Mode::new(0o660);

/// Puts the files of a package to their places.
///
/// Folders are made for files only, as the installer does: an empty one is not unpacked.
pub(super) fn place(
    package: &Unpacked,
    descriptor: &Descriptor,
    version: Triple,
    home: Home<'_>,
) -> Result<Installed, InstallError> {
    let owner = installer(version);
    let config = home.owner("config")?.unwrap_or(owner);
    let mut placing = Placing { name: &descriptor.name, home, owner, config, installed: Installed::default() };
    for (path, entry) in package.tree.iter() {
        let parts: Vec<_> = path.components().collect();
        match &entry.node {
            Node::Link(target) => {
                let message = format!("it is a link to `{target}`, and Elasticsearch's installer makes none");
                return Err(InstallError::rule(path, message, "put the file itself into the package"));
            }
            Node::Folder => {}
            Node::File { .. } => placing.file(&parts, &entry.node)?,
        }
    }
    let mut installed = placing.installed;
    installed.contents = package.contents.clone();
    Ok(installed)
}

struct Placing<'a> {
    name: &'a str,
    home: Home<'a>,
    owner: Owner,
    /// Who owns the configuration.
    config: Owner,
    installed: Installed,
}

impl Placing<'_> {
    fn file(&mut self, parts: &[&str], node: &Node) -> Result<(), InstallError> {
        let relative = parts.join("/");
        match parts {
            [folder @ ("bin" | "config")] => Err(InstallError::rule(
                &relative,
                format!("`{folder}` is a file"),
                "it is a folder, or is not there at all",
            )),
            ["bin", name] => self.program(name, node),
            ["config", name] => self.config(name, node),
            [folder @ ("bin" | "config"), ..] => {
                let message =
                    format!("there is a folder in `{folder}`, and the installer of Elasticsearch takes files only");
                Err(InstallError::rule(
                    &relative,
                    message,
                    format!("move its files directly into `{folder}` of the package"),
                ))
            }
            _ => self.part(parts, node),
        }
    }

    fn program(&mut self, name: &str, node: &Node) -> Result<(), InstallError> {
        let folder = format!("bin/{}", self.name);
        let file = format!("{folder}/{name}");
        if self.home.entry(&file)?.is_some() {
            let help = "remove it from the image below, or give the plugin's own another name";
            return Err(InstallError::rule(&format!("bin/{name}"), format!("the image has a `{file}` already"), help));
        }
        self.put(&folder, FOLDER, self.owner, Node::Folder)?;
        self.put(&file, PROGRAM, self.owner, node.clone())
    }

    fn config(&mut self, name: &str, node: &Node) -> Result<(), InstallError> {
        let folder = format!("config/{}", self.name);
        let file = format!("{folder}/{name}");
        self.put(&folder, CONFIG_FOLDER, self.config, Node::Folder)?;
        if self.home.entry(&file)?.is_some() {
            // Somebody's settings: the installer keeps them too.
            return Ok(());
        }
        self.put(&file, CONFIG_FILE, self.config, node.clone())
    }

    fn part(&mut self, parts: &[&str], node: &Node) -> Result<(), InstallError> {
        let Some((name, folders)) = parts.split_last() else { return Ok(()) };
        let mut path = format!("plugins/{}", self.name);
        self.put(&path, FOLDER, self.owner, Node::Folder)?;
        for folder in folders {
            path = format!("{path}/{folder}");
            self.put(&path, FOLDER, self.owner, Node::Folder)?;
        }
        let runs = folders.last().copied().unwrap_or(self.name) == "bin";
        self.put(&format!("{path}/{name}"), if runs { PROGRAM } else { FILE }, self.owner, node.clone())
    }

    fn put(&mut self, relative: &str, mode: Mode, owner: Owner, node: Node) -> Result<(), InstallError> {
        self.installed.tree.insert(at(relative)?, Entry { mode, owner, node });
        Ok(())
    }
}
