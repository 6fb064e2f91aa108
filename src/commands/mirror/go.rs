//! GOPROXY and GOSUMDB of the go command, set through itself, and put back.

use crate::commands::Gvm;
use crate::error::{Code, Error, Result};
use crate::files;
use crate::goenv;
use crate::host::{Host, os};
use crate::layout;
use crate::resolve::{self, Outcome};
use crate::source::goproxy_shown;
use crate::source::mirrors::{self, Place};
use crate::store;
use crate::ui::shown;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const MAX_MEMORY: usize = 1 << 20;

/// What `--go` has set, in `mirror.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    mirror: String,
    variables: BTreeMap<String, Change>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    ours: String,
    /// What the go command's own file said before; `None` when it said nothing.
    before: Option<String>,
}

impl Memory {
    fn file(gvm: &Gvm) -> PathBuf {
        store::path(&gvm.store.layout().mirror_file())
    }

    /// `None` where nothing was set.
    fn read(gvm: &Gvm) -> Result<Option<Self>> {
        let file = Self::file(gvm);
        let unusable = |error: Error| {
            let file = shown(&file);
            error
                .hint("to see what the go command goes by: go env GOPROXY GOSUMDB")
                .hint(format!("to have gvm forget what was there before, remove {file}"))
        };
        let content = files::read(&file, MAX_MEMORY).map_err(|error| unusable(error.into()))?;
        let read = |content: Vec<u8>| serde_json::from_slice(&content);
        content.map(read).transpose().map_err(|error| {
            let message = format!("{} cannot be read: {error}", shown(&file));
            unusable(Error::new(Code::Usage, message))
        })
    }

    fn write(&self, gvm: &Gvm) -> Result<()> {
        let content = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        fs_err::create_dir_all(gvm.store.root())?;
        // There may be a password in a GOPROXY.
        Ok(files::replace(&Self::file(gvm), &content, private())?)
    }

