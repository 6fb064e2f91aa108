//! Files that two toolchains have in common, kept on the disk once.
//!
//! A patch release changes two fifths of the bytes of a tree. The rest is taken from
//! the neighbour, another toolchain of the store: as a clone of its blocks where the
//! file system makes such (Btrfs, XFS, ZFS, APFS), which nobody can tell from a copy;
//! else as a hard link of a file that nobody may write. A file is taken only if its
//! content, read here and now, is the one that is wanted: what lists say of it does
//! not count.

use super::{Staging, Store, Toolchain};
use crate::config::Share;
use crate::platform::Platform;
use crate::version::Version;
use fs_err::{File, OpenOptions};
use std::cmp::Reverse;
use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

impl Store {
    /// The toolchain whose files are most like those of `version`: the one before it
    /// among those of its minor, else the one behind it, else the newest of the
    /// nearest minor. Where the version is not known yet, the newest.
    #[must_use]
    pub fn neighbour(&self, version: Option<Version>, platform: &Platform) -> Option<Toolchain> {
        let mut all = self.toolchains().unwrap_or_default();
        all.retain(|toolchain| toolchain.platform == *platform);
        let Some(version) = version else { return all.into_iter().next() };
        let minor = |version: Version| (version.major(), version.minor());
        let distance = |other: Version| match minor(other) == minor(version) {
            true => (0, 0, other > version),
            false => {
                let majors = other.major().abs_diff(version.major());
                (majors, 1 + other.minor().abs_diff(version.minor()), false)
            }
        };
        all.retain(|toolchain| toolchain.version != version);
        all.into_iter().min_by_key(|toolchain| {
            let other = toolchain.version;
            let distance = distance(other);
            // Of those behind it in its minor, the first; of others, the newest.
            let behind = distance.2.then_some(other);
            (distance, behind, Reverse(other))
        })
    }
}

/// How a file of another tree becomes one of this tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As a clone of its blocks.
    Clone,
    /// As another name of it, if nobody may write to it.
    Link,
    /// As another name of it: the tree that it is from is about to go.
    Move,
    Copy,
}

/// A tree whose files may be taken over into one that is being built.
#[derive(Debug)]
pub struct Neighbour {
    goroot: PathBuf,
    way: Way,
    /// What a new file of ours is like that nobody may write.
    #[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere files have no such rights"))]
    ours: Metadata,
}

/// A file of the neighbour's that is open.
#[derive(Debug)]
pub struct Theirs {
    file: File,
    path: PathBuf,
    /// As it was when it was opened.
    size: u64,
    modified: Option<SystemTime>,
}

impl Neighbour {
    /// The tree at `goroot`, for one that is built in `staging`. In which way files
    /// are shared there is tried out.
    ///
    /// # Errors
    /// The staging directory cannot be written.
    pub fn new(goroot: &Path, share: Share, staging: &Staging) -> io::Result<Self> {
        let probe = staging.scratch("probe");
        drop(create(&probe, false)?);
        let ours = fs_err::symlink_metadata(&probe)?;
        let mut neighbour = Self { goroot: goroot.into(), way: Way::Clone, ours };
        if share == Share::Off {
            neighbour.way = Way::Copy;
        } else if neighbour.can_clone(&staging.scratch("clone")) {
            fs_err::remove_file(staging.scratch("clone"))?;
        } else {
            // Whom no mode keeps from writing (root, and everybody where the file
            // system has no modes) would change every tree with one write.
            let is_bound = OpenOptions::new().write(true).open(&probe).is_err();
            let is_linked = cfg!(unix) && (is_bound || share == Share::Links);
            neighbour.way = if is_linked { Way::Link } else { Way::Copy };
        }
        // There may be two for one tree.
        fs_err::remove_file(&probe)?;
        Ok(neighbour)
    }

