//! `elkbake schema`.

use clap::{Args, ValueEnum};

use super::failure::{Exit, Failure};
use super::ui::Ui;
use crate::lock::Lock;
use crate::project::Project;
use crate::recipe::Recipe;
use crate::record::Manifest;
use crate::text::Read;

/// Print the JSON Schema of a file that elkbake reads or writes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake schema > recipe.schema.json  # for an editor: recipes/*.toml
  elkbake schema project               # elkbake.toml
  elkbake schema manifest              # bake-manifest.json, for deploy tools")]
pub(super) struct SchemaArgs {
    /// Of which file
    #[arg(value_enum, default_value_t = Of::Recipe)]
    of: Of,
}

/// The files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// recipes/NAME.toml
    Recipe,
    /// elkbake.toml
    Project,
    /// recipes/NAME.lock
    Lock,
    /// bake-manifest.json
    Manifest,
}

pub(super) fn schema(args: &SchemaArgs, ui: &Ui) -> Result<Exit, Failure> {
    let (title, schema) = match args.of {
        Of::Recipe => ("elkbake recipe", Recipe::schema()),
        Of::Project => ("elkbake.toml", Project::schema()),
        Of::Lock => ("elkbake lock", Lock::schema()),
        Of::Manifest => ("elkbake manifest", Manifest::schema()),
    };
    let mut document = serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
    });
    if let (Some(document), Some(schema)) = (document.as_object_mut(), schema.as_object()) {
        document.extend(schema.clone());
    }
    ui.json(&document)?;
    Ok(Exit::Done)
}
