//! What may be typed: the commands, and the contract about exit codes.

use clap::{Parser, Subcommand};

use super::global::Global;
use super::{
    build, check, diff, export, inspect, load, lock, manifest, plan, promote, prune, push, schema, shell, store, sweep,
    test, verify,
};

/// Bake the container images and host AMIs that an Elastic stack runs on in AWS ECS.
#[derive(Debug, Parser)]
#[command(name = "elkbake", version, propagate_version = true, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The contract with scripts. README.md and a test hold the same table.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a check, a verification or a test failed
  2    the command line is wrong
  3    bad input: a recipe, lock, artefact or file that is wrong or cannot be read or written
  4    the network or a registry
  5    AWS
  6    Docker: a container engine, or a command of a recipe that runs there
  7    refused: a tag that may not move, a secret, an image that no test passed
  130  interrupted

`elkbake help COMMAND` shows examples. The project is the nearest folder upwards that holds elkbake.toml, or recipes/ where there is no such file.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(check::CheckArgs),
    Lock(lock::LockArgs),
    Plan(plan::PlanArgs),
    Build(build::BuildArgs),
    Test(test::TestArgs),
    Load(load::LoadArgs),
    Push(push::PushArgs),
    Promote(promote::PromoteArgs),
    Inspect(inspect::InspectArgs),
    Diff(diff::DiffArgs),
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
    Manifest(manifest::ManifestArgs),
    Schema(schema::SchemaArgs),
    Store(store::StoreArgs),
    Prune(prune::PruneArgs),
    Sweep(sweep::SweepArgs),
    Completions(shell::CompletionsArgs),
    #[command(hide = true)]
    Man(shell::ManArgs),
}
