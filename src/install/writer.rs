//! New files of a tree on the disk, each written once and never looked at again.
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
use crate::store::share::{Neighbour, Same};
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
pub(super) fn write(
    batches: &Receiver<Arc<Batch>>,
    goroot: &Path,
    neighbour: Option<&Neighbour>,
) -> Result<(), Failure> {
    let mut tree = NewTree::create(goroot, neighbour)?;
    let mut write_back = WriteBack::of(goroot)?;
    let mut write_all = || {
        let mut asked = Instant::now();
        while let Ok(batch) = batches.recv() {
            let is_idle = asked.elapsed() > IDLE;
            for (begins, bytes) in batch.pieces() {
                if let Some(new) = begins {
                    tree.finish()?;
                    tree.begin(new)?;
                }
                if let Some(file) = tree.append(bytes)? {
                    write_back.wrote(file, bytes.len(), is_idle || bytes.len() >= LARGE);
                }
            }
            asked = Instant::now();
        }
        tree.finish()
    };
    write_all().map_err(|error| refused_or_failed(&tree.path, error))?;
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

/// A directory in which none of the files is yet.
struct NewTree<'a> {
    root: PathBuf,
    neighbour: Option<&'a Neighbour>,
    /// Directories that are known to be there, by their paths with slashes.
    made: HashSet<String>,
    directories: at::Directories,
    /// The last file, by its path with slashes.
    path: String,
    executable: bool,
    /// For what is compared.
    buffer: Vec<u8>,
    file: Option<Content<'a>>,
}

/// What is known of a file that has begun.
enum Content<'a> {
    /// So far it is what the neighbour's file is, and nothing is written.
    Same(Same<'a>),
    Own(File),
}

impl<'a> NewTree<'a> {
    fn create(root: &Path, neighbour: Option<&'a Neighbour>) -> io::Result<Self> {
        fs_err::create_dir_all(root)?;
        Ok(Self {
            root: root.into(),
            // What has to be written anyway is not read before.
            neighbour: neighbour.filter(|neighbour| neighbour.shares()),
            made: HashSet::from([String::new()]),
            directories: at::Directories::open(root)?,
            path: String::new(),
            executable: false,
            buffer: Vec::new(),
            file: None,
        })
    }

    fn begin(&mut self, New { path, executable }: &New) -> io::Result<()> {
        self.path.clone_from(path);
        self.executable = *executable;
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
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
        let same = self.neighbour.and_then(|neighbour| neighbour.same(path, *executable));
        self.file = Some(match same {
            Some(same) => Content::Same(same),
            None => Content::Own(self.create_file()?),
        });
        Ok(())
    }

    /// Adds to the last file, and gives it back if it was written to.
    fn append(&mut self, bytes: &[u8]) -> io::Result<Option<&File>> {
        if let Some(Content::Same(same)) = &mut self.file {
            if same.goes_on(bytes, &mut self.buffer) {
                return Ok(None);
            }
            self.write_own()?;
        }
        let Some(Content::Own(file)) = &self.file else { return Ok(None) };
        let written = (&*file).write_all(bytes);
        written.map_err(|error| self.failed("write to file", &self.path, &error))?;
        Ok(Some(file))
    }

    /// Nothing more comes of the last file.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(Content::Same(same)) = &self.file
            && !same.place(&self.root.join(&self.path))
        {
            self.write_own()?;
        }
        self.file = None;
        Ok(())
    }

    /// Writes what came of the last file, which was the same as the neighbour's.
    fn write_own(&mut self) -> io::Result<()> {
        if let Some(Content::Same(same)) = self.file.take() {
            let mut own = self.create_file()?;
            same.copy(&mut own)?;
            self.file = Some(Content::Own(own));
        }
        Ok(())
    }

    fn create_file(&mut self) -> io::Result<File> {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let file = self.directories.create(directory, name, self.executable);
        file.map_err(|error| self.failed("create file", &self.path, &error))
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
    use rustix::io::Errno;
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

        /// Makes a directory whose parent is there, if it is not there itself.
        pub(super) fn make(&self, directory: &str) -> io::Result<()> {
            match mkdirat(&self.root, directory, Mode::from_raw_mode(0o777)) {
                Err(Errno::EXIST) => openat(&self.root, directory, DIRECTORY, Mode::empty())
                    .map(drop)
                    .map_err(|_| Errno::EXIST.into()),
                made => Ok(made?),
            }
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
            let directory = self.root.join(directory);
            match fs_err::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if directory.is_dir() { Ok(()) } else { Err(error) }
                }
                made => made,
            }
        }

        pub(super) fn create(&mut self, directory: &str, name: &str, _: bool) -> io::Result<File> {
            let mut options = fs_err::OpenOptions::new();
            let file = self.root.join(directory).join(name);
            Ok(options.write(true).create_new(true).open(file)?.into_parts().0)
        }
    }
}
