//! The lock file: what a team's machines accept for the version that is pinned
//! beside it, one line for each platform, in the form of go.sum
//! (go.dev/ref/mod#go-sum-files).

use super::h1::{TOOLCHAIN_GO_MOD, TOOLCHAIN_MODULE, module_version};
use crate::files;
use crate::path::display;
use crate::platform::Platform;
use crate::ui::shown;
use crate::version::Version;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::path::{Path, PathBuf};

/// It stands beside `.go-version`.
pub const FILE_NAME: &str = ".go-version.sum";

/// More than any has: some forty platforms, of a few versions.
pub const MAX_SIZE: usize = 256 << 10;

/// A tree that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    pub version: Version,
    pub platform: Platform,
    /// In module form: `h1:…`.
    pub h1: String,
    /// Its line in the file, from 1; 0 where it has not been written yet.
    pub line: usize,
}

/// Trees by version and platform; no two for the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    trees: Vec<Locked>,
}

/// Why a text is no lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// From 1.
    pub line: usize,
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}

impl LockFile {
    /// Reads lines of `golang.org/toolchain v0.0.1-go1.22.4.linux-amd64 h1:…`;
    /// blank ones and those of a toolchain's `/go.mod` say nothing.
    ///
    /// # Errors
    /// A line is none of these, or contradicts one before it: what a merge that
    /// went wrong leaves behind would accept two trees.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let mut file = Self::default();
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let refused = |why: String| Malformed { line: number, why };
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let shown = || display(&line[..line.len().min(80)]).to_string();
            let malformed = || refused(format!("`{}` is no line of a toolchain's go.sum", shown()));
            let text = std::str::from_utf8(line).map_err(|_| malformed())?;
            let mut words = text.split_ascii_whitespace();
            let (Some(module), Some(of), Some(h1), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(malformed());
            };
            if module != TOOLCHAIN_MODULE || !is_h1(h1) {
                return Err(malformed());
            }
            let (of, is_go_mod) = match of.strip_suffix("/go.mod") {
                Some(of) => (of, true),
                None => (of, false),
            };
            let (version, platform) = parse_module_version(of).ok_or_else(malformed)?;
            if is_go_mod {
                if h1 != TOOLCHAIN_GO_MOD {
                    return Err(refused(format!("no toolchain has the go.mod {h1}")));
                }
                continue;
            }
            let locked = Locked { version, platform, h1: h1.into(), line: number };
            match file.get(version, &locked.platform) {
                None => file.trees.push(locked),
                Some(before) if before.h1 == h1 => {}
                Some(before) => {
                    let why = format!("it contradicts line {}: two trees for {of}", before.line);
                    return Err(refused(why));
                }
            }
        }
        Ok(file)
    }

    /// The tree that is accepted, if the file names one.
    #[must_use]
    pub fn get(&self, version: Version, platform: &Platform) -> Option<&Locked> {
        self.trees.iter().find(|tree| tree.version == version && tree.platform == *platform)
    }

    /// The versions that are locked for a platform.
    pub fn versions<'a>(
        &'a self,
        platform: &'a Platform,
    ) -> impl Iterator<Item = Version> + Clone + 'a {
        self.trees.iter().filter(move |tree| tree.platform == *platform).map(|tree| tree.version)
    }

    /// All trees, in the order of the file.
    pub fn trees(&self) -> impl Iterator<Item = &Locked> {
        self.trees.iter()
    }

    /// Adds a tree, if none is locked for that version and platform.
    pub fn add(&mut self, version: Version, platform: &Platform, h1: &str) {
        if self.get(version, platform).is_none() {
            let tree = Locked { version, platform: platform.clone(), h1: h1.into(), line: 0 };
            self.trees.push(tree);
        }
    }
}

/// As it stands in the file: a line each, sorted as go.sum is.
impl fmt::Display for LockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut trees: Vec<_> = self.trees.iter().collect();
        trees.sort_by(|a, b| (a.version, &a.platform).cmp(&(b.version, &b.platform)));
        trees.iter().try_for_each(|Locked { version, platform, h1, .. }| {
            writeln!(f, "{TOOLCHAIN_MODULE} {} {h1}", module_version(*version, platform))
        })
    }
}

/// A lock file that counts, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    pub path: PathBuf,
    pub file: LockFile,
}

