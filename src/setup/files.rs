//! The files that shells read at their start, and how one is changed: as a whole, by
//! way of a new file beside it, so that there is always the old one or the new one.

use super::text::Kind;
use crate::error::{Code, Error, Result};
use crate::files;
use crate::shell::Shell;
use crate::ui::shown;
use std::fs::Permissions;
use std::path::{Path, PathBuf};

/// More than any file that a person has written; beyond that it is something else.
const MAX_FILE: usize = 64 << 20;

/// Where a person's files are.
#[derive(Clone, Debug)]
pub struct Places {
    pub home: PathBuf,
    /// Where zsh looks for all but `.zshenv`, if that is not HOME.
    pub zdotdir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, else `~/.config`: on macOS too, for fish and PowerShell.
    pub config: PathBuf,
}

/// A file that a block goes into, and who reads it.
#[derive(Clone, Debug)]
pub struct Target {
    pub file: PathBuf,
    pub kind: Kind,
    pub read_by: &'static str,
}

impl Target {
    fn new(file: PathBuf, kind: Kind, read_by: &'static str) -> Self {
        Self { file, kind, read_by }
    }
}

impl Places {
    /// The file that bash reads as a login shell. It reads one alone, so making
    /// another one that comes before it would take effect away from it; where there
    /// is none, `.profile`, which others read too.
    #[must_use]
    pub fn bash_login(&self) -> PathBuf {
        let names = [".bash_profile", ".bash_login"].map(|name| self.home.join(name));
        names.into_iter().find(|file| file.is_file()).unwrap_or_else(|| self.profile())
    }

    #[must_use]
    pub fn profile(&self) -> PathBuf {
        self.home.join(".profile")
    }

    /// Where zsh begins. `~/.zshenv` is what sets ZDOTDIR for most people, and then it
    /// is that one; else ZDOTDIR comes from the system, before any file is read.
    #[must_use]
    pub fn zshenv(&self) -> PathBuf {
        let own = self.home.join(".zshenv");
        match &self.zdotdir {
            Some(directory) if !own.is_file() => directory.join(".zshenv"),
            _ => own,
        }
    }

    fn zsh(&self, name: &str) -> PathBuf {
        self.zdotdir.as_ref().unwrap_or(&self.home).join(name)
    }

    /// The files for a shell.
    #[must_use]
    pub fn of(&self, shell: Shell) -> Vec<Target> {
        match shell {
            Shell::Bash => vec![
                Target::new(self.bash_login(), Kind::Login, "bash, as a login shell"),
                Target::new(self.home.join(".bashrc"), Kind::Bash, "bash, interactive"),
            ],
            // .zshenv is for scripts, and for commands that come over ssh. What stands
            // there is not the last word: /etc/zprofile, which a login shell reads after
            // it, puts the system's directories in front (path_helper on macOS; Fedora
            // and Arch read /etc/profile there), so .zprofile, which comes next, puts the
            // order right. The hook is for a prompt, and so in .zshrc.
            Shell::Zsh => vec![
                Target::new(self.zsh(".zshrc"), Kind::Zsh, "zsh, interactive"),
                Target::new(self.zsh(".zprofile"), Kind::ZshPath, "zsh, as a login shell"),
                Target::new(self.zshenv(), Kind::ZshPath, "zsh, always"),
            ],
            Shell::Fish => {
                let file = self.config.join("fish/conf.d/gvm.fish");
                vec![Target::new(file, Kind::Fish, "fish")]
            }
            // Of the profiles, the one that each host reads: the terminal, VS Code.
            Shell::Powershell => {
                let file = self.config.join("powershell/profile.ps1");
                vec![Target::new(file, Kind::Powershell, "PowerShell")]
            }
        }
    }

    /// What `sh` reads as a login shell, and most X11 sessions.
    #[must_use]
    pub fn of_sh(&self) -> Target {
        Target::new(self.profile(), Kind::Login, "sh, as a login shell")
    }

    /// What a systemd user session reads, and with it what a desktop starts.
    #[must_use]
    pub fn of_session(&self) -> Target {
        let file = self.config.join("environment.d/60-gvm.conf");
        Target::new(file, Kind::Session, "the desktop session")
    }

    /// Every file that setup may ever have written to.
    #[must_use]
    pub fn all(&self) -> Vec<PathBuf> {
        let bash = [".bashrc", ".bash_profile", ".bash_login", ".profile"];
        let zsh = [".zshrc", ".zprofile", ".zshenv"];
        let mut files: Vec<_> = bash.iter().chain(&zsh).map(|name| self.home.join(name)).collect();
        if let Some(directory) = &self.zdotdir {
            files.extend(zsh.iter().map(|name| directory.join(name)));
        }
        let own = [Shell::Fish, Shell::Powershell].map(|shell| self.of(shell));
        files.extend(own.into_iter().flatten().map(|target| target.file));
        files.push(self.of_session().file);
        files
    }
}

