//! What outlives a power cut.
//!
//! A rename can reach the disk before the files below what was renamed: file systems
//! keep the names in a journal and write the contents when it suits them. A tree that
//! is published then would be there after a power cut, with empty files in it. So all
//! that is staged has to be on the disk before the rename, and the rename before
//! anybody is told of it.
//!
//! On Linux both are certain: syncfs(2) comes back when whatever was written to the
//! file system of the store is on the disk, with its names, and fsync(2) of a directory
//! when its entries are. It is one call for the tree, where fsync(2) for each of its
//! ten thousand files would wait for the disk as often. Its price is that it waits for
//! what other programs have written to the same file system, too. Elsewhere there is no
//! call for one file system: other Unix systems are asked to write all they have
//! (sync(2), which need not wait for it), and Windows writes by itself.

use std::fs::File;
use std::io;
use std::path::Path;

/// Waits until what was written to the file system of this file is on the disk.
///
/// # Errors
/// The disk did not take all that was written since the file was opened.
pub(super) fn settle(file: &fs_err::File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return tolerated(rustix::fs::syncfs(file), file.path());
    #[cfg(all(unix, not(target_os = "linux")))]
    rustix::fs::sync();
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        Ok(())
    }
}

/// Waits until the names in this directory are on the disk.
///
/// # Errors
/// The disk did not take them.
pub(super) fn settle_names(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return tolerated(rustix::fs::fsync(fs_err::File::open(directory)?), directory);
    // Windows opens no directory as a file.
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(())
    }
}

/// Some file systems and sandboxes do not know the call; nothing is more certain there.
#[cfg(unix)]
fn tolerated(done: rustix::io::Result<()>, path: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    match done {
        Ok(()) | Err(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
        Err(error) => {
            let (error, path) = (io::Error::from(error), path.display());
            let what = format!("failed to write to the disk of `{path}`: {error}");
            Err(io::Error::new(error.kind(), what))
        }
    }
}

/// Trees smaller than this are on the disk before anybody could help.
const WORTH_IT: u64 = 32 << 20;

/// Has a tree go to the disk while more of it comes, so that little is left to wait for
/// when it is published. What other programs write is left alone until then.
pub(crate) struct WriteBack {
    #[cfg(target_os = "linux")]
    directory: fs_err::File,
    written: u64,
}

impl WriteBack {
    /// For a tree at this directory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        #[cfg(not(target_os = "linux"))]
        let _ = directory;
        Ok(Self {
            #[cfg(target_os = "linux")]
            directory: fs_err::File::open(directory)?,
            written: 0,
        })
    }

    /// That much was written to a file. With `start`, it sets out for the disk now,
    /// which takes longer than to write one of Go's source files.
    pub(crate) fn wrote(&mut self, file: &File, bytes: usize, start: bool) {
        self.written += bytes as u64;
        #[cfg(target_os = "linux")]
        if start {
            use std::os::fd::AsRawFd;
            // SAFETY: it has no memory of ours; the file is open.
            // Nobody waits for it: what it could not do, the publish does, and tells.
            unsafe {
                libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (file, start);
    }

    /// All is written: the rest sets out while the tree is proved.
    pub(crate) fn finish(self) {
        #[cfg(target_os = "linux")]
        if self.written >= WORTH_IT {
            let thread = std::thread::Builder::new().name("write-back".into());
            // As above.
            let _ = thread.spawn(move || rustix::fs::syncfs(&self.directory));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (self.written, WORTH_IT);
    }
}
