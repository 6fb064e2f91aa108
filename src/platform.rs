//! Platforms by Go's names.

use crate::layout;
use std::fmt;

/// Operating system and architecture by Go's names, owned: `linux`, `amd64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    pub os: String,
    pub arch: String,
}

impl Platform {
    /// The platform that this program runs on.
    #[must_use]
    pub fn host() -> Self {
        layout::HOST.into()
    }

    #[must_use]
    pub fn borrowed(&self) -> layout::Platform<'_> {
        layout::Platform { os: &self.os, arch: &self.arch }
    }

    #[must_use]
    pub fn is_host(&self) -> bool {
        self.borrowed() == layout::HOST
    }

    /// Reads `linux-amd64`, as it stands in file names and module versions.
    /// Archives for arm are called `armv6l` (FIELD-NOTES 2: the catalog's own
    /// `arch` field is wrong for some, the file name never is).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (os, arch) = text.split_once('-')?;
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        // darwin archives up to 1.4.2 name the system's version as well.
        let arch = arch.split_once("-osx").map_or(arch, |(arch, _)| arch);
        let arch = if arch == "armv6l" { "arm" } else { arch };
        (is_word(os) && is_word(arch)).then(|| Self { os: os.into(), arch: arch.into() })
    }
}

impl From<layout::Platform<'_>> for Platform {
    fn from(platform: layout::Platform<'_>) -> Self {
        Self { os: platform.os.into(), arch: platform.arch.into() }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_from_file_names() {
        let parse = |text| Platform::parse(text).map(|platform| platform.to_string());
        assert_eq!(parse("linux-amd64").as_deref(), Some("linux-amd64"));
        assert_eq!(parse("linux-armv6l").as_deref(), Some("linux-arm"));
        assert_eq!(parse("darwin-amd64-osx10.8").as_deref(), Some("darwin-amd64"));
        assert_eq!(parse("linux"), None);
        assert_eq!(parse("linux-../x"), None);
    }
}
