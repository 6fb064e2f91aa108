//! Platforms by Go's names, and the platform that an executable is for.

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

/// How the beginning of an executable tells its platform. Facts: elf(5), Mach-O's
/// `mach/machine.h`, the PE/COFF specification.
#[must_use]
pub fn of_executable(head: &[u8]) -> Option<Platform> {
    let (os, arch) = elf(head).or_else(|| mach_o(head)).or_else(|| pe(head))?;
    Some(Platform { os: os.into(), arch: arch.into() })
}

/// How many bytes [`of_executable`] wants to see.
pub const EXECUTABLE_HEAD: usize = 1024;

fn elf(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let rest = head.strip_prefix(b"\x7fELF")?;
    let (class, data, abi) = (*rest.first()?, *rest.get(1)?, *rest.get(3)?);
    let raw = [*head.get(18)?, *head.get(19)?];
    let little = data == 1;
    let machine = if little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) };
    let arch = match (machine, class, little) {
        (62, 2, true) => "amd64",
        (183, 2, true) => "arm64",
        (3, 1, true) => "386",
        (40, 1, true) => "arm",
        (243, 2, true) => "riscv64",
        (258, 2, true) => "loong64",
        (21, 2, true) => "ppc64le",
        (21, 2, false) => "ppc64",
        (22, 2, false) => "s390x",
        (8, 2, false) => "mips64",
        (8, 2, true) => "mips64le",
        (8, 1, false) => "mips",
        (8, 1, true) => "mipsle",
        _ => return None,
    };
    // Go's linker writes the ABI of the BSDs, and none for Linux.
    let os = match abi {
        2 => "netbsd",
        9 => "freebsd",
        12 => "openbsd",
        _ => "linux",
    };
    Some((os, arch))
}

fn mach_o(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let little = head.strip_prefix(&[0xcf, 0xfa, 0xed, 0xfe]);
    let old = head.strip_prefix(&[0xce, 0xfa, 0xed, 0xfe]);
    let cpu = little.or(old)?.first_chunk::<4>()?;
    match u32::from_le_bytes(*cpu) {
        0x0100_0007 => Some(("darwin", "amd64")),
        0x0100_000c => Some(("darwin", "arm64")),
        7 => Some(("darwin", "386")),
        _ => None,
    }
}

fn pe(head: &[u8]) -> Option<(&'static str, &'static str)> {
    head.strip_prefix(b"MZ")?;
    let at = u32::from_le_bytes(*head.get(0x3c..)?.first_chunk()?) as usize;
    let machine = head.get(at..)?.strip_prefix(b"PE\0\0")?.first_chunk()?;
    match u16::from_le_bytes(*machine) {
        0x8664 => Some(("windows", "amd64")),
        0xaa64 => Some(("windows", "arm64")),
        0x014c => Some(("windows", "386")),
        0x01c4 => Some(("windows", "arm")),
        _ => None,
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

    #[cfg(target_os = "linux")]
    #[test]
    fn an_executable_tells_its_platform() {
        let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(of_executable(&own[..EXECUTABLE_HEAD]), Some(Platform::host()));
        assert_eq!(of_executable(b"#!/bin/sh\n"), None);
        assert_eq!(of_executable(b""), None);
        assert_eq!(of_executable(b"MZ"), None);
    }
}
