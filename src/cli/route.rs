//! From the names of targets to the repositories that an image goes to.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::workspace::Workspace;
use crate::bake::push::layout_of;
use crate::name::{Reference, Repository};
use crate::project::{Place, Target};
use crate::recipe::{ProjectPath, Region};
use crate::record::{Manifest, Record};

/// A target that was named.
pub(super) struct Route<'r> {
    pub(super) name: String,
    pub(super) target: Cow<'r, Target>,
}

/// One repository that an image goes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// An OCI layout: from the project's folder, and from here.
    Folder { said: ProjectPath, path: PathBuf },
    /// A repository of a registry, of ECR in a region. What is `awaited` is brought there by ECR itself.
    Repository { region: Option<Region>, into: Reference, awaited: bool },
}

impl Stop {
    /// What people call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Folder { said, .. } => format!("oci:{said}"),
            Self::Repository { into, .. } => into.to_string(),
        }
    }

    /// The same, brought there by us: what is small and moves is not to wait for others.
    pub(super) fn not_awaited(self) -> Self {
        match self {
            Self::Repository { region, into, .. } => Self::Repository { region, into, awaited: false },
            folder @ Self::Folder { .. } => folder,
        }
    }

    /// A repository of ECR, with its region.
    pub(super) fn in_region(&self) -> Option<(Region, Reference)> {
        match self {
            Self::Repository { region: Some(region), into, .. } => Some((region.clone(), into.clone())),
            _ => None,
        }
    }

    /// Whether somebody else brings images there.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Repository { awaited: true, .. })
    }

    pub(super) fn region(&self) -> Option<&Region> {
        match self {
            Self::Folder { .. } => None,
            Self::Repository { region, .. } => region.as_ref(),
        }
    }
}

impl Route<'_> {
    /// What is recorded of it, for commands that can do nothing without.
    pub(super) fn records(&self, workspace: &Workspace) -> Result<Manifest, Failure> {
        let Self { name, target } = self;
        workspace.manifest(Some(name))?.ok_or_else(|| {
            Failure::input(format!("nothing is recorded of the target {name}: {} does not exist", target.manifest()))
                .hint(format!("run `elkbake push --target {name}` first, or name another target"))
        })
    }

    /// Where a repository of this target is: of ECR once in each region, the first of which is the first.
    pub(super) fn stops(&self, root: &Path, repository: &Repository) -> Result<Vec<Stop>, Failure> {
        match self.target.place() {
            Some(Place::Layouts(folder)) => {
                let said = format!("{}/{repository}", folder.as_str().trim_end_matches('/'));
                let path = layout_of(&folder.below(root), repository);
                Ok(vec![Stop::Folder { said: said.parse().map_err(Failure::input)?, path }])
            }
            Some(Place::Registry(shelf)) => {
                let into = shelf.repository(repository).map_err(Failure::input)?;
                Ok(vec![Stop::Repository { region: None, into, awaited: false }])
            }
            Some(Place::Ecr(ecr)) => {
                let stop = |(i, region): (usize, &Region)| {
                    let into = ecr.shelf(region).and_then(|shelf| shelf.repository(repository));
                    let awaited = i > 0 && ecr.replication.is_some();
                    Ok(Stop::Repository { region: Some(region.clone()), into: into.map_err(Failure::input)?, awaited })
                };
                ecr.regions.iter().enumerate().map(stop).collect()
            }
            None => Err(Failure::input(format!("nobody knows where the target {} is", self.name))),
        }
    }
}

impl Route<'_> {
    /// What a repository of this target is called without what all paths of the target begin with.
    pub(super) fn repository_of(&self, reference: &Reference) -> Option<Repository> {
        let prefix = match self.target.place()? {
            Place::Layouts(_) => None,
            Place::Registry(shelf) => shelf.prefix(),
            Place::Ecr(ecr) => ecr.prefix.as_ref(),
        };
        match prefix {
            Some(prefix) => {
                reference.repository.as_str().strip_prefix(prefix.as_str())?.strip_prefix('/')?.parse().ok()
            }
            None => Some(reference.repository.clone()),
        }
    }

    /// The same for a layout of the target's folder.
    pub(super) fn repository_in_folder(&self, layout: &ProjectPath) -> Option<Repository> {
        let Some(Place::Layouts(folder)) = self.target.place() else { return None };
        Path::new(layout.as_str()).strip_prefix(folder.as_str()).ok()?.to_str()?.parse().ok()
    }
}

/// A record, with these places for its own.
pub(super) fn placed(record: &Record, stops: &[Stop]) -> Record {
    let at = |into: &Reference| record.digest.map(|digest| into.at(digest));
    let (mut reference, mut layout) = (None, None);
    match stops.first() {
        Some(Stop::Folder { said, .. }) => layout = Some(said.clone()),
        Some(Stop::Repository { into, .. }) => reference = at(into),
        None => {}
    }
    let regions = stops.iter().filter_map(Stop::in_region).filter_map(|(region, into)| Some((region, at(&into)?)));
    Record { reference, layout, regions: regions.collect(), ..record.clone() }
}

/// A target by its name, the project's default where none is given.
pub(super) fn route<'w>(workspace: &'w Workspace, named: Option<&'w str>) -> Result<Route<'w>, Failure> {
    let (name, target) = workspace.target(named)?;
    Ok(Route { name: name.to_owned(), target })
}

/// The targets that were named, each once; the project's default where none was.
pub(super) fn routes<'w>(workspace: &'w Workspace, named: &'w [String]) -> Result<Vec<Route<'w>>, Failure> {
    if named.is_empty() {
        return Ok(vec![route(workspace, None)?]);
    }
    let mut routes: Vec<Route<'w>> = Vec::new();
    for name in named {
        if routes.iter().all(|route| route.name != *name) {
            routes.push(route(workspace, Some(name))?);
        }
    }
    Ok(routes)
}