    /// The tree at `goroot`, which the one that is built in `staging` replaces.
    ///
    /// # Errors
    /// As [`Neighbour::new`].
    pub fn replaced(goroot: &Path, staging: &Staging) -> io::Result<Self> {
        Ok(Self { way: Way::Move, ..Self::new(goroot, Share::Off, staging)? })
    }

    /// Whether what is taken from it costs no room on the disk.
    #[must_use]
    pub fn shares(&self) -> bool {
        self.way != Way::Copy
    }

    fn can_clone(&self, to: &Path) -> bool {
        // Every Go has this file.
        self.open("VERSION").is_some_and(|theirs| self.clone_of(&theirs, to, false).is_ok())
    }

    #[cfg(target_os = "linux")]
    fn clone_of(&self, theirs: &Theirs, to: &Path, executable: bool) -> io::Result<()> {
        let file = create(to, executable)?;
        rustix::fs::ioctl_ficlone(file.file(), theirs.file.file()).map_err(|error| {
            let _ = fs_err::remove_file(to);
            error.into()
        })
    }

    #[cfg(target_os = "macos")]
    fn clone_of(&self, theirs: &Theirs, to: &Path, executable: bool) -> io::Result<()> {
        use rustix::fs::{CWD, CloneFlags, fclonefileat};
        use std::os::unix::fs::PermissionsExt;
        fclonefileat(theirs.file.file(), CWD, to, CloneFlags::NOFOLLOW | CloneFlags::NOOWNERCOPY)?;
        // It comes with the mode of theirs.
        let readable = self.ours.permissions().mode() & 0o444;
        let mode = if executable { readable | readable >> 2 } else { readable };
        fs_err::set_permissions(to, PermissionsExt::from_mode(mode)).inspect_err(|_| {
            let _ = fs_err::remove_file(to);
        })
    }

    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    fn clone_of(&self, _: &Theirs, _: &Path, _: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The size of a file in bytes, by its path in GOROOT.
    #[must_use]
    pub fn size_of(&self, path: &str) -> Option<u64> {
        let found = fs_err::symlink_metadata(self.goroot.join(path)).ok()?;
        found.is_file().then_some(found.len())
    }

    /// A file by its path in GOROOT; `None` where there is none that could be taken.
    #[must_use]
    pub fn open(&self, path: &str) -> Option<Theirs> {
        Theirs::open(&self.goroot.join(path))
    }

    /// A file by its path in GOROOT, to be compared with what comes; `None` where there
    /// is none that could be shared.
    #[must_use]
    pub fn same(&self, path: &str, executable: bool) -> Option<Same<'_>> {
        let theirs = self.open(path)?;
        let may = theirs.may_be_placed(self, executable).unwrap_or(false);
        let same = Same { neighbour: self, theirs, executable, length: 0 };
        may.then_some(same)
    }

    /// Makes an open file one of our tree, at `to`. The caller has read it to its end
    /// since it was opened, and it is what the tree needs.
    ///
    /// # Errors
    /// It cannot be taken in this way, or changed meanwhile. Nothing is at `to` then
    /// that was not there before.
    fn place(&self, theirs: &Theirs, to: &Path, executable: bool) -> io::Result<()> {
        match self.way {
            Way::Clone => self.clone_of(theirs, to, executable)?,
            Way::Link | Way::Move if !self.has_our_mode(theirs, executable)? => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            Way::Link | Way::Move => fs_err::hard_link(&theirs.path, to)?,
            Way::Copy => return Err(io::ErrorKind::Unsupported.into()),
        }
        let is_it = self.way == Way::Clone || is_same_file(theirs, to)?;
        if is_it && theirs.is_unchanged()? {
            return Ok(());
        }
        fs_err::remove_file(to)?;
        Err(theirs.changed())
    }

