//! Errors as the user sees them: one sentence, the cause, and the command that
//! fixes it.

use gvm_hot::pin::PinError;
use gvm_hot::shim;
use std::fmt;
use std::io::ErrorKind;

/// Exit codes. The README lists them, and they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Something failed that should not have: a file, the disk, a permission.
    Failure = 1,
    /// The command line, a pin or a setting cannot be used.
    Usage = 2,
    /// The version is not installed.
    NotInstalled = 3,
    /// No source has the version.
    NoSuchRelease = 4,
    /// What was downloaded is not what was published.
    Refused = 5,
    /// No source could be reached.
    Network = 6,
    /// `gvm pin --lock`: some platforms could not be locked, the others are.
    Partial = 7,
    /// `gvm doctor`: something is not as it should be.
    Warnings = 8,
    /// `gvm doctor`: something cannot work as it is.
    Errors = 9,
    /// `gvm exec` and shims: the program is there and cannot be run.
    CannotRun = shim::CANNOT_RUN,
    /// `gvm exec` and shims: there is nothing to run.
    NotFound = shim::NOT_FOUND,
}

/// What ends a command.
#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    message: String,
    /// The commands that help, or what to look at.
    hints: Vec<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new() }
    }

    /// Adds a line such as `to install it: gvm install 1.22`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Without the hints.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\n  {hint}"))
    }
}

impl std::error::Error for Error {}

/// I/O errors come from `fs_err`, so they name their file.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        // File names in it are somebody's.
        let message = gvm_hot::path::display(error.to_string().as_bytes()).to_string();
        let limited = is_file_limit(&message);
        let this = Self::new(Code::Failure, message);
        if full {
            return this.hint("free some room and run the command again");
        }
        if limited {
            return this.hint(FILE_LIMIT);
        }
        this
    }
}

/// Whether too many files are open: in this process, or in the system. The numbers
/// are the same on every Unix. They stand in the text alone, once libraries have put
/// a path around an error.
pub(crate) fn is_file_limit(text: &str) -> bool {
    cfg!(unix) && ["(os error 24)", "(os error 23)"].iter().any(|number| text.contains(number))
}

/// What helps then.
pub(crate) const FILE_LIMIT: &str =
    "the limit of open files is reached; to see it: ulimit -n; to raise it: ulimit -n 1024";

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        Self::new(Code::Usage, error.to_string()).hint(shim::repair(&error))
    }
}
