//! The receipt in each toolchain: what it is, where it came from, and what
//! proved it.

use crate::error::Result;
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
    /// The gvm that installed it.
    pub gvm: String,
}

/// Where the bytes came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `go.dev`, `proxy` or `file`.
    pub source: String,
    /// URL or path, without a password.
    pub url: String,
    /// SHA-256 of the archive, in hexadecimal digits, and its size in bytes.
    pub sha256: String,
    pub size: u64,
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
    /// The tree has the h1 that Go's checksum database records.
    ChecksumDatabase,
}

impl Evidence {
    /// As it stands in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ChecksumDatabase => "checksum database",
            Self::PublishedSha256 => "published sha256",
            Self::None => "not proved",
        }
    }
}

const FILE: &str = "receipt.json";

impl Receipt {
    pub(super) fn write(&self, toolchain: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        text.push('\n');
        Ok(fs_err::write(toolchain.join(FILE), text)?)
    }

    pub(super) fn read(toolchain: &Path) -> Option<Self> {
        serde_json::from_slice(&fs_err::read(toolchain.join(FILE)).ok()?).ok()
    }
}
