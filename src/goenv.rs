//! Settings of the go command, as it reads them itself: the environment, the
//! user's go/env file (`go env -w`), `$GOROOT/go.env`, a built-in default
//! (cmd/go, internal/cfg).

use crate::host::{Host, os};
use crate::resolve;
use crate::store::Store;
use crate::trust::h1::TOOLCHAIN_MODULE;
use std::env;
use std::path::{Path, PathBuf};

/// A value and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub value: String,
    /// For messages: `the environment`, a file, `the default`.
    pub origin: String,
}

/// GOPROXY. Never empty: where nobody says anything, it is the go command's own
/// default.
#[must_use]
pub fn goproxy(store: &Store) -> Setting {
    lookup(store, "GOPROXY").unwrap_or_else(|| {
        // The public proxy stands under the domain of the module path.
        let domain = TOOLCHAIN_MODULE.split('/').next().unwrap_or_default();
        Setting { value: format!("https://proxy.{domain},direct"), origin: "Go's default".into() }
    })
}

/// GOSUMDB. Never empty: the default is the public checksum database.
#[must_use]
pub fn gosumdb(store: &Store) -> Setting {
    lookup(store, "GOSUMDB").unwrap_or_else(|| {
        let domain = TOOLCHAIN_MODULE.split('/').next().unwrap_or_default();
        Setting { value: format!("sum.{domain}"), origin: "Go's default".into() }
    })
}

/// A setting that is not empty, by the go command's order of authority.
fn lookup(store: &Store, name: &str) -> Option<Setting> {
    if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) {
        return Some(Setting { value, origin: "the environment".into() });
    }
    let files = user_file().into_iter().chain(goroots(store).map(|goroot| goroot.join("go.env")));
    files.into_iter().find_map(|file| {
        let value = read(&fs_err::read_to_string(&file).ok()?, name)?;
        Some(Setting { value, origin: file.display().to_string() })
    })
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

/// `NAME=value` in a go/env file: one a line, `#` begins a comment line.
fn read(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut pairs = lines.filter_map(|line| line.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    (!value.is_empty()).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_as_the_go_command_reads_it() {
        let text =
            "# GOPROXY=https://no.example\nGOSUMDB=off\n  GOPROXY=https://a.example|direct\r\n";
        assert_eq!(read(text, "GOPROXY").as_deref(), Some("https://a.example|direct"));
        assert_eq!(read(text, "GOFLAGS"), None);
        assert_eq!(read("GOPROXY=\n", "GOPROXY"), None);
    }
}