/// A file as it is found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Without links: a link into somebody's dotfiles stays one.
    pub file: PathBuf,
    /// `None` where there is none.
    pub content: Option<Vec<u8>>,
    permissions: Option<Permissions>,
}

impl Found {
    /// Reads a file.
    ///
    /// # Errors
    /// It is there, and is no file or cannot be read.
    pub fn read(file: &Path) -> Result<Self> {
        let file = files::target_of(file);
        let content = files::read(&file, MAX_FILE)?;
        let permissions = match content {
            Some(_) => Some(fs_err::metadata(&file)?.permissions()),
            None => None,
        };
        Ok(Self { file, content, permissions })
    }

    /// Whether it is that file, under another name perhaps.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let real = |found: &Self| fs_err::canonicalize(&found.file).ok();
        self.file == other.file || real(self).is_some_and(|file| real(other) == Some(file))
    }

    /// Directories that are missing above it, the innermost first.
    #[must_use]
    pub fn missing_directories(&self) -> Vec<PathBuf> {
        let above = self.file.ancestors().skip(1).take_while(|directory| !directory.exists());
        above.map(Path::to_path_buf).collect()
    }

    /// Why it cannot be changed, with what helps.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let refused = |what: String, hint: String| Some(Error::new(Code::Failure, what).hint(hint));
        let name = shown(&self.file);
        if let Some([0xff, 0xfe, ..] | [0xfe, 0xff, ..]) = self.content.as_deref() {
            return refused(
                format!("{name} is UTF-16, which lines cannot be added to"),
                "save it as UTF-8".into(),
            );
        }
        if let Some(permissions) = &self.permissions
            && (permissions.readonly() || !may_write(&self.file))
        {
            return refused(
                format!("{name} is read-only"),
                format!("to let it be changed: chmod u+w {}", quoted(&self.file)),
            );
        }
        let directory = self.file.ancestors().skip(1).find(|directory| directory.exists())?;
        if !may_write(directory) {
            let which = shown(directory);
            return refused(
                format!("{name} cannot be changed: the directory {which} is read-only"),
                format!("to let it be changed: chmod u+w {}", quoted(directory)),
            );
        }
        None
    }

    /// Gives it another content, and makes the directories that it needs.
    ///
    /// # Errors
    /// It was changed since it was read, or cannot be replaced: it is as it was then.
    pub fn replace(&self, content: &[u8]) -> Result<()> {
        self.expect_unchanged()?;
        if let Some(directory) = self.file.parent() {
            fs_err::create_dir_all(directory)?;
        }
        files::replace_durably(&self.file, content, self.permissions.clone()).map_err(|error| {
            let name = shown(&self.file);
            Error::from(error).context(format_args!("{name} cannot be replaced"))
        })
    }

    /// Removes it, and so many directories above it where they are empty.
    ///
    /// # Errors
    /// It was changed since it was read, or cannot be removed.
    pub fn remove(&self, directories: usize) -> Result<()> {
        self.expect_unchanged()?;
        fs_err::remove_file(&self.file)?;
        for directory in self.file.ancestors().skip(1).take(directories) {
            if fs_err::remove_dir(directory).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn expect_unchanged(&self) -> Result<()> {
        if files::read(&self.file, MAX_FILE)? == self.content {
            return Ok(());
        }
        let message = format!("{} has just been changed by somebody else", shown(&self.file));
        Err(Error::new(Code::Failure, message).hint("run the command again"))
    }
}

/// A path as one word of a command that is shown.
fn quoted(path: &Path) -> String {
    Shell::Bash.quote(path.as_os_str().as_encoded_bytes())
}

#[cfg(unix)]
fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_: &Path) -> bool {
    true
}

/// Refuses to work for root on the files of somebody else: sudo leaves HOME as it is
/// on some systems, and what root writes there its owner cannot change any more.
///
/// # Errors
/// It is so.
#[cfg(unix)]
pub fn refuse_foreign_home(home: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let owner = match fs_err::metadata(home) {
        Ok(found) => found.uid(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("the home directory {} does not exist", shown(home));
            return Err(Error::new(Code::Usage, message).hint("to name another one: export HOME=…"));
        }
        Err(error) => return Err(error.into()),
    };
    if !rustix::process::geteuid().is_root() || owner == 0 {
        return Ok(());
    }
    let message =
        format!("this runs as root, and HOME is {}, which is user {owner}'s", shown(home));
    Err(Error::new(Code::Usage, message)
        .hint("run it as that user, without sudo; for root's own shells: sudo -H gvm setup"))
}

#[cfg(not(unix))]
pub fn refuse_foreign_home(_: &Path) -> Result<()> {
    Ok(())
}
