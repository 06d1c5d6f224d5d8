//! `elkbake.toml`: where to push, where to fetch from instead, and what holds for all recipes of a project.
//!
//! Everything in it has a default, so that a project needs no such file.

mod ec2;
mod ecr;
mod permission;
mod shelf;
mod target;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::name::{Platform, RecipeName, Registry};
use crate::recipe::{ProjectPath, Region, Url};
use crate::text::{self, Document, Reader, TextError, table};

pub use ec2::Ec2;
pub use ecr::{Ecr, Encryption, Replication, owner as ecr_owner};
pub use permission::{Need, On, PERMISSIONS, Permission};
pub use shelf::Shelf;
pub use target::{CURRENT, Place, Target};

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
        /// Container engines, for `[[run]]` steps and `elkbake load`.
        pub engine: EngineNames = EngineNames::default(),
        /// What counts where a recipe or a command says nothing.
        pub defaults: Defaults = Defaults::default(),
    }

    /// Where container engines are: `"unix:///PATH"`, `"tcp://HOST:PORT"` or `"ssh://USER@HOST"`.
    pub struct EngineNames {
        /// The one for all platforms.
        pub address: Option<String>,
        /// Those for one platform only, as `"linux/arm64"` is.
        pub platform: BTreeMap<Platform, String>,
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
            engine: EngineNames::default(),
            defaults: Defaults::default(),
        }
    }
}

#[expect(clippy::derivable_impls, reason = "`table!` derives what reading needs")]
impl Default for EngineNames {
    fn default() -> Self {
        Self { address: None, platform: BTreeMap::new() }
    }
}

/// The target that counts where nobody names one.
const LOCAL: &str = "local";

/// Where that is, from the project's folder.
const LOCAL_FOLDER: &str = ".elkbake/local";

impl Project {
    /// The name of the target that counts where a command names none.
    #[must_use]
    pub fn default_target(&self) -> &str {
        self.defaults.target.as_ref().map_or(LOCAL, RecipeName::as_str)
    }

