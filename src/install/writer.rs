//! A new tree of files on the disk, each written once and never looked at again.
//!
//! Files come in the order of the archive, so that many in a row are in the same
//! directory: on Unix it is held open, and the system walks no path to it. They are
//! created with the mode that they keep, which lets nobody write them, as the module
//! cache of Go keeps its files: what writes into a GOROOT by mistake is told so, and
//! files that toolchains share stay what they are.

use super::tree::{Batch, New};
use crate::path::display;
use crate::source::Failure;
use crate::store::WriteBack;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Files of which so much is written at once set out for the disk right away: they
/// are few, and most of the bytes.
const LARGE: usize = 64 << 10;
/// Longer than it takes to unpack a batch. Who waits that long waits for the network,
/// and has the time to send small files to the disk, too.
const IDLE: Duration = Duration::from_millis(5);

/// Writes the files as they come.
pub(super) fn write(batches: &Receiver<Arc<Batch>>, goroot: &Path) -> Result<(), Failure> {
    let mut tree = NewTree::create(goroot)?;
    let mut write_back = WriteBack::of(goroot)?;
    let mut asked = Instant::now();
    while let Ok(batch) = batches.recv() {
        let is_idle = asked.elapsed() > IDLE;
        for (begins, bytes) in batch.pieces() {
            if let Some(new) = begins {
                tree.begin(new).map_err(|error| refused_or_failed(&new.path, error))?;
            }
            if let Some(file) = tree.append(bytes)? {
                write_back.wrote(file, bytes.len(), is_idle || bytes.len() >= LARGE);
            }
        }
        asked = Instant::now();
    }
    write_back.finish();
    Ok(())
}

/// What the file system cannot take beside the rest is the archive's fault.
fn refused_or_failed(path: &str, error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            let path = display(path.as_bytes()).to_string();
            Failure::refused(format!("`{path}` is twice in the archive"))
        }
        _ => error.into(),
    }
}

/// Who may do what with a new file, less what the process's umask takes away.
#[cfg(unix)]
fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// A directory in which nothing is but what was put there.
struct NewTree {
    root: PathBuf,
    /// Directories that are there, by their paths with slashes.
    made: HashSet<String>,
    directories: at::Directories,
    /// The last file, by its path with slashes.
    path: String,
    file: Option<File>,
}

impl NewTree {
    fn create(root: &Path) -> io::Result<Self> {
        fs_err::create_dir_all(root)?;
        Ok(Self {
            root: root.into(),
            made: HashSet::from([String::new()]),
            directories: at::Directories::open(root)?,
            path: String::new(),
            file: None,
        })
    }

    fn begin(&mut self, New { path, executable }: &New) -> io::Result<()> {
        self.file = None;
        self.path.clone_from(path);
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !self.made.contains(directory) {
            for end in directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]) {
                let directory = &directory[..end];
                if !self.made.contains(directory) {
                    let made = self.directories.make(directory);
                    made.map_err(|error| self.failed("create directory", directory, &error))?;
                    self.made.insert(directory.into());
                }
            }
        }
        let file = self.directories.create(directory, name, *executable);
        self.file = Some(file.map_err(|error| self.failed("create file", path, &error))?);
        Ok(())
    }

    /// Adds to the last file, and gives it back.
    fn append(&mut self, bytes: &[u8]) -> io::Result<Option<&File>> {
        let Some(mut file) = self.file.as_ref() else { return Ok(None) };
        let done = file.write_all(bytes);
        done.map_err(|error| self.failed("write to file", &self.path, &error))?;
        Ok(Some(file))
    }

    /// An error that names the file, as those of fs_err do.
    fn failed(&self, to: &str, path: &str, error: &io::Error) -> io::Error {
        let path = self.root.join(path);
        io::Error::new(error.kind(), format!("failed to {to} `{}`: {error}", path.display()))
    }
}

#[cfg(unix)]
mod at {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    /// Directories by their paths below the first one.
    pub(super) struct Directories {
        root: OwnedFd,
        /// The one that the last file was created in.
        last: Option<(String, OwnedFd)>,
    }

    const DIRECTORY: OFlags =
        OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    /// A new file: one of that name must not be there yet.
    const NEW: OFlags =
        OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

    impl Directories {
        pub(super) fn open(root: &Path) -> io::Result<Self> {
            let root = fs_err::File::open(root)?.into_parts().0.into();
            Ok(Self { root, last: None })
        }

        /// Makes a directory whose parent is there.
        pub(super) fn make(&self, directory: &str) -> io::Result<()> {
            Ok(mkdirat(&self.root, directory, Mode::from_raw_mode(0o777))?)
        }

        pub(super) fn create(
            &mut self,
            directory: &str,
            name: &str,
            executable: bool,
        ) -> io::Result<File> {
            let mode = Mode::from_raw_mode(super::mode(executable) as _);
            if directory.is_empty() {
                return Ok(openat(&self.root, name, NEW, mode)?.into());
            }
            let last = match self.last.take().filter(|(last, _)| last == directory) {
                Some(last) => last,
                None => {
                    (directory.into(), openat(&self.root, directory, DIRECTORY, Mode::empty())?)
                }
            };
            let (_, at) = self.last.insert(last);
            Ok(openat(at, name, NEW, mode)?.into())
        }
    }
}

/// Elsewhere by path; and a file that nobody may write is one there that nobody can
/// delete, so they stay as they are created.
#[cfg(not(unix))]
mod at {
    use std::fs::File;
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) struct Directories {
        root: PathBuf,
    }

    impl Directories {
        pub(super) fn open(root: &Path) -> io::Result<Self> {
            Ok(Self { root: root.into() })
        }

        pub(super) fn make(&self, directory: &str) -> io::Result<()> {
            fs_err::create_dir(self.root.join(directory))
        }

        pub(super) fn create(&mut self, directory: &str, name: &str, _: bool) -> io::Result<File> {
            let mut options = fs_err::OpenOptions::new();
            let file = self.root.join(directory).join(name);
            Ok(options.write(true).create_new(true).open(file)?.into_parts().0)
        }
    }
}