    /// Whether a file has the rights that a new one of ours would have.
    #[cfg(unix)]
    fn has_our_mode(&self, theirs: &Theirs, executable: bool) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let found = theirs.file.metadata()?;
        let is_executable = (found.mode() & 0o111 != 0) == executable;
        let is_ours = found.uid() == self.ours.uid()
            && found.mode() & 0o7222 == 0
            && found.mode() & 0o444 == self.ours.mode() & 0o444;
        Ok(is_executable && (is_ours || self.way == Way::Move))
    }

    #[cfg(not(unix))]
    fn has_our_mode(&self, _: &Theirs, _: bool) -> io::Result<bool> {
        Ok(self.way == Way::Move)
    }

    /// Takes an open file over to `to`, if it is what the tree needs: `see` has all of
    /// its bytes, and then `is_it` tells. What was seen is given back if so.
    ///
    /// # Errors
    /// It cannot be read, or `to` not be written.
    pub fn take<S>(
        &self,
        mut theirs: Theirs,
        to: &Path,
        executable: bool,
        mut seen: S,
        see: impl Fn(&mut S, &[u8]),
        is_it: impl Fn(&S) -> bool,
    ) -> io::Result<Option<S>> {
        // What is copied is seen as it is written: those are the bytes that count.
        let mut copy = match theirs.may_be_placed(self, executable)? {
            true => None,
            false => Some(create(to, executable)?),
        };
        theirs.read_into(copy.as_mut(), &mut seen, see)?;
        match (is_it(&seen), copy) {
            (true, Some(_)) => Ok(Some(seen)),
            (true, None) => {
                if self.place(&theirs, to, executable).is_err() {
                    theirs.copy(theirs.size, &mut create(to, executable)?)?;
                }
                Ok(Some(seen))
            }
            (false, Some(copy)) => {
                drop(copy);
                fs_err::remove_file(to)?;
                Ok(None)
            }
            (false, None) => Ok(None),
        }
    }

    /// Takes over a file of a tree that others may write to at any time. What counts is
    /// what is read of it once it is at `to`: `see` has all of those bytes, and then
    /// `is_it` tells. What was seen is given back if so; else nothing is at `to`.
    ///
    /// # Errors
    /// It cannot be read, or `to` not be written.
    pub fn adopt<S>(
        &self,
        theirs: Theirs,
        to: &Path,
        executable: bool,
        mut seen: S,
        see: impl Fn(&mut S, &[u8]),
        is_it: impl Fn(&S) -> bool,
    ) -> io::Result<Option<S>> {
        let (mut from, mut copy) = if self.is_placed(&theirs, to, executable)? {
            (Theirs::open(to).ok_or_else(|| theirs.changed())?, None)
        } else {
            (theirs, Some(create(to, executable)?))
        };
        from.read_into(copy.as_mut(), &mut seen, see)?;
        if is_it(&seen) {
            return Ok(Some(seen));
        }
        fs_err::remove_file(to)?;
        Ok(None)
    }

    /// Puts a clone or another name of an open file to `to`, where that can be: a name,
    /// if nobody may write to it.
    fn is_placed(&self, theirs: &Theirs, to: &Path, executable: bool) -> io::Result<bool> {
        match self.way {
            Way::Clone => Ok(self.clone_of(theirs, to, executable).is_ok()),
            Way::Link if self.has_our_mode(theirs, executable)? => {
                // Not every file system has hard links.
                if fs_err::hard_link(&theirs.path, to).is_err() {
                    return Ok(false);
                }
                let is_it = is_same_file(theirs, to)?;
                if !is_it {
                    fs_err::remove_file(to)?;
                }
                Ok(is_it)
            }
            Way::Link | Way::Move | Way::Copy => Ok(false),
        }
    }
}

const BUFFER: usize = 256 << 10;

