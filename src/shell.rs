//! Activations as text for a shell. Quoting lives here and nowhere else: a path
//! is data, whatever is in it.

use crate::activation::{self, ACTIVE_VARIABLE, Place, SAVED_VARIABLE};
use crate::host::Host;
use crate::layout::Layout;
use crate::path;
use crate::pin::VERSION_VARIABLE;
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The shells that gvm hooks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Zsh,
    Bash,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
}

/// What the hook's `gvm` sets for `gvm doctor`, and for it alone.
pub const HOOK_VARIABLE: &str = "GVM_HOOK";

/// Where the first activation goes in a hook's script.
const ACTIVATION: &str = "# __GVM_ACTIVATION__";

/// What a shell's variables become; `None` unsets one.
pub type Changes = Vec<(&'static str, Option<Vec<u8>>)>;

/// What changes in a shell when `goroot` becomes active, or no toolchain of ours;
/// and the go that stands in its way, if there is one. GOROOT is set only where it
/// is our `go` that the shell finds: another one would break on it.
#[must_use]
pub fn activate(
    layout: &Layout,
    goroot: Option<&[u8]>,
    place: Place,
) -> (Changes, Option<Vec<u8>>) {
    let rival = match (goroot, place) {
        (Some(_), Place::AsIs) => activation::rival(&Host, layout),
        _ => None,
    };
    let goroot = goroot.filter(|_| rival.is_none());
    let users = activation::users_goroot(&Host, layout);
    let path = activation::shell_path(&Host, layout, goroot, place);
    let mut changes: Changes = vec![("PATH", Some(path))];
    match goroot {
        Some(goroot) => {
            changes.push(("GOROOT", Some(goroot.to_vec())));
            changes.push((ACTIVE_VARIABLE, Some(goroot.to_vec())));
            changes.push((SAVED_VARIABLE, users));
        }
        None => {
            changes.push(("GOROOT", users));
            changes.push((ACTIVE_VARIABLE, None));
            changes.push((SAVED_VARIABLE, None));
        }
    }
    (changes, rival)
}

/// What to tell somebody whose PATH has another go before the shims.
#[must_use]
pub fn rival_hint(rival: &[u8]) -> String {
    format!(
        "{} comes before gvm's shims on PATH, so gvm leaves GOROOT alone\n  \
         to change that, make gvm's hook the last line of the shell's rc file",
        path::display(rival)
    )
}

/// The change that makes a version the shell's, or gives the choice back to the
/// directory.
#[must_use]
pub fn version_change(version: Option<String>) -> (&'static str, Option<Vec<u8>>) {
    (VERSION_VARIABLE, version.map(String::into_bytes))
}

impl Shell {
    /// The name by which it is asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zsh => "zsh",
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }

    /// The shell that `$SHELL` names, for advice.
    #[must_use]
    pub fn of_login() -> Option<Self> {
        Self::of_program(Path::new(&std::env::var_os("SHELL")?))
    }

    /// The shell that a program is, by its name.
    #[must_use]
    pub fn of_program(program: &Path) -> Option<Self> {
        match program.file_name()?.to_str()? {
            "pwsh" => Some(Self::Powershell),
            name => Self::from_str(name, false).ok(),
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Zsh => include_str!("../shell/hook.zsh"),
            Self::Bash => include_str!("../shell/hook.bash"),
            Self::Fish => include_str!("../shell/hook.fish"),
            Self::Powershell => include_str!("../shell/hook.ps1"),
        }
    }

    /// What the hook's function hands to `gvm doctor` in [`HOOK_VARIABLE`]: the shell,
    /// and a digest of the script, so that one of another gvm can be told.
    #[must_use]
    pub fn hook_mark(self) -> String {
        let digest = Sha256::digest(self.template().as_bytes());
        let digest: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{digest}", self.name())
    }

    /// The hook's script, with the first activation in it.
    #[must_use]
    pub fn hook(self, layout: &Layout, gvm: &[u8], activation: &str) -> String {
        let template = self.template();
        // Comments are for who reads the file; a shell reads them at each start.
        let is_code = |line: &&str| {
            let line = line.trim_start();
            !line.is_empty() && (!line.starts_with('#') || line == ACTIVATION)
        };
        let mut script: String =
            template.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
        for (token, value) in [
            ("__GVM_EXE__", self.quote(gvm)),
            ("__GVM_ROOT__", self.quote(layout.root())),
            ("__GVM_SHIMS__", self.quote(&layout.shims())),
            ("__GVM_MARK__", self.hook_mark()),
            (ACTIVATION, activation.trim_end().to_string()),
        ] {
            script = script.replace(token, &value);
        }
        script
    }

    /// Statements that make the changes.
    #[must_use]
    pub fn statements(self, changes: &Changes) -> String {
        changes.iter().map(|(name, value)| self.statement(name, value.as_deref()) + "\n").collect()
    }

    fn statement(self, name: &str, value: Option<&[u8]>) -> String {
        match (self, value) {
            (Self::Zsh | Self::Bash, Some(value)) => format!("export {name}={}", self.quote(value)),
            (Self::Zsh | Self::Bash, None) => format!("unset {name}"),
            // PATH is a list in fish.
            (Self::Fish, Some(value)) if name == "PATH" => {
                let entries: Vec<_> = path::entries(value).map(|entry| self.quote(entry)).collect();
                format!("set -gx PATH {}", entries.join(" "))
            }
            (Self::Fish, Some(value)) => format!("set -gx {name} {}", self.quote(value)),
            // Unsetting what is not set is a failure to fish.
            (Self::Fish, None) => format!("set -e {name}; or true"),
            (Self::Powershell, Some(value)) => format!("$env:{name} = {}", self.quote(value)),
            (Self::Powershell, None) => format!("$env:{name} = $null"),
        }
    }

    /// Remembers in the shell, and only there, what has been hinted.
    #[must_use]
    pub fn remember_hint(self, hint: &str) -> String {
        let quoted = self.quote(hint.as_bytes());
        match self {
            Self::Zsh | Self::Bash => format!("__gvm_hinted={quoted}\n"),
            Self::Fish => format!("set -g __gvm_hinted {quoted}\n"),
            Self::Powershell => format!("$global:__gvm_hinted = {quoted}\n"),
        }
    }

    /// One word that the shell takes as these bytes.
    #[must_use]
    pub fn quote(self, word: &[u8]) -> String {
        let plain = |&byte: &u8| byte.is_ascii_graphic() || byte == b' ';
        match self {
            Self::Zsh | Self::Bash if word.iter().all(plain) => quote_plain(word, r"'\''"),
            Self::Zsh | Self::Bash => quote_posix(word),
            Self::Fish if word.iter().all(plain) => {
                quote_plain(&replace(word, b'\\', br"\\"), r"\'")
            }
            Self::Fish => quote_fish(word),
            Self::Powershell if word.iter().all(plain) => quote_plain(word, "''"),
            Self::Powershell => quote_powershell(word),
        }
    }
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

fn replace(word: &[u8], byte: u8, by: &[u8]) -> Vec<u8> {
    word.iter().flat_map(|&b| if b == byte { by.to_vec() } else { vec![b] }).collect()
}

/// Single quotes around printable ASCII.
fn quote_plain(word: &[u8], quote: &str) -> String {
    let text: String = word.iter().map(|&byte| char::from(byte)).collect();
    format!("'{}'", text.replace('\'', quote))
}

/// `$'…'` of bash and zsh. Everything that is not plain ASCII is written in
/// octal, so that no locale takes part.
fn quote_posix(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for &byte in word {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\{byte:03o}")),
        }
    }
    quoted.push('\'');
    quoted
}

