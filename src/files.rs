//! Files that are replaced as a whole, and files that are read with care.

use std::fmt;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that a reader sees the old content or the new one. Without
/// `permissions` it can be read by everybody, as files usually can: a temporary
/// file is private.
///
/// # Errors
/// The directory of `file`, which has to be there, cannot be written.
pub fn replace(file: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let directory = file.parent().unwrap_or(file);
    let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    new.write_all(content)?;
    if let Some(permissions) = permissions.or_else(readable_by_all) {
        new.as_file().set_permissions(permissions)?;
    }
    new.persist(file)?;
    Ok(())
}

#[cfg(unix)]
fn readable_by_all() -> Option<Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all() -> Option<Permissions> {
    None
}

/// The file that a link stands for, so that replacing it leaves the link; it need not
/// be there.
#[must_use]
pub fn target_of(file: &Path) -> PathBuf {
    let mut target = file.to_path_buf();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs_err::read_link(&target) {
            Ok(link) => target = target.parent().unwrap_or(file).join(link),
            Err(_) => break,
        }
    }
    target
}

/// Reads a file that somebody else may have put there: `None` where there is
/// none. It is looked at before it is opened, since opening a named pipe would
/// wait for a writer.
///
/// # Errors
/// It is no file, has more than `limit` bytes, or cannot be read. The error names
/// it.
pub fn read(file: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let odd = |why: fmt::Arguments| io::Error::other(format!("{} {why}", file.display()));
    let found = match fs_err::metadata(file) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return Err(odd(format_args!("is not a file")));
    }
    let mut content = Vec::new();
    match fs_err::File::open(file) {
        Ok(opened) => opened.take(limit as u64 + 1).read_to_end(&mut content)?,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if content.len() > limit {
        return Err(odd(format_args!("has more than {limit} bytes")));
    }
    Ok(Some(content))
}

/// As [`read`], for text.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(file: &Path, limit: usize) -> io::Result<Option<String>> {
    let not_text = |_| io::Error::other(format!("{} is not UTF-8", file.display()));
    read(file, limit)?.map(|content| String::from_utf8(content).map_err(not_text)).transpose()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
