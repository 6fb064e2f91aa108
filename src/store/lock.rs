//! One gvm process at a time for each toolchain.

use crate::error::Result;
use crate::ui::Ui;
use fs_err::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held until it is dropped, or the process ends in whatever way: the kernel
/// takes it back (flock, LockFileEx).
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock `name`, waiting for whoever holds it and saying for whom.
    /// After that the caller looks again: the other may have done the work.
    pub(super) fn acquire(locks: &Path, name: &str, doing: &str, ui: &Ui) -> Result<Self> {
        fs_err::create_dir_all(locks)?;
        let mut file = open(&locks.join(format!("{name}.lock")))?;
        if !try_lock(&file)? {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            let holder = if holder.is_empty() { "another gvm" } else { holder };
            ui.say(format_args!("waiting for {holder}"));
            fs2::FileExt::lock_exclusive(file.file())?;
        }
        // For whoever waits for us; a lock without it works as well.
        let holder = format!("gvm, process {}, {doing} {name}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = file.write_all(holder.as_bytes());
        Ok(Self { file })
    }

    /// Takes the lock `name` if nobody has it.
    pub(super) fn try_acquire(locks: &Path, name: &str) -> Result<Option<Self>> {
        fs_err::create_dir_all(locks)?;
        Self::try_file(&locks.join(format!("{name}.lock")))
    }

    /// The file, which is open as long as the lock is held.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Takes the lock of that file if nobody has it.
    pub(super) fn try_file(file: &Path) -> Result<Option<Self>> {
        let file = open(file)?;
        Ok(try_lock(&file)?.then_some(Self { file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs2::FileExt::unlock(self.file.file());
    }
}

/// The file stays when the lock is given back: removing it would let two
/// processes hold a lock of one name.
fn open(file: &Path) -> Result<File> {
    Ok(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file)?)
}

fn try_lock(file: &File) -> Result<bool> {
    match fs2::FileExt::try_lock_exclusive(file.file()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
