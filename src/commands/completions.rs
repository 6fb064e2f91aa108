use crate::error::Result;
use crate::shell::Shell;
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Set it up, once:
  zsh         ~/.zshrc          eval \"$(gvm completions zsh)\"
  bash        ~/.bashrc         eval \"$(gvm completions bash)\"
  fish        gvm completions fish > ~/.config/fish/completions/gvm.fish
  PowerShell  $PROFILE          Invoke-Expression (& gvm completions powershell | Out-String)

Versions complete too: the installed ones, and for install the released ones.")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The variable by which the script asks gvm for candidates.
const VARIABLE: &str = "COMPLETE";

pub fn run(args: Args) -> Result<()> {
    let own = std::env::current_exe()?;
    let own = own.to_string_lossy();
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Zsh => &Zsh,
        Shell::Bash => &Bash,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "gvm", "gvm", &own, &mut script)?;
    super::print(&String::from_utf8_lossy(&script))
}
