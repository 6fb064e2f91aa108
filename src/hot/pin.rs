//! From an environment and a directory to a [`Pin`]: which version is wanted
//! here, and who said so.
//!
//! The files lie in repositories, so they are somebody else's: whatever is not
//! plainly a version is refused with its file and line, and never skipped.

use crate::path::{self, display, join};
use crate::system::{System, Unreadable};
use crate::version::{ACCEPTED_FORMS, NotARequest, Request, Version};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What `gvm use` sets for one shell.
pub const VERSION_VARIABLE: &str = "GVM_VERSION";

/// `.go-version` holds a line or a few.
const GO_VERSION_LIMIT: usize = 4 << 10;
const TOOL_VERSIONS_LIMIT: usize = 64 << 10;
/// The largest go.mod files of monorepos are a tenth of this.
const GO_MOD_LIMIT: usize = 4 << 20;

/// Who asked for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable of that name.
    Variable(&'static str),
    /// A file and its line, counted from 1.
    File { file: Vec<u8>, line: usize },
    /// The default, and the file that holds it.
    Default { file: Vec<u8> },
    /// The command line, or a shim whose name is a version.
    Command,
    /// Nobody: there is no pin and no default.
    Nobody,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File { file, line } => write!(f, "{}:{line}", display(file)),
            Self::Default { file } => write!(f, "the default ({})", display(file)),
            Self::Command => f.write_str("the command line"),
            Self::Nobody => f.write_str("no pin and no default"),
        }
    }
}

/// A request and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub request: Request,
    pub origin: Origin,
}

/// The least version that go.work or go.mod can be built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    pub version: Version,
    pub origin: Origin,
}

impl Floor {
    /// What to install so that the floor is met: a language version is met by
    /// any of its releases.
    #[must_use]
    pub fn request(&self) -> Request {
        match self.version {
            version if version.is_language() => Request::Minor(version.major(), version.minor()),
            version => Request::Exact(version),
        }
    }
}

/// A pin that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinError {
    pub origin: Origin,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text that stands there, cut to a sane length, and what is wrong with it.
    Malformed {
        text: String,
        reason: NotARequest,
    },
    /// A `go` or `toolchain` line that cmd/go would refuse too.
    NotAGoVersion {
        text: String,
    },
    Unreadable(Unreadable),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.problem, &self.origin) {
            (Problem::Malformed { text, reason }, origin) => {
                write!(f, "{origin}: ")?;
                if !text.is_empty() {
                    write!(f, "`{text}`: ")?;
                }
                write!(f, "{reason}; accepted are {ACCEPTED_FORMS}")
            }
            (Problem::NotAGoVersion { text }, origin) => {
                write!(f, "{origin}: `{text}` does not name a version of Go")
            }
            (Problem::Unreadable(why), Origin::File { file, .. } | Origin::Default { file }) => {
                write!(f, "{} cannot be read: {why}", display(file))
            }
            (Problem::Unreadable(why), origin) => write!(f, "{origin} cannot be read: {why}"),
        }
    }
}

impl core::error::Error for PinError {}

/// A reason found while parsing, and where.
#[derive(Debug, PartialEq, Eq)]
struct AtLine {
    line: usize,
    problem: Problem,
}