/// fish reads byte escapes outside of quotes only. Its `\x` takes bytes of
/// ASCII only, so others are `\X`.
fn quote_fish(word: &[u8]) -> String {
    word.iter()
        .map(|&byte| match byte {
            b if b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-') => {
                char::from(b).to_string()
            }
            _ => format!("\\X{byte:02x}"),
        })
        .collect()
}

/// A concatenation of ASCII and character codes, because PowerShell reads what
/// a program prints in the console's encoding. Its strings are UTF-16: bytes
/// that are not UTF-8 have no form there and become U+FFFD.
fn quote_powershell(word: &[u8]) -> String {
    let mut quoted = String::from("(''");
    let mut plain = String::new();
    let flush = |plain: &mut String, quoted: &mut String| {
        if !plain.is_empty() {
            quoted.push_str(&format!(" + '{}'", plain.replace('\'', "''")));
            plain.clear();
        }
    };
    for character in String::from_utf8_lossy(word).chars() {
        if matches!(character, ' '..='~') {
            plain.push(character);
            continue;
        }
        flush(&mut plain, &mut quoted);
        for unit in character.encode_utf16(&mut [0; 2]) {
            quoted.push_str(&format!(" + [char]{unit}"));
        }
    }
    flush(&mut plain, &mut quoted);
    quoted.push(')');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_code_alone() {
        let layout = Layout::new(b"/store".to_vec());
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
            let script = shell.hook(&layout, b"/bin/gvm", "export GOROOT='/go'\n");
            for line in script.lines().map(str::trim_start) {
                assert!(!line.is_empty() && !line.starts_with('#'), "{shell:?}: {line:?}");
            }
            assert!(script.contains("export GOROOT='/go'") && !script.contains("__GVM_"));
        }
    }

    #[test]
    fn printable_words_stay_readable() {
        assert_eq!(Shell::Bash.quote(b"/home/a b/$(x)`y`"), "'/home/a b/$(x)`y`'");
        assert_eq!(Shell::Zsh.quote(b"it's"), r"'it'\''s'");
        assert_eq!(Shell::Fish.quote(br"it's \x"), r"'it\'s \\x'");
        assert_eq!(Shell::Powershell.quote(b"it's $x"), "'it''s $x'");
        assert_eq!(Shell::Bash.quote(b""), "''");
    }

    #[test]
    fn everything_else_is_escaped_to_ascii() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
            let quoted = shell.quote("a\n'é\x1b💡".as_bytes());
            assert!(quoted.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{quoted}");
        }
        assert_eq!(Shell::Bash.quote(b"a\n\xff'"), r"$'a\012\377\''");
        assert_eq!(Shell::Fish.quote(b"a\n\xff'"), r"a\X0a\Xff\X27");
        assert_eq!(Shell::Powershell.quote("a\né".as_bytes()), "('' + 'a' + [char]10 + [char]233)");
    }
}