impl InForce {
    /// The lock file in a directory, if there is one.
    ///
    /// # Errors
    /// A sentence that names it, and the line where it is malformed.
    pub fn in_directory(directory: &Path) -> Result<Option<Self>, String> {
        let path = directory.join(FILE_NAME);
        let text = files::read(&path, MAX_SIZE)
            .map_err(|error| display(error.to_string().as_bytes()).to_string())?;
        let Some(text) = text else { return Ok(None) };
        match LockFile::parse(&text) {
            Ok(file) => Ok(Some(Self { path, file })),
            Err(Malformed { line, why }) => Err(format!("{}:{line}: {why}", shown(&path))),
        }
    }

    /// Holds a tree against the lock. `false` when the lock does not name it.
    ///
    /// # Errors
    /// It names another tree: a sentence with file, line, expected and found.
    pub fn check(&self, version: Version, platform: &Platform, h1: &str) -> Result<bool, String> {
        match self.file.get(version, platform) {
            None => Ok(false),
            Some(locked) if locked.h1 == h1 => Ok(true),
            Some(Locked { h1: expected, line, .. }) => Err(format!(
                "{}:{line} locks Go {version} for {platform} to {expected}, and this tree is {h1}",
                shown(&self.path)
            )),
        }
    }
}

/// `h1:` and the base64 of 32 bytes.
fn is_h1(text: &str) -> bool {
    let digest = text.strip_prefix("h1:").and_then(|base64| BASE64.decode(base64).ok());
    digest.is_some_and(|digest| digest.len() == 32)
}

/// `v0.0.1-go1.22.4.linux-amd64`, spelled as the module's version is.
fn parse_module_version(text: &str) -> Option<(Version, Platform)> {
    let (release, platform) = text.strip_prefix("v0.0.1-")?.rsplit_once('.')?;
    let version = Version::parse_toolchain(release)?;
    let platform = Platform::parse(platform)?;
    let is_exact = !version.is_language() && module_version(version, &platform) == text;
    is_exact.then_some((version, platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "golang.org/toolchain v0.0.1-go1.22.1.linux-amd64 h1:zhaB0xtf1n7RI8+VTlFAxhfXYrkUUHHjr4cpEh+aEsA=";
    const OTHER: &str = "golang.org/toolchain v0.0.1-go1.24.1.linux-amd64 h1:+AbJFFR/Yl0P7OUo47KYyCkJGQwVW2QsKjfJalHZRnM=";

    #[test]
    fn what_is_written_is_read_back() {
        let text = format!("{OTHER}\r\n\n  {LINUX}  \n{LINUX}\n");
        let file = LockFile::parse(text.as_bytes()).unwrap();
        let platform = Platform::parse("linux-amd64").unwrap();
        let locked = file.get(Version::parse("1.22.1").unwrap(), &platform).unwrap();
        assert_eq!((locked.line, locked.h1.as_str()), (3, LINUX.rsplit(' ').next().unwrap()));
        assert_eq!(file.versions(&platform).count(), 2);
        assert_eq!(file.to_string(), format!("{LINUX}\n{OTHER}\n"));
        let go_mod = LINUX.replace(" h1:zhaB0xtf1n7RI8+VTlFAxhfXYrkUUHHjr4cpEh+aEsA=", "");
        let go_mod = format!("{go_mod}/go.mod {TOOLCHAIN_GO_MOD}\n");
        assert_eq!(LockFile::parse(go_mod.as_bytes()).unwrap(), LockFile::default());
    }

    #[test]
    fn a_line_that_says_something_else_is_named() {
        let other_h1 = LINUX.replace("zhaB", "AAAA");
        for (text, line) in [
            (format!("{LINUX}\n{other_h1}\n"), 2),
            (format!("{LINUX} more"), 1),
            (LINUX.replace("toolchain", "toolbox"), 1),
            (LINUX.replace("h1:z", "h2:z"), 1),
            (LINUX.replace("sA=", "s="), 1),
            (LINUX.replace("go1.22.1", "go1.22"), 1),
            (LINUX.replace("go1.22.1", "go01.22.1"), 1),
            (LINUX.replace("linux-amd64", "linux"), 1),
            (LINUX.replace(" h1:", "/go.mod h1:"), 1),
            (format!("\n<<<<<<< HEAD\n{LINUX}"), 2),
        ] {
            assert_eq!(LockFile::parse(text.as_bytes()).unwrap_err().line, line, "{text}");
        }
        assert!(LockFile::parse(b"\xff\xfe").is_err());
    }
}