/// What `GVM_VERSION` asks for.
///
/// # Errors
/// It is set, and not to a version.
pub fn from_variable(system: &impl System) -> Result<Option<Pin>, PinError> {
    let Some(value) = system.var(VERSION_VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let origin = Origin::Variable(VERSION_VARIABLE);
    match request(&value) {
        Ok(request) => Ok(Some(Pin { request, origin })),
        Err(problem) => Err(PinError { origin, problem }),
    }
}

/// The nearest `.go-version` from `directory` upward, or a `.tool-versions`
/// with a line for Go beside or below it.
///
/// # Errors
/// The file that decides cannot be read, or holds no version.
pub fn from_directory(system: &impl System, directory: &[u8]) -> Result<Option<Pin>, PinError> {
    let mut at = Some(directory);
    while let Some(directory) = at {
        let file = join(directory, ".go-version");
        if let Some(bytes) = read(system, &file, GO_VERSION_LIMIT)? {
            return placed(file, parse_go_version(&bytes)).map(Some);
        }
        let file = join(directory, ".tool-versions");
        if let Some(bytes) = read(system, &file, TOOL_VERSIONS_LIMIT)? {
            match parse_tool_versions(&bytes) {
                Ok(None) => {}
                Ok(Some(found)) => return placed(file, Ok(found)).map(Some),
                Err(problem) => return placed(file, Err(problem)).map(Some),
            }
        }
        at = path::parent(directory);
    }
    Ok(None)
}

/// What one file asks for, read in the form that its name stands for: `.tool-versions`,
/// `go.mod`, `go.work`, else that of a `.go-version`. `None` where it is not there, or
/// says nothing of Go.
///
/// # Errors
/// It cannot be read, or what it says of Go is no version.
pub fn in_file(system: &impl System, file: &[u8]) -> Result<Option<Pin>, PinError> {
    let name = file.rsplit(|&byte| byte == b'/').next().unwrap_or(file);
    let limit = match name {
        b"go.mod" | b"go.work" => GO_MOD_LIMIT,
        b".tool-versions" => TOOL_VERSIONS_LIMIT,
        _ => GO_VERSION_LIMIT,
    };
    let Some(bytes) = read(system, file, limit)? else { return Ok(None) };
    let file = file.to_vec();
    let parsed = match name {
        b"go.mod" | b"go.work" => {
            let floor = ModFile { file, bytes }.lines()?.floor();
            return Ok(floor.map(|floor| Pin { request: floor.request(), origin: floor.origin }));
        }
        b".tool-versions" => parse_tool_versions(&bytes).transpose(),
        _ => Some(parse_go_version(&bytes)),
    };
    parsed.map(|parsed| placed(file, parsed)).transpose()
}

/// The default, if one is set.
///
/// # Errors
/// Its file cannot be read, or holds no version.
pub fn from_default(system: &impl System, file: Vec<u8>) -> Result<Option<Pin>, PinError> {
    let parsed = match read(system, &file, GO_VERSION_LIMIT) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => parse_go_version(&bytes).map_err(|at_line| at_line.problem),
        Err(error) => Err(error.problem),
    };
    let origin = Origin::Default { file };
    match parsed {
        Ok((request, _)) => Ok(Some(Pin { request, origin })),
        Err(problem) => Err(PinError { origin, problem }),
    }
}

/// The floor that go.work, else go.mod, sets for `directory`.
///
/// # Errors
/// As [`module_lines`].
pub fn floor(system: &impl System, directory: &[u8]) -> Result<Option<Floor>, PinError> {
    Ok(module_lines(system, directory)?.and_then(ModuleLines::floor))
}

/// What go.work, else go.mod, says of versions for `directory`. A go.work decides
/// alone: the go.mod files of its members do not count (cmd/go,
/// internal/toolchain/select.go).
///
/// # Errors
/// The file that decides cannot be read, or its `go` or `toolchain` line is none.
pub fn module_lines(
    system: &impl System,
    directory: &[u8],
) -> Result<Option<ModuleLines>, PinError> {
    if system.var("GO111MODULE").is_some_and(|value| value == b"off") {
        return Ok(None);
    }
    match system.var("GOWORK").as_deref() {
        None | Some(b"" | b"auto") => {
            if let Some(found) = nearest(system, directory, "go.work")? {
                return found.lines().map(Some);
            }
        }
        Some(b"off") => {}
        // When that file is not there, go has something to say, and we do not.
        Some(file) => {
            return match read(system, file, GO_MOD_LIMIT)? {
                Some(bytes) => ModFile { file: file.to_vec(), bytes }.lines().map(Some),
                None => Ok(None),
            };
        }
    }
    nearest(system, directory, "go.mod")?.map(ModFile::lines).transpose()
}

