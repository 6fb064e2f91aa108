use super::{Gvm, complete, install, not_installed, parse_request};
use crate::error::{Code, Error, Result};
use crate::pin::{Origin, Pin};
use crate::platform::Platform;
use crate::store::Toolchain;
use crate::version::Request;
use clap_complete::ArgValueCompleter;

/// Remove installed versions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm uninstall 1.22.4
  gvm uninstall 1.22           works while one 1.22.x is installed")]
pub struct Args {
    /// The versions to remove
    #[arg(value_name = "VERSION", required = true, value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    versions: Vec<Request>,

    /// Another architecture than this machine's, by Go's name
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let platform = install::platform_for(args.arch.as_deref())?;
    // All are looked for before the first one goes.
    let toolchains = args.versions.iter().map(|&request| the_one(gvm, request, &platform));
    let toolchains = toolchains.collect::<Result<Vec<_>>>()?;
    for toolchain in toolchains {
        gvm.remove(&toolchain)?;
        gvm.ui.say(format_args!("removed Go {}", toolchain.version));
    }
    if let Ok(Some(pin)) = gvm.store.default_pin()
        && pin.request != Request::System
        && gvm.store.choose(pin.request, &Platform::host())?.is_none()
    {
        gvm.ui.warn(format_args!(
            "the default is Go {}, which is not installed any more; to change it: gvm default 1.26",
            pin.request
        ));
    }
    Ok(())
}

/// The installed toolchain that is meant; nothing is removed on a guess.
fn the_one(gvm: &Gvm, request: Request, platform: &Platform) -> Result<Toolchain> {
    let all = gvm.store.toolchains()?;
    let fits = |toolchain: &&Toolchain| {
        toolchain.platform == *platform
            && request.choose(std::iter::once(toolchain.version)) == Some(toolchain.version)
    };
    let mut fitting: Vec<_> = all.iter().filter(fits).cloned().collect();
    match fitting.len() {
        0 => Err(not_installed(&Pin { request, origin: Origin::Command }, platform)),
        1 => Ok(fitting.remove(0)),
        _ => {
            let names: Vec<_> =
                fitting.iter().map(|toolchain| toolchain.version.exact().to_string()).collect();
            let message = format!("{request} could be {}", names.join(", "));
            Err(Error::new(Code::Usage, message)
                .hint(format!("to remove all of them: gvm uninstall {}", names.join(" "))))
        }
    }
}
