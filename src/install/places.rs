//! Which path in GOROOT a name in an archive is.

use super::tree::Files;
use crate::archive::{ArchiveError, Sink};
use crate::path::display;
use crate::platform::Platform;
use crate::source::Shape;
use crate::trust::h1;
use crate::version::Version;
use std::io::{self, Read};

/// Hands an archive's files on under their paths in GOROOT.
pub(super) struct Places<'a> {
    pub(super) shape: Shape,
    pub(super) files: &'a mut Files,
    /// Leaves out what the checksum database does not cover: nothing else could
    /// speak for it.
    pub(super) only_recorded: bool,
}

impl Places<'_> {
    /// The path in GOROOT of a name in the archive, and whether it is executable.
    fn place(&mut self, name: &str, executable: bool) -> Result<(String, bool), ArchiveError> {
        let refused = |why: &str| {
            let name = display(name.as_bytes()).to_string();
            ArchiveError::Hostile(format!("`{name}` {why}"))
        };
        if self.shape == Shape::Unknown {
            self.shape = shape_of(name).ok_or_else(|| refused("is in no archive of Go"))?;
        }
        match &self.shape {
            Shape::Module { version, platform } => {
                let prefix = h1::module_prefix(*version, platform);
                let path = h1::path_of_member(&prefix, name).map_err(|why| refused(&why))?;
                let executable = is_executable(&path);
                Ok((path, executable))
            }
            _ => {
                let path = name.strip_prefix("go/").ok_or_else(|| refused("is not under go/"))?;
                // It would have the same h1 as a go.mod.
                if path.rsplit('/').next() == Some("_go.mod") {
                    return Err(refused("is in no archive of go.dev"));
                }
                // The local headers of a zip carry no modes.
                Ok((path.into(), executable || is_executable(path)))
            }
        }
    }
}

/// Which files of a module zip, which carries no modes, are executable in the
/// distribution (src/cmd/distpack/archive.go).
pub(crate) fn is_executable(path: &str) -> bool {
    // A path's directory with its slash, and its last part.
    let (directory, file) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let is_script = [".bash", ".sh", ".pl", ".rc"].iter().any(|end| file.ends_with(end));
    let is_exec = file.starts_with("go_") && file.ends_with("_exec");
    matches!(directory, "bin/") || directory.starts_with("pkg/tool/") || is_script || is_exec
}

/// What a file of the user's is, by the first name in it.
fn shape_of(name: &str) -> Option<Shape> {
    if name.starts_with("go/") {
        return Some(Shape::Go);
    }
    let module = name.strip_prefix(h1::TOOLCHAIN_MODULE)?.strip_prefix("@v0.0.1-")?;
    let (release, platform) = module.split_once('/')?.0.rsplit_once('.')?;
    let version = Version::parse_toolchain(release)?;
    Some(Shape::Module { version, platform: Platform::parse(platform)? })
}

impl Sink for Places<'_> {
    fn file(
        &mut self,
        name: &str,
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let (path, executable) = self.place(name, executable)?;
        if self.only_recorded && h1::is_left_out(&path) {
            return io::copy(content, &mut io::sink())
                .map(drop)
                .map_err(|error| ArchiveError::Damaged(error.to_string()));
        }
        self.files.add(path, executable, content)
    }
}
