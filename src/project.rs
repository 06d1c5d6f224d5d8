//! `elkbake.toml`: where to push, where to fetch from instead, and what holds for all recipes of a project.
//!
//! Everything in it has a default, so that a project needs no such file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::name::{RecipeName, Registry};
use crate::recipe::{ProjectPath, Url};
use crate::text::{self, Document, Reader, TextError, table};

table! {
    /// What holds for all recipes of a project.
    #[checked(check)]
    pub struct Project {
        /// Places to push to, by name. Without any there is `local`, an OCI layout folder in `.elkbake/local`.
        pub target: BTreeMap<RecipeName, Target>,
        /// What is fetched from elsewhere: a host, or a host and the beginning of a path, and what stands for it. The digest stays the authority.
        pub mirror: BTreeMap<String, String>,
        /// Registries that need more said than their name.
        pub registry: BTreeMap<Registry, RegistryAccess>,
        /// What counts where a recipe or a command says nothing.
        pub defaults: Defaults = Defaults::default(),
    }

    /// A place to push to.
    pub struct Target {
        /// An OCI layout folder in the project.
        pub oci: ProjectPath,
        /// Where the records of this target are, for deploy tools; `bake-manifest.json` where nothing is said.
        pub manifest: Option<ProjectPath>,
    }

    /// How to speak to a registry.
    pub struct RegistryAccess {
        /// Whether it is spoken to by plain HTTP, which a registry on the machine itself always is.
        pub plain_http: bool = false,
    }

    /// What counts where a recipe or a command says nothing.
    pub struct Defaults {
        /// The target that counts where a command names none; `local` where nothing is said.
        pub target: Option<RecipeName>,
        /// The Maven repository that coordinates are looked up in.
        pub maven: Option<Url>,
        /// A PEM file of the project with certificate authorities that are trusted beside those of the system.
        pub ca: Option<ProjectPath>,
        /// Where the project's source can be found, for the annotations of images: `"https://github.com/…"`.
        pub source: Option<Url>,
    }
}

#[expect(clippy::derivable_impls, reason = "`table!` derives what reading needs")]
impl Default for Defaults {
    fn default() -> Self {
        Self { target: None, maven: None, ca: None, source: None }
    }
}

#[expect(clippy::derivable_impls, reason = "`table!` derives what reading needs")]
impl Default for Project {
    fn default() -> Self {
        Self {
            target: BTreeMap::new(),
            mirror: BTreeMap::new(),
            registry: BTreeMap::new(),
            defaults: Defaults::default(),
        }
    }
}

/// The target that counts where nobody names one.
const LOCAL: &str = "local";

/// Where a target's records are where nothing is said.
const MANIFEST: &str = "bake-manifest.json";

impl Project {
    /// Where the records of the default target are, from the project's folder.
    #[must_use]
    pub fn manifest(&self) -> &Path {
        let name = self.defaults.target.as_ref().map_or(LOCAL, RecipeName::as_str);
        let target = self.target.iter().find(|(known, _)| known.as_str() == name);
        Path::new(target.map_or(MANIFEST, |(_, target)| target.manifest()))
    }

    fn check(&self, reader: &mut Reader) {
        let unknown = |name: &&RecipeName| name.as_str() != LOCAL && !self.target.contains_key(*name);
        if let Some(name) = self.defaults.target.as_ref().filter(unknown) {
            let help = format!("add `[target.{name}]`, or name one that is there");
            reader.mistake("defaults.target", format!("there is no target `{name}`"), &help);
        }
        let mut seen = BTreeMap::new();
        for (name, target) in &self.target {
            if let Some(other) = seen.insert(target.manifest(), name) {
                let message =
                    format!("the targets `{other}` and `{name}` would share the records in {}", target.manifest());
                reader.mistake(&format!("target.{name}"), message, "give each its own `manifest = \"…\"`");
            }
        }
    }
}

impl Target {
    fn manifest(&self) -> &str {
        self.manifest.as_ref().map_or(MANIFEST, ProjectPath::as_str)
    }
}

/// Reads the text of an `elkbake.toml`.
///
/// # Errors
/// Every mistake in it, each with its place.
pub fn parse(path: &Path, text: &str) -> Result<Document<Project>, TextError> {
    text::parse(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Project, String> {
        parse(Path::new("elkbake.toml"), text).map(|document| document.value).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_as_good_as_none() {
        assert_eq!(read("").unwrap(), Project::default());
    }

    #[test]
    fn all_of_it_is_read() {
        let project = read(
            "[target.staging]\noci = \"out/staging\"\n[mirror]\n\"docker.elastic.co\" = \"mirror.corp/elastic\"\n\
             [registry.\"registry.corp:5000\"]\nplain_http = true\n\
             [defaults]\ntarget = \"staging\"\nmaven = \"https://maven.corp/all\"\nca = \"ca.pem\"\n",
        );
        let project = project.unwrap();
        assert_eq!(project.mirror["docker.elastic.co"], "mirror.corp/elastic");
        assert!(project.registry.values().all(|registry| registry.plain_http));
        assert_eq!(project.defaults.ca.unwrap().as_str(), "ca.pem");
    }

    #[test]
    fn records_are_kept_apart_by_target() {
        assert_eq!(Project::default().manifest(), Path::new("bake-manifest.json"));
        let two =
            "[target.a]\noci = \"a\"\nmanifest = \"a.json\"\n[target.b]\noci = \"b\"\n[defaults]\ntarget = \"a\"\n";
        assert_eq!(read(two).unwrap().manifest(), Path::new("a.json"));
        let shared = read("[target.a]\noci = \"a\"\n[target.b]\noci = \"b\"\n").unwrap_err();
        assert!(shared.contains("the targets `a` and `b` would share the records"), "{shared}");
        let unknown = read("[defaults]\ntarget = \"prod\"\n").unwrap_err();
        assert!(unknown.contains("elkbake.toml:2:10: there is no target `prod`"), "{unknown}");
    }

    #[test]
    fn mistakes_have_places() {
        let error = read("[target.x]\noci = \"/abs\"\n[registry.\"a b\"]\n[default]\n").unwrap_err();
        for place in ["elkbake.toml:2:7", "elkbake.toml:3:11", "elkbake.toml:4:2: unknown key `default`"] {
            assert!(error.contains(place), "{error}");
        }
    }
}
