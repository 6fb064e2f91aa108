//! The end of a store.

use super::usage::usage_of_all;
use super::{Store, path, staging};
use crate::error::{Code, Error, Result};
use crate::ui::{Ui, shown};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Store {
    /// What is in a store. Whatever else lies at its root is somebody's: GVM_ROOT may
    /// name any directory.
    fn contents(&self) -> [PathBuf; 12] {
        let layout = self.layout();
        // The locks last: they keep others out until then.
        [
            layout.shims(),
            layout.toolchains(),
            layout.cache(),
            layout.checksums(),
            layout.tmp(),
            layout.config(),
            layout.default_file(),
            layout.generation(),
            layout.gvm_path(),
            layout.mirror_file(),
            layout.pins(),
            layout.locks(),
        ]
        .map(|bytes| path(&bytes))
    }

    /// The bytes of its files, each counted once, whatever names it has. Links are not
    /// followed.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn size(&self) -> Result<u64> {
        Ok(usage_of_all(self.contents().iter().map(PathBuf::as_path))?.bytes)
    }

    /// Whether `gvm mirror use --go` has changed the go command's settings.
    #[must_use]
    pub fn has_go_settings(&self) -> bool {
        path(&self.layout().mirror_file()).exists()
    }

    /// Removes everything. The toolchains leave by one rename first, so that a killed
    /// removal leaves none that is half there. What is no part of a store stays, and
    /// what links lead to.
    ///
    /// # Errors
    /// Another gvm process works on it, or something cannot be deleted; what is left
    /// can be deleted by calling again.
    pub fn delete(&self, ui: &Ui) -> Result<()> {
        let busy = || {
            let message = format!("another gvm process works on {}", shown(&self.root()));
            Error::new(Code::Failure, message).hint("run the command again when it is done")
        };
        let (tmp, locks) = (path(&self.layout().tmp()), path(&self.layout().locks()));
        let _lock = super::Lock::try_acquire(&locks, "tmp")?.ok_or_else(busy)?;
        let _shims = super::Lock::try_acquire(&locks, "shims")?.ok_or_else(busy)?;
        // Who installs holds the lock of what it stages, not that of tmp/.
        for entry in fs_err::read_dir(&tmp).into_iter().flatten().flatten() {
            let lock = entry.path().join("lock");
            if lock.is_file() && super::Lock::try_file(&lock)?.is_none() {
                return Err(busy());
            }
        }
        let progress = ui.steps("removing", "the store", self.contents().len() as u64);
        let toolchains = path(&self.layout().toolchains());
        if fs_err::symlink_metadata(&toolchains).is_ok_and(|found| found.is_dir()) {
            fs_err::create_dir_all(&tmp)?;
            let gone = tempfile::Builder::new().prefix("removed-").tempdir_in(&tmp)?.keep();
            fs_err::rename(&toolchains, gone.join("toolchain"))?;
        }
        for entry in self.contents() {
            remove(&entry)?;
            progress.advance(1);
        }
        match fs_err::remove_dir(self.root()) {
            // It is a link, or something of somebody else's is in it.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory | ErrorKind::NotFound
                ) =>
            {
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

/// A file, a link or a tree, if it is there.
fn remove(entry: &Path) -> Result<()> {
    match fs_err::symlink_metadata(entry) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(found) if found.is_dir() => staging::remove_tree(entry),
        Ok(_) => Ok(fs_err::remove_file(entry)?),
    }
}