    /// A target by its name. `local` is there without being said.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<Cow<'_, Target>> {
        let said = self.target.iter().find(|(known, _)| known.as_str() == name);
        match said {
            Some((_, target)) => Some(Cow::Borrowed(target)),
            None if name == LOCAL => LOCAL_FOLDER.parse().ok().map(|folder| Cow::Owned(Target::in_folder(folder))),
            None => None,
        }
    }

    /// Where the records of the default target are, from the project's folder.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        let target = self.target(self.default_target());
        target.map_or_else(PathBuf::new, |target| PathBuf::from(target.manifest()))
    }

    /// One registry is spoken to in one way.
    fn check_ecr(&self, reader: &mut Reader) {
        let mut seen: BTreeMap<(&str, &Region), (&RecipeName, &Ecr)> = BTreeMap::new();
        for (name, target) in &self.target {
            let Some(ecr) = &target.ecr else { continue };
            for region in &ecr.regions {
                let Some((other, before)) = seen.insert((&ecr.account, region), (name, ecr)) else { continue };
                let way =
                    |ecr: &'_ Ecr| (ecr.role.clone(), ecr.external_id.clone(), ecr.endpoints.get(region).cloned());
                if way(before) != way(ecr) {
                    let message = format!(
                        "the targets `{other}` and `{name}` are in one registry, account {} in {region}, and reach it otherwise",
                        ecr.account
                    );
                    let help = "say the same `role`, `external_id` and `endpoints` in both";
                    reader.mistake(&format!("target.{name}.ecr"), message, help);
                }
            }
        }
    }

    fn check(&self, reader: &mut Reader) {
        let unknown = |name: &&RecipeName| name.as_str() != LOCAL && !self.target.contains_key(*name);
        if let Some(name) = self.defaults.target.as_ref().filter(unknown) {
            let help = format!("add `[target.{name}]`, or name one that is there");
            reader.mistake("defaults.target", format!("there is no target `{name}`"), &help);
        }
        self.check_ecr(reader);
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
        let ecr = |name: &str, role: &str| {
            format!(
                "[target.{name}]\nmanifest = \"{name}.json\"\n[target.{name}.ecr]\naccount = \"123456789012\"\n\
                 regions = [\"eu-west-1\"]\nrole = \"arn:aws:iam::123456789012:role/{role}\"\n"
            )
        };
        assert!(read(&(ecr("a", "x") + &ecr("b", "x"))).is_ok());
        let torn = read(&(ecr("a", "x") + &ecr("b", "y"))).unwrap_err();
        assert!(torn.contains("the targets `a` and `b` are in one registry"), "{torn}");
        let unknown = read("[defaults]\ntarget = \"prod\"\n").unwrap_err();
        assert!(unknown.contains("elkbake.toml:2:10: there is no target `prod`"), "{unknown}");
    }

    #[test]
    fn a_target_is_one_place() {
        let project = read(
            "[target.reg]\nregistry = \"registry.corp:5000/elk\"\nmanifest = \"reg.json\"\n\
             [target.prod]\nmanifest = \"prod.json\"\n[target.prod.ecr]\naccount = \"123456789012\"\n\
             regions = [\"eu-west-1\", \"cn-north-1\"]\nprefix = \"elk\"\nkeep = 10\nreaders = [\"210987654321\"]\n",
        );
        let project = project.unwrap();
        let kibana = "kibana".parse().unwrap();
        let reg = project.target("reg").unwrap();
        let Some(Place::Registry(shelf)) = reg.place() else { panic!("a registry is another place") };
        assert_eq!(shelf.repository(&kibana).unwrap().to_string(), "registry.corp:5000/elk/kibana");
        let prod = project.target("prod").unwrap();
        let Some(Place::Ecr(ecr)) = prod.place() else { panic!("ECR is another place") };
        let places: Vec<_> = ecr.regions.iter().map(|region| ecr.shelf(region).unwrap().to_string()).collect();
        assert_eq!(
            places,
            [
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/elk",
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/elk"
            ]
        );
        let local = Project::default();
        let local = local.target("local").unwrap();
        assert!(matches!(local.place(), Some(Place::Layouts(folder)) if folder.as_str() == ".elkbake/local"));
        assert!(Project::default().target("prod").is_none());
    }

    #[test]
    fn a_target_that_contradicts_itself_is_refused() {
        let ecr = "[target.x.ecr]\naccount = \"123456789012\"\nregions = [\"eu-west-1\"]\n";
        for (text, expected) in [
            ("[target.x]\n".to_owned(), "nobody knows where this is"),
            ("[target.x]\noci = \"a\"\nregistry = \"r.corp\"\n".to_owned(), "this is two places: `oci` and `registry`"),
            (
                "[target.x]\nregistry = \"123456789012.dkr.ecr.eu-west-1.amazonaws.com\"\n".to_owned(),
                "which has more to it than other registries",
            ),
            ("[target.x]\noci = \"a\"\nmanifest_repository = \"m\"\n".to_owned(), "no need of a repository"),
            ("[target.x.ecr]\naccount = \"1\"\nregions = []\n".to_owned(), "`1` is no AWS account"),
            ("[target.x.ecr]\naccount = \"123456789012\"\nregions = []\n".to_owned(), "there is no region to push to"),
            (format!("{ecr}endpoints = {{ eu-west-2 = \"localhost:1\" }}\n"), "this target is not in eu-west-2"),
            (
                format!("{ecr}endpoints = {{ eu-west-1 = \"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com\" }}\n"),
                "is account 123456789012 in us-east-1, and this is account 123456789012 in eu-west-1",
            ),
            (
                format!("{ecr}endpoints = {{ eu-west-1 = \"210987654321.dkr-ecr.eu-west-1.on.aws:443\" }}\n"),
                "is account 210987654321 in eu-west-1, and this is account 123456789012 in eu-west-1",
            ),
            (
                format!(
                    "[target.x]\nmanifest_repository = \"m\"\n{ecr}mutable_tags = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n"
                ),
                "ECR takes at most 5 filters, and m needs one for `current`",
            ),
            (format!("{ecr}replication = \"existing\"\n"), "there is one region"),
            (format!("{ecr}external_id = \"x\"\n"), "there is no role"),
            (format!("{ecr}role = \"arn:aws:iam::123456789012:user/x\"\n"), "is no role"),
            (format!("{ecr}kms_key = \"alias/x\"\n"), "nothing is encrypted with it"),
            (format!("{ecr}mutable_tags = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]\n"), "at most 5 filters"),
            (format!("{ecr}mutable_tags = [\"***\"]\n"), "is no filter of tags"),
            (format!("{ecr}keep = 0\n"), "more than 0"),
            (format!("{ecr}readers = [\"me\"]\n"), "`me` is no reader"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn mistakes_have_places() {
        let error = read("[target.x]\noci = \"/abs\"\n[registry.\"a b\"]\n[default]\n").unwrap_err();
        for place in ["elkbake.toml:2:7", "elkbake.toml:3:11", "elkbake.toml:4:2: unknown key `default`"] {
            assert!(error.contains(place), "{error}");
        }
    }
}
