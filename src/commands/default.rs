use super::{Gvm, complete, parse_request, print};
use crate::error::Result;
use crate::platform::Platform;
use crate::version::Request;
use clap_complete::ArgValueCompleter;

/// Show or set the version for where nothing is pinned
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm default 1.26             the newest installed 1.26.x, today and tomorrow
  gvm default 1.26.8           exactly that one
  gvm default system           the go that is on PATH without gvm
  gvm default --unset")]
pub struct Args {
    /// An installed version, or system
    #[arg(value_name = "VERSION", value_parser = parse_request, conflicts_with = "unset",
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,

    /// Have no default: what is not pinned is system
    #[arg(long)]
    unset: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    match args.version {
        None if args.unset => {
            gvm.store.set_default(None)?;
            gvm.ui.say("there is no default now");
            Ok(())
        }
        None => match gvm.store.default_pin()? {
            Some(pin) => print(&format!("{}\n", pin.request)),
            None => {
                gvm.ui.say("there is no default; to set one: gvm default 1.26");
                Ok(())
            }
        },
        Some(request) => {
            if request != Request::System {
                gvm.installed(request, &Platform::host())?;
            }
            gvm.set_default(request)
        }
    }
}
