//! The shells that gvm hooks into, and the scripts of the hooks. What they evaluate on
//! a change is made in `gvm_hot::shell`, for the shim makes it too.

pub use gvm_hot::shell::{Changes, Shell, activate, rival_hint, version_change};

use crate::layout::Layout;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What the hook's `gvm` sets for `gvm doctor`, and for it alone.
pub const HOOK_VARIABLE: &str = "GVM_HOOK";

/// Where the first activation goes in a hook's script.
const ACTIVATION: &str = "# __GVM_ACTIVATION__";

/// clap's parser for the name of a shell.
#[must_use]
pub fn parser() -> impl TypedValueParser<Value = Shell> {
    let value = |shell: Shell| match shell {
        Shell::Powershell => PossibleValue::new(shell.name()).alias("pwsh"),
        _ => PossibleValue::new(shell.name()),
    };
    PossibleValuesParser::new(Shell::ALL.map(value))
        .try_map(|name| named(&name).ok_or("it is no shell that gvm knows"))
}

/// The shell that `$SHELL` names, for advice.
#[must_use]
pub fn of_login() -> Option<Shell> {
    of_program(Path::new(&std::env::var_os("SHELL")?))
}

/// The shell that a program is, by its name.
#[must_use]
pub fn of_program(program: &Path) -> Option<Shell> {
    named(program.file_name()?.to_str()?)
}

fn named(name: &str) -> Option<Shell> {
    if name == "pwsh" { Some(Shell::Powershell) } else { Shell::named(name.as_bytes()) }
}

/// What a hook's script starts, by their absolute paths.
#[derive(Debug)]
pub struct Programs {
    pub gvm: Vec<u8>,
    /// Tells what changes, by the arguments of `gvm hook SHELL --refresh`: the shim's
    /// executable, which starts quickest, or gvm itself. Where it exits with 126 or
    /// more, gvm is asked.
    pub refresher: Vec<u8>,
}

fn template(shell: Shell) -> &'static str {
    match shell {
        Shell::Zsh => include_str!("../shell/hook.zsh"),
        Shell::Bash => include_str!("../shell/hook.bash"),
        Shell::Fish => include_str!("../shell/hook.fish"),
        Shell::Powershell => include_str!("../shell/hook.ps1"),
    }
}

/// What the hook's function hands to `gvm doctor` in [`HOOK_VARIABLE`]: the shell, and a
/// digest of the script, so that one of another gvm can be told.
#[must_use]
pub fn hook_mark(shell: Shell) -> String {
    let digest = Sha256::digest(template(shell).as_bytes());
    let digest: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}:{digest}", shell.name())
}

/// The hook's script, with the first activation in it.
#[must_use]
pub fn hook(shell: Shell, layout: &Layout, programs: &Programs, activation: &str) -> String {
    // Comments are for who reads the file; a shell reads them at each start.
    let is_code = |line: &&str| {
        let line = line.trim_start();
        !line.is_empty() && (!line.starts_with('#') || line == ACTIVATION)
    };
    let mut script: String =
        template(shell).lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    for (token, value) in [
        ("__GVM_EXE__", shell.quote(&programs.gvm)),
        ("__GVM_REFRESHER__", shell.quote(&programs.refresher)),
        ("__GVM_ROOT__", shell.quote(layout.root())),
        ("__GVM_SHIMS__", shell.quote(&layout.shims())),
        ("__GVM_MARK__", hook_mark(shell)),
        (ACTIVATION, activation.trim_end().to_string()),
    ] {
        script = script.replace(token, &value);
    }
    script
}

/// One word that every shell of the Bourne family takes as these bytes, plain `sh`
/// too: in quotes, as they are.
#[must_use]
pub fn quote_sh(word: &[u8]) -> Vec<u8> {
    let mut quoted = b"'".to_vec();
    for &byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_code_alone() {
        let layout = Layout::new(b"/store".to_vec());
        let programs = Programs { gvm: b"/bin/gvm".to_vec(), refresher: b"/bin/gvm-shim".to_vec() };
        for shell in Shell::ALL {
            let script = hook(shell, &layout, &programs, "export GOROOT='/go'\n");
            for line in script.lines().map(str::trim_start) {
                assert!(!line.is_empty() && !line.starts_with('#'), "{shell:?}: {line:?}");
            }
            assert!(script.contains("export GOROOT='/go'") && !script.contains("__GVM_"));
        }
    }
}
