use crate::error::Result;
use crate::shell::{self, Shell};
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
    #[arg(value_name = "SHELL", value_parser = shell::parser())]
    shell: Shell,
}

/// Stands for the path of gvm in clap's scripts, which do not quote it as each
/// shell needs it.
const TOKEN: &str = "__GVM_EXE__";
/// The variable by which the script asks gvm for candidates.
const VARIABLE: &str = "COMPLETE";

pub fn run(args: Args) -> Result<()> {
    let own = std::env::current_exe()?.into_os_string().into_encoded_bytes();
    let quoted = args.shell.quote(&own);
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Zsh => &Zsh,
        Shell::Bash => &Bash,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "gvm", "gvm", TOKEN, &mut script)?;
    let script = String::from_utf8_lossy(&script);
    super::print(&match args.shell {
        // Its quotes around the word are not those of a path.
        Shell::Bash => script.replace(&format!("\"{TOKEN}\""), &quoted),
        Shell::Zsh => script.replace(TOKEN, &quoted),
        // Within double quotes, evaluated when it completes.
        Shell::Fish => {
            let escaped =
                ['\\', '"', '$'].iter().fold(quoted, |text, &c| text.replace(c, &format!("\\{c}")));
            script.replace(TOKEN, &escaped)
        }
        // Within a here-string, which expands variables.
        Shell::Powershell => format!(
            "$global:__gvm_completer = {quoted}\n{}",
            script.replace(TOKEN, "`$global:__gvm_completer")
        ),
    })
}
