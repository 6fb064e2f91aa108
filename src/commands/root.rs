use super::{Gvm, complete, goroot_of, not_installed, parse_request, print_bytes};
use crate::error::Result;
use crate::goenv;
use crate::platform::Platform;
use crate::resolve::Outcome;
use crate::version::Request;
use clap_complete::ArgValueCompleter;

/// Print the GOROOT of a version, for editors and scripts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm root 1.26                the newest installed 1.26.x
  gvm root                     what counts in this directory")]
pub struct Args {
    /// An installed version; without it, the one that counts here
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    if let Some(request) = args.version {
        let toolchain = gvm.installed(request, &Platform::host())?;
        return print_bytes(toolchain.goroot.as_os_str().as_encoded_bytes());
    }
    let resolution = gvm.resolve()?;
    if let Some(goroot) = goroot_of(&resolution) {
        return print_bytes(goroot);
    }
    if let Outcome::System { go: Some(go) } = &resolution.outcome
        && let Some(goroot) = goenv::goroot_of(go)
    {
        return print_bytes(goroot.as_os_str().as_encoded_bytes());
    }
    Err(not_installed(&resolution.pin, &Platform::host()))
}
