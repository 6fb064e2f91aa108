//! Which shells a person uses: the one they log in with, the one that runs, and those
//! whose files are there.

use super::files::{Places, Target};
use super::verify;
use crate::error::{Code, Error, Result};
use crate::host::Host;
use crate::shell::{self, Shell};
use gvm_hot::System as _;
use std::path::{Path, PathBuf};

/// What is set up.
#[derive(Clone, Debug)]
pub struct Used {
    pub shells: Vec<Shell>,
    /// Whether `sh` is one of them, for its login file.
    pub sh: bool,
    /// Whether a desktop reads environment.d.
    pub session: bool,
}

impl Used {
    /// The files that get a block.
    #[must_use]
    pub fn targets(&self, places: &Places) -> Vec<Target> {
        let mut targets: Vec<_> = self.shells.iter().flat_map(|&shell| places.of(shell)).collect();
        if self.sh {
            targets.push(places.of_sh());
        }
        if self.session {
            targets.push(places.of_session());
        }
        targets
    }
}

/// Shells that read `.profile` and that gvm has no hook for.
const BOURNE: [&str; 7] = ["sh", "dash", "ash", "busybox", "ksh", "mksh", "yash"];

const SHELLS: [Shell; 4] = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell];

/// Where this person's files are.
///
/// # Errors
/// There is no home directory.
pub fn places() -> Result<Places> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let home = dirs::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| {
        Error::new(Code::Usage, "HOME is not set, so there are no files of a shell's to look for")
    })?;
    let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let zdotdir = absolute("ZDOTDIR").or_else(|| verify::zdotdir(&home));
    let zdotdir = zdotdir.filter(|directory| *directory != home);
    Ok(Places { home, zdotdir, config })
}

/// The shells that this person uses.
#[must_use]
pub fn used(places: &Places) -> Used {
    let login = login_shell();
    let named = [login.clone(), running()];
    let is_named = |shell| named.iter().flatten().any(|p| shell::of_program(p) == Some(shell));
    // A file alone says little: dotfiles go from machine to machine.
    let has_files = |shell| {
        let files = match shell {
            Shell::Fish => vec![places.config.join("fish")],
            _ => places.of(shell).into_iter().map(|target| target.file).collect(),
        };
        // What bash reads as a login shell, others read too.
        let files = files.into_iter().filter(|file| *file != places.profile());
        program(shell).is_some() && files.into_iter().any(|file| file.exists())
    };
    let shells = SHELLS.into_iter().filter(|&shell| is_named(shell) || has_files(shell)).collect();
    let is_bourne = login.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    let sh = places.profile().is_file() || is_bourne.is_some_and(|name| BOURNE.contains(&name));
    Used { shells, sh, session: has_session() }
}

/// The executable of a shell: the one that they log in with, else the one on PATH.
#[must_use]
pub fn program(shell: Shell) -> Option<PathBuf> {
    let own = login_shell().filter(|own| shell::of_program(own) == Some(shell) && own.is_file());
    let name = if shell == Shell::Powershell { "pwsh" } else { shell.name() };
    own.or_else(|| which::which(name).ok())
}

/// `$SHELL`, else what the user database says.
fn login_shell() -> Option<PathBuf> {
    let named = Host.var("SHELL").filter(|shell| !shell.is_empty());
    named.map(|shell| PathBuf::from(crate::host::os(&shell))).or_else(of_passwd)
}

/// The shell of this user in `/etc/passwd`. Directories of users behind it are not
/// asked: there, SHELL is set by whoever logs them in.
#[cfg(unix)]
fn of_passwd() -> Option<PathBuf> {
    let text = fs_err::read_to_string("/etc/passwd").ok()?;
    let uid = rustix::process::getuid().as_raw().to_string();
    let entries = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = entries.into_iter().find(|fields| fields.get(2) == Some(&uid.as_str()))?;
    own.get(6).map(PathBuf::from)
}

#[cfg(not(unix))]
fn of_passwd() -> Option<PathBuf> {
    None
}

/// The shell that somebody types into, among the ancestors of this process. One that
/// runs a script is not theirs.
#[cfg(target_os = "linux")]
pub fn running() -> Option<PathBuf> {
    let mut process = std::os::unix::process::parent_id();
    while process > 1 {
        let line = fs_err::read(format!("/proc/{process}/cmdline")).ok()?;
        let words = line.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        if let Some(shell) = typed_into(words) {
            return Some(shell);
        }
        // The name in parentheses may hold whatever; behind it come state and parent.
        let stat = fs_err::read(format!("/proc/{process}/stat")).ok()?;
        let behind = stat.iter().rposition(|&byte| byte == b')')? + 1;
        let fields = String::from_utf8_lossy(&stat[behind..]);
        process = fields.split_ascii_whitespace().nth(1)?.parse().ok()?;
    }
    None
}

/// As above, by ps(1).
#[cfg(all(unix, not(target_os = "linux")))]
pub fn running() -> Option<PathBuf> {
    let mut process = std::os::unix::process::parent_id();
    while process > 1 {
        let mut ps = std::process::Command::new("ps");
        let told = ps.args(["-o", "ppid=,args=", "-p", &process.to_string()]).output().ok()?;
        let mut words = told.stdout.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let parent = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        if let Some(shell) = typed_into(words) {
            return Some(shell);
        }
        process = parent;
    }
    None
}

#[cfg(not(unix))]
pub fn running() -> Option<PathBuf> {
    None
}

/// The shell of a command line without a script and without `-c`; a login shell's
/// name has a dash before it.
#[cfg(unix)]
fn typed_into<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<PathBuf> {
    let name = words.next()?;
    let name = name.strip_prefix(b"-").unwrap_or(name);
    let shell = PathBuf::from(crate::host::os(name));
    shell::of_program(&shell)?;
    let is_option = |word: &[u8]| word.starts_with(b"-") && !word.ends_with(b"c");
    words.all(is_option).then_some(shell)
}

/// Whether a desktop runs whose programs get their environment from systemd.
fn has_session() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    cfg!(target_os = "linux")
        && is_set("XDG_CURRENT_DESKTOP")
        && runtime.is_some_and(|runtime| runtime.join("systemd").is_dir())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_shell_that_runs_a_script_is_nobodys() {
        let of = |line: &str| {
            typed_into(line.split(' ').map(str::as_bytes)).and_then(|p| shell::of_program(&p))
        };
        assert_eq!(of("-zsh"), Some(Shell::Zsh));
        assert_eq!(of("/usr/bin/bash -i"), Some(Shell::Bash));
        assert_eq!(of("pwsh -NoLogo"), Some(Shell::Powershell));
        for line in ["bash -c x", "bash -lc x", "bash /tmp/install.sh", "bash -e x", "vim", "dash"]
        {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
