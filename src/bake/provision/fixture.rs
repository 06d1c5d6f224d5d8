//! Targets for the tests.

use std::path::Path;

use crate::project::{self, Ecr};

/// A target in two regions, with more said of it.
pub(super) fn ecr(more: &str) -> Ecr {
    let text =
        format!("[target.prod.ecr]\naccount = \"123456789012\"\nregions = [\"eu-west-1\", \"us-east-1\"]\n{more}\n");
    let project = project::parse(Path::new("elkbake.toml"), &text).unwrap();
    project.value.target.into_values().next().unwrap().ecr.unwrap()
}
