use super::{Gvm, print};
use crate::activation::Place;
use crate::error::Result;
use crate::host::{Host, bytes};
use crate::shell::{self, Programs, Shell};
use crate::store::shim_executable;
use crate::ui::Ui;
use gvm_hot::hook::{self, Activated};

/// Print the script that a shell evaluates at its start
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Set it up, once, with gvm setup; or by hand, as the last line of the file:
  zsh         ~/.zshrc                      eval \"$(gvm hook zsh)\"
  bash        ~/.bashrc                     eval \"$(gvm hook bash)\"
  fish        ~/.config/fish/conf.d/gvm.fish   gvm hook fish | source
  PowerShell  $PROFILE                      Invoke-Expression (& gvm hook powershell | Out-String)

From then on the shell itself notices when another version counts, and sets
GOROOT and PATH together. Nothing is started at a prompt where nothing changed.")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = shell::parser())]
    shell: Shell,

    /// Print only what changes now; the script says this
    #[arg(long, hide = true)]
    refresh: bool,

    /// What this shell has hinted at already
    #[arg(long, hide = true, default_value = "", requires = "refresh", allow_hyphen_values = true)]
    hinted: String,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let layout = gvm.store.layout();
    let place = if args.refresh { Place::AsIs } else { Place::Front };
    let Activated { statements, hint } =
        hook::activate(&Host, layout, args.shell, place, args.hinted.as_bytes());
    if let Some(hint) = hint {
        Ui { quiet: false }.say(hint);
    }
    if args.refresh {
        return print(&statements);
    }
    // The shims have to be there before anything is installed: `system` goes
    // through them too.
    if let Err(error) = gvm.store.ensure_shims(&gvm.ui) {
        gvm.ui.warn(error);
    }
    let own = bytes(std::env::current_exe()?.into_os_string());
    // On Windows only gvm knows which store is the default.
    let shim = if cfg!(unix) { shim_executable().ok() } else { None };
    let refresher = shim.map_or_else(|| own.clone(), |shim| bytes(shim.into_os_string()));
    print(&shell::hook(args.shell, layout, &Programs { gvm: own, refresher }, &statements))
}
