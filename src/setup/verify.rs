//! What a shell finds at its start, asked from the shell itself: which file was read
//! in which order is known to nobody else.

use super::files::Places;
use super::shells;
use crate::host::{Host, os};
use crate::layout::Layout;
use crate::path;
use crate::process;
use crate::shell::Shell;
use gvm_hot::System as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the slowest rc file may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before each answer, in a line of its own: rc files print what they like.
const MARK: &str = "gvm-asks:";

/// The `go` that a shell finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Go {
    /// A shim of gvm's.
    Shim,
    /// Something else: a path, or the text of an alias.
    Other(Vec<u8>),
    Nothing,
    /// The shell did not answer, or not in time.
    Silent,
}

/// What one shell finds, by the way it is started.
#[derive(Clone, Debug)]
pub struct Answer {
    pub name: &'static str,
    pub login: Go,
    pub interactive: Option<Go>,
    /// A script that something in the login session starts.
    pub script: Go,
}

/// Asks shells, all at once, each for ten seconds at the most. Those that are not
/// installed are left out.
#[must_use]
pub fn ask(shells: &[Shell], sh: bool, places: &Places, layout: &Layout) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let asked = shells.iter().filter_map(|&shell| {
            let program = shells::program(shell)?;
            Some(scope.spawn(move || ask_one(Some(shell), &program, places, layout)))
        });
        let mut asked: Vec<_> = asked.collect();
        if sh && let Ok(program) = which::which("sh") {
            asked.push(scope.spawn(move || ask_one(None, &program, places, layout)));
        }
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// `None` is `sh`, which reads no file of its own when it is interactive.
fn ask_one(shell: Option<Shell>, program: &Path, places: &Places, layout: &Layout) -> Answer {
    let flags: [&[&str]; 3] = match shell {
        Some(Shell::Powershell) => [
            &["-Login", "-NoLogo", "-Command"],
            &["-NoLogo", "-Command"],
            &["-NoLogo", "-NonInteractive", "-Command"],
        ],
        _ => [&["-l", "-c"], &["-i", "-c"], &["-c"]],
    };
    let question = match shell {
        Some(Shell::Fish) => {
            format!("printf '\\n{MARK}%s\\n{MARK}%s\\n' \"$(command -s go)\" \"$PATH\"")
        }
        Some(Shell::Powershell) => format!(
            "\"`n{MARK}$((Get-Command go -ErrorAction Ignore | Select-Object -First 1).Source)`n\
             {MARK}$env:PATH\""
        ),
        _ => format!("printf '\\n{MARK}%s\\n{MARK}%s\\n' \"$(command -v go)\" \"$PATH\""),
    };
    let run = |flags: &[&str], search: Option<&[u8]>| {
        let mut command = Command::new(program);
        as_at_login(&mut command, places);
        if let Some(search) = search {
            command.env("PATH", os(search));
        }
        output(command.args(flags).arg(&question)).map(|text| answers(&text))
    };
    let go = |answers: &Option<Vec<Vec<u8>>>| match answers.as_deref() {
        Some([go, _]) => which_go(go, layout),
        _ => Go::Silent,
    };
    let login = run(flags[0], None);
    let search = login.as_ref().and_then(|answers| answers.get(1));
    Answer {
        name: shell.map_or("sh", Shell::name),
        login: go(&login),
        interactive: shell.map(|_| go(&run(flags[1], None))),
        script: go(&run(flags[2], search.map(Vec::as_slice))),
    }
}

fn which_go(found: &[u8], layout: &Layout) -> Go {
    match found {
        [] => Go::Nothing,
        _ if path::parent(found).is_some_and(|at| path::same_entry(at, &layout.shims())) => {
            Go::Shim
        }
        _ => Go::Other(found.to_vec()),
    }
}

/// What stands behind the marks.
fn answers(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| line.strip_prefix(MARK.as_bytes()))
        .map(|answer| answer.strip_suffix(b"\r").unwrap_or(answer).to_vec())
        .collect()
}

/// The directory that zsh's other files are in, if `.zshenv` says one.
#[must_use]
pub fn zdotdir(home: &Path) -> Option<PathBuf> {
    let zsh = shells::program(Shell::Zsh)?;
    let places = Places { home: home.into(), zdotdir: None, config: home.join(".config") };
    let mut command = Command::new(zsh);
    as_at_login(&mut command, &places);
    let text = output(command.args(["-c", &format!("printf '\\n{MARK}%s\\n' \"$ZDOTDIR\"")]))?;
    let told = answers(&text).pop().filter(|directory| path::is_absolute(directory))?;
    Some(PathBuf::from(os(&told)))
}

/// The environment that login(1) would make: what the shell that runs here has put
/// into its own is not there for the next one.
fn as_at_login(command: &mut Command, places: &Places) {
    const KEPT: [&str; 12] = [
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TMPDIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "SYSTEMROOT",
    ];
    command.env_clear();
    for name in KEPT {
        if let Some(value) = Host.var(name) {
            command.env(name, os(&value));
        }
    }
    command.env("HOME", &places.home).env("TERM", "dumb").current_dir(&places.home);
    let search = if cfg!(target_os = "macos") {
        "/usr/bin:/bin:/usr/sbin:/sbin"
    } else {
        "/usr/local/bin:/usr/bin:/bin"
    };
    command.env("PATH", search);
    // As in `Places::zshenv`: what no file of theirs sets, the system does.
    if let Some(directory) = &places.zdotdir
        && places.zshenv().starts_with(directory)
    {
        command.env("ZDOTDIR", directory);
    }
}

/// What a command prints, if it ends in time.
fn output(command: &mut Command) -> Option<Vec<u8>> {
    process::ask(command, PATIENCE).ok().map(|answer| answer.stdout)
}