/// The nearest file of that name; a directory of that name is passed over, as
/// cmd/go does.
fn nearest(
    system: &impl System,
    directory: &[u8],
    name: &str,
) -> Result<Option<ModFile>, PinError> {
    let mut at = Some(directory);
    while let Some(directory) = at {
        let file = join(directory, name);
        match read(system, &file, GO_MOD_LIMIT) {
            Ok(Some(bytes)) => return Ok(Some(ModFile { file, bytes })),
            Ok(None) => {}
            Err(_) if system.metadata(&file).is_some_and(|found| found.is_dir) => {}
            Err(error) => return Err(error),
        }
        at = path::parent(directory);
    }
    Ok(None)
}

fn read(system: &impl System, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, PinError> {
    match system.read(file, limit) {
        Ok(found) => Ok(found),
        // A directory above us that we may not search hides nothing of ours:
        // what cannot be seen is not there, as for cmd/go.
        Err(Unreadable::PermissionDenied) if system.metadata(file).is_none() => Ok(None),
        Err(why) => Err(PinError {
            origin: Origin::File { file: file.to_vec(), line: 1 },
            problem: Problem::Unreadable(why),
        }),
    }
}

fn placed(file: Vec<u8>, parsed: Result<(Request, usize), AtLine>) -> Result<Pin, PinError> {
    match parsed {
        Ok((request, line)) => Ok(Pin { request, origin: Origin::File { file, line } }),
        Err(AtLine { line, problem }) => {
            Err(PinError { origin: Origin::File { file, line }, problem })
        }
    }
}

/// A go.mod or go.work that was read.
struct ModFile {
    file: Vec<u8>,
    bytes: Vec<u8>,
}

impl ModFile {
    fn lines(self) -> Result<ModuleLines, PinError> {
        match parse_go_mod(&self.bytes) {
            Ok((go, toolchain)) => Ok(ModuleLines { file: self.file, go, toolchain }),
            Err(AtLine { line, problem }) => {
                Err(PinError { origin: Origin::File { file: self.file, line }, problem })
            }
        }
    }
}

/// The lines of a go.mod or go.work that are about versions, each with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleLines {
    pub file: Vec<u8>,
    pub go: Option<(Version, usize)>,
    pub toolchain: Option<(ToolchainLine, usize)>,
}

/// What a `toolchain` line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolchainLine {
    /// No more than what the environment says.
    Default,
    Version(Version),
}

impl ModuleLines {
    /// The `toolchain` line, unless the `go` line is as new, which cmd/go takes as the
    /// minimum in any case.
    fn floor(self) -> Option<Floor> {
        let (version, line) = match (self.go, self.toolchain) {
            (Some((go, _)), Some((ToolchainLine::Version(version), line))) if version > go => {
                (version, line)
            }
            (Some(go), _) => go,
            (None, Some((ToolchainLine::Version(version), line))) => (version, line),
            (None, _) => return None,
        };
        Some(Floor { version, origin: Origin::File { file: self.file, line } })
    }
}

fn request(text: &[u8]) -> Result<Request, Problem> {
    let parsed = match core::str::from_utf8(text) {
        Ok(text) => Request::parse(text),
        Err(_) => Err(NotARequest::NotText),
    };
    parsed.map_err(|reason| Problem::Malformed { text: excerpt(text), reason })
}

/// What to show of a text that is not what it should be.
fn excerpt(text: &[u8]) -> String {
    const SHOWN: usize = 40;
    let mut shown = alloc::format!("{}", display(&text[..text.len().min(SHOWN)]));
    if text.len() > SHOWN {
        shown.push('…');
    }
    shown
}

/// The file as UTF-8 without its byte order mark. PowerShell 5.1 writes UTF-16
/// with `>`; what is not ASCII in there is no version anyway.
fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Cow::Borrowed(rest);
    }
    let unit: fn(&[u8]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => |pair| u16::from_le_bytes([pair[0], pair[1]]),
        [0xfe, 0xff, ..] => |pair| u16::from_be_bytes([pair[0], pair[1]]),
        _ => return Cow::Borrowed(bytes),
    };
    let units = bytes[2..].chunks_exact(2).map(unit);
    let text: String = char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Cow::Owned(text.into_bytes())
}

