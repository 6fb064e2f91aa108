//! Archives of Go, hostile by assumption: nothing of them is believed before it
//! was checked, and they are read as a stream, while the bytes arrive.

pub mod members;
mod stream;
mod tar_gz;
mod zip;

pub use stream::ChunkReader;

use std::fmt;
use std::io::{self, Read};

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    TarGz,
    Zip,
}

impl Format {
    /// By the end of a file name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Some(Self::TarGz)
        } else if name.ends_with(".zip") {
            Some(Self::Zip)
        } else {
            None
        }
    }

    /// By its first bytes (RFC 1952; APPNOTE 4.3.7).
    #[must_use]
    pub fn of_bytes(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::TarGz),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ => None,
        }
    }
}

/// What an archive may come to, so that a small download cannot fill a disk:
/// several times what the largest release of Go has.
const MAX_FILES: u64 = 100_000;
const MAX_BYTES: u64 = 4 << 30;
const MAX_NAME: usize = 1024;

/// Why an archive is refused.
#[derive(Debug)]
pub enum ArchiveError {
    /// It is damaged or ends too early.
    Damaged(String),
    /// It is whole, and holds something that no archive of Go holds.
    Hostile(String),
    /// The files cannot be written.
    Sink(io::Error),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "the archive is damaged: {what}"),
            Self::Hostile(what) => write!(f, "the archive is not one of Go's: {what}"),
            Self::Sink(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ArchiveError {}

fn damaged(what: impl fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(what.to_string())
}

fn hostile(what: impl fmt::Display) -> ArchiveError {
    ArchiveError::Hostile(what.to_string())
}

/// Takes the files of an archive, one after the other.
pub trait Sink {
    /// `name` is relative, with slashes, and has no `.`, `..` or empty parts.
    ///
    /// # Errors
    /// [`ArchiveError::Sink`] when it cannot be written, or what the content's
    /// reader says.
    fn file(
        &mut self,
        name: &str,
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError>;
}

/// Reads an archive to its end and hands its files to `sink`.
///
/// # Errors
/// It is damaged, hostile, or cannot be written. What was handed over until
/// then is not to be used.
pub fn unpack(
    format: Format,
    reader: ChunkReader,
    sink: &mut dyn Sink,
) -> Result<(), ArchiveError> {
    let mut sink = Checked { sink, files: 0, bytes: 0 };
    match format {
        Format::TarGz => tar_gz::unpack(reader, &mut sink),
        Format::Zip => zip::unpack(reader, &mut sink),
    }
}

/// Looks at each name and counts, before anything reaches the sink.
struct Checked<'a> {
    sink: &'a mut dyn Sink,
    files: u64,
    bytes: u64,
}

impl Checked<'_> {
    /// One more entry, a file or a directory.
    fn count(&mut self) -> Result<(), ArchiveError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(hostile(format_args!("it has more than {MAX_FILES} files")));
        }
        Ok(())
    }

    fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let name = safe_name(name)?;
        self.count()?;
        let mut content = Counted { content, left: MAX_BYTES - self.bytes, over: false };
        let done = self.sink.file(name, executable, &mut content);
        if content.over {
            return Err(hostile(format_args!("it unpacks to more than {} GB", MAX_BYTES >> 30)));
        }
        self.bytes = MAX_BYTES - content.left;
        done
    }
}

struct Counted<'a> {
    content: &'a mut dyn Read,
    left: u64,
    over: bool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => {
                self.over = true;
                return Err(io::Error::other("too much"));
            }
        }
        Ok(length)
    }
}

/// A name that stays below the directory it is joined to, on every system.
fn safe_name(name: &[u8]) -> Result<&str, ArchiveError> {
    let refused = |why: &str| {
        let shown = gvm_hot::path::display(&name[..name.len().min(80)]).to_string();
        hostile(format_args!("the name `{shown}` {why}"))
    };
    if name.len() > MAX_NAME {
        return Err(refused("is too long"));
    }
    let text = std::str::from_utf8(name).map_err(|_| refused("is not UTF-8"))?;
    if text.chars().any(|c| c.is_control() || matches!(c, '\\' | ':')) {
        return Err(refused("has characters that no file of Go has"));
    }
    // The longest that file systems take.
    if text.split('/').any(|part| part.len() > 255) {
        return Err(refused("is too long"));
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused("could lead out of its directory"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_tree() {
        for name in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "./a",
            "a/.",
            "a/",
            "",
            "..",
            "a\\..\\b",
            "C:/x",
            "a\nb",
            "a\0b",
            "C:x",
        ] {
            assert!(safe_name(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(safe_name(b"a\xff").is_err());
        assert!(safe_name(&[b'a'; 2000]).is_err());
        assert_eq!(safe_name(b"go/src/..x/y...go").unwrap(), "go/src/..x/y...go");
    }
}
