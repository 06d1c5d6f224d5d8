//! The `elkbake` command.

fn main() -> std::process::ExitCode {
    elkbake::cli::run()
}
