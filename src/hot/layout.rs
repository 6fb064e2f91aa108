//! Where everything lies in the store. Paths of the store are built here and
//! nowhere else.
//!
//! ```text
//! $GVM_ROOT
//!   toolchains/1.22.4-linux-amd64/   published by one rename: present = complete
//!     receipt.json
//!     go/                            GOROOT
//!   shims/       go gofmt go1.22.4 …
//!   cache/       indexes of releases
//!   checksums/   what the checksum database has said: heads, tiles, records
//!   tmp/         staging; on the same file system as toolchains/
//!   locks/
//!   config.toml
//!   default      the version where nothing is pinned
//!   generation   changes whenever the store does, so a shell can tell
//!   gvm-path     the gvm executable that made the shims
//! ```

use crate::path::{self, join, join_exe};
use crate::system::System;
use crate::version::Version;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The variable that names the store.
pub const ROOT_VARIABLE: &str = "GVM_ROOT";

/// Operating system and architecture by Go's names: `linux`, `amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform<'a> {
    pub os: &'a str,
    pub arch: &'a str,
}

/// The platform that this program was built for.
pub const HOST: Platform<'static> = Platform { os: host_os(), arch: host_arch() };

const fn host_os() -> &'static str {
    if cfg!(target_os = "macos") {
        "darwin"
    } else if cfg!(windows) {
        "windows"
    } else if cfg!(target_os = "freebsd") {
        "freebsd"
    } else if cfg!(target_os = "netbsd") {
        "netbsd"
    } else if cfg!(target_os = "openbsd") {
        "openbsd"
    } else {
        "linux"
    }
}

const fn host_arch() -> &'static str {
    if cfg!(target_arch = "x86_64") {
        "amd64"
    } else if cfg!(target_arch = "aarch64") {
        "arm64"
    } else if cfg!(target_arch = "x86") {
        "386"
    } else if cfg!(target_arch = "arm") {
        "arm"
    } else if cfg!(target_arch = "riscv64") {
        "riscv64"
    } else if cfg!(target_arch = "loongarch64") {
        "loong64"
    } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
        "ppc64le"
    } else if cfg!(target_arch = "powerpc64") {
        "ppc64"
    } else if cfg!(target_arch = "s390x") {
        "s390x"
    } else {
        panic!("Go has no name for this architecture")
    }
}

impl core::fmt::Display for Platform<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}

/// The name of a toolchain's directory: `1.22.4-linux-amd64`.
#[must_use]
pub fn toolchain_name(version: Version, platform: Platform) -> String {
    format!("{version}-{platform}")
}

/// What [`toolchain_name`] wrote; `None` for any other name.
#[must_use]
pub fn parse_toolchain_name(name: &str) -> Option<(Version, Platform<'_>)> {
    let (rest, arch) = name.rsplit_once('-')?;
    let (version, os) = rest.rsplit_once('-')?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let parsed = Version::parse(version)?;
    (is_word(os) && is_word(arch) && parsed.to_string() == version)
        .then_some((parsed, Platform { os, arch }))
}

/// The store's root directory could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoot {
    /// `GVM_ROOT` is set to a relative path.
    Relative,
    /// Neither `GVM_ROOT` nor a home directory.
    NoHome,
}

impl core::fmt::Display for NoRoot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Relative => "GVM_ROOT is a relative path; it must be an absolute one",
            Self::NoHome => "neither GVM_ROOT nor HOME is set, so there is no store to look in",
        })
    }
}

impl core::error::Error for NoRoot {}

/// The store's layout under one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: Vec<u8>,
}

impl Layout {
    #[must_use]
    pub fn new(root: Vec<u8>) -> Self {
        Self { root }
    }

    /// The store that `GVM_ROOT` names, if it is set.
    ///
    /// # Errors
    /// [`NoRoot::Relative`].
    pub fn from_variable(system: &impl System) -> Result<Option<Self>, NoRoot> {
        match system.var(ROOT_VARIABLE) {
            Some(root) if root.is_empty() => Ok(None),
            Some(root) if path::is_absolute(&root) => Ok(Some(Self::new(root))),
            Some(_) => Err(NoRoot::Relative),
            None => Ok(None),
        }
    }

    /// The store that the executable at `shim` belongs to, if it lies in one's
    /// `shims` directory.
    #[must_use]
    pub fn of_shim(shim: &[u8]) -> Option<Self> {
        let directory = path::parent(shim)?;
        (path::file_name(directory) == b"shims")
            .then(|| path::parent(directory).map(|root| Self::new(root.to_vec())))?
    }

