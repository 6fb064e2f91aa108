use super::{Gvm, complete, goroot_of, parse_request, print};
use crate::activation::Place;
use crate::error::{Code, Error, Result};
use crate::host::Host;
use crate::layout;
use crate::pin::{Origin, Pin};
use crate::platform::Platform;
use crate::shell::{self, Shell};
use crate::version::Request;
use clap_complete::ArgValueCompleter;

/// Use a version in this shell; without one, what its directory pins
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm use 1.21                 this shell, until it ends
  gvm use                      back to what the directory says
  gvm use system               the go that is on PATH without gvm
  gvm use 1.21 --default       and everywhere else where nothing is pinned

It needs the hook in the shell: see gvm help setup.")]
pub struct Args {
    /// An installed version, or system
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,

    /// Make it the default as well
    #[arg(long, requires = "version")]
    default: bool,

    /// Print what this shell evaluates; the hook's gvm function says this
    #[arg(long, value_name = "SHELL", value_parser = shell::parser(), hide = true)]
    eval: Option<Shell>,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let chosen = match args.version {
        None => None,
        Some(Request::System) => Some(Request::System),
        // The shell keeps the exact version: what it runs does not change when
        // something is installed.
        Some(request) => {
            let toolchain = gvm.installed(request, &Platform::host())?;
            Some(Request::Exact(toolchain.version))
        }
    };
    if args.default
        && let Some(request) = args.version
    {
        gvm.set_default(request)?;
    }
    let Some(shell) = args.eval else {
        return if args.default { Ok(()) } else { Err(no_hook()) };
    };

    let resolution = match chosen {
        Some(request) => {
            let pin = Pin { request, origin: Origin::Command };
            crate::resolve::answer(&Host, gvm.store.layout(), layout::HOST, pin)
        }
        None => {
            // Without GVM_VERSION, as it will be.
            let without = super::env::WithoutVersion;
            crate::resolve::resolve(&without, gvm.store.layout(), layout::HOST)?
        }
    };
    gvm.saw(&resolution.pin.origin);
    let (mut changes, rival) =
        shell::activate(&Host, gvm.store.layout(), goroot_of(&resolution), Place::AsIs);
    changes.push(shell::version_change(chosen.map(|request| request.to_string())));
    print(&shell.statements(&changes))?;
    if let Some(rival) = rival {
        gvm.ui.warn(shell::rival_hint(&rival));
    }
    match chosen {
        Some(request) => gvm.ui.say(format_args!("this shell uses Go {request}")),
        None => gvm.ui.say(format_args!("this shell uses what {} says", resolution.pin.origin)),
    }
    Ok(())
}

fn no_hook() -> Error {
    let error = Error::new(Code::Failure, "gvm use needs gvm's hook in this shell");
    error.hint("to set it up: gvm setup").hint("then open a new shell")
}
