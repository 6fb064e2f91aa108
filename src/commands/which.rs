use super::{Gvm, not_installed, print_bytes};
use crate::error::{Code, Error, Result};
use crate::host::Host;
use crate::layout;
use crate::platform::Platform;
use crate::resolve::{self, Outcome};

/// Print the path of the go that a command here would run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm which                    the go command
  gvm which gofmt")]
pub struct Args {
    /// go or gofmt
    #[arg(value_name = "TOOL", default_value = "go", value_parser = ["go", "gofmt"])]
    tool: String,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let resolution = gvm.resolve()?;
    match &resolution.outcome {
        Outcome::Toolchain { goroot, .. } => print_bytes(&layout::tool(goroot, &args.tool)),
        Outcome::System { go: Some(go) } => {
            let found = resolve::system_tool(&Host, gvm.store.layout(), go, &args.tool);
            let none =
                || Error::new(Code::NotInstalled, format!("there is no {} on PATH", args.tool));
            print_bytes(&found.ok_or_else(none)?)
        }
        _ => Err(not_installed(&resolution.pin, &Platform::host())),
    }
}
