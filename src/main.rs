//! The gvm executable: parse, run one command, print one error.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;
use gvm::cli::Cli;
use gvm::{commands, ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return parse_failed(&error),
    };
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            ui::error(&error);
            ExitCode::from(error.code as u8)
        }
    }
}

/// Help and version go to stdout, unless a shell is going to evaluate it.
fn parse_failed(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let is_evaluated =
        std::env::args_os().any(|argument| argument.as_encoded_bytes().starts_with(b"--eval"));
    if is_help && is_evaluated {
        anstream::eprint!("{}", error.render().ansi());
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The only function of libm that is linked: a progress bar's estimate calls it.
/// Loading the library for it would be a tenth of what gvm takes to start.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
