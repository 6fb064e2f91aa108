//! Settings: `config.toml` in the store, and the variables that come before it.

use crate::error::{Code, Error, Result};
use crate::files;
use crate::host::os;
use crate::layout::Layout;
use crate::store::Evidence;
use crate::ui::shown;
use serde::Deserialize;
use std::env;
use std::fmt;
use std::path::Path;

pub mod variable {
    //! Every environment variable that gvm reads for itself. `GVM_ROOT` and
    //! `GVM_VERSION` are read by the hot path (`layout`, `pin`); those of the go
    //! command by `goenv`; those of every program that uses the network, such as
    //! `HTTPS_PROXY` and `SSL_CERT_FILE`, in `source`.

    /// Base URL of the go.dev/dl layout: `https://…` or `file://…`.
    pub const DL_URL: &str = "GVM_DL_URL";
    /// `1` installs what a shim misses, `0` does not.
    pub const AUTO_INSTALL: &str = "GVM_AUTO_INSTALL";
    /// The least evidence: `checksum-database`, `lock`, `sha256`, `none`.
    pub const REQUIRE: &str = "GVM_REQUIRE";
    /// `1` keeps gvm off the network, `0` does not.
    pub const OFFLINE: &str = "GVM_OFFLINE";
    /// A PEM file of certificate authorities to trust besides the system's.
    pub const CA_BUNDLE: &str = "GVM_CA_BUNDLE";
}

/// More than any settings have.
const MAX_FILE: usize = 1 << 20;

/// The official place of the go.dev/dl layout.
pub const OFFICIAL_DL_URL: &str = "https://go.dev/dl";

/// Where toolchains may come from, as it is typed: `go.dev`, `proxy`, a mirror's
/// name, or layout and URL (`source::mirrors` reads it).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "toml::Spanned<String>")]
pub struct SourceName {
    pub text: String,
    /// Who said it, for messages: a file with a line, or `the default`.
    pub origin: String,
    /// Where it stands in the file, in bytes.
    start: Option<usize>,
}

impl SourceName {
    fn by_default(text: &str) -> Self {
        Self { text: text.into(), origin: "the default".into(), start: None }
    }
}

impl From<toml::Spanned<String>> for SourceName {
    fn from(spanned: toml::Spanned<String>) -> Self {
        let start = Some(spanned.span().start);
        Self { text: spanned.into_inner(), origin: String::new(), start }
    }
}

/// The least evidence that a toolchain has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Require {
    /// The tree's record in Go's checksum database, and nothing less.
    #[serde(rename = "checksum-database")]
    ChecksumDatabase,
    /// That, or the lock file beside the pin.
    #[serde(rename = "lock")]
    Lock,
    /// That, or a SHA-256 that the official catalog or the user names.
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "none")]
    None,
}

impl Require {
    #[must_use]
    pub fn evidence(self) -> Evidence {
        match self {
            Self::ChecksumDatabase => Evidence::ChecksumDatabase,
            Self::Lock => Evidence::LockFile,
            Self::Sha256 => Evidence::PublishedSha256,
            Self::None => Evidence::None,
        }
    }
}

/// How toolchains share the files that they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// As clones where the file system makes such; else as hard links, unless gvm runs
    /// as somebody whom no mode keeps from writing, as root.
    Auto,
    /// As `Auto`, and as hard links whoever gvm runs as.
    Links,
    /// Each has its own.
    Off,
}

/// What keeps gvm off the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offline {
    /// `--offline`.
    Option,
    /// `GVM_OFFLINE`.
    Variable,
}

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("gvm is offline (--offline)"),
            Self::Variable => write!(f, "gvm is offline ({}=1)", variable::OFFLINE),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether a shim installs the version that it misses.
    pub auto_install: bool,
    /// Where to look, in this order.
    pub sources: Vec<SourceName>,
    /// Where to look before that: what `gvm mirror use` stored.
    pub mirror: Option<SourceName>,
    /// Base URL of the go.dev/dl layout, without a closing slash.
    pub dl_url: String,
    /// What an installation needs before it counts.
    pub require: Require,
    /// Whether files that two toolchains have in common are kept once.
    pub share: Share,
    /// Whether the network is left alone. It is for one command or one machine's
    /// environment, never for the file.
    #[serde(skip)]
    pub offline: Option<Offline>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto_install: false,
            sources: ["go.dev", "proxy"].map(SourceName::by_default).into(),
            mirror: None,
            dl_url: OFFICIAL_DL_URL.into(),
            require: Require::Sha256,
            share: Share::Auto,
            offline: None,
        }
    }
}

