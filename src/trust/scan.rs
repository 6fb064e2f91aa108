//! An unpacked tree as it is on the disk now: the digest of each file, and what
//! else lies about.

use super::h1::Tree;
use super::sha256::Hasher;
use crate::files;
use crate::path::display;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const BUFFER: usize = 1 << 20;

/// What was found in a directory.
#[derive(Debug, Default)]
pub struct Scan {
    pub tree: Tree,
    /// Files that nobody may execute.
    pub not_executable: Vec<String>,
    /// What is no file that could be read, by its path: a clause that says why.
    pub odd: BTreeMap<String, String>,
    /// Bytes of the files.
    pub bytes: u64,
}

struct Found {
    path: String,
    file: PathBuf,
    executable: bool,
}

/// Reads all that is below `goroot`, with as many threads as there are cores, and
/// tells `advance` of the bytes as they are read. Links are not followed.
///
/// # Errors
/// A directory cannot be read.
pub fn scan(goroot: &Path, advance: &(dyn Fn(u64) + Sync)) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut found = Vec::new();
    walk(goroot, "", &mut found, &mut scan.odd)?;
    scan.not_executable =
        found.iter().filter(|found| !found.executable).map(|found| found.path.clone()).collect();

    let next = AtomicUsize::new(0);
    let scan = Mutex::new(scan);
    let work = || {
        let mut buffer = vec![0; BUFFER];
        while let Some(found) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
            let digest = digest(&found.file, &mut buffer, advance);
            let mut scan = scan.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match digest {
                Ok((digest, bytes)) => {
                    scan.tree.add(&found.path, digest);
                    scan.bytes += bytes;
                }
                Err(error) => {
                    // Without the path, which stands in front of it.
                    let why = error.raw_os_error().map(io::Error::from_raw_os_error);
                    let why = format!("cannot be read: {}", why.unwrap_or(error));
                    scan.odd.insert(found.path.clone(), why);
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    Ok(scan.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

fn walk(
    directory: &Path,
    prefix: &str,
    found: &mut Vec<Found>,
    odd: &mut BTreeMap<String, String>,
) -> io::Result<()> {
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            let name = display(entry.file_name().as_encoded_bytes()).to_string();
            odd.insert(format!("{prefix}{name}"), "has a name that is not UTF-8".into());
            continue;
        };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found, odd)?;
        } else if kind.is_file() {
            let executable = is_executable(&entry)?;
            found.push(Found { path, file: entry.path(), executable });
        } else {
            let what =
                if kind.is_symlink() { "a symbolic link" } else { "a device, pipe or socket" };
            odd.insert(path, format!("is {what}"));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(entry: &fs_err::DirEntry) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(entry.metadata()?.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &fs_err::DirEntry) -> io::Result<bool> {
    Ok(true)
}

fn digest(
    file: &Path,
    buffer: &mut [u8],
    advance: &dyn Fn(u64),
) -> io::Result<(super::sha256::Sha256, u64)> {
    let mut file = files::open_unnoticed(file)?;
    let mut hasher = Hasher::default();
    let mut bytes = 0;
    loop {
        match file.read(buffer)? {
            0 => return Ok((hasher.finish(), bytes)),
            length => {
                hasher.update(&buffer[..length]);
                bytes += length as u64;
                advance(length as u64);
            }
        }
    }
}
