//! Paths as bytes: the little of it that the hot path needs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Between the components of a path.
pub const SEPARATOR: u8 = if cfg!(windows) { b'\\' } else { b'/' };
/// Between the entries of PATH.
pub const LIST_SEPARATOR: u8 = if cfg!(windows) { b';' } else { b':' };
/// What the name of an executable ends with.
pub const EXE_SUFFIX: &str = if cfg!(windows) { ".exe" } else { "" };

fn is_separator(byte: u8) -> bool {
    byte == b'/' || (cfg!(windows) && byte == b'\\')
}

/// `directory` and `name` with one separator between them.
#[must_use]
pub fn join(directory: &[u8], name: &str) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.last().is_some_and(|&byte| is_separator(byte)) {
        path.push(SEPARATOR);
    }
    path.extend_from_slice(name.as_bytes());
    path
}

/// The executable called `name` in `directory`, with what the system's
/// executables end with.
#[must_use]
pub fn join_exe(directory: &[u8], name: &str) -> Vec<u8> {
    let mut path = join(directory, name);
    path.extend_from_slice(EXE_SUFFIX.as_bytes());
    path
}

/// The directory that holds `path`; `None` for a root.
#[must_use]
pub fn parent(path: &[u8]) -> Option<&[u8]> {
    let end = path.iter().rposition(|&byte| !is_separator(byte))? + 1;
    let cut = path[..end].iter().rposition(|&byte| is_separator(byte))?;
    let start = path[..cut].iter().rposition(|&byte| !is_separator(byte)).map_or(0, |at| at + 1);
    // A root keeps its separator: `/` on Unix, `C:\` on Windows.
    if start == 0 || path[..start].ends_with(b":") {
        return Some(&path[..=start]);
    }
    Some(&path[..start])
}

/// What stands behind the last separator.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    let cut = path.iter().rposition(|&byte| is_separator(byte));
    cut.map_or(path, |at| &path[at + 1..])
}

/// Whether the path names one place whatever the current directory is.
#[must_use]
pub fn is_absolute(path: &[u8]) -> bool {
    if cfg!(windows) {
        matches!(path, [drive, b':', slash, ..] if drive.is_ascii_alphabetic() && is_separator(*slash))
            || matches!(path, [a, b, ..] if is_separator(*a) && is_separator(*b))
    } else {
        path.first() == Some(&b'/')
    }
}

/// Whether `path` is `directory` or lies below it, by their text.
#[must_use]
pub fn is_within(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || is_separator(rest[0]))
}

/// Whether two entries of PATH are the same text but for a closing separator.
#[must_use]
pub fn same_entry(a: &[u8], b: &[u8]) -> bool {
    fn trimmed(entry: &[u8]) -> &[u8] {
        match entry {
            [rest @ .., last] if !rest.is_empty() && is_separator(*last) => rest,
            _ => entry,
        }
    }
    let (a, b) = (trimmed(a), trimmed(b));
    if cfg!(windows) { a.eq_ignore_ascii_case(b) } else { a == b }
}

/// The entries of a PATH, empty ones too.
pub fn entries(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == LIST_SEPARATOR)
}

/// A path, or any text of a user's, fit for a terminal: bytes that are not
/// UTF-8 are replaced, and control characters escaped, so that a hostile name
/// cannot write to the screen.
#[must_use]
pub fn display(text: &[u8]) -> impl fmt::Display + '_ {
    struct Shown<'a>(&'a [u8]);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for character in String::from_utf8_lossy(self.0).chars() {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    fmt::Write::write_char(f, character)?;
                }
            }
            Ok(())
        }
    }
    Shown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn walking_up_ends_at_the_root() {
        assert_eq!(parent(b"/a/b"), Some(&b"/a"[..]));
        assert_eq!(parent(b"/a//b/"), Some(&b"/a"[..]));
        assert_eq!(parent(b"/a"), Some(&b"/"[..]));
        assert_eq!(parent(b"/"), None);
        assert_eq!(parent(b"a"), None);
        assert_eq!(parent(b""), None);
    }

    #[cfg(windows)]
    #[test]
    fn walking_up_ends_at_the_drive() {
        assert_eq!(parent(br"C:\a\b"), Some(&br"C:\a"[..]));
        assert_eq!(parent(br"C:\a"), Some(&br"C:\"[..]));
        assert_eq!(parent(br"C:\"), None);
    }

    #[cfg(unix)]
    #[test]
    fn within_is_about_components_not_prefixes() {
        assert!(is_within(b"/store/toolchains/x", b"/store/toolchains"));
        assert!(!is_within(b"/store/toolchains-old/x", b"/store/toolchains"));
        assert!(same_entry(b"/a/bin/", b"/a/bin"));
        assert!(!same_entry(b"/", b""));
    }
}
