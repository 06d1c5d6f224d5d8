//! What shells and `man` want to know of the command line.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::ui::Ui;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake completions bash > /etc/bash_completion.d/elkbake
  elkbake completions zsh > \"${fpath[1]}/_elkbake\"
  elkbake completions fish > ~/.config/fish/completions/elkbake.fish")]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &CompletionsArgs, mut command: clap::Command, ui: &Ui) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "elkbake", &mut script);
    ui.result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Write the man pages into a folder
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Where to; it is made when missing
    folder: PathBuf,
}

pub(super) fn man(args: &ManArgs, command: clap::Command) -> Result<Exit, Failure> {
    let unwritable = |error: std::io::Error| Failure::file("cannot write man pages to", &args.folder, &error);
    fs::create_dir_all(&args.folder).map_err(unwritable)?;
    clap_mangen::generate_to(command, &args.folder).map_err(unwritable)?;
    Ok(Exit::Done)
}
