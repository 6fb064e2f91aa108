//! Lines of shells' files by which another manager comes to be in front.

use super::{Manager, Places};
use crate::files;
use crate::path::display;
use crate::setup::block::OPEN;
use std::path::PathBuf;

/// More than any file that a person has written.
const MAX_FILE: usize = 1 << 20;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It evaluates what the manager says, at each start of the shell.
    Hook,
    /// It changes PATH.
    Path,
    /// It sets GOROOT, which then stays what it is in every directory.
    Goroot,
}

/// A line that names a manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub manager: Manager,
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    pub does: Does,
    /// Whether it comes behind what `gvm setup` or a person has put there for gvm.
    pub behind_ours: bool,
    /// The line, fit for a terminal.
    pub text: String,
}

/// What names a manager in a line.
fn words(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::Goenv => &["goenv init", ".goenv/", "GOENV_ROOT"],
        Manager::Moovweb => &[".gvm/scripts/gvm", ".gvm/gos/", ".gvm/bin", "gvm use go1"],
        Manager::Asdf => &["asdf.sh", "asdf.fish", ".asdf/", "ASDF_DATA_DIR", "golang/set-env"],
        Manager::Mise => &["mise activate", "mise/shims", "mise/installs", "rtx activate"],
        Manager::G => &[".g/env", ".g/go", ".g/bin", "G_MIRROR"],
        Manager::Gobrew => &[".gobrew"],
        Manager::Sdk => &["sdk/go1"],
        Manager::ModuleCache => &["golang.org/toolchain@"],
        Manager::UsrLocal => &["/usr/local/go/", "/usr/local/go\"", "=/usr/local/go"],
        Manager::Homebrew => &["/opt/go/", "/opt/go@", "/Cellar/go", "brew --prefix go"],
        Manager::Distribution => &["/usr/lib/go", "/snap/go"],
    }
}

/// The lines of those files that name a manager. A file that cannot be read says
/// nothing here.
#[must_use]
pub fn mentions(places: &Places, files: &[PathBuf]) -> Vec<Mention> {
    let mut all = Vec::new();
    for file in files {
        let Ok(Some(content)) = files::read(file, MAX_FILE) else { continue };
        let mut behind_ours = false;
        for (at, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let text = String::from_utf8_lossy(line);
            let text = text.trim();
            behind_ours |= text.starts_with(OPEN) || text.contains("gvm hook ");
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let named = Manager::ALL.into_iter().find(|&manager| {
                words(manager).iter().any(|word| text.contains(word))
                    || is_under(places, manager, text)
            });
            let Some(manager) = named else { continue };
            let does = if text.contains("GOROOT") {
                Does::Goroot
            } else if text.contains("PATH") || text.contains("path") {
                Does::Path
            } else {
                Does::Hook
            };
            let text = display(text.as_bytes()).to_string();
            let (file, line) = (file.clone(), at + 1);
            all.push(Mention { manager, file, line, does, behind_ours, text });
        }
    }
    all
}

/// Whether a line names the place that a variable gives a manager.
fn is_under(places: &Places, manager: Manager, text: &str) -> bool {
    let moved = |variable| places.variable(variable);
    let root = match manager {
        Manager::Goenv => moved("GOENV_ROOT"),
        Manager::Asdf => moved("ASDF_DATA_DIR"),
        Manager::Mise => moved("MISE_DATA_DIR"),
        Manager::G => moved("G_HOME"),
        _ => None,
    };
    // A root that is a directory of the system's would be named by every other line.
    let root = root.filter(|root| root.starts_with(&places.home) && **root != places.home);
    root.and_then(|root| root.to_str()).is_some_and(|root| text.contains(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_let_a_manager_in_are_found_with_what_they_do() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".zshrc");
        let places = Places {
            home: directory.path().into(),
            system: directory.path().into(),
            module_cache: None,
            variables: vec![("GOENV_ROOT", directory.path().join("my/goenv"))],
        };
        let lines = [
            ("# eval \"$(goenv init -)\"", None),
            ("eval \"$(goenv init -)\"", Some((Manager::Goenv, Does::Hook))),
            ("PATH=HOME/my/goenv/bin:$PATH", Some((Manager::Goenv, Does::Path))),
            (
                "[[ -s ~/.gvm/scripts/gvm ]] && . ~/.gvm/scripts/gvm",
                Some((Manager::Moovweb, Does::Hook)),
            ),
            (". $HOME/.asdf/asdf.sh", Some((Manager::Asdf, Does::Hook))),
            ("eval \"$(mise activate zsh)\"", Some((Manager::Mise, Does::Hook))),
            ("export GOROOT=\"${HOME}/.g/go\"", Some((Manager::G, Does::Goroot))),
            ("export PATH=$HOME/.gobrew/current/bin:$PATH", Some((Manager::Gobrew, Does::Path))),
            ("export GOROOT=/usr/local/go", Some((Manager::UsrLocal, Does::Goroot))),
            ("export PATH=$PATH:/usr/local/go/bin", Some((Manager::UsrLocal, Does::Path))),
            ("export PATH=$HOME/sdk/go1.22.4/bin:$PATH", Some((Manager::Sdk, Does::Path))),
            ("export PATH=/usr/lib/go-1.22/bin:$PATH", Some((Manager::Distribution, Does::Path))),
            ("export PATH=$PATH:$HOME/go/bin", None),
            ("eval \"$(gvm hook zsh)\"", None),
            ("\u{1b}[31m", None),
        ];
        let home = directory.path().to_str().unwrap();
        let text: Vec<_> =
            lines.iter().map(|(line, _)| line.replace("HOME/my", &format!("{home}/my"))).collect();
        fs_err::write(&file, text.join("\r\n")).unwrap();
        let found = mentions(&places, &[directory.path().join("absent"), file.clone()]);
        let expected: Vec<_> = lines
            .iter()
            .enumerate()
            .filter_map(|(at, (_, mention))| mention.map(|(manager, does)| (at + 1, manager, does)))
            .collect();
        let told: Vec<_> = found.iter().map(|m| (m.line, m.manager, m.does)).collect();
        assert_eq!(told, expected);
    }
}
