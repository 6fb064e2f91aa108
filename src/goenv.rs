//! Settings of the go command, as it reads them itself: the environment, the
//! user's go/env file (`go env -w`), `$GOROOT/go.env`, a built-in default
//! (cmd/go, internal/cfg).

use crate::error::{Error, Result};
use crate::files;
use crate::host::{Host, os};
use crate::resolve;
use crate::store::Store;
use crate::trust::h1::TOOLCHAIN_MODULE;
use crate::ui::shown;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// More than any file of `go env -w` has.
const MAX_FILE: usize = 1 << 20;

/// A value and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub value: String,
    /// For messages: `the environment`, a file, `the default`.
    pub origin: String,
}

/// GOPROXY. Never empty: where nobody says anything, it is the go command's own
/// default.
///
/// # Errors
/// A file of settings is there and cannot be read.
pub fn goproxy(store: &Store) -> Result<Setting> {
    Ok(lookup(store, "GOPROXY")?.unwrap_or_else(|| Setting {
        value: format!("{},direct", public_proxy()),
        origin: "Go's default".into(),
    }))
}

/// The URL of the Go team's module proxy, which stands under the domain of the
/// module path.
#[must_use]
pub fn public_proxy() -> String {
    let domain = TOOLCHAIN_MODULE.split('/').next().unwrap_or_default();
    format!("https://proxy.{domain}")
}

/// The value that `go env -w` has stored under a name, and nobody else's: `None`
/// where there is none, or the file is turned off.
///
/// # Errors
/// The file is there and cannot be read.
pub fn stored(name: &str) -> Result<Option<String>> {
    let Some(file) = user_file() else { return Ok(None) };
    Ok(in_user_file(&file, name)?.map(|(value, _)| value))
}

/// As [`stored`], with the line, of [`user_file`].
///
/// # Errors
/// The file is there and cannot be read.
pub fn in_user_file(file: &Path, name: &str) -> Result<Option<(String, usize)>> {
    Ok(read(file)?.and_then(|text| last_of(&text, name)))
}

/// GOSUMDB. Never empty: the default is the public checksum database.
///
/// # Errors
/// As [`goproxy`].
pub fn gosumdb(store: &Store) -> Result<Setting> {
    Ok(lookup(store, "GOSUMDB")?.unwrap_or_else(|| {
        let domain = TOOLCHAIN_MODULE.split('/').next().unwrap_or_default();
        Setting { value: format!("sum.{domain}"), origin: "Go's default".into() }
    }))
}

/// GOMODCACHE: `pkg/mod` in the first entry of GOPATH, where nobody says anything;
/// `None` without a home directory.
///
/// # Errors
/// As [`goproxy`].
pub fn gomodcache(store: &Store) -> Result<Option<PathBuf>> {
    if let Some(setting) = lookup(store, "GOMODCACHE")? {
        return Ok(Some(setting.value.into()));
    }
    Ok(module_cache_in(lookup(store, "GOPATH")?.map(|setting| setting.value)))
}

/// GOMODCACHE where nobody sets it, by what GOPATH is set to.
#[must_use]
pub fn module_cache_in(gopath: Option<String>) -> Option<PathBuf> {
    let first =
        gopath.and_then(|list| env::split_paths(&list).find(|entry| !entry.as_os_str().is_empty()));
    let gopath = first.or_else(|| Some(dirs::home_dir()?.join("go")))?;
    Some(gopath.join("pkg").join("mod"))
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Environment,
    /// The file that `go env -w` writes.
    User {
        file: PathBuf,
        line: usize,
    },
    /// `go.env` of a GOROOT.
    Goroot {
        file: PathBuf,
        line: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("the environment"),
            Self::User { file, line } | Self::Goroot { file, line } => {
                write!(f, "{}:{line}", shown(file))
            }
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub value: String,
    pub place: Place,
}

/// A setting that is not empty, as the go command of that GOROOT sees it; `None` where
/// it is left to its built-in default.
///
/// # Errors
/// A file of settings is there and cannot be read.
pub fn located(name: &str, goroot: Option<&Path>) -> Result<Option<Located>> {
    if let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) {
        let value = value.to_string_lossy().into_owned();
        return Ok(Some(Located { value, place: Place::Environment }));
    }
    if let Some(file) = user_file()
        && let Some((value, line)) = in_user_file(&file, name)?
    {
        return Ok(Some(Located { value, place: Place::User { file, line } }));
    }
    match goroot.map(|goroot| goroot.join("go.env")) {
        None => Ok(None),
        Some(file) => {
            let found = read(&file)?.and_then(|text| first_of(&text, name));
            let place = |line| Place::Goroot { file, line };
            Ok(found.map(|(value, line)| Located { value, place: place(line) }))
        }
    }
}