    fn forget(gvm: &Gvm) -> Result<()> {
        match fs_err::remove_file(Self::file(gvm)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn private() -> Option<std::fs::Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn private() -> Option<std::fs::Permissions> {
    None
}

/// The mirror whose settings the go command was given.
///
/// # Errors
/// What was noted of it cannot be read.
pub(super) fn mirror_of(gvm: &Gvm) -> Result<Option<String>> {
    Ok(Memory::read(gvm)?.map(|memory| memory.mirror))
}

/// A go command that can be run, and what was done to its settings.
pub(super) struct Go {
    program: PathBuf,
    directory: PathBuf,
    memory: Option<Memory>,
}

impl Go {
    /// The go that counts here, else the newest installed, else the system's. Never a
    /// shim.
    pub(super) fn find(gvm: &Gvm) -> Result<Self> {
        if std::env::var_os("GOENV").is_some_and(|value| value == "off") {
            let message = "GOENV=off: the go command reads no file of settings, and writes none";
            return Err(Error::new(Code::Usage, message).hint("to have one: unset GOENV"));
        }
        let goroot = match gvm.resolve().map(|resolution| resolution.outcome) {
            Ok(Outcome::Toolchain { goroot, .. }) => Some(goroot),
            _ => {
                let newest = gvm.store.toolchains()?.into_iter().find(|t| t.platform.is_host());
                newest.map(|toolchain| crate::host::bytes(toolchain.goroot.into_os_string()))
            }
        };
        let go = match goroot {
            Some(goroot) => Some(layout::tool(&goroot, "go")),
            None => resolve::find_system(&Host, gvm.store.layout(), "go"),
        };
        let program = go.map(|go| PathBuf::from(os(&go))).ok_or_else(|| {
            Error::new(Code::NotInstalled, "there is no go whose settings could be set")
                .hint("to install one: gvm install stable")
        })?;
        Ok(Self { program, directory: gvm.store.root(), memory: Memory::read(gvm)? })
    }

    /// Runs `go env` with arguments.
    fn env(&self, arguments: &[&str]) -> Result<String> {
        let failed = |why: String| {
            Error::new(Code::Failure, format!("{} env failed: {why}", shown(&self.program)))
        };
        // Away from any go.mod, and as itself: it is about the user's settings alone.
        fs_err::create_dir_all(&self.directory)?;
        let output = Command::new(&self.program)
            .arg("env")
            .args(arguments)
            .current_dir(&self.directory)
            .env("GOTOOLCHAIN", "local")
            .env_remove("GOROOT")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            return Err(failed(crate::path::display(said.as_bytes()).to_string()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_string())
    }

    /// What is stored under a name from here on.
    fn store(&self, name: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.env(&["-w", &format!("{name}={value}")])?,
            None => self.env(&["-u", name])?,
        };
        Ok(())
    }

    /// Stores a value, and shows what the go command went by before and goes by now.
    fn change(&self, gvm: &Gvm, name: &str, value: Option<&str>) -> Result<()> {
        let before = self.env(&[name])?;
        self.store(name, value)?;
        let after = self.env(&[name])?;
        let (before, after) = (goproxy_shown(&before), goproxy_shown(&after));
        if before == after {
            gvm.ui.say(format_args!("{name}  {after}, as before"));
        } else {
            gvm.ui.say(format_args!("{name}  {before} → {after}"));
        }
        if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            gvm.ui.warn(format_args!(
                "{name} is set in the environment, which counts before what go env -w has stored; unset it there"
            ));
        }
        Ok(())
    }
}

/// Gives the go command the settings that go with a mirror.
pub(super) fn set(gvm: &Gvm, mut go: Go, place: &Place) -> Result<()> {
    let wanted = [("GOPROXY", place.goproxy.as_deref()), ("GOSUMDB", place.gosumdb)];
    if place.goproxy.is_none() {
        let with: Vec<_> = mirrors::with_toolchains()
            .filter(|known| known.goproxy.is_some())
            .map(|known| known.name.as_str())
            .collect();
        gvm.ui.warn(format_args!(
            "{} has no module proxy that GOPROXY could name; those that have one: {}",
            place.name,
            with.join(", ")
        ));
    }
    let mut memory = go.memory.take().unwrap_or_default();
    memory.mirror = place.name.clone();
    for (name, value) in wanted {
        let stored = goenv::stored(name)?;
        let is_ours = |change: &Change| stored.as_deref() == Some(&change.ours);
        let earlier = memory.variables.get(name).filter(|change| is_ours(change)).cloned();
        match (value, earlier) {
            // What an earlier mirror needed, this one does not.
            (None, Some(Change { before, .. })) => {
                go.change(gvm, name, before.as_deref())?;
                memory.variables.remove(name);
            }
            (None, None) => drop(memory.variables.remove(name)),
            (Some(value), earlier) => {
                let before = earlier.map_or_else(|| stored.clone(), |change| change.before);
                let change = Change { ours: value.into(), before };
                memory.variables.insert(name.into(), change);
                // Remembered first: whoever is killed now can still undo it.
                memory.write(gvm)?;
                go.change(gvm, name, Some(value))?;
            }
        }
    }
    if memory.variables.is_empty() { Memory::forget(gvm) } else { memory.write(gvm) }
}

/// Puts back what `--go` has changed, where nobody has changed it since. Says whether
/// there was anything.
pub(super) fn undo(gvm: &Gvm) -> Result<bool> {
    let Some(memory) = Memory::read(gvm)? else { return Ok(false) };
    let go = Go::find(gvm)?;
    for (name, change) in &memory.variables {
        let stored = goenv::stored(name)?;
        if stored.as_deref() == Some(&change.ours) {
            go.change(gvm, name, change.before.as_deref())?;
        } else if stored != change.before {
            let stored = stored.map_or_else(|| "unset".into(), |value| goproxy_shown(&value));
            gvm.ui.say(format_args!("{name}  {stored}, which somebody else has set, stays"));
        }
    }
    Memory::forget(gvm)?;
    Ok(true)
}
