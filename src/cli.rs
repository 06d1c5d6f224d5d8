//! People: what they type, what they see, and the exit code.
//!
//! Only here is anything printed, are the environment and the clock read, and is the core joined to
//! the outside world.

mod announce;
mod args;
mod build;
mod check;
mod choice;
mod courier;
mod diff;
mod engine;
mod export;
mod failure;
mod fold;
mod global;
mod ground;
mod host;
mod inspect;
mod load;
mod lock;
mod manifest;
mod order;
mod plain;
mod plan;
mod planner;
mod progress;
mod promote;
mod prune;
mod push;
mod report;
mod revision;
mod route;
mod schema;
mod shell;
mod sights;
mod size;
mod snippet;
mod store;
mod subject;
mod surroundings;
mod sweep;
mod taken;
mod test;
mod ui;
mod verify;
mod workspace;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, Command};
use failure::{Exit, Failure};
use surroundings::Surroundings;
use ui::Ui;

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let surroundings = Surroundings::of_process();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misuse(&error),
    };
    let ui = Ui::new(&args.global, &surroundings);
    let exit = match dispatch(&args, &ui, &surroundings) {
        Ok(exit) => exit,
        Err(failure) => {
            ui.failure(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn dispatch(args: &Args, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Build(args) => build::build(args, global, ui, surroundings),
        Command::Check(args) => check::check(args, global, ui, surroundings),
        Command::Lock(args) => lock::lock(args, global, ui, surroundings),
        Command::Plan(args) => plan::plan(args, global, ui, surroundings),
        Command::Diff(args) => diff::diff(args, global, ui, surroundings),
        Command::Inspect(args) => inspect::inspect(args, global, ui, surroundings),
        Command::Load(args) => load::load(args, global, ui, surroundings),
        Command::Test(args) => test::test(args, global, ui, surroundings),
        Command::Sweep(args) => sweep::sweep(args, global, ui, surroundings),
        Command::Push(args) => push::push(args, global, ui, surroundings),
        Command::Prune(args) => prune::prune(args, global, ui, surroundings),
        Command::Promote(args) => promote::promote(args, global, ui, surroundings),
        Command::Verify(args) => verify::verify(args, global, ui, surroundings),
        Command::Export(args) => export::export(args, global, ui, surroundings),
        Command::Manifest(args) => manifest::manifest(args, ui, surroundings),
        Command::Schema(args) => schema::schema(args, ui),
        Command::Store(args) => store::store(args, global, ui, surroundings),
        Command::Completions(args) => shell::completions(args, Args::command(), ui),
        Command::Man(args) => shell::man(args, Args::command()),
    }
}

/// clap prints help and version to standard output with code 0, everything else to standard error with code 2.
fn misuse(error: &clap::Error) -> ExitCode {
    // A reader that has gone away wants no more help.
    let _ = error.print();
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    ExitCode::from(exit.code())
}
