//! Files that are replaced as a whole.

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::Path;

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
