//! Versions of Go: grammar, order and names.
//!
//! The order is that of cmd/go (`src/internal/gover`): 1.21 < 1.21rc1 < 1.21.0,
//! but 1.20rc1 < 1.20 = 1.20.0, because release names carry `.0` only from
//! Go 1.21 on.

use core::cmp::Ordering;
use core::fmt;

/// The first minor whose first release is called `.0`, and whose bare form
/// (`1.21`) is a language version and no release.
const FIRST_MINOR_WITH_ZERO: u32 = 21;

/// A request longer than this is nobody's version.
const MAX_LENGTH: usize = 64;

/// The kind of a pre-release, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Alpha,
    Beta,
    Rc,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Rc => "rc",
        }
    }
}

/// One version of Go, as its release names have it: `1.22.4`, `1.21rc2`, `1.20`
/// (the release 1.20.0), or a language version: `1.22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    major: u32,
    minor: u32,
    /// `None` for a language version (1.21 and up) and for a pre-release of a
    /// minor.
    patch: Option<u32>,
    pre: Option<(Stage, u32)>,
}

impl Version {
    /// Reads the text of a version without its `go`: `1.22.4`, `1.21rc2`, `1.20`.
    /// As cmd/go does, but a pre-release may follow a patch: Go once released
    /// 1.8.5rc4 and 1.9.2rc2. Numbers have at most nine digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = number(text)?;
        if rest.is_empty() {
            // cmd/go reads "1" as "1.0.0".
            return Some(Self::release(major, 0, 0));
        }
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        if rest.is_empty() {
            let patch = (minor < FIRST_MINOR_WITH_ZERO).then_some(0);
            return Some(Self { major, minor, patch, pre: None });
        }
        let (patch, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (patch, rest) = number(rest)?;
                (Some(patch), rest)
            }
            None => (None, rest),
        };
        let pre = if rest.is_empty() { None } else { Some(pre_release(rest)?) };
        Some(Self { major, minor, patch, pre })
    }

    /// Reads a toolchain name as go.mod, GOTOOLCHAIN and VERSION files hold it:
    /// `go1.22.4`, with what a builder put behind a `-`, space or tab dropped
    /// (`go1.21.0-custom`), as cmd/go does for comparing.
    #[must_use]
    pub fn parse_toolchain(name: &str) -> Option<Self> {
        let name = name.strip_prefix("go")?;
        let end = name.find(['-', ' ', '\t']).unwrap_or(name.len());
        Self::parse(&name[..end])
    }

    /// The release `major.minor.patch`.
    #[must_use]
    pub fn release(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch: Some(patch), pre: None }
    }

    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    #[must_use]
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// The patch number; 0 where the name has none.
    #[must_use]
    pub fn patch(&self) -> u32 {
        self.patch.unwrap_or(0)
    }

    /// Whether it is a final release: neither a pre-release nor a language version.
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.patch.is_some() && self.pre.is_none()
    }

    /// Whether it names a language (`1.22`) and so every release of it.
    #[must_use]
    pub fn is_language(&self) -> bool {
        self.patch.is_none() && self.pre.is_none()
    }

    /// The spelling that asks for exactly this version wherever one is typed.
    /// It differs from the release name in one case: `1.20` asks for the newest
    /// 1.20.x, so the release of that name is `1.20.0`.
    #[must_use]
    pub fn exact(&self) -> Exact {
        Exact(*self)
    }

    fn key(&self) -> (u32, u32, Option<u32>) {
        (self.major, self.minor, self.patch)
    }
}

/// See [`Version::exact`].
pub struct Exact(Version);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version { major, minor, patch, pre } = self.0;
        write!(f, "{major}.{minor}")?;
        if let Some(patch) = patch {
            write!(f, ".{patch}")?;
        }
        match pre {
            Some((stage, number)) => write!(f, "{}{number}", stage.name()),
            None => Ok(()),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| {
            match (self.pre, other.pre) {
                (Some(a), Some(b)) => a.cmp(&b),
                (None, None) => Ordering::Equal,
                // 1.21 < 1.21rc1, but 1.9.2rc2 < 1.9.2.
                (None, Some(_)) if self.patch.is_none() => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) if self.patch.is_none() => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The release name without `go`: `1.22.4`, `1.21rc2`, `1.20` (not `1.20.0`).
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old_zero =
            self.is_release() && self.patch == Some(0) && self.minor < FIRST_MINOR_WITH_ZERO;
        match (old_zero, self.minor) {
            (true, 0) => write!(f, "{}", self.major),
            (true, minor) => write!(f, "{}.{minor}", self.major),
            (false, _) => self.exact().fmt(f),
        }
    }
}

