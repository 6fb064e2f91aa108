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
    Ok(read(&file)?.and_then(|text| last_of(&text, name)))
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
    let gopath = lookup(store, "GOPATH")?.and_then(|setting| {
        env::split_paths(&setting.value).find(|entry| !entry.as_os_str().is_empty())
    });
    let gopath = gopath.or_else(|| Some(dirs::home_dir()?.join("go")));
    Ok(gopath.map(|gopath| gopath.join("pkg").join("mod")))
}

/// A setting that is not empty, by the go command's order of authority.
fn lookup(store: &Store, name: &str) -> Result<Option<Setting>> {
    if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) {
        return Ok(Some(Setting { value, origin: "the environment".into() }));
    }
    let found = |file: &Path, of: fn(&str, &str) -> Option<String>| {
        let value = read(file)?.and_then(|text| of(&text, name));
        Ok(value.map(|value| Setting { value, origin: shown(file) }))
    };
    if let Some(file) = user_file()
        && let Some(setting) = found(&file, last_of)?
    {
        return Ok(Some(setting));
    }
    let files = goroots(store).map(|goroot| goroot.join("go.env"));
    files.map(|file| found(&file, first_of)).find_map(Result::transpose).transpose()
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

/// The file that `go env -w` writes; GOENV names another one or turns it off.
fn user_file() -> Option<PathBuf> {
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

/// The values of a name in a go/env file: `NAME=value`, one a line. A line that
/// does not begin with a capital letter is passed over.
fn values<'a>(text: &'a str, name: &'a str) -> impl DoubleEndedIterator<Item = String> + 'a {
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .filter(move |(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value.into())
}

/// In the user's file the last line counts, in `$GOROOT/go.env` the first.
fn last_of(text: &str, name: &str) -> Option<String> {
    values(text, name).next_back()
}

fn first_of(text: &str, name: &str) -> Option<String> {
    values(text, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_as_the_go_command_reads_it() {
        let text = "# GOPROXY=https://no.example\nGOSUMDB=off\n  GOPROXY=https://no.example\n\
                    GOPROXY=https://a.example|direct\r\nGOPROXY=https://b.example\nGOFLAGS=\n";
        assert_eq!(first_of(text, "GOPROXY").as_deref(), Some("https://a.example|direct"));
        assert_eq!(last_of(text, "GOPROXY").as_deref(), Some("https://b.example"));
        assert_eq!(last_of(text, "GOFLAGS"), None);
        assert_eq!(last_of(text, "GOPRIVATE"), None);
    }
}
