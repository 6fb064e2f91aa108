//! From a [`Pin`] to the toolchain that answers it.

use crate::layout::{Layout, Platform};
use crate::path;
use crate::pin::{self, Floor, Origin, Pin, PinError};
use crate::system::System;
use crate::version::{Request, Version};
use alloc::vec::Vec;

/// What a directory resolves to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Who decided.
    pub pin: Pin,
    /// What go.work or go.mod had to say, where they were asked at all.
    pub floor: Option<Floor>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A toolchain of the store.
    Toolchain { version: Version, goroot: Vec<u8> },
    /// The first `go` on PATH that is not ours; `None` when there is none.
    System { go: Option<Vec<u8>> },
    /// What is wanted is not installed.
    Missing,
}

/// Decides for the environment and directory of `system`.
///
/// # Errors
/// A pin that cannot be used; it is never passed over.
pub fn resolve(
    system: &impl System,
    layout: &Layout,
    platform: Platform,
) -> Result<Resolution, PinError> {
    if let Some(pin) = pin::from_variable(system)? {
        return Ok(answer(system, layout, platform, pin));
    }
    // A directory that was deleted under us pins nothing.
    let directory = system.current_dir();
    if let Some(directory) = &directory
        && let Some(pin) = pin::from_directory(system, directory)?
    {
        return Ok(answer(system, layout, platform, pin));
    }
    let default = pin::from_default(system, layout.default_file())?;
    let floor = match &directory {
        Some(directory) => pin::floor(system, directory)?,
        None => None,
    };
    let Some(floor) = floor else {
        let pin = default.unwrap_or_else(nobody);
        return Ok(answer(system, layout, platform, pin));
    };
    let mut resolution = at_least(system, layout, platform, default, &floor);
    resolution.floor = Some(floor);
    Ok(resolution)
}

/// What answers one pin.
pub fn answer(system: &impl System, layout: &Layout, platform: Platform, pin: Pin) -> Resolution {
    let outcome = match pin.request {
        Request::System => Outcome::System { go: find_system(system, layout, "go") },
        Request::Exact(version) => present(system, layout, platform, version),
        request => match request.choose(layout.installed(system, platform).into_iter()) {
            Some(version) => present(system, layout, platform, version),
            None => Outcome::Missing,
        },
    };
    Resolution { pin, floor: None, outcome }
}

/// With a floor and no pin: the default if it is new enough, else the newest
/// installed that is. The go command of the system may be any version, and
/// switches by itself, so it stands where it is the default.
fn at_least(
    system: &impl System,
    layout: &Layout,
    platform: Platform,
    default: Option<Pin>,
    floor: &Floor,
) -> Resolution {
    let has_default = default.is_some();
    let by_default = answer(system, layout, platform, default.unwrap_or_else(nobody));
    match &by_default.outcome {
        Outcome::Toolchain { version, .. } if *version >= floor.version => return by_default,
        Outcome::System { go: Some(_) } if has_default => return by_default,
        _ => {}
    }
    let fits = |version: &Version| *version >= floor.version;
    let mut newest: Option<Version> = None;
    for version in layout.installed(system, platform).into_iter().filter(fits) {
        // A pre-release only where there is no release.
        let better = |old: Version| (version.is_release(), version) > (old.is_release(), old);
        if newest.is_none_or(better) {
            newest = Some(version);
        }
    }
    let pin = Pin { request: floor.request(), origin: floor.origin.clone() };
    match newest {
        Some(version) => {
            Resolution { pin, floor: None, outcome: present(system, layout, platform, version) }
        }
        None if matches!(by_default.outcome, Outcome::System { go: Some(_) }) => by_default,
        None => Resolution { pin, floor: None, outcome: Outcome::Missing },
    }
}

fn nobody() -> Pin {
    Pin { request: Request::System, origin: Origin::Nobody }
}

fn present(system: &impl System, layout: &Layout, platform: Platform, version: Version) -> Outcome {
    let goroot = layout.goroot(version, platform);
    match system.metadata(&goroot) {
        Some(found) if found.is_dir => Outcome::Toolchain { version, goroot },
        _ => Outcome::Missing,
    }
}

/// `tool` of the system's Go: the one beside its `go`, so that the two are of one
/// version, else the first on PATH.
pub fn system_tool(
    system: &impl System,
    layout: &Layout,
    go: &[u8],
    tool: &str,
) -> Option<Vec<u8>> {
    let beside = path::parent(go).map(|directory| path::join_exe(directory, tool));
    beside
        .filter(|beside| system.metadata(beside).is_some_and(|found| found.is_executable))
        .or_else(|| find_system(system, layout, tool))
}

/// The first executable called `tool` on PATH that is not ours: neither a shim,
/// by the identity of its directory, nor a toolchain of the store. Relative
/// entries are passed over, as Go does: they make the answer depend on who
/// wrote the current directory.
pub fn find_system(system: &impl System, layout: &Layout, tool: &str) -> Option<Vec<u8>> {
    let list = system.var("PATH")?;
    let shims = system.metadata(&layout.shims()).map(|found| found.identity);
    let own = system.metadata(&path::join_exe(&layout.shims(), tool)).map(|found| found.identity);
    let toolchains = layout.toolchains();
    let store = system.metadata(&toolchains).map(|found| found.identity);
    for entry in path::entries(&list).filter(|entry| path::is_absolute(entry)) {
        if path::is_within(entry, &toolchains) {
            continue;
        }
        let candidate = path::join_exe(entry, tool);
        let Some(found) = system.metadata(&candidate).filter(|found| found.is_executable) else {
            continue;
        };
        let directory = system.metadata(entry).map(|found| found.identity);
        if Some(found.identity) == own || (shims.is_some() && directory == shims) {
            continue;
        }
        // `toolchains/NAME/go/bin` by another path.
        let above = system.metadata(&path::join(entry, "../../..")).map(|found| found.identity);
        if store.is_some() && above == store {
            continue;
        }
        return Some(candidate);
    }
    None
}