/// A decimal number without leading zeros, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if end == 0 || end > 9 || (end > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok()?, rest))
}

/// All of `text` as a pre-release: `rc1`, `beta2`.
fn pre_release(text: &str) -> Option<(Stage, u32)> {
    for stage in [Stage::Alpha, Stage::Beta, Stage::Rc] {
        if let Some(rest) = text.strip_prefix(stage.name()) {
            let (number, rest) = number(rest)?;
            return rest.is_empty().then_some((stage, number));
        }
    }
    None
}

/// What a user or a file asks for, before it is known which version that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// `1.22.4`, `1.21rc2`.
    Exact(Version),
    /// `1.22`, `1.22.x`: the newest of that minor.
    Minor(u32, u32),
    /// `1`, `1.x`: the newest of that major.
    Major(u32),
    /// The newest release.
    Latest,
    /// The same, by the name that go.dev uses.
    Stable,
    /// The newest patch of the second newest minor.
    OldStable,
    /// The first `go` on PATH that is not ours.
    System,
}

/// Why a text is no [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARequest {
    Empty,
    TooLong,
    /// A control character, or bytes that are not UTF-8.
    NotText,
    /// A slash or `..`: names like these walked out of the store of other
    /// managers (CVE-2022-35861).
    PathLike,
    NotAVersion,
}

/// The forms that are accepted wherever a version is typed, for error messages.
pub const ACCEPTED_FORMS: &str = "1.22.4, 1.22, 1.22.x, 1.22rc1 (each also with go or v in front), latest, stable, oldstable, system";

impl fmt::Display for NotARequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "there is no version in it",
            Self::TooLong => "it is longer than any version",
            Self::NotText => "it holds control characters or bytes that are not text",
            Self::PathLike => "it looks like a path, and a version never is one",
            Self::NotAVersion => "it is not a Go version",
        })
    }
}

impl core::error::Error for NotARequest {}

