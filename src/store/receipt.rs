//! The receipt in each toolchain: what it is, where it came from, and what
//! proved it.

use crate::error::{Code, Error, Result};
use crate::files;
use crate::ui::shown;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// `receipt.json`. Fields are added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The release name: `go1.22.4`.
    pub version: String,
    pub os: String,
    pub arch: String,
    pub origin: Origin,
    pub evidence: Evidence,
    /// Where the checksum database records the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<LogRecord>,
    /// The tree in module form, as the checksum database records it: `h1:…`.
    pub h1: String,
    /// Files and bytes of the tree.
    pub files: u64,
    pub bytes: u64,
    /// RFC 3339, UTC.
    pub installed_at: String,
    /// When files of it were last put back, in the same form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<String>,
    /// The gvm that installed it.
    pub gvm: String,
}

/// Where the bytes came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `go.dev`, `flat`, `proxy`, `file` or `import`.
    pub source: String,
    /// URL or path, without a password; of a tree that was imported, its GOROOT.
    pub url: String,
    /// SHA-256 of the archive, in hexadecimal digits; where it was not fetched whole,
    /// nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of the archive, in bytes; of a tree that was imported, its files'.
    pub size: u64,
    /// What was fetched of it, where that was not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
}

/// What was fetched of a module zip whose other files were there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    pub files: u64,
    /// Bytes that were fetched, with the list of the files.
    pub bytes: u64,
    /// The release whose files are the others: `go1.22.3`.
    pub neighbour: String,
}

/// A record of a transparency log, which was proved to be in its signed tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// The name that the log signs under: `sum.golang.org`.
    pub database: String,
    pub number: u64,
    /// How many records the tree had.
    pub tree_size: u64,
}

/// What proves that these are the bytes that the Go team published, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Nothing.
    None,
    /// The archive has the SHA-256 that the catalog or the user named.
    PublishedSha256,
    /// The tree has the h1 that the lock file beside the pin names.
    LockFile,
    /// The tree has the h1 that Go's checksum database records.
    ChecksumDatabase,
}

impl Evidence {
    /// As it stands in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ChecksumDatabase => "checksum database",
            Self::LockFile => "lock file",
            Self::PublishedSha256 => "published sha256",
            Self::None => "not proved",
        }
    }
}

const FILE: &str = "receipt.json";
/// More than any has.
const MAX_SIZE: usize = 256 << 10;

impl Receipt {
    pub(super) fn write(&self, toolchain: &Path) -> Result<()> {
        Ok(fs_err::write(toolchain.join(FILE), self.text()?)?)
    }

    /// Replaces the receipt of a toolchain that is installed.
    pub(super) fn replace(&self, toolchain: &Path) -> Result<()> {
        Ok(files::replace(&toolchain.join(FILE), self.text()?.as_bytes(), None)?)
    }

    fn text(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        Ok(text + "\n")
    }

    pub(super) fn read(toolchain: &Path) -> Result<Option<Self>> {
        let file = toolchain.join(FILE);
        let Some(text) = files::read(&file, MAX_SIZE)? else { return Ok(None) };
        let damaged =
            |why| Error::new(Code::Failure, format!("{} is damaged: {why}", shown(&file)));
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }
}

/// The time, as receipts write it.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
