//! Settings: `config.toml` in the store, and the variables that come before it.

use crate::error::{Code, Error, Result};
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

/// The official place of the go.dev/dl layout.
pub const OFFICIAL_DL_URL: &str = "https://go.dev/dl";

/// Where toolchains may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SourceName {
    /// The go.dev/dl layout at `dl_url`.
    #[serde(rename = "go.dev")]
    GoDev,
    /// The go command's module proxy, GOPROXY.
    #[serde(rename = "proxy")]
    Proxy,
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
    /// Base URL of the go.dev/dl layout, without a closing slash.
    pub dl_url: String,
    /// What an installation needs before it counts.
    pub require: Require,
    /// Whether the network is left alone. It is for one command or one machine's
    /// environment, never for the file.
    #[serde(skip)]
    pub offline: Option<Offline>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto_install: false,
            sources: vec![SourceName::GoDev, SourceName::Proxy],
            dl_url: OFFICIAL_DL_URL.into(),
            require: Require::Sha256,
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
        let text = match fs_err::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Error::new(Code::Usage, format!("{}:{line}: {}", shown(file), error.message()))
                .hint("the settings are: auto_install = true, sources = [\"go.dev\", \"proxy\"], dl_url = \"https://go.dev/dl\", require = \"sha256\"")
        })?;
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