impl Request {
    /// Reads a version as people and files write it.
    ///
    /// # Errors
    /// [`NotARequest`] says why not; [`ACCEPTED_FORMS`] lists what would do.
    pub fn parse(text: &str) -> Result<Self, NotARequest> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Err(NotARequest::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(NotARequest::NotText);
        }
        if text.contains(['/', '\\']) || text.contains("..") {
            return Err(NotARequest::PathLike);
        }
        if text.len() > MAX_LENGTH {
            return Err(NotARequest::TooLong);
        }
        match text {
            "latest" => return Ok(Self::Latest),
            "stable" => return Ok(Self::Stable),
            "oldstable" => return Ok(Self::OldStable),
            "system" => return Ok(Self::System),
            _ => {}
        }
        let bare = text.strip_prefix("go").or_else(|| text.strip_prefix('v')).unwrap_or(text);
        Self::parse_bare(bare).ok_or(NotARequest::NotAVersion)
    }

    fn parse_bare(text: &str) -> Option<Self> {
        // `1.22.x`, `1.22.*`, `1.x`
        if let Some(stem) = text.strip_suffix(".x").or_else(|| text.strip_suffix(".*")) {
            return Self::newest_of(stem);
        }
        if let Some(newest_of) = Self::newest_of(text) {
            return Some(newest_of);
        }
        // `1.22-rc1`, `1.22.0-rc.1`: only the pre-release may be set off.
        if let Some((stem, pre)) = text.split_once('-') {
            let letters = pre.bytes().take_while(u8::is_ascii_lowercase).count();
            let (stage, count) = pre.split_at(letters);
            let count = count.strip_prefix('.').unwrap_or(count);
            let (stage, number) = match stage {
                "beta" => (Stage::Beta, number(count)?),
                "rc" => (Stage::Rc, number(count)?),
                _ => return None,
            };
            let stem = Version::parse(stem)?;
            return (number.1.is_empty() && stem.pre.is_none())
                .then(|| Self::Exact(with_pre(stem, stage, number.0)));
        }
        let version = Version::parse(text)?;
        Some(Self::Exact(match version.pre {
            Some((stage, number)) => with_pre(version, stage, number),
            None => version,
        }))
    }

    /// `1` or `1.22`, which name no single release.
    fn newest_of(text: &str) -> Option<Self> {
        let (major, rest) = number(text)?;
        if rest.is_empty() {
            return Some(Self::Major(major));
        }
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        rest.is_empty().then_some(Self::Minor(major, minor))
    }

    /// The one version that this asks for, if it can be only one.
    #[must_use]
    pub fn exact(&self) -> Option<Version> {
        match self {
            Self::Exact(version) => Some(*version),
            _ => None,
        }
    }

    /// Which of `versions` this asks for: the newest that fits. Pre-releases
    /// are older than their release, so they answer `1.22` only while there is
    /// nothing else, and they never answer `latest`, `stable` and `oldstable`.
    #[must_use]
    pub fn choose(&self, versions: impl Iterator<Item = Version> + Clone) -> Option<Version> {
        let releases = versions.clone().filter(Version::is_release);
        match *self {
            Self::Exact(wanted) => versions.into_iter().find(|version| *version == wanted),
            Self::Minor(major, minor) => {
                versions.filter(|version| (version.major, version.minor) == (major, minor)).max()
            }
            Self::Major(major) => releases.filter(|version| version.major == major).max(),
            Self::Latest | Self::Stable => releases.max(),
            Self::OldStable => {
                let newest = releases.clone().max()?;
                let second = (newest.major, newest.minor.checked_sub(1)?);
                releases.filter(|version| (version.major, version.minor) == second).max()
            }
            Self::System => None,
        }
    }
}

/// A pre-release comes before `.0`, so its name has no patch: 1.22.0-rc.1 is
/// the release 1.22rc1 (but 1.9.2rc2 keeps its 2).
fn with_pre(version: Version, stage: Stage, number: u32) -> Version {
    Version {
        patch: version.patch.filter(|&patch| patch != 0),
        pre: Some((stage, number)),
        ..version
    }
}

