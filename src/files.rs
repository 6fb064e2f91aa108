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
    sweep(directory);
    replace_from(directory, file, content, permissions)
}

/// As [`replace`], by way of `directory`, which is on the same file system: so one
/// [`sweep`] of it cleans up for many places.
///
/// # Errors
/// `directory` or that of `file`, which have to be there, cannot be written.
pub fn replace_from(
    directory: &Path,
    file: &Path,
    content: &[u8],
    permissions: Option<Permissions>,
) -> io::Result<()> {
    complete_in(directory, content, permissions)?.persist(file)?;
    Ok(())
}

/// As [`replace`], for what cannot be made again: the new content is on the disk before
/// the old one goes, so a machine that loses its power keeps one of them.
///
/// # Errors
/// As [`replace`].
pub fn replace_durably(
    file: &Path,
    content: &[u8],
    permissions: Option<Permissions>,
) -> io::Result<()> {
    let directory = file.parent().unwrap_or(file);
    sweep(directory);
    let new = complete_in(directory, content, permissions)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// A new file that is complete, and only has to get its name.
fn complete_in(
    directory: &Path,
    content: &[u8],
    permissions: Option<Permissions>,
) -> io::Result<tempfile::NamedTempFile> {
    let mut new = temporary_in(directory)?;
    new.write_all(content)?;
    if let Some(permissions) = permissions.or_else(readable_by_all) {
        new.as_file().set_permissions(permissions)?;
    }
    Ok(new)
}

/// What a file is called before it takes the place of another.
const NEW: &str = ".gvm-new-";

/// A new file whose lock tells other processes that it is not left over.
fn temporary_in(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    loop {
        let new = tempfile::Builder::new().prefix(NEW).tempfile_in(directory)?;
        // Some file systems have no locks: nothing is swept there.
        let _ = fs2::FileExt::lock_exclusive(new.as_file());
        // Between its making and its lock, another process may have swept it.
        if is_linked(new.as_file())? {
            return Ok(new);
        }
    }
}

#[cfg(unix)]
fn is_linked(file: &std::fs::File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0)
}

#[cfg(not(unix))]
fn is_linked(_: &std::fs::File) -> io::Result<bool> {
    // It cannot be removed as long as it is open.
    Ok(true)
}

/// Removes what processes left here that were killed while they replaced a file, or
/// were not allowed to clean up.
pub fn sweep(directory: &Path) {
    for entry in fs_err::read_dir(directory).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(NEW.as_bytes());
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(left) = fs_err::OpenOptions::new().write(true).open(entry.path())
            && fs2::FileExt::try_lock_exclusive(left.file()).is_ok()
        {
            let _ = fs_err::remove_file(entry.path());
        }
    }
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
        // A link to nothing is not nothing: somebody meant something by it.
        Err(error) if is_absent(&error) && fs_err::symlink_metadata(file).is_ok() => {
            return Err(odd(format_args!("is a link to what is not there")));
        }
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return Err(odd(format_args!("is not a file")));
    }
    // One byte more than it has, to see its end in the same call.
    let mut content = Vec::with_capacity(found.len().min(limit as u64) as usize + 1);
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

/// Opens a file without touching its time of access, which tells when a program last ran
/// ([`crate::store::Toolchain::last_run`]). Linux lets a file's owner do that; elsewhere
/// it is opened as ever.
///
/// # Errors
/// It cannot be opened.
pub fn open_unnoticed(file: &Path) -> io::Result<fs_err::File> {
    #[cfg(target_os = "linux")]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOATIME.bits().cast_signed();
        let opened = fs_err::OpenOptions::new().read(true).custom_flags(flags).open(file);
        if !opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return opened;
        }
    }
    fs_err::File::open(file)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
