use super::{Gvm, complete, goroot_of, lossy, not_installed, parse_request, print, print_json};
use crate::activation::Place;
use crate::error::Result;
use crate::host::Host;
use crate::layout;
use crate::pin::{Origin, Pin, VERSION_VARIABLE};
use crate::platform::Platform;
use crate::resolve::{self, Outcome};
use crate::shell::{self, Shell};
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use gvm_hot::system::{Metadata, System, Unreadable};
use std::collections::BTreeMap;

/// Print what changes in the environment, as shell text or JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eval \"$(gvm env)\"            once, for this directory, without the hook
  gvm env 1.25 --shell fish
  gvm env --json | jq -r .GOROOT

--json is an object of variables; null means that the variable is unset.")]
pub struct Args {
    /// An installed version; without it, what counts here
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,

    /// The shell to write for; without it, the one that $SHELL names, else bash
    #[arg(long, value_name = "SHELL", value_parser = shell::parser(), conflicts_with = "json")]
    shell: Option<Shell>,

    /// For scripts
    #[arg(long)]
    json: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let resolution = match args.version {
        Some(request) => {
            let pin = Pin { request, origin: Origin::Command };
            resolve::answer(&Host, gvm.store.layout(), layout::HOST, pin)
        }
        None => gvm.resolve()?,
    };
    if resolution.outcome == Outcome::Missing {
        return Err(not_installed(&resolution.pin, &Platform::host()));
    }
    let (changes, _) =
        shell::activate(&Host, gvm.store.layout(), goroot_of(&resolution), Place::Front);
    if args.json {
        let object: BTreeMap<_, _> =
            changes.iter().map(|(name, value)| (name, value.as_deref().map(lossy))).collect();
        return print_json(&object);
    }
    let shell = args.shell.or_else(shell::of_login).unwrap_or(Shell::Bash);
    print(&shell.statements(&changes))
}

/// The host without `GVM_VERSION`: what a directory says by itself.
pub(super) struct WithoutVersion;

impl System for WithoutVersion {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        Host.var(name).filter(|_| name != VERSION_VARIABLE)
    }

    fn current_dir(&self) -> Option<Vec<u8>> {
        Host.current_dir()
    }

    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        Host.read(file, limit)
    }

    fn read_dir(&self, directory: &[u8], each: &mut dyn FnMut(&[u8])) {
        Host.read_dir(directory, each);
    }

    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        Host.metadata(path)
    }
}
