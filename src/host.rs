//! The operating system through `std`, as the hot path sees it. This file is
//! part of the gvm library and, where the shim has `std`, of the shim.

#![expect(
    clippy::disallowed_methods,
    reason = "the shim takes nothing but std, and these errors are no messages"
)]

use gvm_hot::path;
use gvm_hot::system::{Identity, Metadata, System, Unreadable};
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::{env, fs, io};

/// The process's environment, directory and file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

/// Bytes of the hot path as the system's string.
pub fn os(bytes: &[u8]) -> &OsStr {
    // SAFETY: every byte string of the hot path came from `as_encoded_bytes` or
    // is ASCII, and they are cut and joined at ASCII characters only.
    unsafe { OsStr::from_encoded_bytes_unchecked(bytes) }
}

/// The system's string as bytes of the hot path.
pub fn bytes(text: OsString) -> Vec<u8> {
    text.into_encoded_bytes()
}

impl System for Host {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        env::var_os(name).map(bytes)
    }

    fn current_dir(&self) -> Option<Vec<u8>> {
        let here = self.metadata(b".").map(|found| found.identity);
        let logical = self.var("PWD").filter(|path| path::is_absolute(path)).filter(|path| {
            here.is_some() && self.metadata(path).map(|found| found.identity) == here
        });
        logical.or_else(|| Some(bytes(env::current_dir().ok()?.into_os_string())))
    }

    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => None,
            ErrorKind::PermissionDenied => Some(Unreadable::PermissionDenied),
            _ => Some(Unreadable::Os(error.raw_os_error().unwrap_or(0))),
        };
        let path = Path::new(os(file));
        // Looked at before it is opened: opening a FIFO would wait for a writer.
        let length = match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(Unreadable::NotAFile),
            Ok(found) if found.len() > limit as u64 => return Err(Unreadable::TooLarge),
            Ok(found) => found.len(),
            Err(error) => return failed(error).map_or(Ok(None), Err),
        };
        // One byte more than it has, to see its end in the same call.
        let mut content = Vec::with_capacity(length as usize + 1);
        let read = fs::File::open(path)
            .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut content));
        match read {
            Ok(length) if length > limit => Err(Unreadable::TooLarge),
            Ok(_) => Ok(Some(content)),
            Err(error) => failed(error).map_or(Ok(None), Err),
        }
    }

    fn read_dir(&self, directory: &[u8], each: &mut dyn FnMut(&[u8])) {
        for entry in fs::read_dir(os(directory)).into_iter().flatten().flatten() {
            each(entry.file_name().as_encoded_bytes());
        }
    }

    #[cfg(unix)]
    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(os(path)).ok()?;
        Some(Metadata {
            identity: Identity { device: found.dev(), inode: found.ino() },
            is_dir: found.is_dir(),
            is_executable: found.is_file() && found.mode() & 0o111 != 0,
        })
    }

    #[cfg(windows)]
    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let found = fs::metadata(os(path)).ok()?;
        // The file index is not in stable std; the resolved path tells files
        // apart as well, but for hard links, and the shims are found by their
        // directory.
        let mut hasher = DefaultHasher::new();
        fs::canonicalize(os(path)).ok()?.as_os_str().to_ascii_lowercase().hash(&mut hasher);
        Some(Metadata {
            identity: Identity { device: 0, inode: hasher.finish() },
            is_dir: found.is_dir(),
            is_executable: found.is_file(),
        })
    }
}
