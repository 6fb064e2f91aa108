//! What the store takes of the disk, and when a toolchain last ran.

use super::{Store, Toolchain, path};
use crate::error::Result;
use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What one directory or file of the store takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Its files, each counted once.
    pub bytes: u64,
    /// What its removal gives back: files that have no other name elsewhere. Clones of
    /// a file system that makes them cannot be told from copies.
    pub own: u64,
}

impl Store {
    /// The parts of the store besides the toolchains, by what they are for.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn other_usage(&self) -> Result<Vec<(&'static str, PathBuf, Usage)>> {
        let layout = self.layout();
        let parts = [
            ("downloads and indexes", layout.cache()),
            ("the log's records", layout.checksums()),
            ("half installs", layout.tmp()),
            ("shims", layout.shims()),
        ];
        let parts = parts.into_iter().map(|(what, at)| (what, path(&at)));
        parts.map(|(what, at)| Ok((what, at.clone(), usage(&at)?))).collect()
    }
}

/// What is below a path, which may not be there. Links are not followed.
///
/// # Errors
/// A directory cannot be read.
pub fn usage(at: &Path) -> Result<Usage> {
    usage_of_all([at])
}

/// The same of several, as if they were in one directory.
///
/// # Errors
/// A directory cannot be read.
pub(super) fn usage_of_all<'a>(all: impl IntoIterator<Item = &'a Path>) -> Result<Usage> {
    let mut names = HashMap::new();
    let mut sum = Usage::default();
    for at in all {
        add(at, &mut sum, &mut names)?;
    }
    // Files all of whose names are in here go with it.
    for (length, links, found) in names.into_values() {
        sum.bytes += length;
        sum.own += if found >= links { length } else { 0 };
    }
    Ok(sum)
}

/// By device and inode: length, names in all, names that were found.
type Names = HashMap<(u64, u64), (u64, u64, u64)>;

fn add(at: &Path, sum: &mut Usage, names: &mut Names) -> Result<()> {
    let found = match fs_err::symlink_metadata(at) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if found.is_dir() {
        for entry in fs_err::read_dir(at)? {
            add(&entry?.path(), sum, names)?;
        }
    } else if let Some((file, links)) = with_other_names(&found) {
        names.entry(file).or_insert((found.len(), links, 0)).2 += 1;
    } else {
        sum.bytes += found.len();
        sum.own += found.len();
    }
    Ok(())
}

/// Which file it is, and how many names it has, if it has several.
#[cfg(unix)]
fn with_other_names(found: &Metadata) -> Option<((u64, u64), u64)> {
    use std::os::unix::fs::MetadataExt;
    (found.nlink() > 1).then(|| ((found.dev(), found.ino()), found.nlink()))
}

#[cfg(not(unix))]
fn with_other_names(_: &Metadata) -> Option<((u64, u64), u64)> {
    None
}

impl Toolchain {
    /// What it takes.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        usage(&self.directory)
    }

    /// When its go last ran, to a day. The kernel writes it down by itself, in the time of
    /// access of the executable: at each start, or with relatime (what most systems have)
    /// once a day. A shim that wrote it down would pay for it at each go; and a GOROOT
    /// that an editor starts go from has no shim in front. What reads the file besides
    /// makes it look used, never unused; gvm's own reads leave the time as it is.
    ///
    /// # Errors
    /// A clause that says why it is not known: the system or the mount keeps no such time.
    #[cfg(target_os = "linux")]
    pub fn last_run(&self) -> std::result::Result<SystemTime, String> {
        use rustix::fs::{StatVfsMountFlags, statvfs};
        let go = self.goroot.join("bin/go");
        let flags = statvfs(&go).map_err(|error| error.to_string())?.f_flag;
        if flags.contains(StatVfsMountFlags::NOATIME) {
            return Err("its file system is mounted with noatime".into());
        }
        let accessed = fs_err::metadata(&go).and_then(|found| found.accessed());
        accessed.map_err(|error| error.to_string())
    }

    /// As on Linux, whose kernel writes it down.
    ///
    /// # Errors
    /// Always: here no system promises to.
    #[cfg(not(target_os = "linux"))]
    pub fn last_run(&self) -> std::result::Result<SystemTime, String> {
        Err("this system does not write down when a program ran".into())
    }
}
