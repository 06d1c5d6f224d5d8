//! What may be typed with every command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// The project's folder, instead of the nearest one upwards
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub(super) project: Option<PathBuf>,
    /// The store's folder, instead of `ELKBAKE_STORE` or the one in the user's cache
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) store: Option<PathBuf>,
    /// The container engine, where one is needed: `unix:///PATH`, `tcp://HOST:PORT` or `ssh://USER@HOST`, with
    /// `PLATFORM=` before it where it is for one platform only; instead of `[engine]` in elkbake.toml and `DOCKER_HOST`
    #[arg(long, value_name = "ENGINE", global = true)]
    pub(super) engine: Vec<String>,
    /// The revision that the project is at: images say it in their annotations, and it becomes part of their keys
    #[arg(long, value_name = "REVISION", global = true)]
    pub(super) revision: Option<String>,
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