/// Lines with their numbers, without comments and blanks at either end.
fn lines<'a>(bytes: &'a [u8], comment: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> {
    bytes.split(|&byte| byte == b'\n').enumerate().map(move |(at, line)| {
        let end = line.windows(comment.len()).position(|window| window == comment);
        (at + 1, line[..end.unwrap_or(line.len())].trim_ascii())
    })
}

/// Whether a `.go-version` with this content could be used.
///
/// # Errors
/// What is wrong with it.
pub fn check(content: &[u8]) -> Result<(), Problem> {
    if content.len() > GO_VERSION_LIMIT {
        return Err(Problem::Unreadable(Unreadable::TooLarge));
    }
    parse_go_version(content).map(drop).map_err(|at| at.problem)
}

/// The first version in a `.go-version`. Further lines (goenv's further active
/// versions) have to be versions too.
fn parse_go_version(bytes: &[u8]) -> Result<(Request, usize), AtLine> {
    let text = decode(bytes);
    let mut first = None;
    for (line, content) in lines(&text, b"#").filter(|(_, content)| !content.is_empty()) {
        let request = request(content).map_err(|problem| AtLine { line, problem })?;
        first = first.or(Some((request, line)));
    }
    first.ok_or(AtLine {
        line: 1,
        problem: Problem::Malformed { text: String::new(), reason: NotARequest::Empty },
    })
}

/// The first version on the `golang` or `go` line of a `.tool-versions`.
fn parse_tool_versions(bytes: &[u8]) -> Result<Option<(Request, usize)>, AtLine> {
    let text = decode(bytes);
    for (line, content) in lines(&text, b"#") {
        let mut words = content.split(|&byte| byte == b' ' || byte == b'\t');
        if !matches!(words.next(), Some(b"golang" | b"go")) {
            continue;
        }
        let version = words.find(|word| !word.is_empty()).unwrap_or_default();
        // asdf's `latest:1.22` is our `1.22`.
        let version = version.strip_prefix(b"latest:").unwrap_or(version);
        return match request(version) {
            Ok(request) => Ok(Some((request, line))),
            Err(problem) => Err(AtLine { line, problem }),
        };
    }
    Ok(None)
}

/// The `go` and `toolchain` lines of a go.mod or go.work.
type Lines = (Option<(Version, usize)>, Option<(ToolchainLine, usize)>);

