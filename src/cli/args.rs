//! What may be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::{check, lock, plan, schema, shell, store};

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
  1    a check or a verification failed
  2    the command line is wrong
  3    bad input: a recipe, lock, artefact or file that is wrong or cannot be read or written
  4    the network or a registry
  5    AWS
  6    Docker
  7    refused: a tag that may not move, a secret that may not be baked
  130  interrupted

`elkbake help COMMAND` shows examples. The project is the nearest folder upwards that holds
elkbake.toml, or recipes/ where there is no such file.";

/// What every command takes.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// The project's folder, instead of the nearest one upwards
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub(super) project: Option<PathBuf>,
    /// The store's folder, instead of the one in the user's cache
    #[arg(long, value_name = "DIR", global = true, env = "ELKBAKE_STORE", hide_env_values = true)]
    pub(super) store: Option<PathBuf>,
    /// How to tell what is going on, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", global = true, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Whether to use colour
    #[arg(long, value_enum, value_name = "WHEN", global = true, default_value_t = Color::Auto)]
    pub(super) color: Color,
    /// Tell only what went wrong
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

/// How to tell what is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Bars on a terminal, plain lines elsewhere
    Text,
    /// One JSON document a line
    Json,
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Yes
    Always,
    /// No
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(check::CheckArgs),
    Lock(lock::LockArgs),
    Plan(plan::PlanArgs),
    Schema(schema::SchemaArgs),
    Store(store::StoreArgs),
    Completions(shell::CompletionsArgs),
    #[command(hide = true)]
    Man(shell::ManArgs),
}