    /// The store where nothing else is said: `gvm` in the user's data directory. That
    /// is `~/Library/Application Support` on macOS and XDG's (`$XDG_DATA_HOME`, else
    /// `~/.local/share`) on other Unix; on Windows the gvm executable asks the system.
    ///
    /// # Errors
    /// [`NoRoot::NoHome`].
    pub fn of_home(system: &impl System) -> Result<Self, NoRoot> {
        let absolute = |name| system.var(name).filter(|value| path::is_absolute(value));
        let below_home = |name| absolute("HOME").map(|home| join(&home, name));
        let data = if cfg!(target_os = "macos") {
            below_home("Library/Application Support")
        } else {
            absolute("XDG_DATA_HOME").or_else(|| below_home(".local/share"))
        };
        data.map(|data| Self::new(join(&data, "gvm"))).ok_or(NoRoot::NoHome)
    }

    /// Whether the root is that of moovweb/gvm, which exports `GVM_ROOT` too, and whose
    /// tree is not ours to change.
    #[must_use]
    pub fn is_moovweb(&self, system: &impl System) -> bool {
        system.metadata(&self.under("scripts/gvm-default")).is_some_and(|found| !found.is_dir)
    }

    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    fn under(&self, name: &str) -> Vec<u8> {
        join(&self.root, name)
    }

    #[must_use]
    pub fn toolchains(&self) -> Vec<u8> {
        self.under("toolchains")
    }

    #[must_use]
    pub fn shims(&self) -> Vec<u8> {
        self.under("shims")
    }

    #[must_use]
    pub fn cache(&self) -> Vec<u8> {
        self.under("cache")
    }

    #[must_use]
    pub fn checksums(&self) -> Vec<u8> {
        self.under("checksums")
    }

    #[must_use]
    pub fn tmp(&self) -> Vec<u8> {
        self.under("tmp")
    }

    #[must_use]
    pub fn locks(&self) -> Vec<u8> {
        self.under("locks")
    }

    #[must_use]
    pub fn config(&self) -> Vec<u8> {
        self.under("config.toml")
    }

    /// What `gvm mirror use --go` changed, and what was there before.
    #[must_use]
    pub fn mirror_file(&self) -> Vec<u8> {
        self.under("mirror.json")
    }

    /// Which files pin versions, as far as gvm has come upon them.
    #[must_use]
    pub fn pins(&self) -> Vec<u8> {
        self.under("pins")
    }

    #[must_use]
    pub fn default_file(&self) -> Vec<u8> {
        self.under("default")
    }

    #[must_use]
    pub fn generation(&self) -> Vec<u8> {
        self.under("generation")
    }

    #[must_use]
    pub fn gvm_path(&self) -> Vec<u8> {
        self.under("gvm-path")
    }

    /// The directory of one toolchain, there or not.
    #[must_use]
    pub fn toolchain(&self, version: Version, platform: Platform) -> Vec<u8> {
        join(&self.toolchains(), &toolchain_name(version, platform))
    }

    /// GOROOT of one toolchain, there or not.
    #[must_use]
    pub fn goroot(&self, version: Version, platform: Platform) -> Vec<u8> {
        join(&self.toolchain(version, platform), "go")
    }

    /// The versions that are installed for `platform`, in no order.
    pub fn installed(&self, system: &impl System, platform: Platform) -> Vec<Version> {
        let mut versions = Vec::new();
        system.read_dir(&self.toolchains(), &mut |name| {
            let parsed = core::str::from_utf8(name).ok().and_then(parse_toolchain_name);
            if let Some((version, at)) = parsed
                && at == platform
            {
                versions.push(version);
            }
        });
        versions
    }
}

/// GOROOT's `bin`.
#[must_use]
pub fn bin(goroot: &[u8]) -> Vec<u8> {
    join(goroot, "bin")
}

/// An executable in GOROOT's `bin`.
#[must_use]
pub fn tool(goroot: &[u8], name: &str) -> Vec<u8> {
    join_exe(&bin(goroot), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_were_written_here_are_toolchains() {
        for name in ["1.22.4-linux-amd64", "1.20-darwin-arm64", "1.21rc2-windows-386"] {
            let (version, platform) = parse_toolchain_name(name).unwrap();
            assert_eq!(toolchain_name(version, platform), name);
        }
        for name in [
            "1.20.0-linux-amd64",
            "1.22.4",
            "1.22.4-linux",
            "go1.22.4-linux-amd64",
            "1.22.4-linux-amd64.old",
            "1.22.4--amd64",
            "1.22.4-linux-",
            ".tmp-linux-amd64",
        ] {
            assert_eq!(parse_toolchain_name(name), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_shim_knows_its_store() {
        let of = |shim: &[u8]| Layout::of_shim(shim).map(|layout| layout.root().to_vec());
        assert_eq!(of(b"/data/gvm/shims/go"), Some(b"/data/gvm".to_vec()));
        assert_eq!(of(b"/usr/bin/go"), None);
        assert_eq!(of(b"go"), None);
    }
}
