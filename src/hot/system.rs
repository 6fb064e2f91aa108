//! The operating system as the hot path sees it.

use alloc::vec::Vec;

/// What makes two paths the same file: device and inode on Unix, volume and
/// file index on Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
}

/// What a look at a path tells.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    pub identity: Identity,
    pub is_dir: bool,
    /// A regular file that somebody may execute. On Windows every regular file.
    pub is_executable: bool,
}

/// Why a file that is there could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A directory, FIFO, socket or device under the name of a file.
    NotAFile,
    /// More bytes than the caller allows.
    TooLarge,
    PermissionDenied,
    /// Any other error, with the system's number.
    Os(i32),
}

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::TooLarge => f.write_str("it is larger than any such file needs to be"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::Os(code) => write!(f, "system error {code}"),
        }
    }
}

/// The few things that the hot path asks of the operating system.
pub trait System {
    /// An environment variable; `None` when unset. An empty value is `Some`.
    fn var(&self, name: &str) -> Option<Vec<u8>>;

    /// The directory the user stands in: `$PWD` where it names that directory
    /// (as Go's os.Getwd has it), else the kernel's path. `None` when it is gone.
    fn current_dir(&self) -> Option<Vec<u8>>;

    /// The bytes of a regular file, `Ok(None)` when there is nothing of that
    /// name.
    ///
    /// # Errors
    /// Something of that name exists and is not a readable file of at most
    /// `limit` bytes. Never blocks on a FIFO.
    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable>;

    /// The names in a directory, in no order and without `.` and `..`; nothing
    /// when it cannot be read.
    fn read_dir(&self, directory: &[u8], each: &mut dyn FnMut(&[u8]));

    /// Follows symbolic links; `None` when there is nothing to be seen.
    fn metadata(&self, path: &[u8]) -> Option<Metadata>;
}