fn parse_go_mod(bytes: &[u8]) -> Result<Lines, AtLine> {
    let (mut go, mut toolchain) = (None, None);
    let mut in_block = false;
    for (line, content) in lines(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), b"//") {
        if in_block {
            in_block = content != b")";
            continue;
        }
        in_block = content.ends_with(b"(");
        let mut words = content.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let directive = words.next().unwrap_or_default();
        if !matches!(directive, b"go" | b"toolchain") {
            continue;
        }
        let text = core::str::from_utf8(words.next().unwrap_or_default()).unwrap_or_default();
        let read = match (directive, text) {
            (b"toolchain", "default") => Some(None),
            (b"toolchain", name) => Version::parse_toolchain(name).map(Some),
            (_, version) => Version::parse(version).map(Some),
        };
        // The first of each counts.
        match (directive, read) {
            (_, None) => {
                let problem = Problem::NotAGoVersion { text: excerpt(content) };
                return Err(AtLine { line, problem });
            }
            (b"toolchain", Some(version)) => {
                let named = version.map_or(ToolchainLine::Default, ToolchainLine::Version);
                toolchain = toolchain.or(Some((named, line)));
            }
            (_, Some(version)) => go = go.or(version.map(|version| (version, line))),
        }
    }
    Ok((go, toolchain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn go_version(bytes: &[u8]) -> Result<(String, usize), (usize, String)> {
        parse_go_version(bytes).map(|(request, line)| (request.to_string(), line)).map_err(
            |error| {
                let origin = Origin::File { file: b".go-version".to_vec(), line: error.line };
                (error.line, PinError { origin, problem: error.problem }.to_string())
            },
        )
    }

    #[test]
    fn every_form_of_go_version_in_the_wild_is_read() {
        for (bytes, version, line) in [
            (&b"1.22.4\n"[..], "1.22.4", 1),
            (b"1.22.4", "1.22.4", 1),
            (b"go1.22.4\r\n", "1.22.4", 1),
            (b"\xef\xbb\xbf1.22\r\n", "1.22", 1),
            (b"# the team's Go\n\n  v1.22.4  # see RFC\n", "1.22.4", 3),
            (b"1.22.4\n1.21.9\n\n", "1.22.4", 1),
            (b"\xff\xfe1\0.\x002\x002\0\r\0\n\0", "1.22", 1),
            (b"\xfe\xff\x001\0.\x002\x002", "1.22", 1),
            (b"\t1.22.x\t", "1.22", 1),
            (b"1.22-rc1", "1.22rc1", 1),
            (b"system\n", "system", 1),
        ] {
            assert_eq!(go_version(bytes), Ok((version.to_string(), line)), "{bytes:?}");
        }
    }

    #[test]
    fn a_malformed_go_version_names_its_line_and_the_forms() {
        for (bytes, line, what) in [
            (&b""[..], 1, "no version"),
            (b"\n# only a comment\n", 1, "no version"),
            (b"\n../../evil\n", 2, "path"),
            (b"1.22\n/bin/sh\n", 2, "path"),
            (b"1.22 1.21\n", 1, "`1.22 1.21`"),
            (b"1.2\x1b[2J2\n", 1, "control"),
            (b"1.22\0\n", 1, "control"),
            (b"\xff\xff\n", 1, "not text"),
            (b"lts\n", 1, "accepted are 1.22.4"),
        ] {
            let (at, message) = go_version(bytes).unwrap_err();
            assert_eq!(at, line, "{bytes:?}");
            assert!(message.contains(what), "{bytes:?}: {message}");
            assert!(!message.contains('\x1b'), "{message:?}");
        }
    }

    #[test]
    fn tool_versions_speak_of_go_in_one_line_or_none() {
        let parse = |bytes: &[u8]| {
            parse_tool_versions(bytes)
                .map(|found| found.map(|(request, line)| (request.to_string(), line)))
        };
        assert_eq!(parse(b"nodejs 20\ngolang 1.22.4 1.21\n"), Ok(Some(("1.22.4".into(), 2))));
        assert_eq!(parse(b"go\t 1.22 # comment\r\n"), Ok(Some(("1.22".into(), 1))));
        assert_eq!(parse(b"golang latest:1.22"), Ok(Some(("1.22".into(), 1))));
        assert_eq!(parse(b"golangci-lint 1.50\n# golang 1.2\n"), Ok(None));
        assert_eq!(parse(b""), Ok(None));
        assert!(parse(b"golang path:/opt/go\n").is_err());
        assert!(parse(b"golang\n").is_err());
    }

    #[test]
    fn the_floor_is_the_toolchain_line_unless_the_go_line_is_newer() {
        let parse = |text: &str| {
            let lines = ModFile { file: Vec::new(), bytes: text.as_bytes().to_vec() }.lines();
            lines.map(|lines| match lines.floor() {
                Some(Floor { version, origin: Origin::File { line, .. } }) => {
                    Some((version.to_string(), line))
                }
                _ => None,
            })
        };
        let at = |version: &str, line| Ok(Some((version.to_string(), line)));
        assert_eq!(parse("module m\n\ngo 1.22\n"), at("1.22", 3));
        assert_eq!(parse("module m\ngo 1.22\ntoolchain go1.23.1 // x\n"), at("1.23.1", 3));
        assert_eq!(parse("go 1.24.0\ntoolchain go1.23.1\n"), at("1.24.0", 1));
        assert_eq!(parse("go 1.22.1\r\ntoolchain default\r\n"), at("1.22.1", 1));
        assert_eq!(parse("toolchain go1.23.1-custom\n"), at("1.23.1", 1));
        assert_eq!(parse("// go 1.99\nmodule m\nrequire (\n\tgo 1.50\n)\n"), Ok(None));
        assert_eq!(parse("require (\n\tgo v1.50\n)\ngo 1.20\n"), at("1.20", 4));
        assert!(parse("go 1.22.x\n").is_err());
        assert!(parse("go\n").is_err());
        assert!(parse("toolchain 1.22\n").is_err());
    }
}
