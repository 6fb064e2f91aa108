//! Locking: what the checksum database records of a version, for every platform
//! that it exists for.

use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::source::Sources;
use crate::trust::lockfile::{InForce, LockFile};
use crate::trust::sumdb::Unproved;
use crate::ui::Ui;
use crate::version::Version;
use std::collections::BTreeSet;

/// The platforms that Go is published for, for when no index tells them
/// (go.dev/dl; `go tool dist list`).
const PUBLISHED: [&str; 42] = [
    "aix-ppc64",
    "darwin-amd64",
    "darwin-arm64",
    "dragonfly-amd64",
    "freebsd-386",
    "freebsd-amd64",
    "freebsd-arm",
    "freebsd-arm64",
    "freebsd-riscv64",
    "illumos-amd64",
    "linux-386",
    "linux-amd64",
    "linux-arm",
    "linux-arm64",
    "linux-loong64",
    "linux-mips",
    "linux-mips64",
    "linux-mips64le",
    "linux-mipsle",
    "linux-ppc64",
    "linux-ppc64le",
    "linux-riscv64",
    "linux-s390x",
    "netbsd-386",
    "netbsd-amd64",
    "netbsd-arm",
    "netbsd-arm64",
    "openbsd-386",
    "openbsd-amd64",
    "openbsd-arm",
    "openbsd-arm64",
    "openbsd-mips64",
    "openbsd-ppc64",
    "openbsd-riscv64",
    "plan9-386",
    "plan9-amd64",
    "plan9-arm",
    "solaris-amd64",
    "windows-386",
    "windows-amd64",
    "windows-arm",
    "windows-arm64",
];

/// What was locked, and what could not be.
pub struct Made {
    pub file: LockFile,
    pub locked: usize,
    /// Platforms that nobody answered for, with the reason of each.
    pub unanswered: Vec<(Platform, String)>,
}

/// Asks the checksum database for every platform of a version. What an earlier lock
/// says of the same version stays where nobody answers.
///
/// # Errors
/// The database cannot be asked, lies, or contradicts the earlier lock.
pub fn make(
    sources: &Sources,
    ui: &Ui,
    version: Version,
    earlier: Option<&InForce>,
) -> Result<Made> {
    let host = Platform::host();
    // This machine's first: without an answer for it, there is nobody to ask.
    let mut platforms = vec![host.clone()];
    platforms.extend(published(sources, version)?.into_iter().filter(|other| *other != host));
    let mut made = Made { file: LockFile::default(), locked: 0, unanswered: Vec::new() };
    let progress = ui.steps("locking", &format!("Go {version}"), platforms.len() as u64);
    for platform in platforms {
        match sources.recorded(version, &platform)? {
            Ok(record) => {
                if let Some(earlier) = earlier {
                    earlier.check(version, &platform, &record.h1).map_err(|why| {
                        let why = format!("{why}, which {} records", record.database);
                        Error::new(Code::Refused, why)
                            .hint("if the line is wrong, take it out and run the command again")
                    })?;
                }
                made.file.add(version, &platform, &record.h1);
                made.locked += 1;
            }
            Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why)),
            Err(Unproved::Unreachable(why)) if platform == host => {
                let message = format!("Go {version} cannot be locked: {why}");
                return Err(Error::new(Code::Network, message));
            }
            Err(Unproved::Unreachable(why) | Unproved::NoRecord(why)) => {
                match earlier.and_then(|earlier| earlier.file.get(version, &platform)) {
                    Some(known) => made.file.add(version, &platform, &known.h1),
                    None => made.unanswered.push((platform, why)),
                }
            }
        }
        progress.advance(1);
    }
    if made.locked == 0 {
        let why = made.unanswered.first().map_or("", |(_, why)| why);
        let message = format!("Go {version} cannot be locked: {why}");
        return Err(
            Error::new(Code::NoSuchRelease, message).hint("to see what there is: gvm list-remote")
        );
    }
    Ok(made)
}

/// The platforms of a release by an index that knows all of them, else all that
/// there may be.
fn published(sources: &Sources, version: Version) -> Result<BTreeSet<Platform>> {
    let known = match sources.catalog() {
        Ok(known) => Some(known),
        Err(error) if matches!(error.code, Code::Network | Code::NoSuchRelease) => None,
        Err(error) => return Err(error),
    };
    let release = known.as_ref().and_then(|known| known.catalog.release(version));
    let listed = release.into_iter().flat_map(|release| release.archives.keys().cloned());
    let is_complete = known.as_ref().is_some_and(|known| !known.is_hint) && release.is_some();
    let others = PUBLISHED.iter().filter(|_| !is_complete);
    Ok(listed.chain(others.filter_map(|name| Platform::parse(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_published_platforms_have_the_names_of_go() {
        for name in PUBLISHED {
            assert_eq!(Platform::parse(name).map(|p| p.to_string()).as_deref(), Some(name));
        }
    }
}
