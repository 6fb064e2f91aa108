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

use std::io;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

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

/// Bytes after which the disk is set to work. Less would keep it busier with names
/// than with contents; more would be waited for at the end.
const AT_ONCE: u64 = 32 << 20;

/// Has what is written go to the disk while more of it comes, so that little is left
/// to wait for when it is published. Without a call for one file system it waits.
pub(crate) struct WriteBack {
    #[cfg(target_os = "linux")]
    directory: Arc<fs_err::File>,
    #[cfg(target_os = "linux")]
    is_busy: Arc<AtomicBool>,
    waiting: u64,
}

impl WriteBack {
    /// For what is written to the file system of this directory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        #[cfg(not(target_os = "linux"))]
        let _ = directory;
        Ok(Self {
            #[cfg(target_os = "linux")]
            directory: Arc::new(fs_err::File::open(directory)?),
            #[cfg(target_os = "linux")]
            is_busy: Arc::default(),
            waiting: 0,
        })
    }

    /// That many more bytes were written.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.waiting += bytes;
        if self.waiting >= AT_ONCE && self.start() {
            self.waiting = 0;
        }
    }

    #[cfg(target_os = "linux")]
    fn start(&self) -> bool {
        if self.is_busy.swap(true, Ordering::Relaxed) {
            return false;
        }
        let (directory, is_busy) = (self.directory.clone(), self.is_busy.clone());
        // Nobody waits for it: what it could not do, the publish does, and tells.
        let thread = thread::Builder::new().name("write-back".into());
        let started = thread.spawn(move || {
            let _ = rustix::fs::syncfs(&*directory);
            is_busy.store(false, Ordering::Relaxed);
        });
        started.is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn start(&self) -> bool {
        true
    }
}
