//! A place to push to, as `elkbake.toml` names it.

use super::ec2::Ec2;
use super::ecr::{Ecr, MOST_FILTERS};
use super::shelf::Shelf;
use crate::name::Repository;
use crate::recipe::ProjectPath;
use crate::text::{Reader, table};

/// The tag of records that are pushed, which moves with each of them.
pub const CURRENT: &str = "current";

/// Where a target's records are where nothing is said.
const MANIFEST: &str = "bake-manifest.json";

table! {
    /// A place to push to: one of `oci`, `registry` and `ecr` says which, for images; `ec2` for AMIs, beside it or alone.
    #[checked(check)]
    pub struct Target {
        /// A folder of the project with an OCI layout for each repository.
        pub oci: Option<ProjectPath>,
        /// A registry, and what the paths of all repositories in it begin with: `"registry.example.com:5000/elk"`.
        pub registry: Option<Shelf>,
        /// Amazon ECR, in one account and in one or more regions.
        pub ecr: Option<Ecr>,
        /// The account in which AMIs are made.
        pub ec2: Option<Ec2>,
        /// Where the records of this target are, for deploy tools; `bake-manifest.json` where nothing is said.
        pub manifest: Option<ProjectPath>,
        /// A repository of the target that the records are pushed into as well, for tools that cannot read a file: an OCI artifact under the tag `current`.
        pub manifest_repository: Option<Repository>,
    }
}

/// The kinds of places, once it is certain that a target is one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place<'t> {
    /// A folder with layouts.
    Layouts(&'t ProjectPath),
    /// A registry.
    Registry(&'t Shelf),
    /// ECR.
    Ecr(&'t Ecr),
}

impl Target {
    /// The target in a folder of the project.
    #[must_use]
    pub fn in_folder(folder: ProjectPath) -> Self {
        Self { oci: Some(folder), registry: None, ecr: None, ec2: None, manifest: None, manifest_repository: None }
    }

    /// Where this target's records are, from the project's folder.
    #[must_use]
    pub fn manifest(&self) -> &str {
        self.manifest.as_ref().map_or(MANIFEST, ProjectPath::as_str)
    }

    /// What kind of place for images it is; `None` where it is one for AMIs only.
    #[must_use]
    pub fn place(&self) -> Option<Place<'_>> {
        match (&self.oci, &self.registry, &self.ecr) {
            (Some(folder), None, None) => Some(Place::Layouts(folder)),
            (None, Some(shelf), None) => Some(Place::Registry(shelf)),
            (None, None, Some(ecr)) => Some(Place::Ecr(ecr)),
            _ => None,
        }
    }

    fn check(&self, reader: &mut Reader) {
        let kinds = [("oci", self.oci.is_some()), ("registry", self.registry.is_some()), ("ecr", self.ecr.is_some())];
        let said: Vec<&str> = kinds.iter().filter(|(_, is_said)| *is_said).map(|(kind, _)| *kind).collect();
        match said[..] {
            [] if self.ec2.is_some() => {}
            [] => {
                let help = "say one of `oci`, `registry` and `[target.NAME.ecr]`, or `[target.NAME.ec2]` for AMIs";
                reader.mistake("", "nobody knows where this is", help);
            }
            [one, other, ..] => {
                let message = format!("this is two places: `{one}` and `{other}`");
                reader.mistake(other, message, "make two targets of it: one push can go to several");
            }
            [_] => {}
        }
        if let (Some(registry), None) = (self.registry.as_ref().map(Shelf::registry), &self.ecr)
            && registry.as_str().contains(".dkr.ecr.")
        {
            let message = format!("{registry} is ECR, which has more to it than other registries");
            reader.mistake("registry", message, "say `[target.NAME.ecr]` with `account` and `regions`");
        }
        if let (Some(ecr), Some(repository)) = (&self.ecr, &self.manifest_repository)
            && ecr.immutable
            && ecr.mutable_tags.len() == MOST_FILTERS
            && !ecr.mutable_tags.contains(CURRENT)
        {
            let message =
                format!("ECR takes at most {MOST_FILTERS} filters, and {repository} needs one for `{CURRENT}`");
            reader.mistake("ecr.mutable_tags", message, "join some with `*`");
        }
        if self.oci.is_some() && self.manifest_repository.is_some() {
            let message = "a folder has no need of a repository for its records";
            reader.mistake("manifest_repository", message, "remove it: who can read the folder can read the file");
        }
    }
}
