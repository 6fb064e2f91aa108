//! Archives of Go, hostile by assumption: nothing of them is believed before it
//! was checked, and they are read as a stream, while the bytes arrive.

pub mod members;
mod stream;
mod tar_gz;
mod zip;

pub use stream::ChunkReader;

use gvm_hot::path::display;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
        // The readers' own words may have bytes of the archive in them.
        match self {
            Self::Damaged(what) => {
                write!(f, "the archive is damaged: {}", display(what.as_bytes()))
            }
            Self::Hostile(what) => {
                write!(f, "the archive is not one of Go's: {}", display(what.as_bytes()))
            }
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
    let mut sink = Checked { sink, files: 0, bytes: 0, names: Names::default() };
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
    names: Names,
}

/// The names that came so far. Two that differ in case alone are one file on some
/// systems and two on others, so that a tree would not be the same everywhere
/// (golang.org/x/mod/zip refuses them likewise).
#[derive(Default)]
struct Names {
    /// Files and directories by their lower-case names, as they were spelled.
    spelled: HashMap<String, String>,
    /// The directory of the last file: the next one is mostly in it too.
    last: String,
}

impl Names {
    fn add(&mut self, name: &str) -> Result<(), ArchiveError> {
        let directory = name.rfind('/').map_or("", |at| &name[..at]);
        if directory != self.last {
            for (at, _) in directory.match_indices('/') {
                self.spell(&directory[..at])?;
            }
            if !directory.is_empty() {
                self.spell(directory)?;
            }
            self.last = directory.into();
        }
        self.spell(name)
    }

    fn spell(&mut self, name: &str) -> Result<(), ArchiveError> {
        match self.spelled.entry(fold(name)) {
            Entry::Vacant(entry) => drop(entry.insert(name.into())),
            // A name that is there twice is the sink's to refuse.
            Entry::Occupied(entry) if entry.get() == name => {}
            Entry::Occupied(entry) => {
                let (one, other) = (display(entry.get().as_bytes()), display(name.as_bytes()));
                return Err(hostile(format_args!("`{one}` and `{other}` differ in case alone")));
            }
        }
        Ok(())
    }
}

/// What names have in common that differ in case alone, by the lower-case forms of
/// their upper-case forms: so `ſ`, `s` and `S` are one.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
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
        self.names.add(name)?;
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
        let shown = display(&name[..name.len().min(80)]).to_string();
        hostile(format_args!("the name `{shown}` {why}"))
    };
    if name.len() > MAX_NAME {
        return Err(refused("is too long"));
    }
    let text = std::str::from_utf8(name).map_err(|_| refused("is not UTF-8"))?;
    if text.chars().any(|c| c.is_control() || "\\:<>\"|?*".contains(c)) {
        return Err(refused("has characters that no file of Go has"));
    }
    // The longest that file systems take.
    if text.split('/').any(|part| part.len() > 255) {
        return Err(refused("is too long"));
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused("could lead out of its directory"));
    }
    if text.split('/').any(is_no_file_on_windows) {
        return Err(refused("is no name of a file on Windows"));
    }
    Ok(text)
}

/// Names of devices, with any extension, and names that Windows shortens
/// (Microsoft, "Naming Files, Paths, and Namespaces").
fn is_no_file_on_windows(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |device: &str| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|n| {
            matches!(n, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || is_numbered("COM")
        || is_numbered("LPT")
        || part.ends_with(['.', ' '])
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
            "go/aux.go",
            "go/Con",
            "go/lpt1.tar.gz",
            "go/com¹",
            "go/nul .x",
            "go/x.",
            "go/x ",
            "go/a?b",
            "go/a|b",
            "go/<x>",
        ] {
            assert!(safe_name(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(safe_name(b"a\xff").is_err());
        assert!(safe_name(&[b'a'; 2000]).is_err());
        for name in ["go/src/..x/y...go", "go/auxiliary.go", "go/com10", "go/console/nullary.go"] {
            assert_eq!(safe_name(name.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn names_that_differ_in_case_alone_are_refused() {
        let all = |names: &[&str]| {
            let mut seen = Names::default();
            names.iter().try_for_each(|name| seen.add(name))
        };
        assert!(all(&["a/b", "a/c", "b/b", "a/d", "ä", "x/y/z"]).is_ok());
        for names in [
            ["a/b", "a/B"],
            ["a/b", "A/c"],
            ["x/A/b", "x/a/c"],
            ["ä", "Ä"],
            ["ſ", "S"],
            ["a/b", "A"],
            ["a/b/c", "a/B"],
        ] {
            assert!(all(&names).is_err(), "{names:?}");
        }
    }
}