/// The spelling that reads back as the same request.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => version.exact().fmt(f),
            Self::Minor(major, minor) => write!(f, "{major}.{minor}"),
            Self::Major(major) => write!(f, "{major}"),
            Self::Latest => f.write_str("latest"),
            Self::Stable => f.write_str("stable"),
            Self::OldStable => f.write_str("oldstable"),
            Self::System => f.write_str("system"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn the_order_is_that_of_cmd_go() {
        let ordered = [
            "1",
            "1.0.1",
            "1.8.5rc4",
            "1.8.5",
            "1.9.2rc2",
            "1.9.2",
            "1.20beta1",
            "1.20rc1",
            "1.20",
            "1.20.1",
            "1.21",
            "1.21rc1",
            "1.21rc2",
            "1.21.0",
            "1.21.1",
            "1.22beta1",
            "1.22rc1",
            "1.22.0",
            "1.100.0",
            "2.0.0",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(v(a).cmp(&v(b)), i.cmp(&j), "{a} against {b}");
            }
        }
        assert_eq!(v("1.20"), v("1.20.0"));
        assert_ne!(v("1.21"), v("1.21.0"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "01",
            "1.",
            "1.022",
            "1.2.03",
            "1.2.3.4",
            "1.21rc",
            "1.21rc01",
            "1.21 ",
            " 1.21",
            "1.21x",
            "1.21-rc1",
            "go1.21",
            "v1.21",
            "1.21rc1.2",
            "9999999999",
            "1.-1",
            "1.21RC1",
        ] {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_releases() {
        for (text, name, exact) in [
            ("1.22.4", "1.22.4", "1.22.4"),
            ("1.21.0", "1.21.0", "1.21.0"),
            ("1.20.0", "1.20", "1.20.0"),
            ("1.0.0", "1", "1.0.0"),
            ("1.21rc2", "1.21rc2", "1.21rc2"),
            ("1.9.2rc2", "1.9.2rc2", "1.9.2rc2"),
        ] {
            assert_eq!(v(text).to_string(), name);
            assert_eq!(v(text).exact().to_string(), exact);
            assert_eq!(Request::parse(exact), Ok(Request::Exact(v(text))));
        }
    }

    #[test]
    fn toolchain_names_drop_what_a_builder_added() {
        assert_eq!(Version::parse_toolchain("go1.21.0-custom"), Some(v("1.21.0")));
        assert_eq!(Version::parse_toolchain("go1.22.4 X:nocoverageredesign"), Some(v("1.22.4")));
        assert_eq!(Version::parse_toolchain("1.21.0"), None);
        assert_eq!(Version::parse_toolchain("go"), None);
    }

    #[test]
    fn every_spelling_in_the_wild_is_read() {
        let exact = |text| Ok(Request::Exact(v(text)));
        for (text, request) in [
            ("1.22", Ok(Request::Minor(1, 22))),
            ("go1.22", Ok(Request::Minor(1, 22))),
            ("1.22.x", Ok(Request::Minor(1, 22))),
            ("go1.22.*", Ok(Request::Minor(1, 22))),
            ("1", Ok(Request::Major(1))),
            ("1.x", Ok(Request::Major(1))),
            ("1.22.4", exact("1.22.4")),
            ("go1.22.4", exact("1.22.4")),
            ("v1.22.4", exact("1.22.4")),
            (" 1.22.4\t\r\n", exact("1.22.4")),
            ("1.22rc1", exact("1.22rc1")),
            ("1.22-rc1", exact("1.22rc1")),
            ("1.22.0-rc.1", exact("1.22rc1")),
            ("v1.22.0-rc1", exact("1.22rc1")),
            ("1.9.2rc2", exact("1.9.2rc2")),
            ("1.20.0", exact("1.20")),
            ("latest", Ok(Request::Latest)),
            ("stable", Ok(Request::Stable)),
            ("oldstable", Ok(Request::OldStable)),
            ("system", Ok(Request::System)),
            ("", Err(NotARequest::Empty)),
            ("  ", Err(NotARequest::Empty)),
            ("/usr/local/go", Err(NotARequest::PathLike)),
            ("..", Err(NotARequest::PathLike)),
            ("1.22/../../x", Err(NotARequest::PathLike)),
            (r"1.22\..", Err(NotARequest::PathLike)),
            ("1.22\x1b[31m", Err(NotARequest::NotText)),
            ("1.22\0", Err(NotARequest::NotText)),
            ("1.22.4-custom", Err(NotARequest::NotAVersion)),
            ("1.22.4.5", Err(NotARequest::NotAVersion)),
            ("gogo1.22", Err(NotARequest::NotAVersion)),
            ("1.22 1.21", Err(NotARequest::NotAVersion)),
            ("x", Err(NotARequest::NotAVersion)),
            (".x", Err(NotARequest::NotAVersion)),
        ] {
            assert_eq!(Request::parse(text), request, "{text:?}");
        }
        assert_eq!(Request::parse(&"1".repeat(65)), Err(NotARequest::TooLong));
    }

    #[test]
    fn a_request_chooses_the_newest_that_fits() {
        let installed: Vec<_> =
            ["1.20", "1.20.14", "1.26.8", "1.27rc1", "1.26.11", "1.25.0", "1.28rc1"].map(v).into();
        let choose = |text| Request::parse(text).unwrap().choose(installed.iter().copied());
        assert_eq!(choose("1.26"), Some(v("1.26.11")));
        assert_eq!(choose("1.20"), Some(v("1.20.14")));
        assert_eq!(choose("1.20.0"), Some(v("1.20")));
        assert_eq!(choose("1.27"), Some(v("1.27rc1")));
        assert_eq!(choose("latest"), Some(v("1.26.11")));
        assert_eq!(choose("oldstable"), Some(v("1.25.0")));
        assert_eq!(choose("1"), Some(v("1.26.11")));
        assert_eq!(choose("1.24"), None);
        assert_eq!(choose("1.26.9"), None);
        assert_eq!(choose("system"), None);
    }
}