/// A setting for what gvm itself does, where no go command is chosen yet: `go.env` is
/// that of any there is.
fn lookup(store: &Store, name: &str) -> Result<Option<Setting>> {
    let mut found = located(name, None)?;
    for goroot in goroots(store) {
        if found.is_some() {
            break;
        }
        found = located(name, Some(&goroot))?;
    }
    Ok(found.map(|Located { value, place }| Setting {
        value,
        origin: match place {
            Place::Environment => "the environment".into(),
            Place::User { file, .. } | Place::Goroot { file, .. } => shown(&file),
        },
    }))
}

/// A file of settings. In other values than ours there may be any bytes.
fn read(file: &Path) -> Result<Option<String>> {
    let content = files::read(file, MAX_FILE).map_err(|error| {
        Error::from(error)
            .context("the go command's settings cannot be read")
            .hint("to go by other settings: GOENV=FILE, or GOENV=off")
    })?;
    Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

/// The file that `go env -w` writes, there or not; GOENV names another one or turns it off.
#[must_use]
pub fn user_file() -> Option<PathBuf> {
    match env::var_os("GOENV") {
        Some(value) if value == "off" => None,
        Some(value) if !value.is_empty() => Some(value.into()),
        _ => Some(dirs::config_dir()?.join("go").join("env")),
    }
}

/// The system's GOROOT, then the newest of the store.
fn goroots(store: &Store) -> impl Iterator<Item = PathBuf> {
    let system = resolve::find_system(&Host, store.layout(), "go").and_then(|go| goroot_of(&go));
    let newest =
        store.toolchains().ok().and_then(|all| all.into_iter().find(|t| t.platform.is_host()));
    system.into_iter().chain(newest.map(|toolchain| toolchain.goroot))
}

/// The GOROOT of a go command, which is two levels above the real executable.
#[must_use]
pub fn goroot_of(go: &[u8]) -> Option<PathBuf> {
    let go = fs_err::canonicalize(Path::new(os(go))).ok()?;
    let goroot = go.parent()?.parent()?;
    goroot.join("VERSION").is_file().then(|| goroot.to_path_buf())
}

/// The values of a name in a go/env file, each with its line, counted from 1:
/// `NAME=value`, one a line. A line that does not begin with a capital letter is passed
/// over.
fn values<'a>(
    text: &'a str,
    name: &'a str,
) -> impl DoubleEndedIterator<Item = (String, usize)> + 'a {
    let lines: Vec<_> = text.lines().zip(1..).collect();
    let lines =
        lines.into_iter().filter(|(line, _)| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let pairs = lines.filter_map(|(line, number)| Some((line.split_once('=')?, number)));
    pairs
        .filter(move |((key, value), _)| *key == name && !value.is_empty())
        .map(|((_, value), number)| (value.into(), number))
}

/// In the user's file the last line counts, in `$GOROOT/go.env` the first.
fn last_of(text: &str, name: &str) -> Option<(String, usize)> {
    values(text, name).next_back()
}

fn first_of(text: &str, name: &str) -> Option<(String, usize)> {
    values(text, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_as_the_go_command_reads_it() {
        let text = "# GOPROXY=https://no.example\nGOSUMDB=off\n  GOPROXY=https://no.example\n\
                    GOPROXY=https://a.example|direct\r\nGOPROXY=https://b.example\nGOFLAGS=\n";
        let at = |value: &str, line| Some((value.to_string(), line));
        assert_eq!(first_of(text, "GOPROXY"), at("https://a.example|direct", 4));
        assert_eq!(last_of(text, "GOPROXY"), at("https://b.example", 5));
        assert_eq!(last_of(text, "GOFLAGS"), None);
        assert_eq!(last_of(text, "GOPRIVATE"), None);
    }
}
