//! What the blocks say, for each kind of file. A block works in whatever
//! environment the file is read, so gvm and the shims stand there with their full
//! paths; where they are gone, it does nothing and says nothing.

use crate::error::Result;
use crate::host::bytes;
use crate::shell::{Shell, quote_sh};
use crate::store::Store;

/// What a file is to the one who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `.bashrc`.
    Bash,
    /// What a login shell of the Bourne family reads: `.profile` and those that bash
    /// reads in its place.
    Login,
    /// `.zshrc`.
    Zsh,
    /// `.zshenv`, `.zprofile`.
    ZshPath,
    Fish,
    Powershell,
    /// environment.d(5).
    Session,
}

/// What the blocks have to name.
#[derive(Clone, Debug)]
pub struct Names {
    pub gvm: Vec<u8>,
    pub shims: Vec<u8>,
    /// The store, where it is not the one that gvm finds by itself.
    pub root: Option<Vec<u8>>,
}

impl Names {
    /// Those of this gvm and a store.
    ///
    /// # Errors
    /// The system does not tell what runs.
    pub fn of(store: &Store) -> Result<Self> {
        let layout = store.layout();
        let own = Store::by_default().map(|store| store.layout().clone()).ok();
        Ok(Self {
            gvm: bytes(super::own_path()?.into_os_string()),
            shims: layout.shims(),
            root: (own.as_ref() != Some(layout)).then(|| layout.root().to_vec()),
        })
    }
}

/// The lines for a file of that kind; `None` where its syntax has no form for the
/// names.
#[must_use]
pub fn body(kind: Kind, names: &Names) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(root) = &names.root {
        text.extend(match kind {
            Kind::Fish => line(&["set -gx GVM_ROOT ", &Shell::Fish.quote(root)]),
            Kind::Powershell => line(&["$env:GVM_ROOT = ", &Shell::Powershell.quote(root)]),
            Kind::Session => Vec::new(),
            _ => [b"export GVM_ROOT=", quote_sh(root).as_slice(), b"\n"].concat(),
        });
    }
    text.extend(match kind {
        Kind::Bash => [sh_path(names), bash_hook(names, "$-", "*i*", "")].concat(),
        // Whether .bashrc is read as well is up to the file: on macOS none says so, and
        // there each new window is a login shell. `sh` and others read it too.
        Kind::Login => {
            let not_yet = " && ! command -v __gvm_prompt >/dev/null";
            [sh_path(names), bash_hook(names, "${BASH-}:$-", "*/bash:*i*", not_yet)].concat()
        }
        Kind::Zsh => {
            let gvm = quote_sh(&names.gvm);
            [b"if [ -x ", gvm.as_slice(), b" ]; then eval \"$(", &gvm, b" hook zsh)\"; fi\n"]
                .concat()
        }
        Kind::ZshPath => sh_path(names),
        Kind::Fish => {
            let (gvm, shims) = (Shell::Fish.quote(&names.gvm), Shell::Fish.quote(&names.shims));
            format!(
                "if test -d {shims}\n    \
                     if set -l at (contains -i -- {shims} $PATH)\n        \
                         set -e PATH[$at]\n    \
                     end\n    \
                     set -gx PATH {shims} $PATH\n\
                 end\n\
                 if status is-interactive; and test -x {gvm}\n    \
                     {gvm} hook fish | source\n\
                 end\n"
            )
            .into_bytes()
        }
        // It is read by scripts too, and they go by the PATH that the hook sets.
        Kind::Powershell => {
            let gvm = Shell::Powershell.quote(&names.gvm);
            format!(
                "if (Test-Path -LiteralPath {gvm} -PathType Leaf) {{\n    \
                     Invoke-Expression (& {gvm} hook powershell | Out-String)\n\
                 }}\n"
            )
            .into_bytes()
        }
        Kind::Session => {
            // What its quoting makes of other bytes differs between versions.
            let is_plain = |&byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
            if !names.shims.iter().all(is_plain) {
                return None;
            }
            [b"PATH=", names.shims.as_slice(), b":$PATH\n"].concat()
        }
    });
    Some(text)
}

fn line(parts: &[&str]) -> Vec<u8> {
    (parts.concat() + "\n").into_bytes()
}

/// The shims in front of PATH, once. They are moved there when they stand elsewhere:
/// a shell that is started from another one has them already, and what the system's
/// files do to PATH then (macOS's path_helper moves its own entries to the front)
/// must not leave another go before them.
fn sh_path(names: &Names) -> Vec<u8> {
    let template = b"gvm_shims=SHIMS
if [ -d \"$gvm_shims\" ]; then
  case :${PATH-}: in
    :\"$gvm_shims\":*) ;;
    *:\"$gvm_shims\":*)
      PATH=:$PATH:
      PATH=$gvm_shims${PATH%%:\"$gvm_shims\":*}:${PATH#*:\"$gvm_shims\":}
      PATH=${PATH%:}
      ;;
    *) PATH=$gvm_shims${PATH:+:$PATH} ;;
  esac
  export PATH
fi
unset gvm_shims
";
    fill(template, b"SHIMS", &quote_sh(&names.shims))
}

/// The hook of bash, where `word` fits `pattern`.
fn bash_hook(names: &Names, word: &str, pattern: &str, and: &str) -> Vec<u8> {
    let text = format!(
        "case {word} in\n  \
           {pattern}) if [ -x GVM ]{and}; then eval \"$(GVM hook bash)\"; fi ;;\n\
         esac\n"
    );
    fill(text.as_bytes(), b"GVM", &quote_sh(&names.gvm))
}

fn fill(template: &[u8], token: &[u8], value: &[u8]) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.windows(token.len()).position(|window| window == token) {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(value);
        rest = &rest[at + token.len()..];
    }
    filled.extend_from_slice(rest);
    filled
}
