use super::install::install_one;
use super::{Gvm, complete, not_installed, parse_request};
use crate::activation;
use crate::error::{Code, Error, Result};
use crate::host::{Host, os};
use crate::install::{self, IfPresent, Terms};
use crate::layout;
use crate::path::display;
use crate::pin::{Origin, Pin};
use crate::platform::Platform;
use crate::resolve::{self, Outcome, Resolution};
use crate::ui::shown;
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Run a command with a version of Go
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm exec 1.25 -- go test ./...
  gvm exec --install 1.26 -- go version
  gvm exec system -- go env GOROOT

It ends with the command's exit code; 127 when there is no such command or
version.")]
pub struct Args {
    /// An installed version, or system
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Request,

    /// Install the version first if it is missing
    #[arg(long)]
    install: bool,

    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub struct ShimArgs {
    /// The shim's store.
    pub root: std::path::PathBuf,

    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<ExitCode> {
    let pin = Pin { request: args.version, origin: Origin::Command };
    let mut resolution = answer(gvm, pin);
    if args.install && resolution.outcome == Outcome::Missing {
        install(gvm, args.version, false)?;
        resolution = answer(gvm, resolution.pin);
    }
    execute(gvm, &resolution, &args.command)
}

/// What a shim did not find: with `auto_install` it is installed now.
pub fn run_shim(gvm: &Gvm, args: ShimArgs) -> Result<ExitCode> {
    let mut resolution = gvm.resolve()?;
    if resolution.outcome == Outcome::Missing && gvm.config()?.auto_install {
        install(gvm, resolution.pin.request, true)?;
        resolution = gvm.resolve()?;
    }
    execute(gvm, &resolution, &args.command)
}

fn answer(gvm: &Gvm, pin: Pin) -> Resolution {
    resolve::answer(&Host, gvm.store.layout(), layout::HOST, pin)
}

fn install(gvm: &Gvm, request: Request, is_pins: bool) -> Result<()> {
    let lock = gvm.lock_in_force()?;
    let terms = Terms {
        platform: &Platform::host(),
        if_present: IfPresent::Keep,
        lock: lock.as_ref(),
        locked: false,
    };
    let done = install_one(gvm, &gvm.sources()?, request, is_pins, terms)?;
    gvm.ui.say(install::summary(&done.toolchain));
    Ok(())
}

fn execute(gvm: &Gvm, resolution: &Resolution, command: &[OsString]) -> Result<ExitCode> {
    let layout = gvm.store.layout();
    let activation = match &resolution.outcome {
        Outcome::Toolchain { goroot, .. } => activation::for_process(&Host, layout, goroot),
        Outcome::System { go: Some(go) } => {
            let mut activation = activation::for_system(&Host, layout);
            // So that `go` is this one, and not the shim.
            let directory = crate::path::parent(go).unwrap_or_default();
            activation.path = Some(activation::path_with(&Host, directory));
            activation
        }
        Outcome::System { go: None } | Outcome::Missing => {
            let mut error = not_installed(&resolution.pin, &Platform::host());
            error.code = Code::NotFound;
            return Err(error);
        }
    };
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Error::new(Code::Usage, "there is no command to run"))?;
    let path = activation.path.as_deref().map(os);
    let here = std::env::current_dir().unwrap_or_default();
    let named = Path::new(program);
    // A path is run as it stands; only a name is looked for.
    let found = if named.components().count() > 1 && here.join(named).exists() {
        named.to_path_buf()
    } else {
        which::which_in(program, path, here).map_err(|_| {
            let shown = display(program.as_encoded_bytes()).to_string();
            let words = shell_words::quote(&shown);
            Error::new(Code::NotFound, format!("there is no command {words}"))
        })?
    };

    let mut process = Command::new(&found);
    process.args(arguments);
    match &activation.goroot {
        Some(goroot) => process.env("GOROOT", os(goroot)),
        None => process.env_remove("GOROOT"),
    };
    if let Some(path) = path {
        process.env("PATH", path);
    }
    become_process(process).map_err(|error| {
        Error::new(Code::CannotRun, format!("{} cannot be run: {error}", shown(&found)))
    })
}

#[cfg(unix)]
fn become_process(mut process: Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut process))
}

#[cfg(not(unix))]
fn become_process(mut process: Command) -> std::io::Result<ExitCode> {
    let status = process.status()?;
    std::process::exit(status.code().unwrap_or(i32::from(Code::CannotRun as u8)))
}
