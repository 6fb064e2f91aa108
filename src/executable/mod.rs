//! What an executable says of itself: which system and machine it is for, what it
//! needs to run, and who signed it.
//!
//! Files are read where their own headers point, so nothing of them is believed:
//! each read is inside the file, each loop has an end of its own, and memory goes by
//! limits of this module and never by a number in the file.

mod elf;
mod input;
mod mach_o;
mod pe;

pub use elf::Elf;
pub use mach_o::{MachO, Signature};
pub use pe::{Pe, Subsystem};

use crate::files;
use crate::platform::Platform;
use input::Input;
use std::fmt;
use std::io::{self, Read, Seek};
use std::path::Path;

/// An executable of one of the forms that Go's linker writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    /// Linux, the BSDs, Solaris, Android.
    Elf(Elf),
    /// macOS and iOS. A universal file holds several, a thin one is its only one.
    MachO(Vec<MachO>),
    /// Windows.
    Pe(Pe),
    /// A form of which only the platform is read: WebAssembly, Plan 9, AIX.
    Other(Platform),
}

/// Why an executable cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It begins as one, and what follows is none; a clause that says what.
    Damaged(String),
    Io(io::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => f.write_str(why),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

type Result<T, E = Unreadable> = std::result::Result<T, E>;

fn damaged<T>(why: impl Into<String>) -> Result<T> {
    Err(Unreadable::Damaged(why.into()))
}

/// The least version of a system: `10.15`, `2.36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    pub major: u32,
    pub minor: u32,
}

impl Release {
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The first two numbers of `6.1.0-18-amd64`, `15.2`, `14`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = match text.as_bytes().iter().find(|byte| !byte.is_ascii_digit()) {
            Some(b'.') => numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0),
            _ => 0,
        };
        Some(Self { major, minor })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Reads the headers of an executable; `None` when it is none: a script, a text, an
/// archive.
///
/// # Errors
/// It begins as an executable and is damaged, or it cannot be read.
pub fn read(file: impl Read + Seek) -> Result<Option<Executable>> {
    let mut input = Input::new(file)?;
    let Some(magic) = input.get::<4>(0)? else { return Ok(None) };
    let executable = match magic {
        [0x7f, b'E', b'L', b'F'] => Executable::Elf(elf::read(&mut input)?),
        // FAT_MAGIC is also how Java's class files begin; those name a version
        // where these name how many there are.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => match mach_o::read_universal(&mut input)? {
            Some(images) => Executable::MachO(images),
            None => return Ok(None),
        },
        [0xcf | 0xce, 0xfa, 0xed, 0xfe] => {
            Executable::MachO(vec![mach_o::read(&mut input, 0, u64::MAX)?])
        }
        [b'M', b'Z', ..] => match pe::read(&mut input)? {
            Some(pe) => Executable::Pe(pe),
            None => return Ok(None),
        },
        _ => match other(magic) {
            Some((os, arch)) => Executable::Other(platform(os, arch)),
            None => return Ok(None),
        },
    };
    Ok(Some(executable))
}

/// Opens a file and reads its headers, as [`read`].
///
/// # Errors
/// As [`read`]; an I/O error names the file.
pub fn open(file: &Path) -> Result<Option<Executable>> {
    // Looked at first: opening a named pipe would wait for a writer.
    if !fs_err::metadata(file)?.is_file() {
        return Ok(None);
    }
    read(files::open_unnoticed(file)?)
}

/// Forms of which Go's linker writes one machine each (cmd/link: internal/wasm,
/// internal/ld/data.go for Plan 9, xcoff.go). Plan 9's numbers are in its a.out(6).
fn other(magic: [u8; 4]) -> Option<(&'static str, &'static str)> {
    match magic {
        [0, b'a', b's', b'm'] => Some(("js", "wasm")),
        [0, 0, 0x01, 0xeb] => Some(("plan9", "386")),
        [0, 0, 0x8a, 0x97] => Some(("plan9", "amd64")),
        [0, 0, 0x06, 0x47] => Some(("plan9", "arm")),
        // U64_TOCMAGIC
        [0x01, 0xf7, ..] => Some(("aix", "ppc64")),
        _ => None,
    }
}

fn platform(os: &str, arch: &str) -> Platform {
    Platform { os: os.into(), arch: arch.into() }
}

impl Executable {
    /// The platforms that it says it is for, by Go's names; none for a machine that
    /// Go has no name for.
    #[must_use]
    pub fn platforms(&self) -> Vec<Platform> {
        match self {
            Self::Elf(elf) => elf.arch.map(|arch| platform(elf.os, arch)).into_iter().collect(),
            Self::MachO(images) => {
                images.iter().filter_map(|it| Some(platform(it.os, it.arch?))).collect()
            }
            Self::Pe(pe) => pe.arch.map(|arch| platform("windows", arch)).into_iter().collect(),
            Self::Other(platform) => vec![platform.clone()],
        }
    }

    /// Whether it may run on a platform as far as its headers tell. Some systems
    /// write the same ones: a static ELF file of DragonFly, Solaris or illumos names
    /// no system, and WebAssembly knows no host.
    #[must_use]
    pub fn is_for(&self, wanted: &Platform) -> bool {
        self.platforms().iter().any(|found| {
            found.arch == wanted.arch
                && (found.os == wanted.os
                    || match self {
                        Self::Elf(elf) => elf.may_be(&wanted.os),
                        Self::Other(_) => found.arch == "wasm",
                        Self::MachO(_) | Self::Pe(_) => false,
                    })
        })
    }

    /// `linux-amd64`, or all of them: `darwin-amd64 and darwin-arm64`.
    #[must_use]
    pub fn platforms_shown(&self) -> String {
        let names: Vec<_> = self.platforms().iter().map(ToString::to_string).collect();
        if names.is_empty() {
            "a machine that Go does not know".into()
        } else {
            names.join(" and ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn versions_of_systems_are_read_in_the_forms_that_systems_have() {
        let parse = |text| Release::parse(text).map(|release| (release.major, release.minor));
        assert_eq!(parse("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse("5.15.167.4-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(parse("14.2-RELEASE-p1"), Some((14, 2)));
        assert_eq!(parse("15"), Some((15, 0)));
        assert_eq!(parse("4-rc1"), Some((4, 0)));
        assert_eq!(parse("99999999999.1"), None);
        assert_eq!(parse(""), None);
        assert!(
            Release::new(2, 6) < Release::new(3, 2) && Release::new(10, 9) < Release::new(10, 15)
        );
    }

    #[test]
    fn what_is_no_executable_is_none() {
        for text in [&b""[..], b"#!", b"#!/bin/sh\n", b"PK\x03\x04", b"MZ is how this text begins"]
        {
            assert_eq!(read(Cursor::new(text)).unwrap(), None, "{text:?}");
        }
        // A class file of Java 8.
        assert_eq!(read(Cursor::new(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10")).unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_is_for_this_platform() {
        let own = open(&std::env::current_exe().unwrap()).unwrap().unwrap();
        assert_eq!(own.platforms(), [Platform::host()]);
        assert!(own.is_for(&Platform::host()));
    }
}
