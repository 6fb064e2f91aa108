use super::{Gvm, print};
use crate::activation::Place;
use crate::error::Result;
use crate::resolve::Outcome;
use crate::shell::{self, Shell};
use crate::ui::Ui;
use gvm_hot::shim;

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
    #[arg(value_name = "SHELL")]
    shell: Shell,

    /// Print only what changes now; the script says this
    #[arg(long, hide = true)]
    refresh: bool,

    /// What this shell has hinted at already
    #[arg(long, hide = true, default_value = "", requires = "refresh", allow_hyphen_values = true)]
    hinted: String,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let place = if args.refresh { Place::AsIs } else { Place::Front };
    let activation = activate(gvm, args.shell, place, &args.hinted);
    if args.refresh {
        return print(&activation);
    }
    // The shims have to be there before anything is installed: `system` goes
    // through them too.
    if let Err(error) = gvm.store.ensure_shims(&gvm.ui) {
        gvm.ui.warn(error);
    }
    let own = std::env::current_exe()?.into_os_string().into_encoded_bytes();
    print(&args.shell.hook(gvm.store.layout(), &own, &activation))
}

/// The statements that make this directory's version the shell's. What is wrong
/// is hinted once, and the shell goes on without a version of ours: the shim says
/// the same, and does not run another one in its place.
fn activate(gvm: &Gvm, shell: Shell, place: Place, hinted: &str) -> String {
    let layout = gvm.store.layout();
    let (goroot, mut hint) = match gvm.resolve() {
        Err(error) => (None, error.to_string()),
        Ok(resolution) => match resolution.outcome {
            Outcome::Toolchain { goroot, .. } => (Some(goroot), String::new()),
            Outcome::System { .. } => (None, String::new()),
            Outcome::Missing => (None, shim::missing(&resolution.pin, crate::layout::HOST)),
        },
    };
    let (changes, rival) = shell::activate(layout, goroot.as_deref(), place);
    if let Some(rival) = rival {
        hint = shell::rival_hint(&rival);
    }
    if !hint.is_empty() && hint != hinted {
        Ui { quiet: false }.say(&hint);
    }
    shell.statements(&changes) + &shell.remember_hint(&hint)
}