impl Config {
    /// Reads the file, if there is one, and then the variables.
    ///
    /// # Errors
    /// The file is no TOML or has a key that does not exist; a variable has a
    /// value that means nothing.
    pub fn load(layout: &Layout) -> Result<Self> {
        let file = layout.config();
        let file = Path::new(os(&file));
        let text = files::read_text(file, MAX_FILE)
            .map_err(|error| Error::new(Code::Usage, Error::from(error).to_string()))?
            .unwrap_or_default();
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            Error::new(Code::Usage, format!("{}:{line}: {}", shown(file), error.message()))
                .hint("the settings are: auto_install = true, sources = [\"go.dev\", \"proxy\"], mirror = \"aliyun\", dl_url = \"https://go.dev/dl\", require = \"sha256\", share = \"auto\"")
        })?;
        for source in config.sources.iter_mut().chain(&mut config.mirror) {
            if let Some(start) = source.start {
                source.origin = format!("{}:{}", shown(file), line_at(&text, start));
            }
        }
        if let Some(url) = set(variable::DL_URL) {
            config.dl_url = url;
        }
        if let Some(auto_install) = switch(variable::AUTO_INSTALL)? {
            config.auto_install = auto_install;
        }
        config.offline = switch(variable::OFFLINE)?.unwrap_or(false).then_some(Offline::Variable);
        config.require = match set(variable::REQUIRE).as_deref() {
            None => config.require,
            Some("checksum-database") => Require::ChecksumDatabase,
            Some("lock") => Require::Lock,
            Some("sha256") => Require::Sha256,
            Some("none") => Require::None,
            Some(value) => {
                let name = variable::REQUIRE;
                let message =
                    format!("{name}={value} is none of checksum-database, lock, sha256, none");
                return Err(Error::new(Code::Usage, message));
            }
        };
        config.dl_url.truncate(config.dl_url.trim_end_matches('/').len());
        Ok(config)
    }
}

/// Stores or takes away the mirror that is asked first, and leaves the rest of
/// `config.toml` as the user wrote it. A file that is a link stays one. Says whether
/// something changed.
///
/// # Errors
/// The file cannot be read as TOML, or not be replaced.
pub fn store_mirror(layout: &Layout, mirror: Option<&str>) -> Result<bool> {
    let file = layout.config();
    let file = files::target_of(Path::new(os(&file)));
    let old = files::read_text(&file, MAX_FILE)?.unwrap_or_default();
    let new = with_mirror(&old, mirror).map_err(|error| {
        Error::new(Code::Usage, format!("{}: {}", shown(&file), error.message()))
    })?;
    if new == old {
        return Ok(false);
    }
    fs_err::create_dir_all(Path::new(os(layout.root())))?;
    let permissions = fs_err::metadata(&file).ok().map(|metadata| metadata.permissions());
    files::replace(&file, new.as_bytes(), permissions).map_err(|error| {
        Error::from(error).context(format_args!("{} cannot be written", shown(&file)))
    })?;
    Ok(true)
}

/// The text with another mirror, or without one.
fn with_mirror(text: &str, mirror: Option<&str>) -> Result<String, toml_edit::TomlError> {
    const KEY: &str = "mirror";
    let mut document: toml_edit::DocumentMut = text.parse()?;
    let Some(mirror) = mirror else {
        let keys: Vec<String> = document.iter().map(|(key, _)| key.to_string()).collect();
        let Some((key, _)) = document.remove_entry(KEY) else { return Ok(text.into()) };
        // A comment above it is the user's, and goes to what comes next.
        let above = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str());
        let above = above.filter(|above| !above.trim().is_empty()).map(str::to_string);
        let at = keys.iter().position(|key| key == KEY).unwrap_or_default();
        match (above, keys.get(at + 1)) {
            (None, _) => {}
            (Some(above), Some(next)) => {
                if let Some(mut next) = document.key_mut(next) {
                    let decor = next.leaf_decor_mut();
                    let own = decor.prefix().and_then(|own| own.as_str()).unwrap_or_default();
                    decor.set_prefix(format!("{above}{own}"));
                }
            }
            (Some(above), None) => {
                let trailing = document.trailing().as_str().unwrap_or_default();
                document.set_trailing(format!("{above}{trailing}"));
            }
        }
        return Ok(document.to_string());
    };
    match document.get_mut(KEY).and_then(toml_edit::Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = mirror.into();
            *old.decor_mut() = decor;
        }
        None => document[KEY] = toml_edit::value(mirror),
    }
    Ok(document.to_string())
}

/// The line of a byte, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that is 1 or 0.
fn switch(name: &str) -> Result<Option<bool>> {
    match set(name).as_deref() {
        None => Ok(None),
        Some("1" | "true") => Ok(Some(true)),
        Some("0" | "false") => Ok(Some(false)),
        Some(value) => Err(Error::new(Code::Usage, format!("{name}={value} is neither 1 nor 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storing_a_mirror_leaves_what_the_user_wrote() {
        let set = |text: &str| with_mirror(text, Some("nju")).unwrap();
        let unset = |text: &str| with_mirror(text, None).unwrap();
        assert_eq!(set(""), "mirror = \"nju\"\n");
        for text in [
            "# ours\nauto_install = true # yes\n\nsources = [\n  \"proxy\", # first\n]\n# end\n",
            "auto_install = true\n",
            "# only a comment\n",
            "",
        ] {
            let with = set(text);
            assert!(with.contains("mirror = \"nju\"\n"), "{with}");
            assert_eq!(with.replace("mirror = \"nju\"\n", ""), text);
            assert_eq!(unset(&with), text);
            assert_eq!(unset(text), text);
        }
        let text = "mirror = \"ustc\" # near\ndl_url = \"x\"\n";
        assert_eq!(set(text), "mirror = \"nju\" # near\ndl_url = \"x\"\n");
        // A comment above it may be about more than it.
        assert_eq!(
            unset("# a\nmirror = \"x\"\n# b\ndl_url = \"y\"\n"),
            "# a\n# b\ndl_url = \"y\"\n"
        );
        assert_eq!(unset("# a\n\nmirror = \"x\"\n"), "# a\n\n");
        assert!(with_mirror("sources = [", Some("nju")).is_err());
    }
}