impl Theirs {
    /// A file by its path; `None` where there is none that could be read: neither what a
    /// link points to nor what waits for a writer is one.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(path).ok()?;
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        Some(Self { file, path: path.into(), size, modified })
    }

    /// Lets `see` have its bytes to the end.
    ///
    /// # Errors
    /// It cannot be read, or what `see` says.
    pub fn read_to_end(&mut self, mut see: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER.min(self.size.max(1) as usize)];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(()),
                length => see(&buffer[..length])?,
            }
        }
    }

    /// Lets `see` have its bytes to the end, and writes them into a copy, if there is one.
    fn read_into<S>(
        &mut self,
        mut copy: Option<&mut File>,
        seen: &mut S,
        see: impl Fn(&mut S, &[u8]),
    ) -> io::Result<()> {
        self.read_to_end(|bytes| {
            see(seen, bytes);
            copy.as_mut().map_or(Ok(()), |copy| copy.write_all(bytes))
        })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn may_be_placed(&self, neighbour: &Neighbour, executable: bool) -> io::Result<bool> {
        match neighbour.way {
            Way::Clone => Ok(true),
            Way::Link | Way::Move => neighbour.has_our_mode(self, executable),
            Way::Copy => Ok(false),
        }
    }

    /// Whether it is as it was when it was opened.
    fn is_unchanged(&self) -> io::Result<bool> {
        let now = self.file.metadata()?;
        Ok((now.len(), now.modified().ok()) == (self.size, self.modified))
    }

    fn changed(&self) -> io::Error {
        io::Error::other(format!("{} changed while it was read", self.path.display()))
    }

    /// Copies its first bytes, which have been read before.
    fn copy(&mut self, length: u64, to: &mut impl Write) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let copied = io::copy(&mut self.file.file().take(length), to)?;
        if copied == length && self.is_unchanged()? { Ok(()) } else { Err(self.changed()) }
    }
}

/// A file of a tree that is being built, as long as what comes of it is what the
/// neighbour's file of that path holds.
#[derive(Debug)]
pub struct Same<'a> {
    neighbour: &'a Neighbour,
    theirs: Theirs,
    executable: bool,
    /// How much has been compared.
    length: u64,
}

impl Same<'_> {
    /// Whether it is still the same with these bytes more; if not, they do not count.
    /// Theirs are read into `buffer`.
    pub fn goes_on(&mut self, data: &[u8], buffer: &mut Vec<u8>) -> bool {
        let end = self.length + data.len() as u64;
        if end > self.theirs.size {
            return false;
        }
        if buffer.len() < data.len() {
            buffer.resize(data.len(), 0);
        }
        let theirs = &mut buffer[..data.len()];
        let is_same = self.theirs.file.read_exact(theirs).is_ok() && theirs == data;
        if is_same {
            self.length = end;
        }
        is_same
    }

    /// Takes the file over to `to`, now that nothing more comes; `false` if it is
    /// longer, or cannot be taken.
    #[must_use]
    pub fn place(&self, to: &Path) -> bool {
        self.length == self.theirs.size
            && self.neighbour.place(&self.theirs, to, self.executable).is_ok()
    }

    /// Writes what has been the same.
    ///
    /// # Errors
    /// It cannot be written, or is not there any more.
    pub fn copy(mut self, to: &mut impl Write) -> io::Result<()> {
        self.theirs.copy(self.length, to)
    }
}

/// A new file of a tree; one of that name must not be there yet. Nobody may write
/// to it, as in the module cache: neither go nor an editor should, by mistake.
///
/// # Errors
/// It is there, or cannot be made.
pub fn create(file: &Path, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.mode(if executable { 0o555 } else { 0o444 });
    }
    #[cfg(not(unix))]
    let _ = executable;
    options.open(file)
}

/// Whether what is at a path is the file that is open.
#[cfg(unix)]
fn is_same_file(theirs: &Theirs, at: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (theirs, found) = (theirs.file.metadata()?, fs_err::symlink_metadata(at)?);
    Ok((theirs.dev(), theirs.ino()) == (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn is_same_file(_: &Theirs, _: &Path) -> io::Result<bool> {
    // It cannot be replaced as long as it is open.
    Ok(true)
}
