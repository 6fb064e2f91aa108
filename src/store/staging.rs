//! Where a toolchain is built before it is published, and where it goes before
//! it is deleted: a directory in `tmp/` whose lock lives as long as its process.

use super::durable;
use super::lock::Lock;
use crate::error::Result;
use crate::ui::Ui;
use std::path::{Path, PathBuf};

/// The digests of all files of a toolchain, as they were installed.
pub(super) const MANIFEST: &str = "files.sha256";

/// Deleted when dropped, with what is in it.
#[derive(Debug)]
pub struct Staging {
    directory: PathBuf,
    /// Tells other processes that this one is not left over.
    lock: Lock,
    /// Behind the lock, so that it is dropped behind it.
    _rest: Rest,
}

/// What cannot go as long as the lock is held: Windows keeps the name of an open file,
/// and so the directory.
#[derive(Debug)]
struct Rest(PathBuf);

impl Drop for Rest {
    fn drop(&mut self) {
        if cfg!(windows) {
            let _ = fs_err::remove_file(self.0.join("lock"));
            let _ = fs_err::remove_dir(&self.0);
        }
    }
}

impl Staging {
    fn of(directory: PathBuf, lock: Lock) -> Self {
        Self { _rest: Rest(directory.clone()), directory, lock }
    }

    pub(super) fn create(tmp: &Path, locks: &Path, ui: &Ui) -> Result<Self> {
        fs_err::create_dir_all(tmp)?;
        // Between making the directory and locking it, it would look left over.
        let _making = Lock::acquire(locks, "tmp", "making room in", ui)?;
        left_over(tmp).for_each(drop);
        let directory = tempfile::Builder::new().prefix("stage-").tempdir_in(tmp)?.keep();
        let lock = Lock::try_file(&directory.join("lock"))?;
        let lock = lock.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ResourceBusy))?;
        Ok(Self::of(directory, lock))
    }

    /// What becomes `toolchains/NAME`.
    #[must_use]
    pub fn toolchain(&self) -> PathBuf {
        self.directory.join("toolchain")
    }

    /// GOROOT, as long as it is staged.
    #[must_use]
    pub fn goroot(&self) -> PathBuf {
        self.toolchain().join("go")
    }

    /// Keeps the digests of the files beside them, as sha256sum(1) checks them.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_manifest(&self, text: &str) -> Result<()> {
        Ok(fs_err::write(self.toolchain().join(MANIFEST), text)?)
    }

    /// A place for what does not become part of the toolchain.
    #[must_use]
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where files go that were found in GOROOT and are not Go's.
    #[must_use]
    pub fn extra(&self) -> PathBuf {
        self.toolchain().join("extra")
    }

    /// Waits until all that is in it is on the disk, and will be there after a power
    /// cut.
    ///
    /// # Errors
    /// The disk did not take all of it.
    pub(super) fn settle(&self) -> Result<()> {
        // Its lock was opened before anything was written, so that nothing that went
        // wrong since is missed.
        Ok(durable::settle(self.lock.file())?)
    }

    /// Deletes what is in it, and says so when that fails.
    pub(super) fn delete(self) -> Result<()> {
        self.remove()
    }

    /// The tree goes while the lock is held: a directory without its lock looks
    /// left over to others, who then help to delete it.
    fn remove(&self) -> Result<()> {
        remove_tree(&self.toolchain())?;
        let _ = fs_err::remove_file(self.directory.join("lock"));
        let _ = remove_tree(&self.directory);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// What killed processes left: deleted when dropped. What cannot be deleted now
/// is left to the next one. The caller holds the lock of `tmp`.
pub(super) fn left_over(tmp: &Path) -> impl Iterator<Item = Staging> + use<> {
    abandoned(tmp).map(|(directory, lock)| Staging::of(directory, lock))
}

/// Directories that no process works in any more, each with its lock.
pub(super) fn abandoned(tmp: &Path) -> impl Iterator<Item = (PathBuf, Lock)> + use<> {
    fs_err::read_dir(tmp).into_iter().flatten().flatten().filter_map(|entry| {
        let directory = entry.path();
        let lock = Lock::try_file(&directory.join("lock")).ok().flatten()?;
        Some((directory, lock))
    })
}

/// Lets two directories change places at once, so that there is always one at
/// each; false where this system or file system cannot.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn exchange(_: &Path, _: &Path) -> bool {
    false
}

/// Deletes a tree, read-only directories in it too (Go's own tools leave such).
pub(super) fn remove_tree(directory: &Path) -> Result<()> {
    match fs_err::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(()) => return Ok(()),
        Err(_) => {}
    }
    make_tree_writable(directory)?;
    Ok(fs_err::remove_dir_all(directory)?)
}

fn make_tree_writable(directory: &Path) -> Result<()> {
    make_writable(directory)?;
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: what they point to is not ours.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            make_tree_writable(&entry.path())?;
        } else if cfg!(windows) && kind.is_file() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// Gives the owner the right to change what is there.
pub(super) fn make_writable(path: &Path) -> Result<()> {
    let mut permissions = fs_err::symlink_metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = permissions.mode();
        if mode & 0o700 == 0o700 {
            return Ok(());
        }
        permissions.set_mode(mode | 0o700);
    }
    #[cfg(not(unix))]
    {
        if !permissions.readonly() {
            return Ok(());
        }
        #[expect(clippy::permissions_set_readonly_false, reason = "not Unix: it is one flag")]
        permissions.set_readonly(false);
    }
    Ok(fs_err::set_permissions(path, permissions)?)
}
